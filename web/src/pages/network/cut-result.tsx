// What a cut would do: figures, the ways that move or break, and what each link holds before and after.

import type { CrossedWay, CutFound, LinkCut } from "../../api/network-types";
import { atFull, count, NONE, portion, rate, shortId, span } from "../../core/format";
import { siteName, type GridView } from "../../core/grid";
import { t, word } from "../../core/i18n";
import { taskHref } from "../../core/router";
import { Figure, Panel } from "../../parts/bits";
import { directionName, walkSites } from "./live";

const WAYS_SHOWN = 100;
const LINKS_SHOWN = 40;

interface ResultProps {
  grid: GridView;
  found: CutFound;
  shown: CrossedWay | null;
  onShow: (way: CrossedWay | null) => void;
}

export function CutResult(props: ResultProps) {
  const { grid, found } = props;
  return (
    <section class="cut-result" aria-label={t("ui.net.cut.result")}>
      <div class="figures">
        <Figure
          label={t("ui.net.cut.mlu")}
          value={`${portion(found.mlu_before.use_ppm)} → ${portion(found.mlu_after.use_ppm)}`}
          note={found.mlu_after.link === null ? t("ui.net.mlu_none") : t("ui.net.cut.mlu_at", { link: directionName(grid, found.mlu_after.link) })}
        />
        <Figure label={t("ui.net.cut.moves")} value={count(found.moved)} note={t("ui.net.cut.moves_note")} />
        <Figure
          label={t("ui.net.cut.breaks")}
          value={count(found.broken)}
          tone={found.broken ? "bad" : "good"}
          note={found.untried ? t("ui.net.cut.untried", { count: count(found.untried) }) : t("ui.net.cut.breaks_note")}
        />
        <Figure label={t("ui.net.cut.links_cut")} value={count(found.cut.length)} note={t("ui.net.cut.at", { at: atFull(found.at_us) })} />
      </div>
      <Ways {...props} />
      <Changes grid={grid} found={found} />
    </section>
  );
}

function Ways({ grid, found, shown, onShow }: ResultProps) {
  const ways = [...found.ways].sort((a, b) => Number(a.links !== null) - Number(b.links !== null));
  return (
    <Panel
      title={t("ui.net.cut.ways")}
      side={
        shown && (
          <button type="button" class="quiet" onClick={() => onShow(null)}>
            {t("ui.net.cut.show_all")}
          </button>
        )
      }
    >
      {ways.length === 0 && <p class="muted">{t("ui.net.cut.ways_none")}</p>}
      {ways.length > 0 && (
        <div class="table-box">
          <table class="table tight stack ways-table">
            <thead>
              <tr>
                <th scope="col">{t("ui.net.cut.col.who")}</th>
                <th scope="col" class="right">
                  {t("ui.net.cut.col.rate")}
                </th>
                <th scope="col">{t("ui.net.cut.col.path")}</th>
                <th scope="col" class="right">
                  {t("ui.net.cut.col.latency")}
                </th>
                <th scope="col" class="right">
                  {t("ui.net.cut.col.promise")}
                </th>
              </tr>
            </thead>
            <tbody>
              {ways.slice(0, WAYS_SHOWN).map((one) => (
                <WayRow grid={grid} one={one} on={one === shown} onShow={() => onShow(one === shown ? null : one)} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {ways.length > WAYS_SHOWN && <p class="muted">{t("ui.net.cut.more", { count: count(ways.length - WAYS_SHOWN) })}</p>}
    </Panel>
  );
}

function WayRow({ grid, one, on, onShow }: { grid: GridView; one: CrossedWay; on: boolean; onShow: () => void }) {
  const { before } = one;
  const name = shortId(before.owner);
  const sites = (links: readonly string[]): string => walkSites(grid, links, before.source).map((id) => siteName(grid, id)).join(" → ");
  const ends = `${siteName(grid, before.source)} → ${siteName(grid, before.target)}`;
  const reserved = before.kind === "reservation"; // its links are a set, not a walk
  return (
    <tr class={on ? "on" : ""}>
      <td>
        {reserved ? <span title={before.owner}>{name}</span> : <a href={taskHref(before.owner)}>{name}</a>}
        <div class="muted">
          {word("net_holder", before.kind)}
          {before.item && ` ${before.item}`}
        </div>
      </td>
      <td class="right num" data-label={t("ui.net.cut.col.rate")}>
        {rate(before.bps)}
      </td>
      <td class="wrap">
        <dl class="pathpair">
          <dt>{t("ui.net.cut.before")}</dt>
          <dd>{reserved ? ends : sites(before.links)}</dd>
          <dt>{t("ui.net.cut.after")}</dt>
          <dd>
            {one.links === null ? (
              <span class="bad-text">{t("ui.net.cut.breaks_why", { why: word("no_way", one.refusal?.reason ?? "cut_off") })}</span>
            ) : reserved ? (
              `${ends}: ${one.segments.map((segment) => segmentName(grid, segment)).join(", ")}`
            ) : (
              sites(one.links)
            )}
          </dd>
        </dl>
        <button type="button" class="link" aria-pressed={on} aria-label={t("ui.net.cut.show", { name })} onClick={onShow}>
          {t("ui.net.cut.on_map")}
        </button>
      </td>
      <td class="right num" data-label={t("ui.net.cut.col.latency")}>
        {span(before.latency_us)} → {one.latency_us === null ? NONE : span(one.latency_us)}
      </td>
      <td class="right num" data-label={t("ui.net.cut.col.promise")}>
        {before.promised_us === null ? NONE : span(before.promised_us)}
      </td>
    </tr>
  );
}

/** A segment of a reservation: a site, on which plane, or a directed link. */
function segmentName(grid: GridView, segment: string): string {
  const [name = "", plane] = segment.split(" ");
  const words = name.includes(":") ? directionName(grid, name) : siteName(grid, name);
  return plane ? `${words} ${plane}` : words;
}

function Changes({ grid, found }: { grid: GridView; found: CutFound }) {
  const cut = new Set(found.cut);
  const gone = (one: LinkCut): boolean => cut.has(one.link.split(":")[0] ?? "");
  const changed = found.links.filter((one) => one.before_bps !== one.after_bps || gone(one));
  changed.sort((a, b) => Number(gone(b)) - Number(gone(a)) || Math.abs(b.after_bps - b.before_bps) - Math.abs(a.after_bps - a.before_bps));
  return (
    <Panel title={t("ui.net.cut.change")}>
      {changed.length === 0 && <p class="muted">{t("ui.net.cut.change_none")}</p>}
      {changed.length > 0 && (
        <div class="table-box">
          <table class="table tight stack">
            <thead>
              <tr>
                <th scope="col">{t("ui.net.cut.col.link")}</th>
                {(["ui.net.cut.before", "ui.net.cut.after", "ui.net.cut.col.change", "ui.net.cut.col.use"] as const).map((key) => (
                  <th scope="col" class="right">
                    {t(key)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {changed.slice(0, LINKS_SHOWN).map((one) => {
                const change = one.after_bps - one.before_bps;
                return (
                  <tr>
                    <td class="wrap">{directionName(grid, one.link)}</td>
                    <td class="right num" data-label={t("ui.net.cut.before")}>
                      {rate(one.before_bps)}
                    </td>
                    <td class="right num" data-label={t("ui.net.cut.after")}>
                      {rate(one.after_bps)}
                    </td>
                    <td class={`right num ${change > 0 ? "warn-text" : ""}`} data-label={t("ui.net.cut.col.change")}>{change > 0 ? `+${rate(change)}` : change < 0 ? `−${rate(-change)}` : NONE}</td>
                    <td class="right num" data-label={t("ui.net.cut.col.use")}>
                      {gone(one) ? <span class="bad-text">{t("ui.net.cut.gone")}</span> : portion((one.after_bps * 1e6) / Math.max(1, one.capacity_bps))}
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
      {changed.length > LINKS_SHOWN && <p class="muted">{t("ui.net.cut.more", { count: count(changed.length - LINKS_SHOWN) })}</p>}
    </Panel>
  );
}
