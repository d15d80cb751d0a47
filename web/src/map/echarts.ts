// The parts of ECharts that the page draws with, and the map of China. One lazy chunk; nothing else imports ECharts.

import { BarChart, EffectScatterChart, LineChart, LinesChart, MapChart, ScatterChart } from "echarts/charts";
import { GeoComponent, GridComponent, TooltipComponent } from "echarts/components";
import { init, registerMap, use, type ECharts } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import chinaUrl from "echarts4/map/json/china.json?url";
import { placeLabels } from "./provinces";

type MapFile = Parameters<typeof registerMap>[1];

use([
  BarChart,
  EffectScatterChart,
  LineChart,
  LinesChart,
  MapChart,
  ScatterChart,
  GeoComponent,
  GridComponent,
  TooltipComponent,
  CanvasRenderer,
]);

export { init, type ECharts };

let mapReady: Promise<void> | null = null;

/** The map of China, decoded by ECharts itself. Under the name `china` ECharts adds the South China Sea inset. */
export function needMap(): Promise<void> {
  mapReady ??= fetch(chinaUrl)
    .then((response) => response.json())
    .then((geo: Parameters<typeof placeLabels>[0]) => registerMap("china", placeLabels(geo) as unknown as MapFile));
  return mapReady;
}
