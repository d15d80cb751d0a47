// What is expected of a service's figures, and what came out.

import type { Expected, Verdict } from "../../api/service-types";
import { t, told } from "../../core/i18n";

const shown = (value: unknown): string => (typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)).toString() : String(value));

const SIGNS = [["≥", "at_least"], ["≤", "at_most"], ["=", "equals"]] as const;

/** `≥ 1, ≤ 2`; a formula of the parameters with what it is at their defaults, `≤ keep (40)`. */
function bounds(one: Expected): string {
  return SIGNS.filter(([, name]) => one[name] !== null && one[name] !== undefined)
    .map(([sign, name]) => {
      const atDefaults = one.at_defaults?.[name];
      return atDefaults === undefined ? `${sign} ${shown(one[name])}` : `${sign} ${String(one[name]).replace(/^=/, "")} (${shown(atDefaults)})`;
    })
    .join(", ");
}

const judged = (one: Expected | Verdict): one is Verdict => "ok" in one;

export function VerdictTable({ rows }: { rows: readonly (Expected | Verdict)[] }) {
  const done = rows.some(judged);
  return (
    <div class="table-box">
      <table class="table tight verdicts">
        <thead>
          <tr>
            {done && <th />}
            <th>{t("ui.service.figure")}</th>
            {done && <th class="right">{t("ui.service.got")}</th>}
            <th>{t("ui.service.bound")}</th>
            <th>{t("ui.service.meaning")}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((one) => (
            <tr>
              {judged(one) && <td class={one.ok ? "good-text" : "bad-text"}>{one.ok ? "✓" : "✗"}</td>}
              <td>
                <code>{one.figure}</code>
              </td>
              {judged(one) && <td class="right num">{one.got === null ? "—" : shown(one.got)}</td>}
              <td>{bounds(one)}</td>
              <td class="muted">{told(one.says)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
