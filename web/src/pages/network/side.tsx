// Links by name, by use and by risk group: what the map shows, for the keyboard and for a reader.

import type { NetworkNow } from "../../api/network-types";
import { count, portion } from "../../core/format";
import type { GridView } from "../../core/grid";
import { t } from "../../core/i18n";
import { Bar, loadTone, Panel } from "../../parts/bits";
import { Finder } from "../../parts/picker";
import { linkName, peak } from "./live";

const SHOWN = 12;

interface LinksPanelProps {
  grid: GridView;
  now: NetworkNow;
  risk: string | null;
  onRisk: (group: string | null) => void;
  onPick: (id: string) => void;
}

export function LinksPanel({ grid, now, risk, onRisk, onPick }: LinksPanelProps) {
  const busy = now.links.filter((one) => !one.up || one.ab.held_bps + one.ba.held_bps > 0);
  busy.sort((a, b) => Number(a.up) - Number(b.up) || peak(b) - peak(a));
  const together = now.links.filter((one) => risk !== null && one.shared_risk_groups.includes(risk));
  const rows = risk === null ? busy.slice(0, SHOWN) : together;
  return (
    <Panel title={t("ui.net.busiest")} class="network-links">
      <div class="fields">
        <Finder label={t("ui.net.find")} name="find-link" placeholder={t("ui.net.find_hint")} known={now.links.map((one) => ({ id: one.id, name: linkName(grid, one) }))} onPick={onPick} />
        <label class="field">
          <span>{t("ui.net.risk")}</span>
          <select name="risk" value={risk ?? ""} onChange={(event) => onRisk(event.currentTarget.value || null)}>
            <option value="">{t("ui.net.risk_none")}</option>
            {now.risk_groups.map((group) => (
              <option value={group}>{group}</option>
            ))}
          </select>
        </label>
      </div>
      <h3>{risk === null ? t("ui.net.busiest") : t("ui.net.risk_links", { count: count(together.length) })}</h3>
      {rows.length === 0 && <p class="muted">{t("ui.net.busiest_none")}</p>}
      <ul class="bar-list">
        {rows.map((link) => (
          <li key={link.id}>
            <button type="button" class="plain" onClick={() => onPick(link.id)}>
              <span>{linkName(grid, link)}</span>
              <span class={`num ${link.up ? "" : "bad-text"}`}>{link.up ? portion(peak(link)) : t("ui.net.legend.down")}</span>
              <Bar permille={link.up ? peak(link) / 1_000 : 0} tone={loadTone(peak(link) / 1_000)} label={portion(peak(link))} />
            </button>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
