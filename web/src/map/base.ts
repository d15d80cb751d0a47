// What both maps share: the land, the coordinates of the grid, the size of the window.

import type { GridView } from "../core/grid";
import type { Lang } from "../core/i18n";
import { provinceLabel } from "./provinces";

export type Coord = [number, number];

export const siteCoord = (view: GridView, id: string): Coord | null => {
  const site = view.sites.get(id);
  return site ? [site.longitude, site.latitude] : null;
};

export function walkCoords(view: GridView, sites: readonly string[]): Coord[] {
  return sites.map((id) => siteCoord(view, id)).filter((one): one is Coord => one !== null);
}

/** The canvas knows no CSS: it is told the page's own fonts. */
export const fontFamily = (): string => getComputedStyle(document.body).fontFamily;

/** The `geo` component: dark land, quiet borders, province names behind everything. */
export function land(lang: Lang, labels: "all" | "few", scale = 1): Record<string, unknown> {
  const quiet = {
    areaColor: "#0d1c33",
    borderColor: "#274569",
    borderWidth: 0.8,
  };
  return {
    map: "china",
    roam: true,
    scaleLimit: { min: 0.8, max: 12 },
    aspectScale: 0.8,
    itemStyle: quiet,
    label: {
      show: true,
      color: "#4d6b96",
      fontSize: Math.round(12 * scale),
      fontFamily: fontFamily(),
      formatter: (region: { name: string }) => provinceLabel(region.name, lang, labels === "few"),
    },
    emphasis: { disabled: true },
    select: { disabled: true },
    tooltip: { show: false },
    silent: true,
  };
}

/** A tooltip that is a DOM element: ECharts' own would need inline styles, which the page's policy forbids. */
export const TOOLTIP = {
  trigger: "item",
  confine: true,
  renderMode: "richText",
  backgroundColor: "rgba(7,14,26,0.94)",
  borderColor: "#2b4a75",
  borderWidth: 1,
  padding: [8, 12],
  textStyle: { color: "#dbe8fb", fontSize: 13, lineHeight: 19 },
  transitionDuration: 0,
};
