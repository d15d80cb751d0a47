// Why there and not elsewhere: the best alternatives, how the pools were narrowed, what would make it fit.

import type { Alternative, ClauseCount, Plan, Relaxation } from "../api/types";
import { at, atFull, carbon, count, span, yuan } from "../core/format";
import { poolName, type GridView } from "../core/grid";
import { t, word } from "../core/i18n";

interface AlternativesProps {
  grid: GridView;
  plan: Plan | null;
  alternatives: readonly Alternative[];
}

export function Alternatives({ grid, plan, alternatives }: AlternativesProps) {
  if (!alternatives.length) return null;
  return (
    <div>
      <h3>{plan ? t("ui.plan.alternatives_long") : t("ui.plan.nearest")}</h3>
      <div class="table-box">
        <table class="table tight">
          <thead>
            <tr>
              <th>{t("ui.col.pool")}</th>
              <th>{t("ui.col.why_not")}</th>
              <th class="right">{t("ui.plan.quote")}</th>
              <th class="right">{t("ui.plan.end")}</th>
              <th class="right">{t("ui.plan.latency")}</th>
              <th class="right">{t("ui.plan.carbon")}</th>
            </tr>
          </thead>
          <tbody>
            {plan && (
              <tr class="chosen">
                <td>{poolName(grid, plan.pool)}</td>
                <td>{t("ui.plan.chosen")}</td>
                <td class="right num">{yuan(plan.quote_micro_yuan)}</td>
                <td class="right num" title={atFull(plan.end_us)}>
                  {at(plan.end_us)}
                </td>
                <td class="right num">{span(plan.path.latency_us)}</td>
                <td class="right num">{carbon(plan.carbon_mg)}</td>
              </tr>
            )}
            {alternatives.map((one) => (
              <tr>
                <td>{poolName(grid, one.pool)}</td>
                <td>{word("pool_reason", one.reason)}</td>
                <td class="right num">{one.price_micro_yuan === null ? "–" : yuan(one.price_micro_yuan)}</td>
                <td class="right num">{one.finish_us === null ? "–" : at(one.finish_us)}</td>
                <td class="right num">{one.latency_us === null ? "–" : span(one.latency_us)}</td>
                <td class="right num">{one.carbon_mg === null ? "–" : carbon(one.carbon_mg)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

/** How many pools are left after each clause: bars that narrow. */
export function Funnel({ clauses, all }: { clauses: readonly ClauseCount[]; all: number }) {
  // `worse` removes nothing: those pools could take it.
  const cuts = clauses.filter((clause) => clause.reason !== "worse" && clause.pools > 0);
  let left = all;
  return (
    <div class="funnel">
      <h3>{t("ui.plan.funnel")}</h3>
      <ol>
        <li class="funnel-head">
          <span>{t("ui.plan.funnel_all")}</span>
          <FunnelBar left={all} cut={0} all={all} />
          <span class="num">{count(all)}</span>
        </li>
        {cuts.map((clause) => {
          left -= clause.pools;
          return (
            <li>
              <span>{word("pool_reason", clause.reason)}</span>
              <FunnelBar left={left} cut={clause.pools} all={all} />
              <span class="num">
                −{count(clause.pools)} <small class="muted">{t("ui.plan.sites", { count: count(clause.sites) })}</small>
              </span>
            </li>
          );
        })}
        <li class={left > 0 ? "funnel-end" : "funnel-end none"}>
          <span>{left > 0 ? t("ui.plan.funnel_left") : t("ui.plan.funnel_none")}</span>
          <FunnelBar left={left} cut={0} all={all} />
          <span class="num">{count(left)}</span>
        </li>
      </ol>
    </div>
  );
}

function FunnelBar({ left, cut, all }: { left: number; cut: number; all: number }) {
  const scale = 1000 / Math.max(1, all);
  return (
    <svg class="funnel-bar" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">
      <rect class="left" width={left > 0 ? Math.max(5, left * scale) : 0} height="10" />
      <rect class="cut" x={left * scale} width={cut > 0 ? Math.max(5, cut * scale) : 0} height="10" />
    </svg>
  );
}

export function Relaxations({ grid, relaxations }: { grid: GridView | null; relaxations: readonly Relaxation[] }) {
  if (!relaxations.length) return <p class="muted">{t("ui.plan.no_relaxation")}</p>;
  return (
    <div>
      <h3>{t("ui.plan.relax")}</h3>
      <ul class="relax">
        {relaxations.map((one) => (
          <li>
            <code>{one.field}</code>
            <span class="num">
              <s>{one.asked}</s> → <b>{one.needed}</b>
            </span>
            <span class="muted">{poolName(grid, one.pool)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
