import { useEffect, useState } from "preact/hooks";
import { api, query as toQuery } from "../api/client";
import { END_PHASES, LIVE_PHASES, type Page, type TaskView } from "../api/types";
import { nowUs } from "../core/clock";
import { ago, atFull, count, shortId, yuan } from "../core/format";
import { gridStore, needGrid, siteName } from "../core/grid";
import { t, word } from "../core/i18n";
import { useLoad } from "../core/load";
import { go, taskHref } from "../core/router";
import { useStore } from "../core/store";
import { Bar, Emulated, KindMark, PhaseChip } from "../parts/bits";
import { Empty, ErrorBox, Loading } from "../parts/states";

const PAGE_SIZE = 50;
const REFRESH_MS = 4000;

interface Filter {
  phase: string;
  tag: string;
  text: string;
}

export function TasksPage({ query }: { query: URLSearchParams }) {
  const filter: Filter = { phase: query.get("phase") ?? "", tag: query.get("tag") ?? "", text: query.get("text") ?? "" };
  const [cursors, setCursors] = useState<(string | null)[]>([null]);
  const cursor = cursors.at(-1) ?? null;
  const address = toQuery({ ...filter });
  const { value, error, loading, again } = useLoad<Page<TaskView>>(
    () => api.tasks({ ...filter, limit: PAGE_SIZE, cursor }),
    [address, cursor],
  );
  useEffect(() => setCursors([null]), [address]);
  useEffect(() => {
    const timer = setInterval(again, REFRESH_MS);
    return () => clearInterval(timer);
  }, [again]);
  const filtered = Boolean(filter.phase || filter.tag || filter.text);
  return (
    <div class="page">
      <div class="page-head">
        <h1>{t("ui.nav.tasks")}</h1>
        {value?.total !== undefined && value.total !== null && <span class="muted num">{t("ui.tasks.total", { count: count(value.total) })}</span>}
        <a class="button primary" href="#/new">
          {t("ui.nav.new")}
        </a>
      </div>
      <Filters filter={filter} />
      {error && !value && <ErrorBox error={error} again={again} />}
      {!value && loading && <Loading />}
      {value && value.items.length === 0 && (
        <Empty>
          <p>{filtered ? t("ui.tasks.none_match") : t("ui.tasks.none")}</p>
          {!filtered && <a href="#/new">{t("ui.nav.new")}</a>}
        </Empty>
      )}
      {value && value.items.length > 0 && <TaskTable tasks={value.items} />}
      {value && (cursors.length > 1 || value.next_cursor) && (
        <div class="paging">
          <button type="button" disabled={cursors.length < 2} onClick={() => setCursors(cursors.slice(0, -1))}>
            {t("ui.paging.newer")}
          </button>
          <span class="muted num">{t("ui.paging.page", { page: cursors.length })}</span>
          <button type="button" disabled={!value.next_cursor} onClick={() => setCursors([...cursors, value.next_cursor])}>
            {t("ui.paging.older")}
          </button>
        </div>
      )}
    </div>
  );
}

const TYPING_MS = 300;

function Filters({ filter }: { filter: Filter }) {
  const [draft, setDraft] = useState(filter);
  useEffect(() => {
    const timer = setTimeout(() => {
      const next = toQuery({ ...draft });
      if (next !== toQuery({ ...filter })) go(`#/tasks${next}`);
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [draft]);
  const change = (part: Partial<Filter>): void => setDraft({ ...draft, ...part });
  return (
    <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <label>
        <span>{t("ui.tasks.phase")}</span>
        <select value={draft.phase} onChange={(event) => change({ phase: event.currentTarget.value })}>
          <option value="">{t("ui.tasks.all")}</option>
          <option value="live">{t("ui.tasks.live")}</option>
          <option value="ended">{t("ui.tasks.ended")}</option>
          {[...LIVE_PHASES, ...END_PHASES].map((phase) => (
            <option value={phase}>{word("phase", phase)}</option>
          ))}
        </select>
      </label>
      <label>
        <span>{t("ui.tasks.tag")}</span>
        <input value={draft.tag} placeholder="team=astro" onInput={(event) => change({ tag: event.currentTarget.value })} />
      </label>
      <label class="wide">
        <span>{t("ui.tasks.text")}</span>
        <input type="search" value={draft.text} placeholder={t("ui.tasks.text_hint")} onInput={(event) => change({ text: event.currentTarget.value })} />
      </label>
    </form>
  );
}

function TaskTable({ tasks }: { tasks: TaskView[] }) {
  const grid = useStore(gridStore);
  useEffect(() => void needGrid().catch(() => undefined), []);
  return (
    <div class="panel table-box">
      <table class="table tasks">
        <thead>
          <tr>
            <th>{t("ui.col.task")}</th>
            <th>{t("ui.col.phase")}</th>
            <th>{t("ui.col.kind")}</th>
            <th>{t("ui.col.road")}</th>
            <th class="right">{t("ui.col.quote")}</th>
            <th class="right">{t("ui.col.billed")}</th>
            <th class="right">{t("ui.col.submitted")}</th>
          </tr>
        </thead>
        <tbody>
          {tasks.map((task) => (
            <tr key={task.task_id} onClick={() => go(taskHref(task.task_id))}>
              <td>
                <a href={taskHref(task.task_id)} class="task-name">
                  {task.name}
                </a>
                <div class="under">
                  <span class="num">{shortId(task.task_id)}</span>
                  {Object.entries(task.tags).map(([name, value]) => (
                    <span class="tag">{value ? `${name}=${value}` : name}</span>
                  ))}
                </div>
              </td>
              <td>
                <PhaseChip phase={task.phase} />
                <Why task={task} />
                {task.phase === "running" && task.progress_permille !== null && <Bar permille={task.progress_permille} />}
              </td>
              <td>
                <KindMark kind={task.kind} />
                {task.array > 1 && <span class="muted"> ×{count(task.array)}</span>}
              </td>
              <td>
                <span class="muted">{siteName(grid, task.origin)} → </span>
                {task.site ? siteName(grid, task.site) : <span class="muted">{t("ui.tasks.no_site")}</span>} <Emulated show={task.emulated} />
              </td>
              <td class="right num">{task.quote_micro_yuan === null ? "–" : yuan(task.quote_micro_yuan)}</td>
              <td class="right num">{yuan(task.billed_micro_yuan)}</td>
              <td class="right num" title={atFull(task.submitted_us)}>
                {ago(task.submitted_us, nowUs())}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The reason under a phase: why it waits, failed or was refused. */
function Why({ task }: { task: TaskView }) {
  const refusal = task.refusals[0];
  const text = task.wait
    ? word("wait", task.wait.reason)
    : task.reason
      ? word("failure", task.reason)
      : refusal
        ? word("refusal", refusal.reason, { field: refusal.field, got: refusal.got, limit: refusal.limit })
        : "";
  return text ? (
    <div class="under why" title={text}>
      {text}
    </div>
  ) : null;
}
