// A plan on the map: origin, the walk through the protection steps, the place, the data's own walks, the alternatives.

import type { RouteWay, TaskRoute } from "../api/network-types";
import type { Alternative, Plan } from "../api/types";
import { poolName, siteName, type GridView } from "../core/grid";
import { langStore, t, word } from "../core/i18n";
import { span, yuan } from "../core/format";
import { fontFamily, land, siteCoord, TOOLTIP, walkCoords, type Coord } from "./base";
import { init, needMap, type ECharts } from "./echarts";
import { TIER_SYMBOL } from "./look";

const PATH = "#39c5ff";
const DATA = "#ffd36b";
const PLACE = "#35d39a";
const STANDBY = "#b79cff";
const SPARE = "#9be38f";
const ORIGIN = "#ffffff";
const GUARD = "#ff9f5a";

interface Mark {
  id: string;
  coord: Coord;
  colour: string;
  label: string;
  size: number;
  symbol: string;
}

/** Where the map looks: the middle of the points and a zoom that holds them all. */
export function frame(coords: readonly Coord[], width: number, height: number): { center: Coord; zoom: number } {
  const xs = coords.map(([x]) => x);
  const ys = coords.map(([, y]) => y);
  const [west, east, south, north] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const wide = Math.max(east - west, 3) * 1.7;
  const high = Math.max(north - south, 2.4) * 1.8;
  // At zoom 1 the whole map, 62 x 50 degrees with this aspect, fits the box.
  const unit = Math.min(width / (62 * 0.8), height / 50);
  const zoom = Math.min(width / (wide * 0.8 * unit), height / (high * unit));
  return { center: [(west + east) / 2, (south + north) / 2], zoom: Math.min(7, Math.max(1, zoom)) };
}

export class PathMap {
  private constructor(
    private readonly chart: ECharts,
    private readonly view: GridView,
    private readonly el: HTMLElement,
  ) {}

  static async create(el: HTMLElement, view: GridView): Promise<PathMap> {
    await needMap();
    return new PathMap(init(el, null, { renderer: "canvas" }), view, el);
  }

  resize = (): void => this.chart.resize();
  dispose(): void {
    this.chart.dispose();
  }

  /** `moving`: the flow is live, so it moves; a plan that is over or only proposed stands still. */
  show(plan: Plan | null, alternatives: readonly Alternative[], moving: boolean, route: TaskRoute | null): void {
    const lang = langStore.get();
    const marks = plan ? this.marks(plan) : [];
    const spare = this.stretches(route, true).flat();
    const points = [...marks.map((mark) => mark.coord), ...(plan ? walkCoords(this.view, plan.path.sites) : []), ...(plan?.standby ? walkCoords(this.view, plan.standby.path.sites) : []), ...spare];
    const look = points.length ? frame(points, this.el.clientWidth, this.el.clientHeight) : { zoom: 1 };
    this.chart.setOption(
      {
        animation: false,
        textStyle: { fontFamily: fontFamily() },
        tooltip: TOOLTIP,
        geo: { ...land(lang, "all"), ...look, top: 8, bottom: 8 },
        series: [
          this.dots(),
          this.others(alternatives),
          ...(plan ? this.walks(plan, moving) : []),
          ...this.segments(route),
          this.markSeries(marks),
        ],
      },
      true,
    );
  }

  private marks(plan: Plan): Mark[] {
    const out: Mark[] = [];
    const add = (id: string, colour: string, label: string, size: number, symbol = "circle"): void => {
      const coord = siteCoord(this.view, id);
      if (!coord) return;
      const there = out.find((one) => one.id === id);
      if (there) there.label += `\n${label}`;
      else out.push({ id, coord, colour, label, size, symbol });
    };
    const origin = plan.path.sites[0];
    const place = `${siteName(this.view, plan.site)}`;
    if (origin && origin !== plan.site) add(origin, ORIGIN, `${t("ui.plan.origin")} · ${siteName(this.view, origin)}`, 11);
    add(plan.site, PLACE, `${t("ui.plan.place")} · ${place}`, 18);
    plan.protection.forEach((step, index) =>
      add(step.site, GUARD, `${index + 1} ${word("ui.protection", step.function)}`, 13, "diamond"),
    );
    if (plan.standby) add(plan.standby.site, STANDBY, `${t("ui.plan.standby")} · ${siteName(this.view, plan.standby.site)}`, 14);
    for (const move of plan.data) if (move.path.links.length) add(move.replica, DATA, `${t("ui.plan.data")} · ${move.data_set}`, 12, "rect");
    return out;
  }

  private walks(plan: Plan, moving: boolean): Record<string, unknown>[] {
    const walk = walkCoords(this.view, plan.path.sites);
    const second = plan.standby ? walkCoords(this.view, plan.standby.path.sites) : [];
    const moves = plan.data.map((move) => walkCoords(this.view, move.path.sites)).filter((one) => one.length > 1);
    const lines = (id: string, colour: string, data: Coord[][], width: number, dashed: boolean, flows = moving): Record<string, unknown> => ({
      id,
      type: "lines",
      coordinateSystem: "geo",
      polyline: true,
      silent: true,
      zlevel: flows ? 2 : 0,
      z: 3,
      lineStyle: { color: colour, width, opacity: 0.9, type: dashed ? "dashed" : "solid" },
      effect: { show: flows, constantSpeed: 90, symbol: "circle", symbolSize: 6, trailLength: 0.15, color: "#ffffff" },
      data: data.map((coords) => ({ coords })),
    });
    return [
      lines("data", DATA, moves, 2, true),
      lines("standby", STANDBY, second.length > 1 ? [second] : [], 2.4, true, false), // nothing flows there
      lines("path", PATH, walk.length > 1 ? [walk] : [], 3.2, false),
      {
        id: "hops",
        type: "scatter",
        coordinateSystem: "geo",
        z: 4,
        symbolSize: 7,
        itemStyle: { color: "#0a1424", borderColor: PATH, borderWidth: 2 },
        data: plan.path.sites.map((id) => ({ name: siteName(this.view, id), value: siteCoord(this.view, id) })),
        tooltip: { formatter: (params: { name: string }) => params.name },
      },
    ];
  }

  /** The walk of each segment, in order: of the planned ways, or of the standby ways. A protection function has none. */
  private stretches(route: TaskRoute | null, standby: boolean): Coord[][] {
    const ways = route?.policies.flatMap((policy) => policy.ways.filter((one) => one.standby === standby)) ?? [];
    return ways.flatMap((one) => one.steps).map((step) => this.walkOf(step.links));
  }

  private walkOf(links: RouteWay["steps"][number]["links"]): Coord[] {
    const sites = links.flatMap((directed, at) => {
      const [id = "", side] = directed.split(":");
      const link = this.view.links.get(id);
      if (!link) return [];
      const ends = side === "ab" ? [link.a, link.b] : [link.b, link.a];
      return at === 0 ? ends : ends.slice(1);
    });
    return walkCoords(this.view, sites);
  }

  /** Numbers on the way of each segment, as in the list beside the map, and the standby way. */
  private segments(route: TaskRoute | null): Record<string, unknown>[] {
    const spare = this.stretches(route, true).filter((one) => one.length > 1);
    const numbers = this.stretches(route, false).flatMap((walk, at) => {
      const [a, b] = [walk[Math.floor((walk.length - 1) / 2)], walk[Math.floor((walk.length - 1) / 2) + 1]];
      return a && b ? [{ value: [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2], name: String(at + 1) }] : [];
    });
    return [
      {
        id: "spare",
        type: "lines",
        coordinateSystem: "geo",
        polyline: true,
        silent: true,
        z: 2,
        lineStyle: { color: SPARE, width: 2.2, opacity: 0.9, type: "dashed" },
        data: spare.map((coords) => ({ coords })),
      },
      {
        id: "numbers",
        type: "scatter",
        coordinateSystem: "geo",
        silent: true,
        z: 7,
        zlevel: 4,
        symbol: "circle",
        symbolSize: 18,
        itemStyle: { color: "#14395a", borderColor: PATH, borderWidth: 1.5 },
        label: { show: true, formatter: "{b}", color: "#dff3ff", fontSize: 11, fontWeight: 700 },
        data: numbers,
      },
    ];
  }

  private dots(): Record<string, unknown> {
    return {
      id: "dots",
      type: "scatter",
      coordinateSystem: "geo",
      silent: true,
      z: 1,
      data: this.view.grid.sites.map((site) => ({
        value: [site.longitude, site.latitude],
        symbol: TIER_SYMBOL[site.tier].symbol,
        symbolSize: Math.max(2.4, TIER_SYMBOL[site.tier].size * 0.42),
      })),
      itemStyle: { color: "#2d5a88", opacity: 0.75 },
    };
  }

  private others(alternatives: readonly Alternative[]): Record<string, unknown> {
    return {
      id: "others",
      type: "scatter",
      coordinateSystem: "geo",
      z: 2,
      symbolSize: 13,
      itemStyle: { color: "rgba(0,0,0,0)", borderColor: "#8ba3c7", borderWidth: 1.6, borderType: "dashed" },
      data: alternatives
        .map((one) => ({ one, value: siteCoord(this.view, one.pool.split("/")[0] ?? "") }))
        .filter(({ value }) => value !== null),
      tooltip: {
        formatter: (params: { data: { one: Alternative } }) => {
          const { one } = params.data;
          const price = one.price_micro_yuan === null ? "" : `\n${yuan(one.price_micro_yuan)}`;
          const latency = one.latency_us === null ? "" : ` · ${span(one.latency_us)}`;
          return `${poolName(this.view, one.pool)}\n${word("pool_reason", one.reason)}${price}${latency}`;
        },
      },
    };
  }

  private markSeries(marks: readonly Mark[]): Record<string, unknown> {
    const middle = marks.reduce((sum, mark) => sum + mark.coord[1], 0) / Math.max(1, marks.length);
    return {
      id: "marks",
      type: "scatter",
      coordinateSystem: "geo",
      z: 6,
      zlevel: 3,
      silent: true,
      data: marks.map((mark) => ({
        value: mark.coord,
        symbol: mark.symbol,
        symbolSize: mark.size,
        itemStyle: { color: mark.colour, borderColor: "#06101f", borderWidth: 2, shadowBlur: 12, shadowColor: mark.colour },
        label: {
          show: true,
          formatter: mark.label,
          position: mark.coord[1] >= middle ? "top" : "bottom",
          color: "#f1f7ff",
          fontSize: 13,
          lineHeight: 18,
          fontWeight: 600,
          backgroundColor: "rgba(7,14,26,0.82)",
          borderRadius: 4,
          padding: [3, 7],
          distance: 9,
          align: "center",
        },
      })),
      labelLayout: { moveOverlap: "shiftY" },
    };
  }
}
