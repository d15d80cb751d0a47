// The last station: what was billed (the lease), and beside it what was measured.

import type { Attempt, Charge, Explain, Usage } from "../../api/types";
import { bytes, quantity, span, yuan, yuanExact } from "../../core/format";
import type { GridView } from "../../core/grid";
import { t } from "../../core/i18n";
import { Emulated, Figure, Panel } from "../../parts/bits";
import { LineRow } from "../../parts/quote";
import { Numbered } from "./begin";

const CORE_HOUR_US = 3.6e9;
const GIB_HOUR = 2 ** 30 * CORE_HOUR_US;

export function ChargesSection({ record, grid }: { record: Explain; grid: GridView | null }) {
  const { charges, task, attempts } = record;
  const total = charges.reduce((sum, one) => sum + one.line.amount_micro_yuan, 0);
  const emulated = charges.some((one) => one.emulated);
  return (
    <Panel id="charges" class="station-panel" title={<Numbered n={6}>{t("ui.road.charges")}</Numbered>} side={<Emulated show={emulated} />}>
      {charges.length === 0 && <p class="muted">{t("ui.charges.none")}</p>}
      {charges.length > 0 && (
        <>
          <div class="figures">
            <Figure label={t("ui.plan.quote")} value={task.quote_micro_yuan === null ? "–" : yuan(task.quote_micro_yuan)} note={t("ui.plan.quote_note")} />
            <Figure label={t("ui.col.billed")} value={yuan(total)} note={t("ui.charges.lines", { count: charges.length })} />
            <Figure label={t("ui.charges.held")} value={span(held(attempts))} note={t("ui.charges.held_note")} />
          </div>
          <Beside charges={charges} attempts={attempts} />
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
                {charges.map((one) => (
                  <LineRow line={one.line} grid={grid} {...(attempts.length > 1 ? { more: `#${fence(attempts, one)}` } : {})} />
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
        </>
      )}
    </Panel>
  );
}

const fence = (attempts: readonly Attempt[], charge: Charge): string => String(attempts.find((one) => one.attempt_id === charge.attempt_id)?.fence ?? "");

const held = (attempts: readonly Attempt[]): number =>
  attempts.reduce((sum, one) => sum + (one.held_start_us !== null && one.held_end_us !== null ? one.held_end_us - one.held_start_us : 0), 0);

const sum = (attempts: readonly Attempt[], of: (usage: Usage) => number): number => attempts.reduce((all, one) => all + of(one.usage), 0);

/** Billed is the lease; measured is what the site saw. Side by side, so that nobody takes one for the other. */
function Beside({ charges, attempts }: { charges: readonly Charge[]; attempts: readonly Attempt[] }) {
  const billed = (kind: string): number =>
    charges.filter((one) => one.line.kind === kind).reduce((all, one) => all + one.line.quantity / one.line.per, 0);
  const rows = [
    { kind: "core", measured: sum(attempts, (usage) => usage.core_us) / CORE_HOUR_US },
    { kind: "memory", measured: sum(attempts, (usage) => usage.memory_byte_us) / GIB_HOUR },
  ].filter((row) => billed(row.kind) > 0);
  const peak = Math.max(0, ...attempts.map((one) => one.usage.memory_peak_bytes));
  if (!rows.length) return null;
  return (
    <div class="beside">
      {rows.map(({ kind, measured }) => {
        const lease = billed(kind);
        return (
          <div>
            <h3>{kind === "core" ? t("ui.unit.core_hours") : t("ui.unit.gib_hours")}</h3>
            <Pair label={t("ui.charges.billed_lease")} value={lease} most={Math.max(lease, measured)} text={quantity(kind, lease, 1)} tone="accent" />
            <Pair label={t("ui.charges.measured")} value={measured} most={Math.max(lease, measured)} text={quantity(kind, measured, 1)} tone="good" />
            {kind === "memory" && peak > 0 && <small class="muted">{t("ui.charges.peak", { size: bytes(peak) })}</small>}
          </div>
        );
      })}
    </div>
  );
}

function Pair({ label, value, most, text, tone }: { label: string; value: number; most: number; text: string; tone: string }) {
  return (
    <div class="pair">
      <span>{label}</span>
      <svg class={`bar bar-${tone}`} viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">
        <rect class="bar-ground" width="1000" height="10" />
        <rect class="bar-value" width={most > 0 ? (value / most) * 1000 : 0} height="10" />
      </svg>
      <span class="num">{text}</span>
    </div>
  );
}
