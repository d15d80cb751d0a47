// The network's map: each direction of each link by its utilisation, links that are down, a risk group, a cut and its moves.

import type { CrossedWay, LinkNow } from "../api/network-types";
import type { Site } from "../api/types";
import { portion, rate } from "../core/format";
import { siteName, type GridView } from "../core/grid";
import { langStore, t } from "../core/i18n";
import { fontFamily, land, siteCoord, TOOLTIP, walkCoords, type Coord } from "./base";
import { init, needMap, type ECharts } from "./echarts";
import { AFTER, BEFORE, DOWN, LINK_LOOK, loadColour, MARKED, RISK, TIER_SYMBOL } from "./look";

const MAP_ASPECT = 1.37;
const ROOMY_PX = 950;
/** On a small map a name on the right of a site further east is cut off. */
const MIDDLE = 112;
const PERMILLE = 1_000; // of a millionth
/** Each direction bends to its own side, so that both are seen. */
const BEND = 0.07;

export type Side = "ab" | "ba";

export interface NetworkState {
  links: readonly LinkNow[];
  /** What a direction carries or holds, in bit/s; null: not known. */
  bps: (link: LinkNow, side: Side) => number | null;
  picked: string | null;
  risk: string | null;
  marked: ReadonlySet<string>;
  /** The ways of a cut to draw, before and after. */
  ways: readonly CrossedWay[];
}

interface Drawn {
  link: string;
  coords: Coord[];
  tip: string;
  lineStyle: Record<string, unknown>;
}

export class NetworkMap {
  private constructor(
    private readonly chart: ECharts,
    private readonly view: GridView,
    onPick: (id: string) => void,
  ) {
    chart.on("click", (event) => {
      const data = event.data as { link?: string } | undefined;
      if (data?.link) onPick(data.link);
    });
  }

  static async create(el: HTMLElement, view: GridView, onPick: (id: string) => void): Promise<NetworkMap> {
    await needMap();
    const map = new NetworkMap(init(el, null, { renderer: "canvas" }), view, onPick);
    map.draw();
    return map;
  }

  resize = (): void => {
    this.chart.resize();
    this.draw();
  };

  dispose(): void {
    this.chart.dispose();
  }

  private draw(): void {
    const size = Math.max(1, Math.round(Math.min(this.chart.getWidth() * 0.97, this.chart.getHeight() * 0.96 * MAP_ASPECT)));
    this.chart.setOption({
      animation: false,
      textStyle: { fontFamily: fontFamily() },
      tooltip: TOOLTIP,
      geo: { ...land(langStore.get(), size < ROOMY_PX ? "few" : "all"), layoutCenter: ["50%", "50%"], layoutSize: size },
      series: [this.sites(size < ROOMY_PX / 2)],
    });
  }

  /** Where two ends are on the screen, in pixels of the map: for tests, and for whoever clicks for them. */
  middle(id: string): [number, number] | null {
    const link = this.view.links.get(id);
    const ends = link ? walkCoords(this.view, [link.a, link.b]) : [];
    const [a, b] = ends.map((one) => this.chart.convertToPixel("geo", one) as unknown as Coord);
    return a && b ? [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2] : null;
  }

  update(state: NetworkState): void {
    const quiet: Drawn[] = [];
    const busy: Drawn[] = [];
    const over: Drawn[] = [];
    for (const link of state.links) {
      const ends = walkCoords(this.view, [link.a, link.b]);
      if (ends.length < 2) continue;
      const [a, b] = ends as [Coord, Coord];
      const special = this.special(link, state);
      if (special) over.push({ link: link.id, coords: [a, b], tip: this.tip(link, state), lineStyle: special });
      const parts = link.up ? ([["ab", [a, b]], ["ba", [b, a]]] as const) : [];
      const used = parts.filter(([side]) => (state.bps(link, side) ?? 0) > 0);
      for (const [side, coords] of used) busy.push(this.direction(link, side, [...coords], state));
      if (used.length === 0 && !special) quiet.push({ link: link.id, coords: [a, b], tip: this.tip(link, state), lineStyle: this.idle(link) });
    }
    this.chart.setOption({
      series: [
        this.lines("quiet", quiet, 1),
        this.lines("over", over, 2),
        this.lines("busy", busy, 3),
        this.lines("before", this.moves(state.ways, "before"), 4, true),
        this.lines("after", this.moves(state.ways, "after"), 4, true),
      ],
    });
  }

  private lines(id: string, data: readonly Drawn[], z: number, silent = false): Record<string, unknown> {
    return {
      id,
      type: "lines",
      coordinateSystem: "geo",
      z,
      silent,
      data,
      emphasis: { lineStyle: { width: 5, opacity: 1 } },
      tooltip: { formatter: (params: { data: Drawn }) => params.data.tip },
    };
  }

  private idle(link: LinkNow): Record<string, unknown> {
    const look = LINK_LOOK[link.kind];
    const edge = [link.a, link.b].some((id) => this.view.sites.get(id)?.tier === "edge");
    return { color: look.colour, type: look.type, width: edge ? 0.7 : 1.1, opacity: edge ? 0.3 : 0.55, curveness: link.kind === "satellite" ? 0.28 : 0 };
  }

  /** A link that is picked, down, marked or of the risk group: a broad line below its two directions. */
  private special(link: LinkNow, state: NetworkState): Record<string, unknown> | null {
    const curveness = link.kind === "satellite" ? 0.28 : 0;
    if (state.marked.has(link.id)) return { color: MARKED, type: "dashed", width: 4, opacity: 1, curveness };
    if (!link.up) return { color: DOWN, type: "dashed", width: 2.6, opacity: 1, curveness };
    if (state.picked === link.id) return { color: "#ffffff", width: 6, opacity: 0.55, curveness };
    if (state.risk !== null && link.shared_risk_groups.includes(state.risk)) return { color: RISK, width: 6, opacity: 0.6, curveness };
    return null;
  }

  private direction(link: LinkNow, side: Side, coords: Coord[], state: NetworkState): Drawn {
    const permille = ((state.bps(link, side) ?? 0) * PERMILLE) / Math.max(1, link.capacity_bps);
    return {
      link: link.id,
      coords,
      tip: this.tip(link, state),
      lineStyle: { color: loadColour(permille), width: 1.8 + Math.min(permille, 1_000) / 260, opacity: 0.95, curveness: link.kind === "satellite" ? 0.28 : BEND },
    };
  }

  private moves(ways: readonly CrossedWay[], which: "before" | "after"): Drawn[] {
    const links = new Set(ways.flatMap((one) => (which === "before" ? one.before.links : (one.links ?? []))));
    return [...links].flatMap((directed) => {
      const [id, side] = directed.split(":") as [string, Side];
      const link = this.view.links.get(id);
      const ends = link ? walkCoords(this.view, [link.a, link.b]) : [];
      if (ends.length < 2) return [];
      const style = which === "before" ? { color: BEFORE, type: "dotted", width: 2.4 } : { color: AFTER, type: "solid", width: 3 };
      return [{ link: id, coords: side === "ab" ? ends : ends.reverse(), tip: "", lineStyle: { ...style, opacity: 0.95, curveness: BEND } }];
    });
  }

  private tip(link: LinkNow, state: NetworkState): string {
    const [a, b] = [siteName(this.view, link.a), siteName(this.view, link.b)];
    if (!link.up) return `${a} – ${b}\n${t("ui.net.legend.down")}`;
    const line = (side: Side, from: string, to: string): string => {
      const bps = state.bps(link, side);
      return `${from} → ${to}: ${bps === null ? "–" : `${rate(bps)} / ${rate(link.capacity_bps)} (${portion((bps * 1e6) / link.capacity_bps)})`}`;
    };
    return `${line("ab", a, b)}\n${line("ba", b, a)}`;
  }

  private sites(small: boolean): Record<string, unknown> {
    const item = (site: Site): Record<string, unknown> => {
      const { symbol, size } = TIER_SYMBOL[site.tier];
      const named = (site.tier === "hub" || (site.tier === "western" && !small)) && site.owner === "own";
      return {
        name: siteName(this.view, site.id),
        value: siteCoord(this.view, site.id),
        symbol: site.owner === "own" ? symbol : "rect",
        symbolSize: Math.max(2.6, size * 0.55),
        label: { show: named, formatter: siteName(this.view, site.id), position: small && site.longitude > MIDDLE ? "left" : "right", distance: 5, color: "#dbe8fb", fontSize: small ? 10 : 12, textBorderColor: "#071020", textBorderWidth: 3 },
      };
    };
    return {
      id: "sites",
      type: "scatter",
      coordinateSystem: "geo",
      z: 6,
      itemStyle: { color: "#7fa6d6", borderColor: "#06101f", borderWidth: 1 },
      labelLayout: { hideOverlap: true },
      tooltip: { formatter: (params: { name: string }) => params.name },
      data: this.view.grid.sites.map(item),
    };
  }
}
