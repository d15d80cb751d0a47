// The six stations, with what each has handed over so far.

import type { ComponentChildren } from "preact";
import { END_PHASES, type Explain, type Phase } from "../../api/types";
import { clock, percent, yuan } from "../../core/format";
import { t, word, type UiKey } from "../../core/i18n";
import { gridStore, siteName } from "../../core/grid";
import { useStore } from "../../core/store";

type Mark = "done" | "now" | "bad" | "later";
interface Station {
  id: string;
  title: UiKey;
  mark: Mark;
  atUs: number | null;
  note: ComponentChildren;
}

const ENDED = new Set<Phase>(END_PHASES);

function stations(record: Explain, place: string): Station[] {
  const { task, admission, plans, attempts, observed, charges } = record;
  const plan = plans.at(-1);
  const attempt = attempts.at(-1);
  const event = observed.at(-1);
  const over = ENDED.has(task.phase);
  const then = (done: boolean, now: boolean, bad = false): Mark => (bad ? "bad" : done ? "done" : now && !over ? "now" : "later");
  const progress = task.progress_permille === null || over ? "" : ` · ${percent(task.progress_permille, 0)}`;
  return [
    { id: "request", title: "ui.road.request", mark: "done", atUs: record.request.at_us, note: record.request.principal },
    {
      id: "admission",
      title: "ui.road.admission",
      mark: then(admission.outcome === "admitted", true, admission.outcome === "refused"),
      atUs: admission.at_us,
      note: t(`ui.admission.${admission.outcome}`),
    },
    {
      id: "plan",
      title: "ui.road.plan",
      mark: then(plan !== undefined && task.phase !== "waiting", admission.outcome === "admitted"),
      atUs: plan?.at_us ?? null,
      note: plan ? place : task.wait ? word("wait", task.wait.reason) : "",
    },
    {
      id: "attempts",
      title: "ui.road.attempts",
      mark: then(attempt?.succeeded === true, attempt !== undefined && attempt.closed_us === null, attempt?.succeeded === false && over),
      atUs: attempt?.opened_us ?? null,
      note: attempts.length ? t("ui.road.attempt_count", { count: attempts.length }) + progress : "",
    },
    {
      id: "observed",
      title: "ui.road.observed",
      mark: then(over && observed.length > 0, observed.length > 0),
      atUs: event?.at_us ?? null,
      note: event ? word("event", event.event.kind) : "",
    },
    {
      id: "charges",
      title: "ui.road.charges",
      mark: then(over && charges.length > 0, charges.length > 0),
      atUs: charges.at(-1)?.at_us ?? null,
      note: charges.length ? yuan(task.billed_micro_yuan) : "",
    },
  ];
}

export function Stations({ record }: { record: Explain }) {
  const grid = useStore(gridStore);
  return (
    <nav class="stations" aria-label={t("ui.road.label")}>
      {stations(record, siteName(grid, record.task.site)).map((station, index) => (
        <a href={`#${station.id}`} class={`station ${station.mark}`} onClick={(event) => jump(event, station.id)}>
          <i aria-hidden="true">{station.mark === "done" ? "✓" : station.mark === "bad" ? "✕" : index + 1}</i>
          <span class="station-title">{t(station.title)}</span>
          <span class="station-note">{station.note || " "}</span>
          <span class="station-at num">{station.atUs ? clock(station.atUs) : " "}</span>
        </a>
      ))}
    </nav>
  );
}

/** The fragment is the route, so a station is reached by scrolling, not by its anchor. */
function jump(event: Event, id: string): void {
  event.preventDefault();
  document.getElementById(id)?.scrollIntoView({ behavior: "smooth", block: "start" });
}
