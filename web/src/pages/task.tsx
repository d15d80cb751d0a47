// One task, and the road that it walks: six stations, in the words of `suanwang explain`.

import { useEffect, useState } from "preact/hooks";
import { api, ApiError } from "../api/client";
import { follow } from "../api/stream";
import { END_PHASES, type Explain, type Phase } from "../api/types";
import { gridStore, needGrid } from "../core/grid";
import { t, word } from "../core/i18n";
import { useLoad } from "../core/load";
import { useStore } from "../core/store";
import { whoStore } from "../core/who";
import { Emulated, KindMark, PhaseChip } from "../parts/bits";
import { ErrorBox, errorText, Loading } from "../parts/states";
import { AdmissionSection, RequestSection } from "./task/begin";
import { AttemptsSection } from "./task/attempts";
import { ChargesSection } from "./task/charges";
import { ObservedSection } from "./task/observed";
import { PartsSection } from "./task/parts";
import { PlanSection } from "./task/plan";
import { ServiceSection } from "./task/service";
import { Stations } from "./task/stations";

const REREAD_MS = 700;
const MEASURED_MS = 4_000;
const ENDED = new Set<Phase>(END_PHASES);

/** The record of the task: read again, not more often than REREAD_MS, whenever its stream says something. */
function useExplain(id: string) {
  const loaded = useLoad(() => api.explain(id), [id]);
  const { again } = loaded;
  useEffect(() => {
    const stop = new AbortController();
    let timer = 0;
    const soon = (): void => {
      if (timer) return;
      timer = window.setTimeout(() => {
        timer = 0;
        again();
      }, REREAD_MS);
    };
    void follow(`/tasks/${encodeURIComponent(id)}/events`, stop.signal, soon);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [id]);
  // What is measured of a path is no event: it is read again while there is a path to measure.
  const measured = (loaded.value?.routes?.length ?? 0) > 0;
  useEffect(() => {
    if (!measured) return;
    const timer = setInterval(() => document.visibilityState === "visible" && again(), MEASURED_MS);
    return () => clearInterval(timer);
  }, [id, measured]);
  return loaded;
}

export function TaskPage({ id }: { id: string }) {
  const grid = useStore(gridStore);
  const { value, error, again } = useExplain(id);
  useEffect(() => void needGrid().catch(() => undefined), []);
  if (error && (!value || (error instanceof ApiError && error.status === 404))) return <ErrorBox error={error} again={again} />;
  if (!value) return <Loading />;
  return (
    <div class="page task-page">
      <TaskHead record={value} again={again} />
      <Stations record={value} />
      <div class="road-top">
        <RequestSection record={value} grid={grid} />
        <AdmissionSection record={value} grid={grid} />
      </div>
      <PartsSection record={value} grid={grid} />
      <PlanSection record={value} grid={grid} />
      <AttemptsSection record={value} grid={grid} />
      <ServiceSection record={value} />
      <ObservedSection record={value} grid={grid} />
      <ChargesSection record={value} grid={grid} />
    </div>
  );
}

function TaskHead({ record, again }: { record: Explain; again: () => void }) {
  const { task } = record;
  const who = useStore(whoStore);
  const [error, setError] = useState("");
  const may = who?.role === "user" || who?.role === "operator";
  const cancel = (): void => {
    api.cancel(task.task_id).then(
      () => {
        setError("");
        again();
      },
      (problem: Error) => setError(errorText(problem)),
    );
  };
  const why = task.reason ? word("failure", task.reason) : task.wait ? word("wait", task.wait.reason) : "";
  return (
    <div class="page-head task-head">
      <div>
        <h1>
          {task.name} <PhaseChip phase={task.phase} /> <KindMark kind={task.kind} /> <Emulated show={task.emulated} />
        </h1>
        <p class="muted">
          <code>{task.task_id}</code> · {task.tenant}
          {Object.entries(task.tags).map(([name, value]) => (
            <span class="tag">{value ? `${name}=${value}` : name}</span>
          ))}
        </p>
        {(why || task.detail) && (
          <p class={ENDED.has(task.phase) ? "bad-text" : "warn-text"}>
            {why}
            {task.detail && <span class="muted"> {task.detail}</span>}
          </p>
        )}
        {error && (
          <p class="bad-text" role="alert">
            {error}
          </p>
        )}
      </div>
      <div class="actions">
        {may && !ENDED.has(task.phase) && (
          <button type="button" class="danger" onClick={cancel} disabled={task.phase === "stopping"}>
            {t("ui.task.cancel")}
          </button>
        )}
        {may && (
          <a class="button" href={`#/new/${encodeURIComponent(task.task_id)}`}>
            {t("ui.task.again")}
          </a>
        )}
      </div>
    </div>
  );
}
