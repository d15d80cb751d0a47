// Priced lines: of a quote and of a bill alike.

import type { Line } from "../api/types";
import { quantity, yuanExact } from "../core/format";
import { poolName, siteName, type GridView } from "../core/grid";
import { t, word } from "../core/i18n";
import { Emulated } from "./bits";

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
