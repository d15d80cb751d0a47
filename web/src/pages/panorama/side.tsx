// The columns beside the map: phases, load by tier, busiest links, the ticker.

import { END_PHASES, LIVE_PHASES, type Panorama, type Phase, type Tier } from "../../api/types";
import { nowUs } from "../../core/clock";
import { ago, count, percent, rate } from "../../core/format";
import { siteName, type GridView } from "../../core/grid";
import { t } from "../../core/i18n";
import { go, taskHref } from "../../core/router";
import { Bar, Emulated, loadTone, Panel, PhaseChip } from "../../parts/bits";

const TIERS: Tier[] = ["hub", "western", "provincial", "edge"];

export function PhaseCounts({ picture }: { picture: Panorama }) {
  const { phases } = picture.totals;
  const rows = (names: readonly Phase[]) =>
    names
      .filter((phase) => phases[phase])
      .map((phase) => (
        <li>
          <a href={`#/tasks?phase=${phase}`}>
            <PhaseChip phase={phase} />
            <b class="num">{count(phases[phase] ?? 0)}</b>
          </a>
        </li>
      ));
  const any = [...LIVE_PHASES, ...END_PHASES].some((phase) => phases[phase]);
  return (
    <Panel title={t("ui.side.phases")}>
      {any ? (
        <ul class="phase-list">
          {rows(LIVE_PHASES)}
          {rows(END_PHASES)}
        </ul>
      ) : (
        <p class="muted">{t("ui.tasks.none")}</p>
      )}
    </Panel>
  );
}

export function LoadByTier({ grid, picture, onPick }: { grid: GridView; picture: Panorama; onPick: (id: string) => void }) {
  const busiest = [...picture.sites].filter((one) => one.live && one.load_permille > 0).sort((a, b) => b.load_permille - a.load_permille);
  return (
    <Panel title={t("ui.side.tiers")}>
      <ul class="tier-list">
        {TIERS.map((tier) => {
          const states = picture.sites.filter((one) => grid.sites.get(one.id)?.tier === tier);
          const live = states.filter((one) => one.live);
          const busy = live.filter((one) => one.load_permille > 0).length;
          return (
            <li>
              <span>
                <i class={`sym sym-${tier}`} aria-hidden="true" />
                {t(`ui.tier.${tier}`)}
              </span>
              <span class="num">
                {busy > 0 && <small class="muted">{t("ui.side.busy", { count: count(busy) })}</small>}
                <b class={live.length < states.length ? "bad-text" : ""}>{count(live.length)}</b>
                <small class="muted"> / {count(states.length)}</small>
              </span>
            </li>
          );
        })}
      </ul>
      <h3>{t("ui.side.busiest_sites")}</h3>
      {busiest.length === 0 && <p class="muted">{t("ui.side.idle")}</p>}
      <ul class="bar-list">
        {busiest.slice(0, 6).map((one) => (
          <li>
            <button type="button" class="plain" onClick={() => onPick(one.id)}>
              <span>{siteName(grid, one.id)}</span>
              <span class="num">{percent(one.load_permille)}</span>
              <Bar permille={one.load_permille} tone={loadTone(one.load_permille)} />
            </button>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

export function BusiestLinks({ grid, picture }: { grid: GridView; picture: Panorama }) {
  const used = picture.links
    .map((state) => ({ state, link: grid.links.get(state.id), use: Math.max(state.used_ab_bps, state.used_ba_bps) }))
    .flatMap((one) => (one.link ? [{ ...one, link: one.link, permille: Math.round((one.use * 1000) / Math.max(1, one.link.capacity_bps)) }] : []))
    .filter((one) => one.use > 0 || !one.state.up)
    .sort((a, b) => Number(a.state.up) - Number(b.state.up) || b.permille - a.permille);
  return (
    <Panel title={t("ui.side.links")} class="grow">
      {used.length === 0 && <p class="muted">{t("ui.side.links_idle")}</p>}
      <ul class="bar-list">
        {used.slice(0, 6).map(({ link, state, use, permille }) => (
          <li>
            <div class="plain">
              <span>
                {siteName(grid, link.a)} – {siteName(grid, link.b)}
              </span>
              <span class={`num ${state.up ? "" : "bad-text"}`}>{state.up ? rate(use) : t("ui.site.down")}</span>
              <Bar permille={state.up ? permille : 0} tone={loadTone(permille)} label={percent(permille)} />
            </div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

export function Ticker({ grid, picture }: { grid: GridView; picture: Panorama }) {
  const now = nowUs();
  return (
    <Panel title={t("ui.side.recent")} class="grow ticker" side={<a href="#/tasks">{t("ui.side.all")}</a>}>
      {picture.recent.length === 0 && (
        <p class="muted">
          {t("ui.tasks.none")} <a href="#/new">{t("ui.nav.new")}</a>
        </p>
      )}
      <ul aria-live="off">
        {picture.recent.map((one) => (
          <li key={`${one.task_id}${one.phase}${one.at_us}`} onClick={() => go(taskHref(one.task_id))}>
            <div class="ticker-top">
              <a href={taskHref(one.task_id)}>{one.name}</a>
              <PhaseChip phase={one.phase} />
            </div>
            <div class="ticker-road">
              <span>
                {siteName(grid, one.origin)}
                {one.site && ` → ${siteName(grid, one.site)}`} <Emulated show={one.emulated} />
              </span>
              <time class="num">{ago(one.at_us, now)}</time>
            </div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

