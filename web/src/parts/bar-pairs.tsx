// Two bars a name, before and after, the largest on top. Drawn by ECharts, which is loaded only where it is needed.

import { useEffect, useRef } from "preact/hooks";
import type { ECharts } from "../map/echarts";

export interface Pair {
  name: string;
  before: number;
  after: number;
}

interface BarPairsProps {
  title: string;
  names: [before: string, after: string];
  colours: [before: string, after: string];
  pairs: readonly Pair[];
  format: (value: number) => string;
}

export function BarPairs({ title, names, colours, pairs, format }: BarPairsProps) {
  const el = useRef<HTMLDivElement>(null);
  const chart = useRef<ECharts | null>(null);
  const draw = (): void => {
    const line = { axisLine: { lineStyle: { color: "#2b4264" } }, axisTick: { show: false } };
    const side = (at: 0 | 1) => ({
      type: "bar",
      name: names[at],
      data: pairs.map((one) => (at ? one.after : one.before)),
      itemStyle: { color: colours[at], borderRadius: [0, 2, 2, 0] },
      barMaxWidth: 9,
      barGap: "15%",
    });
    chart.current?.setOption(
      {
        animation: false,
        grid: { left: 10, right: 26, top: 8, bottom: 8, containLabel: true },
        tooltip: { trigger: "axis", axisPointer: { type: "shadow" }, renderMode: "richText", confine: true, backgroundColor: "rgba(7,14,26,.95)", borderColor: "#2b4a75", textStyle: { color: "#dbe8fb" }, valueFormatter: (v: unknown) => format(Number(v)) },
        xAxis: { type: "value", min: 0, splitNumber: 3, splitLine: { lineStyle: { color: "#16263f" } }, ...line, axisLabel: { color: "#8ba3c7", fontSize: 12, formatter: format, hideOverlap: true } },
        yAxis: { type: "category", inverse: true, data: pairs.map((one) => one.name), ...line, axisLabel: { color: "#b3c6e3", fontSize: 12, width: 150, overflow: "truncate" } },
        series: [side(0), side(1)],
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
      <figcaption>{title}</figcaption>
      <div ref={el} class="chart-box pairs-box" role="img" aria-label={title} />
    </figure>
  );
}
