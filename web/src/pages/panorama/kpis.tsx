import { END_PHASES, LIVE_PHASES, type Panorama } from "../../api/types";
import { count, flops, percent, yuan } from "../../core/format";
import { t } from "../../core/i18n";
import { Emulated, Figure } from "../../parts/bits";

const sum = (picture: Panorama, phases: readonly (keyof Panorama["totals"]["phases"])[]): number =>
  phases.reduce((total, phase) => total + (picture.totals.phases[phase] ?? 0), 0);

export function KpiStrip({ picture }: { picture: Panorama }) {
  const { totals } = picture;
  const general = flops(totals.general_gflops + totals.hpc_gflops); // both at fp32: the general compute of the public figures
  const ai = flops(totals.ai_gflops);
  const third = flops(totals.third_party_gflops);
  const down = totals.sites - totals.live_sites;
  const live = sum(picture, LIVE_PHASES);
  return (
    <div class="kpis" role="group" aria-label={t("ui.kpi.label")}>
      <Figure
        label={t("ui.kpi.servers")}
        value={count(totals.servers)}
        note={t("ui.kpi.servers_third", { count: count(totals.third_party_servers) })}
      />
      <Figure label={t("ui.kpi.general")} value={general.value} unit={general.unit} note={t("ui.kpi.ai", { value: `${ai.value} ${ai.unit}` })} />
      <Figure label={t("ui.kpi.third")} value={third.value} unit={third.unit} note={t("ui.kpi.third_note")} />
      <Figure
        label={t("ui.kpi.sites")}
        value={count(totals.live_sites)}
        unit={`/ ${count(totals.sites)}`}
        tone={down ? "bad" : "good"}
        note={
          <>
            {totals.emulated_sites > 0 && (
              <span class="kpi-emulated num">
                <Emulated show /> {count(totals.emulated_sites)}
              </span>
            )}
            {down ? t("ui.kpi.down", { count: count(down) }) : t("ui.kpi.all_up")}
          </>
        }
      />
      <Figure
        label={t("ui.kpi.live")}
        value={count(live)}
        note={t("ui.kpi.live_note", { running: count(totals.phases.running ?? 0), ended: count(sum(picture, END_PHASES)) })}
      />
      <Figure
        label={t("ui.kpi.billed")}
        value={yuan(totals.billed_today_micro_yuan)}
        note={
          <>
            <Emulated show={totals.billed_today_emulated} /> {t("ui.kpi.billed_note")}
          </>
        }
      />
      <Figure label={t("ui.kpi.renewable")} value={percent(totals.renewable_permille)} note={t("ui.kpi.renewable_note")} />
    </div>
  );
}
