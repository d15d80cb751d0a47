// A plan and why: figures, map, the walk, protection, data, the quote, the alternatives, the funnel of clauses.

import type { Alternative, ClauseCount, Line, Plan, PlanReport, Relaxation } from "../api/types";
import { at, atFull, bytes, carbon, count, quantity, rate, span, yuan, yuanExact } from "../core/format";
import { poolName, siteName, type GridView } from "../core/grid";
import { t, word } from "../core/i18n";
import { Emulated, Figure } from "./bits";
import { PathBox } from "./path-box";

interface PlanViewProps {
  grid: GridView;
  plan: Plan | null;
  report: PlanReport | null;
  moving: boolean;
}

export function PlanView({ grid, plan, report, moving }: PlanViewProps) {
  const alternatives = report?.alternatives.length ? report.alternatives : (plan?.alternatives ?? []);
  return (
    <div class="plan-view">
      {plan && <PlanFigures grid={grid} plan={plan} />}
      <div class="plan-cols">
        <PathBox grid={grid} plan={plan} alternatives={alternatives} moving={moving} />
        <div class="plan-side">
          {plan ? (
            <>
              <Walk grid={grid} plan={plan} />
              <Protection grid={grid} plan={plan} />
              <DataMoves grid={grid} plan={plan} />
            </>
          ) : (
            report && <Relaxations grid={grid} relaxations={report.relaxations} />
          )}
        </div>
      </div>
      {plan && <Quote lines={plan.quote} total={plan.quote_micro_yuan} grid={grid} emulated={plan.emulated} />}
      <div class="plan-why">
        <Alternatives grid={grid} plan={plan} alternatives={alternatives} />
        {report && <Funnel clauses={report.clauses} all={grid.pools.size} />}
      </div>
    </div>
  );
}

function PlanFigures({ grid, plan }: { grid: GridView; plan: Plan }) {
  return (
    <div class="figures">
      <Figure label={t("ui.plan.place")} value={siteName(grid, plan.site)} note={<>{plan.pool.split("/")[1]} <Emulated show={plan.emulated} /></>} />
      <Figure label={t("ui.plan.quote")} value={yuan(plan.quote_micro_yuan)} note={t("ui.plan.quote_note")} />
      <Figure label={t("ui.plan.latency")} value={span(plan.path.latency_us)} note={t("ui.plan.one_way")} />
      <Figure label={t("ui.plan.start")} value={at(plan.run_start_us)} note={plan.run_start_us > plan.start_us ? t("ui.plan.data_first", { span: span(plan.run_start_us - plan.start_us) }) : " "} />
      <Figure label={t("ui.plan.end")} value={at(plan.end_us)} note={t("ui.plan.at_the_latest")} />
      <Figure label={t("ui.plan.carbon")} value={carbon(plan.carbon_mg)} note=" " />
    </div>
  );
}

function Walk({ grid, plan }: { grid: GridView; plan: Plan }) {
  return (
    <div>
      <h3>
        {t("ui.plan.path")}
        <span class="muted num">
          {" "}
          {t("ui.plan.hops", { count: plan.path.links.length })} · {span(plan.path.latency_us)}
          {plan.bandwidth_bps > 0 && ` · ${rate(plan.bandwidth_bps)}`}
        </span>
      </h3>
      {plan.path.links.length === 0 && <p class="muted">{t("ui.plan.path_none")}</p>}
      <ol class="walk">
        {plan.path.sites.map((id, index) => {
          const link = index > 0 ? grid.links.get(plan.path.links[index - 1]?.link ?? "") : undefined;
          return (
            <li>
              {link && (
                <span class="hop num">
                  <i class={`ln ln-${link.kind}`} />
                  {t(`ui.link.${link.kind}`)} · {count(link.length_km)} km · {span(link.latency_us)}
                </span>
              )}
              <b>{siteName(grid, id)}</b>
            </li>
          );
        })}
      </ol>
    </div>
  );
}

function Protection({ grid, plan }: { grid: GridView; plan: Plan }) {
  if (!plan.protection.length) return null;
  return (
    <div>
      <h3>{t("ui.plan.protection")}</h3>
      <ol class="steps">
        {plan.protection.map((step) => (
          <li>
            <b>{word("ui.protection", step.function)}</b> <span class="muted">{siteName(grid, step.site)}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}

function DataMoves({ grid, plan }: { grid: GridView; plan: Plan }) {
  if (!plan.data.length) return null;
  return (
    <div>
      <h3>{t("ui.plan.data")}</h3>
      <ul class="moves">
        {plan.data.map((move) => (
          <li>
            <b>{move.data_set}</b> <span class="muted num">v{move.version} · {bytes(move.size_bytes)}</span>
            <div class="muted num">
              {move.path.links.length === 0
                ? t("ui.plan.data_here", { site: siteName(grid, move.replica) })
                : t("ui.plan.data_from", { site: siteName(grid, move.replica), rate: rate(move.rate_bps), span: span(move.end_us - move.start_us) })}
            </div>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** The item of a line, as people name it: a pool, a link, a security pool, a data set. */
export function itemName(grid: GridView | null, item: string): string {
  const id = item.replace(/:(ab|ba)$/, "");
  const link = grid?.links.get(id);
  if (link) return `${siteName(grid, link.a)} – ${siteName(grid, link.b)}`;
  return grid?.pools.has(id) || grid?.securityPools.has(id) ? poolName(grid, id) : item;
}

export function Quote({ lines, total, grid, emulated }: { lines: readonly Line[]; total: number; grid: GridView | null; emulated: boolean }) {
  return (
    <div>
      <h3>
        {t("ui.plan.quote_lines")} <Emulated show={emulated} />
      </h3>
      <div class="table-box">
        <table class="table tight">
          <thead>
            <tr>
              <th>{t("ui.col.what")}</th>
              <th>{t("ui.col.item")}</th>
              <th class="right">{t("ui.col.quantity")}</th>
              <th class="right">{t("ui.col.price")}</th>
              <th class="right">{t("ui.col.factor")}</th>
              <th class="right">{t("ui.col.amount")}</th>
            </tr>
          </thead>
          <tbody>
            {lines.map((line) => (
              <LineRow line={line} grid={grid} />
            ))}
          </tbody>
          <tfoot>
            <tr>
              <td colSpan={5}>{t("ui.col.sum")}</td>
              <td class="right num">{yuanExact(total)}</td>
            </tr>
          </tfoot>
        </table>
      </div>
    </div>
  );
}

export function LineRow({ line, grid, more }: { line: Line; grid: GridView | null; more?: string }) {
  const cap = line.kind === "quote_cap";
  return (
    <tr>
      <td>{word("charge", line.kind)}</td>
      <td>
        {itemName(grid, line.item)}
        {more && <span class="muted"> {more}</span>}
      </td>
      <td class="right num">{cap ? "" : quantity(line.kind, line.quantity, line.per)}</td>
      <td class="right num">{cap ? "" : yuanExact(line.price_micro_yuan)}</td>
      <td class="right num">{line.permille === 1000 ? "" : `× ${line.permille / 1000}`}</td>
      <td class="right num">{yuanExact(line.amount_micro_yuan)}</td>
    </tr>
  );
}

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
