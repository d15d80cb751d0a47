import type { Explain } from "../../api/types";
import { atFull, percent } from "../../core/format";
import { siteName, type GridView } from "../../core/grid";
import { t, word } from "../../core/i18n";
import { Panel } from "../../parts/bits";
import { Numbered } from "./begin";
import { PathSteps } from "./paths";

const SHOWN_MAX = 60;

export function ObservedSection({ record, grid }: { record: Explain; grid: GridView | null }) {
  const fences = new Set(record.attempts.map((one) => one.fence)).size > 1;
  // Progress comes many times a second and is in the curves; the list keeps what changes something.
  const telling = record.observed.filter((one) => one.event.kind !== "progress" || !one.effective);
  const shown = telling.slice(-SHOWN_MAX);
  const quiet = record.observed.length - telling.length;
  return (
    <Panel id="observed" class="station-panel" title={<Numbered n={5}>{t("ui.road.observed")}</Numbered>} side={quiet > 0 ? <span class="muted num">{t("ui.observed.progress", { count: quiet })}</span> : null}>
      <PathSteps record={record} grid={grid} />
      {record.observed.length === 0 && <p class="muted">{t("ui.observed.none")}</p>}
      {shown.length > 0 && (
        <div class="table-box">
          <table class="table tight">
            <thead>
              <tr>
                <th>{t("ui.col.when")}</th>
                <th>{t("ui.col.event")}</th>
                <th>{t("ui.col.site")}</th>
                <th>{t("ui.col.detail")}</th>
              </tr>
            </thead>
            <tbody>
              {shown.map(({ event, effective }) => (
                <tr class={effective ? "" : "void"}>
                  <td class="num">{atFull(event.at_us)}</td>
                  <td>
                    {word("event", event.kind)}
                    {fences && <span class="muted"> #{event.fence}</span>}
                  </td>
                  <td>{siteName(grid, event.site)}</td>
                  <td>
                    {!effective && <span class="tag">{t("ui.observed.void")}</span>}
                    {event.reason && word("failure", event.reason)} {event.detail}
                    {event.exit_code !== null && ` ${t("ui.attempt.exit_code")} ${event.exit_code}`}
                    {event.fraction_permille !== null && ` ${percent(event.fraction_permille, 0)}`}
                    {event.outputs.length > 0 && ` ${t("ui.observed.outputs", { count: event.outputs.length })}`}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}
