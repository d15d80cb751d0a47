import type { Explain } from "../../api/types";
import { count, yuanExact } from "../../core/format";
import { siteName, type GridView } from "../../core/grid";
import { t } from "../../core/i18n";
import { go, taskHref } from "../../core/router";
import { Bar, Panel, PhaseChip } from "../../parts/bits";

/** The parts of a task whose array is shared out; each leads to its own record. */
export function PartsSection({ record, grid }: { record: Explain; grid: GridView | null }) {
  const parts = record.task.parts ?? [];
  if (!parts.length) return null;
  return (
    <Panel id="parts" class="station-panel" title={t("ui.parts.title", { count: count(parts.length) })}>
      {record.request.request.spread === null && <p class="muted">{t("ui.parts.by_size")}</p>}
      <div class="table-box">
        <table class="table tasks">
          <thead>
            <tr>
              <th>{t("ui.parts.elements")}</th>
              <th>{t("ui.col.phase")}</th>
              <th>{t("ui.col.site")}</th>
              <th class="right">{t("ui.col.billed")}</th>
            </tr>
          </thead>
          <tbody>
            {parts.map((part) => (
              <tr key={part.task_id} onClick={() => go(taskHref(part.task_id))}>
                <td class="num">
                  <a href={taskHref(part.task_id)}>
                    {count(part.first)} – {count(part.first + part.count - 1)}
                  </a>
                </td>
                <td>
                  <PhaseChip phase={part.phase} />
                  {part.progress_permille !== null && part.phase === "running" && <Bar permille={part.progress_permille} />}
                </td>
                <td>{part.site ? siteName(grid, part.site) : "–"}</td>
                <td class="right num">{yuanExact(part.billed_micro_yuan)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}
