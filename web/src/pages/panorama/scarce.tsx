// What is scarce, where, and worth how much: the dual prices that the brain computes beside its work.

import { useEffect, useState } from "preact/hooks";
import { api } from "../../api/client";
import type { Panorama, Scarcity, ScarceRow } from "../../api/types";
import { nowUs } from "../../core/clock";
import { ago, bytes, count, rate, span, yuan } from "../../core/format";
import { siteName, type GridView } from "../../core/grid";
import { t, word } from "../../core/i18n";
import { Bar, Panel } from "../../parts/bits";

const EVERY_MS = 15_000; // the brain computes it once a minute
const SHOWN = 5;

function useScarcity(): Scarcity | null {
  const [found, setFound] = useState<Scarcity | null>(null);
  useEffect(() => {
    let over = false;
    const ask = (): void =>
      void api.scarcity().then(
        (one) => !over && setFound(one),
        () => undefined, // the bar at the top tells of a brain that does not answer; the last answer stays
      );
    ask();
    const timer = setInterval(ask, EVERY_MS);
    return () => {
      over = true;
      clearInterval(timer);
    };
  }, []);
  return found;
}

/** Rounded up: what is shown is never less than what was proven. */
function percent(ppm: number): string {
  return `${(Math.ceil(ppm / 100) / 100).toFixed(2)} %`;
}

function amount(row: ScarceRow, value: number): string {
  if (row.resource === "memory") return bytes(value);
  return row.resource === "link" || row.resource === "security" ? rate(value) : count(value);
}

function Scarce({ grid, row, onPick }: { grid: GridView; row: ScarceRow; onPick: (id: string) => void }) {
  const taken = row.whole ? Math.round(((row.whole - row.free) * 1000) / row.whole) : 1000;
  return (
    <li>
      <button type="button" class="plain" onClick={() => onPick(row.site)}>
        <span>
          {siteName(grid, row.site)}
          {row.to && ` → ${siteName(grid, row.to)}`}
        </span>
        <b class="num">{yuan(row.micro_yuan)}</b>
        <span class="muted scarce-what">
          {word("scarce_resource", row.resource)}
          {row.model && ` · ${row.model}`} · {t("ui.side.scarce_free", { free: amount(row, row.free), whole: amount(row, row.whole) })}
        </span>
        <Bar permille={taken} tone="warn" />
      </button>
    </li>
  );
}

export function WhatIsScarce({ grid, picture, onPick }: { grid: GridView; picture: Panorama; onPick: (id: string) => void }) {
  const found = useScarcity();
  if (!found) return null;
  const made = found.state === "off" || found.state === "not_yet" ? null : ago(found.made_us, Math.max(nowUs(), picture.at_us));
  const rows = found.rows.slice(0, SHOWN);
  return (
    <Panel title={t("ui.side.scarce")} class="scarce" side={made && <time class="num muted">{made}</time>}>
      {rows.length === 0 && <p class="muted">{word("scarcity_state", found.state)}</p>}
      <ul class="bar-list">
        {rows.map((row) => (
          <Scarce key={`${row.resource}${row.id}`} grid={grid} row={row} onPick={onPick} />
        ))}
      </ul>
      {rows.length > 0 && (
        <p class="muted scarce-note">{t("ui.side.scarce_help", { hold: span(found.hold_us), tasks: count(found.waiting + found.came) })}</p>
      )}
      {found.gap && found.gap.looked_at > 0 && (
        <p class="muted scarce-note">
          {t("ui.side.scarce_gap", {
            gap: percent(found.gap.gap_ppm),
            tasks: count(found.gap.looked_at),
            age: ago(found.gap.made_us, Math.max(nowUs(), picture.at_us)),
          })}
        </p>
      )}
    </Panel>
  );
}
