// One day before and after: figures, plots, the table, what moved, and why.

import { useMemo } from "preact/hooks";
import type { DayFigures, MetricRow, ReasonRow, Said, Slot, WhatIf } from "../../api/what-if-types";
import { atFull, bytes, carbon, clock, count, day as dayOf, span, yuan } from "../../core/format";
import { siteName, type GridView } from "../../core/grid";
import { t, word, wordOrNull } from "../../core/i18n";
import { BarPairs, type Pair } from "../../parts/bar-pairs";
import { Figure, Panel } from "../../parts/bits";
import { LineChart, type Series } from "../../parts/chart";
import { Empty } from "../../parts/states";

const COLOURS: [string, string] = ["#8ba3c7", "#ffb648"];
const SITES_SHOWN = 10;
const FLOWS_SHOWN = 10;
const HOUR_S = 3_600;
const DAY_US = 86_400_000_000;
const LESS_IS_BETTER = new Set(["refused", "failed", "expired", "unended", "wait_p50", "wait_p95", "wait_max", "cost", "carbon"]);

export function WhatIfResult({ found, grid }: { found: WhatIf; grid: GridView | null }) {
  return (
    <div class="what-if-result">
      <Head found={found} />
      <Totals found={found} />
      <Plots found={found} grid={grid} />
      <div class="bill-cols">
        <Panel title={t("ui.what_if.table")}>
          <Table found={found} grid={grid} />
        </Panel>
        <div class="what-if-side">
          <Flows found={found} grid={grid} />
          <Why found={found} />
          <Notes found={found} />
        </div>
      </div>
    </div>
  );
}

function said(one: Said): string {
  const preference = one.params["preference"];
  const params = preference === undefined ? one.params : { ...one.params, preference: word("preference", String(preference)) };
  return wordOrNull(`whatif.${one.code}`, params) ?? one.code;
}

/** A drawn day has no name of its own. */
export function sourceName(source: string): string {
  const drawn = /^drawn (\d+)$/.exec(source);
  return drawn ? t("ui.what_if.drawn_day", { count: count(Number(drawn[1])) }) : source;
}

function Head({ found }: { found: WhatIf }) {
  return (
    <Panel
      title={sourceName(found.source)}
      side={
        <span class="legend-pair">
          <i class="swatch before" /> {t("ui.what_if.before")}
          <i class="swatch after" /> {t("ui.what_if.after")}
        </span>
      }
    >
      {found.changes.length === 0 ? <p>{t("ui.what_if.no_change")}</p> : <ul class="what-if-changes">{found.changes.map((one) => <li>{said(one)}</li>)}</ul>}
      <p class="muted">
        {t("ui.what_if.when", { start: atFull(found.start_us), span: span(found.span_us), seed: String(found.seed) })}
      </p>
    </Panel>
  );
}

function rowOf(found: WhatIf, metric: string): MetricRow | undefined {
  return found.rows.find((one) => one.metric === metric);
}

function Totals({ found }: { found: WhatIf }) {
  return (
    <div class="figures what-if-figures">
      {["cost", "carbon", "wait_p95", "refused"].map((metric) => {
        const row = rowOf(found, metric);
        if (!row) return null;
        const tone = toneOf(row);
        return (
          <Figure
            label={word("whatif.metric", metric)}
            value={amount(row.unit, row.after)}
            note={`${t("ui.what_if.before")} ${amount(row.unit, row.before)} · ${difference(row)}`}
            {...(tone ? { tone } : {})}
          />
        );
      })}
    </div>
  );
}

function toneOf(row: MetricRow): "good" | "bad" | undefined {
  if (!row.difference || !LESS_IS_BETTER.has(row.metric)) return undefined;
  return row.difference > 0 ? "bad" : "good";
}

function amount(unit: MetricRow["unit"], value: number): string {
  switch (unit) {
    case "us":
      return value ? span(value) : "0 s";
    case "micro_yuan":
      return yuan(value);
    case "mg":
      return carbon(value);
    case "core_s":
    case "card_s":
      return count(value / HOUR_S);
    case "bytes":
      return bytes(value);
    case "ppm":
      return `${Number((value / 10_000).toPrecision(3))} %`;
    case "count":
      return count(value);
  }
}

function difference(row: MetricRow): string {
  if (!row.difference) return "=";
  const sign = row.difference > 0 ? "+" : "−";
  const size = amount(row.unit, Math.abs(row.difference));
  if (row.unit === "ppm" || row.change_permille === null) return sign + size;
  return `${sign}${size} (${sign}${(Math.abs(row.change_permille) / 10).toFixed(1)} %)`;
}

function Plots({ found, grid }: { found: WhatIf; grid: GridView | null }) {
  const long = (found.before.slots.at(-1)?.at_us ?? 0) - (found.before.slots[0]?.at_us ?? 0) > 2 * DAY_US;
  const x = (us: number): string => (long ? dayOf(us) : clock(us).slice(0, 5));
  const lines = (pick: (slot: Slot) => number | null): Series[] => {
    // Where the day was moved, both sides are drawn over the hours of before: they are compared slice by slice.
    const first = found.before.slots[0]?.at_us ?? 0;
    const shift = (found.after.slots[0]?.at_us ?? first) - first;
    return [line("before", found.before.slots, 0, COLOURS[0], pick), line("after", found.after.slots, shift, COLOURS[1], pick)];
  };
  const names: [string, string] = [t("ui.what_if.before"), t("ui.what_if.after")];
  const costs = useMemo(() => pairs(found, grid, (one) => one.cost_micro_yuan), [found, grid]);
  const uses = useMemo(() => pairs(found, grid, (one) => one.use_ppm), [found, grid]);
  const percent = (value: number): string => `${Number((value / 10_000).toPrecision(3))} %`;
  return (
    <div class="what-if-plots">
      <Panel title={t("ui.what_if.plot.wait")}>
        {found.before.wait_max_us + found.after.wait_max_us === 0 ? (
          <Empty>{t("ui.what_if.no_wait")}</Empty>
        ) : (
          <LineChart title={t("ui.what_if.plot.wait_note")} series={lines((slot) => slot.wait_p95_us)} yFormat={(v) => (v ? span(v) : "0")} xFormat={x} />
        )}
      </Panel>
      <Panel title={t("ui.what_if.plot.carbon")}>
        <LineChart title={t("ui.what_if.plot.carbon_note")} series={lines((slot) => slot.carbon_mg)} yFormat={carbon} xFormat={x} />
      </Panel>
      <Panel title={t("ui.what_if.plot.cost")}>
        <BarPairs title={t("ui.what_if.plot.cost_note")} names={names} colours={COLOURS} pairs={costs} format={yuan} />
      </Panel>
      <Panel title={t("ui.what_if.plot.use")}>
        <BarPairs title={t("ui.what_if.plot.use_note")} names={names} colours={COLOURS} pairs={uses} format={percent} />
      </Panel>
    </div>
  );
}

function line(side: "before" | "after", slots: readonly Slot[], shift: number, colour: string, pick: (slot: Slot) => number | null): Series {
  const points = slots.map((slot) => [slot.at_us - shift, pick(slot)] as const).filter((one): one is [number, number] => one[1] !== null);
  return { name: t(`ui.what_if.${side}`), colour, points };
}

function pairs(found: WhatIf, grid: GridView | null, pick: (one: DayFigures["sites"][number]) => number): Pair[] {
  const sides = [found.before, found.after].map((side) => new Map(side.sites.map((one) => [one.site, pick(one)])));
  const of = (at: 0 | 1, site: string): number => sides[at]?.get(site) ?? 0;
  const sites = new Set([...found.before.sites, ...found.after.sites].map((one) => one.site));
  return [...sites]
    .map((site) => ({ name: siteName(grid, site), before: of(0, site), after: of(1, site) }))
    .sort((a, b) => Math.max(b.before, b.after) - Math.max(a.before, a.after))
    .slice(0, SITES_SHOWN);
}

function metricName(row: MetricRow, grid: GridView | null): string {
  const name = word("whatif.metric", row.metric);
  if (!row.of) return name;
  return `${name} · ${whose(row, grid)}`;
}

function whose(row: MetricRow, grid: GridView | null): string {
  if (row.metric === "site_use") return siteName(grid, row.of);
  const link = row.metric === "link_use" ? grid?.links.get(row.of) : undefined;
  if (link) return `${siteName(grid, link.a)} – ${siteName(grid, link.b)}`;
  return wordOrNull(`whatif.owner.${row.of}`) ?? row.of;
}

function Table({ found, grid }: { found: WhatIf; grid: GridView | null }) {
  return (
    <div class="table-box">
      <table class="table what-if-table">
        <thead>
          <tr>
            <th>{t("ui.what_if.col.metric")}</th>
            <th class="right">{t("ui.what_if.before")}</th>
            <th class="right">{t("ui.what_if.after")}</th>
            <th class="right">{t("ui.what_if.col.difference")}</th>
          </tr>
        </thead>
        <tbody>
          {found.rows.map((row) => (
            <tr>
              <td>{metricName(row, grid)}</td>
              <td class="right num">{amount(row.unit, row.before)}</td>
              <td class="right num">{amount(row.unit, row.after)}</td>
              <td class={`right num ${row.difference ? "" : "muted"} ${toneOf(row) ?? ""}`}>{difference(row)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Flows({ found, grid }: { found: WhatIf; grid: GridView | null }) {
  const place = (site: string | null): string => (site === null ? t("ui.what_if.nowhere") : siteName(grid, site));
  return (
    <Panel title={t("ui.what_if.flows", { moved: count(found.moved) })}>
      {found.flows.length === 0 && <p class="muted">{t("ui.what_if.no_flows")}</p>}
      {found.flows.length > 0 && (
        <div class="table-box">
          <table class="table">
            <thead>
              <tr>
                <th>{t("ui.what_if.col.from")}</th>
                <th>{t("ui.what_if.col.to")}</th>
                <th class="right">{t("ui.what_if.col.tasks")}</th>
                <th class="right">{t("ui.what_if.col.core_hours")}</th>
              </tr>
            </thead>
            <tbody>
              {found.flows.slice(0, FLOWS_SHOWN).map((one) => (
                <tr>
                  <td>{place(one.before)}</td>
                  <td>{place(one.after)}</td>
                  <td class="right num">{count(one.tasks)}</td>
                  <td class="right num">{count(one.core_s / HOUR_S)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

function reasonText(one: ReasonRow): string {
  const group = one.kind === "waited" ? "wait" : "failure";
  const words = wordOrNull(`whatif.reason.${one.reason}`) ?? word(group, one.reason);
  const clause = one.clause ? ` (${wordOrNull(`pool_reason.${one.clause}`) ?? one.clause})` : "";
  return `${word("whatif.kind", one.kind)}: ${words}${clause}`;
}

function Why({ found }: { found: WhatIf }) {
  const changed = found.reasons.filter((one) => one.before !== one.after).slice(0, FLOWS_SHOWN);
  return (
    <Panel title={t("ui.what_if.why")}>
      {changed.length === 0 && <p class="muted">{t("ui.what_if.no_why")}</p>}
      {changed.length > 0 && (
        <div class="table-box">
          <table class="table">
            <thead>
              <tr>
                <th>{t("ui.what_if.col.reason")}</th>
                <th class="right">{t("ui.what_if.before")}</th>
                <th class="right">{t("ui.what_if.after")}</th>
              </tr>
            </thead>
            <tbody>
              {changed.map((one) => (
                <tr>
                  <td class="wrap">{reasonText(one)}</td>
                  <td class="right num">{count(one.before)}</td>
                  <td class="right num">{count(one.after)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

function Notes({ found }: { found: WhatIf }) {
  const { timing } = found;
  return (
    <Panel title={t("ui.what_if.notes")} class="notes-panel">
      <ul class="what-if-notes">
        <li>{t("ui.what_if.limits")}</li>
        {found.notes.map((one) => (
          <li>{said(one)}</li>
        ))}
        <li>{t("ui.what_if.timing", { seconds: timing.wall_s.toFixed(1), rate: count(timing.tasks_per_s) })}</li>
      </ul>
    </Panel>
  );
}
