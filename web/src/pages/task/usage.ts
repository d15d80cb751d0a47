// Curves from measured sums: the events carry totals since the start, the page shows their slopes.

import type { Observed, Usage } from "../../api/types";

export type Point = [wallUs: number, value: number];

function slopes(events: readonly Observed[], total: (usage: Usage) => number): Point[] {
  const out: Point[] = [];
  let wall = 0;
  let sum = 0;
  for (const { event } of events) {
    if (!event.usage || event.usage.wall_us <= wall) continue;
    const next = total(event.usage);
    out.push([event.usage.wall_us, Math.max(0, next - sum) / (event.usage.wall_us - wall)]);
    wall = event.usage.wall_us;
    sum = next;
  }
  return out;
}

/** Cores in use over the wall time. */
export const cpuSeries = (events: readonly Observed[]): Point[] => slopes(events, (usage) => usage.core_us);
/** Bytes in use over the wall time. */
export const memorySeries = (events: readonly Observed[]): Point[] => slopes(events, (usage) => usage.memory_byte_us);
