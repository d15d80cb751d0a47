// An ECharts line chart for measured use. Loaded only where there is something to draw.

import { useEffect, useRef } from "preact/hooks";
import type { ECharts } from "../map/echarts";

export interface Series {
  name: string;
  colour: string;
  points: [x: number, y: number][];
}

interface LineChartProps {
  title: string;
  series: Series[];
  limit?: { value: number; name: string };
  yFormat: (value: number) => string;
  xFormat: (value: number) => string;
}

export function LineChart({ title, series, limit, yFormat, xFormat }: LineChartProps) {
  const el = useRef<HTMLDivElement>(null);
  const chart = useRef<ECharts | null>(null);
  const draw = (): void => {
    const axis = { axisLine: { lineStyle: { color: "#2b4264" } }, axisLabel: { color: "#8ba3c7", fontSize: 12 } };
    const top = Math.max(...series.flatMap((one) => one.points.map(([, y]) => y)), limit?.value ?? 0);
    chart.current?.setOption(
      {
        animation: false,
        grid: { left: 74, right: 14, top: 14, bottom: 28 },
        tooltip: { trigger: "axis", renderMode: "richText", backgroundColor: "rgba(7,14,26,.95)", borderColor: "#2b4a75", textStyle: { color: "#dbe8fb" }, valueFormatter: (v: unknown) => yFormat(Number(v)) },
        xAxis: { type: "value", min: "dataMin", max: "dataMax", splitLine: { show: false }, ...axis, axisLabel: { ...axis.axisLabel, formatter: xFormat, hideOverlap: true } },
        yAxis: { type: "value", min: 0, max: top * 1.1 || 1, splitNumber: 3, splitLine: { lineStyle: { color: "#16263f" } }, ...axis, axisLabel: { ...axis.axisLabel, formatter: yFormat, showMaxLabel: false } },
        series: [
          ...series.map((one) => ({
            type: "line",
            name: one.name,
            data: one.points,
            showSymbol: one.points.length < 3,
            symbolSize: 5,
            lineStyle: { color: one.colour, width: 2 },
            itemStyle: { color: one.colour },
            areaStyle: { color: one.colour, opacity: 0.13 },
          })),
          ...(limit ? [limitLine(limit, series)] : []),
        ],
      },
      true,
    );
  };
  useEffect(() => {
    let over = false;
    const host = el.current as HTMLDivElement;
    // A box on its way out of the page has no size; a canvas of none cannot be drawn.
    const watch = new ResizeObserver(() => host.clientHeight > 0 && host.clientWidth > 0 && chart.current?.resize());
    void import("../map/echarts").then(({ init }) => {
      if (over) return;
      chart.current = init(host, null, { renderer: "canvas" });
      watch.observe(host);
      draw();
    });
    return () => {
      over = true;
      watch.disconnect();
      chart.current?.dispose();
      chart.current = null;
    };
  }, []);
  useEffect(draw);
  return (
    <figure class="chart">
      <figcaption>
        {title}
        {limit && <span class="muted">{limit.name}</span>}
      </figcaption>
      <div ref={el} class="chart-box" role="img" aria-label={title} />
    </figure>
  );
}

function limitLine(limit: { value: number; name: string }, series: readonly Series[]): Record<string, unknown> {
  const xs = series.flatMap((one) => one.points.map(([x]) => x));
  return {
    type: "line",
    name: limit.name,
    data: xs.length ? [[Math.min(...xs), limit.value], [Math.max(...xs), limit.value]] : [],
    showSymbol: false,
    lineStyle: { color: "#ffb648", width: 1.4, type: "dashed" },
    itemStyle: { color: "#ffb648" },
  };
}
