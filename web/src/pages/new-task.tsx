// A task before it is one: say what it needs, see the plan and why, then submit.

import { useEffect, useRef, useState } from "preact/hooks";
import { api, type Body } from "../api/client";
import type { DryPlan } from "../api/types";
import { gridStore, needGrid } from "../core/grid";
import { t } from "../core/i18n";
import { go, taskHref } from "../core/router";
import { useStore } from "../core/store";
import { whoStore } from "../core/who";
import { PlanAnswer } from "../parts/plan-answer";
import { EMPTY, fromRequest, toRequest, type Draft } from "./new/draft";
import { TaskForm } from "./new/form";
import { toYaml } from "./new/yaml";

type Tab = "form" | "text";

/** The body to send. Secrets' values ride beside the request, never in it. */
function bodyOf(tab: Tab, draft: Draft, text: string): Body {
  if (tab === "text") return { text, type: "application/yaml" };
  const request = toRequest(draft);
  const secrets = Object.fromEntries(draft.secrets.filter((one) => one.name.trim()).map((one) => [one.name.trim(), one.value]));
  const whole = Object.keys(secrets).length ? { request, secrets } : request;
  return { text: JSON.stringify(whole), type: "application/json" };
}

/** What is planned never needs the values of secrets. */
const planBody = (tab: Tab, draft: Draft, text: string): Body =>
  tab === "text" ? { text, type: "application/yaml" } : { text: JSON.stringify(toRequest(draft)), type: "application/json" };

export function NewTaskPage({ from }: { from: string | null }) {
  const grid = useStore(gridStore);
  const who = useStore(whoStore);
  const [tab, setTab] = useState<Tab>("form");
  const [draft, setDraft] = useState<Draft>(EMPTY);
  const [text, setText] = useState("");
  const [answer, setAnswer] = useState<DryPlan | null>(null);
  const [planned, setPlanned] = useState(""); // the body that `answer` is about
  const [error, setError] = useState<Error | null>(null);
  const [busy, setBusy] = useState<"plan" | "submit" | null>(null);
  // One key for one wish: pressing twice, or again after a break of the line, submits once.
  const idempotency = useRef({ body: "", key: "" });
  useEffect(() => void needGrid().catch(() => undefined), []);
  useEffect(() => {
    if (from) api.explain(from).then((record) => setDraft(fromRequest(record.request.request)), setError);
  }, [from]);

  const pickTab = (next: Tab): void => {
    if (next === "text" && tab === "form") setText(toYaml(toRequest(draft)));
    if (next === "form" && tab === "text" && answer && planned === planBody("text", draft, text).text) setDraft(fromRequest(answer.request));
    setTab(next);
  };
  const plan = async (): Promise<void> => {
    const body = planBody(tab, draft, text);
    setBusy("plan");
    setError(null);
    try {
      setAnswer(await api.plan(body));
      setPlanned(body.text);
    } catch (problem) {
      setAnswer(null);
      setError(problem as Error);
    }
    setBusy(null);
  };
  const submit = async (): Promise<void> => {
    const body = bodyOf(tab, draft, text);
    if (idempotency.current.body !== body.text) idempotency.current = { body: body.text, key: crypto.randomUUID() };
    setBusy("submit");
    setError(null);
    try {
      const task = await api.submit(body, idempotency.current.key);
      go(taskHref(task.task_id));
    } catch (problem) {
      setError(problem as Error);
      setBusy(null);
    }
  };
  const empty = tab === "form" ? draft.run.trim() === "" : text.trim() === "";
  const stale = answer !== null && planned !== planBody(tab, draft, text).text;
  const may = who?.role === "user" || who?.role === "operator";
  return (
    <div class="page new-page">
      <div class="new-left">
        <div class="page-head">
          <h1>{t("ui.nav.new")}</h1>
          <div class="tabs" role="tablist">
            {(["form", "text"] as const).map((one) => (
              <button type="button" role="tab" aria-selected={tab === one} class={tab === one ? "on" : ""} onClick={() => pickTab(one)}>
                {t(`ui.new.tab_${one}`)}
              </button>
            ))}
          </div>
        </div>
        <form
          class="panel form"
          onSubmit={(event) => {
            event.preventDefault();
            if (!empty) void plan();
          }}
        >
          <div class="form-scroll">
            {tab === "form" ? (
              <TaskForm draft={draft} grid={grid} change={(part) => setDraft((old) => ({ ...old, ...part }))} />
            ) : (
              <label class="field wide yaml">
                <span>{t("ui.new.text_lead")}</span>
                <textarea name="yaml" spellcheck={false} value={text} onInput={(event) => setText(event.currentTarget.value)} />
              </label>
            )}
          </div>
          <div class="form-end">
            <button type="submit" disabled={empty || busy !== null}>
              {busy === "plan" ? t("ui.new.planning") : t("ui.new.plan")}
            </button>
            <button type="button" class="primary" disabled={empty || busy !== null || !may || answer === null || stale} onClick={() => void submit()}>
              {busy === "submit" ? t("ui.new.submitting") : t("ui.new.submit")}
            </button>
            <small class="muted">{!may && who ? t("ui.new.viewer") : answer === null || stale ? t("ui.new.plan_first") : ""}</small>
          </div>
        </form>
      </div>
      <div class={`new-right ${stale ? "stale" : ""}`}>
        <PlanAnswer answer={answer} error={error} busy={busy === "plan"} grid={grid} />
      </div>
    </div>
  );
}
