// What became of the path of a running task: each time what was seen, and what was done about it.

import type { PathStep } from "../../api/path-types";
import type { Explain } from "../../api/types";
import { atFull, span } from "../../core/format";
import { siteName, type GridView } from "../../core/grid";
import { t, word } from "../../core/i18n";

export function PathSteps({ record, grid }: { record: Explain; grid: GridView | null }) {
  if (!record.paths.length) return null;
  return (
    <>
      <h3>{t("ui.road.paths")}</h3>
      <ul class="log-list">
        {record.paths.map((step) => (
          <>
            {step.cause && (
              <li>
                <time class="num">{atFull(step.at_us)}</time> <span class="warn-text">{seen(step.cause)}</span>
              </li>
            )}
            <li>
              <time class="num">{atFull(step.at_us)}</time> <span class={step.kind === "broken" ? "bad-text" : "good-text"}>{done(step, grid)}</span>
            </li>
          </>
        ))}
      </ul>
    </>
  );
}

function seen(cause: NonNullable<PathStep["cause"]>): string {
  const links = cause.avoid.join(", ");
  const words = word("path.seen", cause.kind, {
    links,
    measured: span(cause.measured_us),
    promised: span(cause.promised_us),
    lost: (cause.lost_permille / 10).toFixed(1),
  });
  return links && cause.kind !== "cut" ? `${words} · ${word("path", "suspected", { links })}` : words;
}

const done = (step: PathStep, grid: GridView | null): string =>
  word("path.done", step.kind, {
    path: step.sites.map((id) => siteName(grid, id)).join(" → "),
    latency: step.latency_us === null ? "" : span(step.latency_us),
  });
