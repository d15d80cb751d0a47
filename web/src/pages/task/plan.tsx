import { useState } from "preact/hooks";
import { END_PHASES, type Explain, type Phase } from "../../api/types";
import { at, atFull } from "../../core/format";
import { siteName, type GridView } from "../../core/grid";
import { t, word, wordOrNull } from "../../core/i18n";
import { Panel } from "../../parts/bits";
import { PlanView } from "../../parts/plan-view";
import { Loading } from "../../parts/states";
import { Numbered } from "./begin";

const ENDED = new Set<Phase>(END_PHASES);

export function PlanSection({ record, grid }: { record: Explain; grid: GridView | null }) {
  const { plans, task } = record;
  const [picked, setPicked] = useState<number | null>(null);
  const index = picked !== null && picked < plans.length ? picked : plans.length - 1;
  const shown = plans[index];
  const route = record.routes?.find((one) => one.plan_id === shown?.plan.plan_id) ?? null;
  const newest = index === plans.length - 1;
  return (
    <Panel
      id="plan"
      class="station-panel"
      title={<Numbered n={3}>{t("ui.road.plan")}</Numbered>}
      side={shown ? <time class="num">{atFull(shown.at_us)}</time> : null}
    >
      {!shown && <p class="muted">{task.wait ? word("wait", task.wait.reason) : ENDED.has(task.phase) ? t("ui.plan.never") : t("ui.plan.not_yet")}</p>}
      {plans.length > 1 && (
        <div class="generations" role="tablist" aria-label={t("ui.plan.generations")}>
          {plans.map((one, i) => (
            <button type="button" role="tab" aria-selected={i === index} class={i === index ? "on" : ""} onClick={() => setPicked(i)}>
              <b>{t("ui.plan.generation", { n: one.plan.generation })}</b> {siteName(grid, one.plan.site)}
              <small class="num">{at(one.at_us)}</small>
            </button>
          ))}
        </div>
      )}
      {shown?.dropped && (
        <p class="warn-text">
          {t("ui.plan.dropped")} {wordOrNull(`drop.${shown.dropped.reason}`) ?? word("failure", shown.dropped.reason)}
        </p>
      )}
      {shown && (grid ? <PlanView grid={grid} plan={shown.plan} report={shown.report} moving={newest && !ENDED.has(task.phase)} route={route} /> : <Loading />)}
    </Panel>
  );
}
