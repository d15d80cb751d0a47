// The panorama's map: sites by tier and load, links by use, live flows that move.

import type { Flow, LinkKind, LinkState, Site, SiteState } from "../api/types";
import { type GridView, siteName } from "../core/grid";
import { langStore, t, word } from "../core/i18n";
import { percent, rate } from "../core/format";
import { fontFamily, land, siteCoord, TOOLTIP, walkCoords } from "./base";
import { init, needMap, type ECharts } from "./echarts";
import { DOWN, KIND_COLOURS, LINK_LOOK, loadColour, THIRD_PARTY, TIER_SYMBOL } from "./look";

/** More flows than this are not told apart by the eye, and cost frames. */
const FLOWS_MAX = 80;
/** Width over height of the drawn map, inset and all. */
const MAP_ASPECT = 1.37;
/** A map narrower than this keeps the labels of the wide provinces only, and smaller ones for the sites. */
const ROOMY_PX = 950;
/** The map box of a 1920-wide screen. */
const NORMAL_PX = 1210;
const LABELLED = new Set(["hub", "western"]);

export interface MapState {
  sites: Map<string, SiteState>;
  links: Map<string, LinkState>;
  flows: Flow[];
}

const linkUse = (state: LinkState | undefined, capacity: number): number =>
  state && capacity ? Math.round((Math.max(state.used_ab_bps, state.used_ba_bps) * 1000) / capacity) : 0;

export class PanoramaMap {
  private constructor(
    private readonly chart: ECharts,
    private readonly view: GridView,
    onPick: (id: string | null) => void,
  ) {
    chart.on("click", (event) => {
      const data = event.data as { site?: string } | undefined;
      if (data?.site) onPick(data.site);
    });
  }

  static async create(el: HTMLElement, view: GridView, onPick: (id: string | null) => void): Promise<PanoramaMap> {
    await needMap();
    const map = new PanoramaMap(init(el, null, { renderer: "canvas" }), view, onPick);
    map.draw();
    return map;
  }

  /** On a wall the symbols and labels grow with the map. */
  private scale(): number {
    return Math.min(2.4, Math.max(0.85, this.chart.getWidth() / NORMAL_PX));
  }

  resize = (): void => {
    this.chart.resize();
    this.draw();
  };

  dispose(): void {
    this.chart.dispose();
  }

  /** The fixed part; again after a change of size. */
  private draw(): void {
    const lang = langStore.get();
    const width = this.chart.getWidth();
    const size = Math.round(Math.min(width * 0.97, this.chart.getHeight() * 0.96 * MAP_ASPECT));
    this.chart.setOption(
      {
        animation: false,
        textStyle: { fontFamily: fontFamily() },
        tooltip: TOOLTIP,
        geo: { ...land(lang, size < ROOMY_PX ? "few" : "all", this.scale()), layoutCenter: ["50%", "50%"], layoutSize: size },
      },
    );
  }

  update(state: MapState, selected: string | null): void {
    const kinds: LinkKind[] = ["ip", "otn", "satellite"];
    this.chart.setOption({
      series: [
        ...kinds.map((kind) => this.linkSeries(kind, state)),
        this.flowSeries(state.flows, "data"),
        this.flowSeries(state.flows, "path"),
        this.siteSeries("edge", state, selected),
        this.siteSeries("main", state, selected),
        this.downSeries(state),
      ],
    });
  }

  private linkSeries(kind: LinkKind, state: MapState): Record<string, unknown> {
    const look = LINK_LOOK[kind];
    const data = this.view.grid.links
      .filter((link) => link.kind === kind)
      .map((link) => {
        const now = state.links.get(link.id);
        const use = linkUse(now, link.capacity_bps);
        const up = now?.up ?? true;
        const both = [link.a, link.b].map((id) => this.view.sites.get(id)?.tier);
        const metro = both.includes("edge");
        const colour = !up ? DOWN : use > 0 ? loadColour(200 + use * 0.8) : look.colour;
        return {
          id: link.id,
          coords: walkCoords(this.view, [link.a, link.b]),
          use,
          up,
          link,
          lineStyle: {
            color: colour,
            width: this.scale() * (look.width * (metro ? 0.6 : 1) + (use > 0 ? 0.6 + use / 350 : 0)),
            opacity: !up ? 0.95 : use > 0 ? 0.85 : kind === "satellite" ? 0.6 : metro ? 0.16 : 0.42,
            type: up ? look.type : "dashed",
            curveness: kind === "satellite" ? 0.28 : 0,
          },
        };
      })
      .filter((one) => one.coords.length === 2);
    return {
      id: `links-${kind}`,
      type: "lines",
      coordinateSystem: "geo",
      zlevel: 1,
      silent: false,
      data,
      tooltip: {
        formatter: (params: { data: (typeof data)[number] }) => {
          const { link, use, up } = params.data;
          const ends = `${siteName(this.view, link.a)} – ${siteName(this.view, link.b)}`;
          const load = up ? `${percent(use)} / ${rate(link.capacity_bps)}` : t("ui.site.down");
          return `${ends}\n${t(`ui.link.${link.kind}`)} · ${load}`;
        },
      },
    };
  }

  private flowSeries(flows: readonly Flow[], part: "path" | "data"): Record<string, unknown> {
    const data = flows.slice(0, FLOWS_MAX).flatMap((flow) => {
      const walks = part === "path" ? [flow.sites] : flow.data;
      return walks
        .map((walk) => walkCoords(this.view, walk))
        .filter((coords) => coords.length > 1)
        .map((coords) => ({ coords, flow, lineStyle: { color: part === "path" ? KIND_COLOURS[flow.kind] : "#f6f3a8" } }));
    });
    return {
      id: `flows-${part}`,
      type: "lines",
      coordinateSystem: "geo",
      polyline: true,
      zlevel: part === "path" ? 3 : 2,
      effect: {
        show: true,
        constantSpeed: part === "path" ? 70 : 50,
        trailLength: part === "path" ? 0.22 : 0.08,
        symbol: part === "path" ? "circle" : "rect",
        symbolSize: this.scale() * (part === "path" ? 4.5 : 3.5),
      },
      lineStyle: { width: this.scale() * (part === "path" ? 1.8 : 1), opacity: part === "path" ? 0.55 : 0.4, type: part === "path" ? "solid" : "dashed" },
      tooltip: {
        formatter: (params: { data: { flow: Flow } }) => {
          const { flow } = params.data;
          const ends = [flow.sites[0], flow.sites.at(-1)].map((id) => siteName(this.view, id ?? null)).join(" → ");
          return `${flow.name}\n${ends}\n${word("phase", flow.phase)}`;
        },
      },
      data,
    };
  }

  private siteSeries(which: "edge" | "main", state: MapState, selected: string | null): Record<string, unknown> {
    const sites = this.view.grid.sites.filter((site) => (site.tier === "edge") === (which === "edge"));
    return {
      id: `sites-${which}`,
      type: "scatter",
      coordinateSystem: "geo",
      zlevel: 4,
      data: sites.map((site) => this.siteItem(site, state.sites.get(site.id), site.id === selected)),
      labelLayout: { hideOverlap: true },
      tooltip: { formatter: (params: { data: { site: string } }) => this.siteTip(params.data.site, state) },
    };
  }

  private siteItem(site: Site, now: SiteState | undefined, selected: boolean): Record<string, unknown> {
    const { symbol, size: plain } = TIER_SYMBOL[site.tier];
    const scale = this.scale();
    const size = plain * scale;
    const load = now?.load_permille ?? 0;
    const down = now ? !now.live : false;
    const own = site.owner === "own";
    const colour = down ? DOWN : loadColour(load);
    const big = site.tier !== "edge";
    const busy = !down && (now?.tasks ?? 0) > 0;
    return {
      site: site.id,
      name: site.id,
      value: siteCoord(this.view, site.id),
      symbol: own ? symbol : "rect",
      symbolSize: (own ? size : Math.max(size * 0.8, 6 * scale)) + (busy ? (big ? 3 : 5) : 0) + (selected ? 6 : 0),
      itemStyle: {
        color: own || busy || down ? colour : "rgba(255,122,198,0.25)",
        borderColor: selected || busy ? "#ffffff" : own ? (big ? "rgba(226,242,255,0.85)" : "rgba(0,0,0,0)") : THIRD_PARTY,
        borderWidth: selected ? 2.5 : busy ? 1.8 : big || !own ? 1.2 : 0,
        opacity: big || busy || down || !own ? 1 : 0.75,
        ...(busy ? { shadowBlur: 22, shadowColor: "#8fe9ff" } : big && !down ? { shadowBlur: site.tier === "hub" ? 14 : 6, shadowColor: colour } : {}),
      },
      label: {
        show: selected || (LABELLED.has(site.tier) && own),
        formatter: siteName(this.view, site.id),
        position: "right",
        distance: 7,
        color: selected ? "#ffffff" : "#e3effe",
        fontSize: Math.round((site.tier === "hub" ? 14 : 13) * scale),
        fontWeight: 600,
        textBorderColor: "#071020",
        textBorderWidth: 3,
      },
    };
  }

  private siteTip(id: string, state: MapState): string {
    const site = this.view.sites.get(id);
    const now = state.sites.get(id);
    if (!site) return id;
    const lines = [
      siteName(this.view, id),
      [t(`ui.tier.${site.tier}`), site.owner === "own" ? t("ui.site.own") : t("ui.site.third_party")].join(" · "),
    ];
    if (now) {
      const load = now.live ? `${t("ui.site.load")} ${percent(now.load_permille)}` : t("ui.site.down");
      lines.push(`${load} · ${t("ui.site.tasks", { count: now.tasks })}`);
      if (now.emulated) lines.push(t("ui.emulated"));
    }
    return lines.join("\n");
  }

  /** Sites that do not answer pulse, so that they are seen across a room. A whole grid that is down would only flicker. */
  private downSeries(state: MapState): Record<string, unknown> {
    const down = [...state.sites.values()].filter((one) => !one.live);
    const few = down.length <= 30 ? down : [];
    return {
      id: "sites-down",
      type: "effectScatter",
      coordinateSystem: "geo",
      zlevel: 5,
      rippleEffect: { scale: 3.5, brushType: "stroke", period: 3 },
      symbolSize: 9,
      itemStyle: { color: DOWN },
      data: few.map((one) => ({ site: one.id, name: one.id, value: siteCoord(this.view, one.id) })),
      tooltip: { formatter: (params: { data: { site: string } }) => this.siteTip(params.data.site, state) },
    };
  }
}
