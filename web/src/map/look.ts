// Colours and symbols of the maps; the same figures as in styles/base.css.

import type { LinkKind, PoolKind, Tier } from "../api/types";

export const KIND_COLOURS: Record<PoolKind, string> = {
  general: "#39c5ff",
  ai: "#b094ff",
  hpc: "#ffb648",
  quantum: "#ff7ac6",
};
export const DOWN = "#ff4d5e";
/** Of a cut that is only thought of, and of the paths before and after it. */
export const MARKED = "#ff9f5a";
export const BEFORE = "#9fb4d6";
export const AFTER = "#35d39a";
export const RISK = "#b094ff";
export const THIRD_PARTY = "#ff7ac6";
const LOAD_STOPS: readonly (readonly [permille: number, colour: readonly [number, number, number]])[] = [
  [0, [45, 127, 166]],
  [250, [47, 200, 208]],
  [550, [87, 217, 128]],
  [800, [255, 207, 84]],
  [1000, [255, 140, 56]],
];

/** The colour of a load: blue when idle, through green and yellow, to orange when full. Red is for what is down. */
export function loadColour(permille: number): string {
  const value = Math.min(1000, Math.max(0, permille));
  for (let i = 1; i < LOAD_STOPS.length; i++) {
    const [to, b] = LOAD_STOPS[i] as (typeof LOAD_STOPS)[number];
    const [from, a] = LOAD_STOPS[i - 1] as (typeof LOAD_STOPS)[number];
    if (value > to) continue;
    const part = (value - from) / (to - from);
    const mix = a.map((one, k) => Math.round(one + ((b[k] as number) - one) * part));
    return `rgb(${mix.join(",")})`;
  }
  return "rgb(255,140,56)";
}

const DIAMOND_RING = "path://M50 0 L100 50 L50 100 L0 50 Z";

export const TIER_SYMBOL: Record<Tier, { symbol: string; size: number }> = {
  hub: { symbol: "circle", size: 17 },
  western: { symbol: "triangle", size: 15 },
  provincial: { symbol: DIAMOND_RING, size: 10 },
  edge: { symbol: "circle", size: 3.6 },
};

export const LINK_LOOK: Record<LinkKind, { type: "solid" | "dashed" | "dotted"; colour: string; width: number }> = {
  otn: { type: "solid", colour: "#3a78b8", width: 1 },
  ip: { type: "dashed", colour: "#48659a", width: 0.6 },
  satellite: { type: "dotted", colour: "#c08cff", width: 1.4 },
};
