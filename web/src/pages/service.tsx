// One service: a form made of its parameters, the price before anything runs, and the way to its task.

import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "../api/client";
import type { ServiceAsk, ServiceView } from "../api/service-types";
import type { DryPlan } from "../api/types";
import { yuan } from "../core/format";
import { gridStore, needGrid } from "../core/grid";
import { t, told, word } from "../core/i18n";
import { useLoad } from "../core/load";
import { go, taskHref } from "../core/router";
import { useStore } from "../core/store";
import { whoStore } from "../core/who";
import { Panel } from "../parts/bits";
import { PlanAnswer } from "../parts/plan-answer";
import { ErrorBox, Loading } from "../parts/states";
import { ParameterField, WishFields, type Wishes, wishesOf } from "./service/fields";
import { VerdictTable } from "./service/verdicts";

export function ServicePage({ id }: { id: string }) {
  const { value, error, again } = useLoad(() => api.service(id), [id]);
  if (error && !value) return <ErrorBox error={error} again={again} />;
  return value ? <Order service={value} /> : <Loading />;
}

/** What was typed as the parameter's type; what is none goes as it is, so that the brain names the fault. */
function askOf(service: ServiceView, typed: Record<string, string>, wishes: Wishes): ServiceAsk {
  const parameters: Record<string, unknown> = {};
  for (const one of service.parameters) {
    const text = typed[one.name];
    if (text === undefined || text === String(one.default)) continue;
    const number = Number(text);
    const numeric = (one.type === "integer" || one.type === "number") && text.trim() !== "" && Number.isFinite(number);
    parameters[one.name] = one.type === "boolean" ? text === "true" : numeric ? number : text;
  }
  return { parameters, task: wishesOf(wishes) };
}

function Order({ service }: { service: ServiceView }) {
  const grid = useStore(gridStore);
  const who = useStore(whoStore);
  const [typed, setTyped] = useState<Record<string, string>>({});
  const [wishes, setWishes] = useState<Wishes>({ origin: "", latency: "", preference: "", priceLimit: "" });
  const [answer, setAnswer] = useState<DryPlan | null>(null);
  const [planned, setPlanned] = useState("");
  const [error, setError] = useState<Error | null>(null);
  const [busy, setBusy] = useState<"plan" | "run" | null>(null);
  // One key for one wish: pressing twice submits once.
  const idempotency = useRef({ body: "", key: "" });
  useEffect(() => void needGrid().catch(() => undefined), []);
  const ask = askOf(service, typed, wishes);
  const body = JSON.stringify(ask);
  const plan = async (): Promise<void> => {
    setBusy("plan");
    setError(null);
    try {
      setAnswer(await api.planService(service.id, ask));
      setPlanned(body);
    } catch (problem) {
      setAnswer(null);
      setError(problem as Error);
    }
    setBusy(null);
  };
  const run = async (): Promise<void> => {
    if (idempotency.current.body !== body) idempotency.current = { body, key: crypto.randomUUID() };
    setBusy("run");
    setError(null);
    try {
      const task = await api.runService(service.id, ask, idempotency.current.key);
      go(taskHref(task.task_id));
    } catch (problem) {
      setError(problem as Error);
      setBusy(null);
    }
  };
  const stale = answer !== null && planned !== body;
  const may = who?.role === "user" || who?.role === "operator";
  return (
    <div class="page new-page service-page">
      <div class="new-left">
        <div class="page-head">
          <div>
            <p class="muted">
              <a href="#/services">{t("ui.nav.services")}</a> · <a href={`#/services?group=${service.group}`}>{word("service_group", service.group)}</a>
            </p>
            <h1>{told(service.name)}</h1>
          </div>
        </div>
        <p class="service-about">{told(service.about)}</p>
        <form
          class="panel form"
          onSubmit={(event) => {
            event.preventDefault();
            void plan();
          }}
        >
          <div class="form-scroll">
            <div class="group-body service-fields">
              {service.parameters.map((one) => (
                <ParameterField parameter={one} value={typed[one.name] ?? String(one.default)} change={(text) => setTyped((old) => ({ ...old, [one.name]: text }))} />
              ))}
            </div>
            {service.relations.length > 0 && (
              <p class="muted">
                {t("ui.service.relations")} {service.relations.map((one) => <code>{one}</code>)}
              </p>
            )}
            <WishFields wishes={wishes} grid={grid} change={(part) => setWishes((old) => ({ ...old, ...part }))} />
          </div>
          <div class="form-end">
            <button type="submit" disabled={busy !== null}>
              {busy === "plan" ? t("ui.new.planning") : t("ui.service.price")}
            </button>
            <button type="button" class="primary" disabled={busy !== null || !may || answer === null || stale} onClick={() => void run()}>
              {busy === "run" ? t("ui.new.submitting") : t("ui.service.run")}
            </button>
            {answer?.plan && !stale ? <b class="num service-quote">{t("ui.service.quote", { price: yuan(answer.plan.quote_micro_yuan) })}</b> : <small class="muted">{!may && who ? t("ui.new.viewer") : t("ui.service.price_first")}</small>}
          </div>
        </form>
      </div>
      <div class={`new-right ${stale ? "stale" : ""}`}>
        <Panel title={t("ui.service.expected")} side={<code>{service.id}</code>}>
          <VerdictTable rows={service.expected} />
          <p class="muted">{service.circuit ? t("ui.service.circuit") : service.needs.length > 0 ? t("ui.service.needs", { packages: service.needs.join(", ") }) : t("ui.service.needs_none")}</p>
        </Panel>
        <PlanAnswer answer={answer} error={error} busy={busy === "plan"} grid={grid} lead={t("ui.service.plan_lead")} />
      </div>
    </div>
  );
}
