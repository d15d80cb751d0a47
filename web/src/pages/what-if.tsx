// What if: a day played again, before and after a change, beside the running brain.

import { useEffect, useState } from "preact/hooks";
import { ApiError, api } from "../api/client";
import type { WhatIfView } from "../api/what-if-types";
import { count } from "../core/format";
import { gridStore, needGrid } from "../core/grid";
import { t } from "../core/i18n";
import { useStore } from "../core/store";
import { whoStore } from "../core/who";
import { Bar, Panel } from "../parts/bits";
import { Empty, Faults } from "../parts/states";
import { emptyDraft, toAsk, type Draft } from "./what-if/draft";
import { WhatIfForm } from "./what-if/form";
import { sourceName, WhatIfResult } from "./what-if/result";

const EVERY_MS = 700;

export function WhatIfPage() {
  const who = useStore(whoStore);
  const grid = useStore(gridStore);
  const [draft, setDraft] = useState<Draft>(emptyDraft);
  const [run, setRun] = useState<WhatIfView | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [asking, setAsking] = useState(false);
  useEffect(() => void needGrid().catch(() => undefined), []);
  useLatest(setRun);
  useProgress(run, setRun);
  const play = (): void => {
    setAsking(true);
    setError(null);
    api
      .whatIf(toAsk(draft))
      .then(setRun, setError)
      .finally(() => setAsking(false));
  };
  if (who && who.role !== "operator") {
    return (
      <div class="page">
        <Empty>{t("ui.what_if.operators")}</Empty>
      </div>
    );
  }
  const running = run?.state === "running";
  return (
    <div class="page">
      <div class="page-head">
        <h1>{t("ui.nav.what_if")}</h1>
        <span class="muted">{t("ui.what_if.lead")}</span>
      </div>
      <div class="what-if-page">
        <div class="what-if-left">
          <WhatIfForm draft={draft} change={(part) => setDraft((old) => ({ ...old, ...part }))} grid={grid} busy={asking || running} play={play} />
        </div>
        <div class="what-if-right">
          {error && <Faults error={error} />}
          {run && <State run={run} />}
          {!run && !error && <Empty>{t("ui.what_if.none")}</Empty>}
          {run?.result && <WhatIfResult found={run.result} grid={grid} />}
        </div>
      </div>
    </div>
  );
}

/** The last one that was asked for, so that a page that is opened again shows it. */
function useLatest(setRun: (run: WhatIfView) => void): void {
  useEffect(() => {
    let over = false;
    api
      .whatIfRuns()
      .then((page) => (page.items[0] ? api.whatIfRun(page.items[0].run_id) : null))
      .then(
        (run) => !over && run && setRun(run),
        () => undefined, // the page says itself where the brain does not answer
      );
    return () => {
      over = true;
    };
  }, []);
}

function useProgress(run: WhatIfView | null, setRun: (run: WhatIfView) => void): void {
  const id = run?.state === "running" ? run.run_id : null;
  useEffect(() => {
    if (id === null) return;
    const timer = setInterval(() => void api.whatIfRun(id).then(setRun, () => undefined), EVERY_MS);
    return () => clearInterval(timer);
  }, [id]);
}

function State({ run }: { run: WhatIfView }) {
  if (run.state === "failed" && run.problem) return <Faults error={new ApiError(run.problem.status ?? 500, run.problem)} />;
  if (run.state === "cancelled") return <Empty>{t("ui.what_if.cancelled")}</Empty>;
  if (run.state !== "running") return null;
  return (
    <Panel
      title={t("ui.what_if.playing", { source: sourceName(run.source) })}
      side={
        <button type="button" class="quiet" onClick={() => void api.cancelWhatIf(run.run_id).catch(() => undefined)}>
          {t("ui.what_if.cancel")}
        </button>
      }
    >
      <Bar permille={run.tasks ? (run.ended * 1000) / run.tasks : 0} label={t("ui.what_if.progress", { ended: count(run.ended), tasks: count(run.tasks) })} />
      <p class="muted num">{run.tasks ? t("ui.what_if.progress", { ended: count(run.ended), tasks: count(run.tasks) }) : t("ui.what_if.reading")}</p>
    </Panel>
  );
}
