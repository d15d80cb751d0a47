import type { NetworkNow, NetworkReport } from "../../api/network-types";
import { count, portion } from "../../core/format";
import type { GridView } from "../../core/grid";
import { t } from "../../core/i18n";
import { Figure } from "../../parts/bits";
import { directionName, peak } from "./live";

interface FiguresProps {
  grid: GridView;
  now: NetworkNow;
  reports: NetworkReport[] | null;
  onPick: (id: string) => void;
}

export function NetworkFigures({ grid, now, reports, onPick }: FiguresProps) {
  const down = now.links.filter((one) => !one.up).length;
  const busiest = now.mlu.link;
  const broken = now.reservations.filter((one) => one.state === "broken").length;
  const told = reports?.filter((one) => one.measured_at_us > 0) ?? [];
  const directions = new Set(told.flatMap((one) => one.links.map((use) => use.link))).size;
  const faults = reports?.flatMap((one) => one.faults.map((fault) => t("ui.net.routers_faults", { agent: one.agent, fault }))) ?? [];
  return (
    <div class="figures network-figures">
      <Figure
        label={t("ui.net.mlu")}
        value={portion(now.mlu.use_ppm)}
        note={
          busiest === null ? (
            t("ui.net.mlu_none")
          ) : (
            <button type="button" class="link" onClick={() => onPick(busiest.split(":")[0] ?? "")}>
              {directionName(grid, busiest)}
            </button>
          )
        }
      />
      <Figure
        label={t("ui.net.links")}
        value={count(now.links.length - down)}
        unit={`/ ${count(now.links.length)}`}
        tone={down ? "bad" : "good"}
        note={down ? t("ui.net.links_down", { count: count(down) }) : t("ui.net.links_all_up")}
      />
      <Figure label={t("ui.net.in_use")} value={count(now.links.filter((one) => peak(one) > 0 || one.ab.held_bps + one.ba.held_bps > 0).length)} note={t("ui.net.in_use_note")} />
      {reports !== null && (
        <>
          <Figure
            label={t("ui.net.reservations")}
            value={count(now.reservations.length)}
            tone={broken ? "bad" : "good"}
            note={broken ? t("ui.net.reservations_broken", { count: count(broken) }) : t("ui.net.reservations_note")}
          />
          <Figure
            label={t("ui.net.routers")}
            value={count(told.length)}
            tone={faults.length ? "bad" : "good"}
            note={faults.length ? faults[0] : told.length ? t("ui.net.routers_links", { count: count(directions) }) : t("ui.net.routers_none")}
          />
        </>
      )}
    </div>
  );
}
