// Numbers and instants for people: every figure carries its unit.

import { htmlLang, t } from "./i18n";

const YUAN = 1_000_000;
const US = { ms: 1e3, s: 1e6, min: 6e7, h: 3.6e9, d: 8.64e10 };
export const NONE = "–";

function decimal(value: number, digits: number, least = 0): string {
  return new Intl.NumberFormat(htmlLang(), { maximumFractionDigits: digits, minimumFractionDigits: least }).format(value);
}

/** Three significant figures, as the units' own forms are written: 1.25, 12.5, 125. */
function short(value: number): string {
  return decimal(value, value >= 100 ? 0 : value >= 10 ? 1 : 2);
}

export const count = (value: number): string => decimal(value, 0);
export const percent = (permille: number, digits = 1): string => `${decimal(permille / 10, digits)} %`;

/** A part in millionths as per cent, with figures enough that a little is not shown as nothing. */
export const portion = (ppm: number): string => `${decimal(ppm / 10_000, ppm >= 10_000 ? 1 : ppm >= 100 ? 2 : 4)} %`;

function scaled(value: number, units: readonly (readonly [string, number])[]): string {
  for (const [unit, size] of units) if (Math.abs(value) >= size) return `${short(value / size)} ${unit}`;
  const last = units[units.length - 1];
  return `${short(value)} ${last ? last[0] : ""}`;
}

const BYTES = [["PiB", 2 ** 50], ["TiB", 2 ** 40], ["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10], ["B", 1]] as const;
const RATES = [["Tbps", 1e12], ["Gbps", 1e9], ["Mbps", 1e6], ["kbps", 1e3], ["bps", 1]] as const;
const FLOPS = [["EFLOPS", 1e9], ["PFLOPS", 1e6], ["TFLOPS", 1e3], ["GFLOPS", 1]] as const;
const MASS = [["t", 1e9], ["kg", 1e6], ["g", 1e3], ["mg", 1]] as const;

export const bytes = (value: number): string => scaled(value, BYTES);
export const rate = (value: number): string => scaled(value, RATES);
export const carbon = (mg: number): string => (mg ? `${scaled(mg, MASS)} CO₂` : "0 g CO₂");

export function flops(gflops: number): { value: string; unit: string } {
  for (const [unit, size] of FLOPS) if (gflops >= size) return { value: short(gflops / size), unit };
  return { value: short(gflops), unit: "GFLOPS" };
}

/** `¥1,234.56`; under one yuan, as many decimals as show two figures. */
export function yuan(micro: number): string {
  const size = Math.abs(micro);
  const digits = size >= YUAN ? 2 : size >= 10_000 ? 4 : 6;
  return (micro < 0 ? "−¥" : "¥") + decimal(size / YUAN, digits, 2);
}

/** Every micro-yuan that is there: for a line of a bill. */
export function yuanExact(micro: number): string {
  return (micro < 0 ? "−¥" : "¥") + decimal(Math.abs(micro) / YUAN, 6, 2);
}

export function span(us: number): string {
  const size = Math.abs(us);
  if (size < US.ms) return `${short(us)} µs`;
  if (size < US.s) return `${short(us / US.ms)} ms`;
  if (size < 2 * US.min) return `${short(us / US.s)} s`;
  if (size < 2 * US.h) return `${short(us / US.min)} min`;
  if (size < 2 * US.d) return `${short(us / US.h)} h`;
  return `${short(us / US.d)} d`;
}

function moment(us: number, options: Intl.DateTimeFormatOptions): string {
  // British order and month names: 11/12 is not read as another day.
  return new Intl.DateTimeFormat(htmlLang() === "en" ? "en-GB" : htmlLang(), { hourCycle: "h23", ...options }).format(new Date(us / 1000));
}

const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit" } as const;
const DAY = { year: "numeric", month: "short", day: "2-digit" } as const;

export const clock = (us: number): string => moment(us, CLOCK);
export const day = (us: number): string => moment(us, DAY);
export const dayUtc8 = (us: number): string => moment(us, { month: "short", day: "2-digit", timeZone: "Asia/Shanghai" });
/** Short: the day only where it is not today. */
export function at(us: number): string {
  const today = new Date().toDateString() === new Date(us / 1000).toDateString();
  return moment(us, today ? CLOCK : { month: "short", day: "2-digit", ...CLOCK });
}
export const atFull = (us: number): string => moment(us, { ...DAY, ...CLOCK, timeZoneName: "short" });

const AGO = [["day", US.d], ["hour", US.h], ["minute", US.min], ["second", US.s]] as const;

/** "12s ago". */
export function ago(us: number, nowUs: number): string {
  const past = Math.max(0, nowUs - us);
  for (const [unit, size] of AGO) {
    if (past >= size * (unit === "second" ? 1 : 1.5)) {
      return new Intl.RelativeTimeFormat(htmlLang(), { style: "narrow" }).format(-Math.floor(past / size), unit);
    }
  }
  return t("ui.time.now");
}

const QUANTITY_UNITS: Record<string, UiUnit> = {
  core: "ui.unit.core_hours",
  memory: "ui.unit.gib_hours",
  accelerator: "ui.unit.card_hours",
  node: "ui.unit.node_hours",
  qpu: "ui.unit.qpu_hours",
  qpu_shot: "ui.unit.shots",
  energy: "ui.unit.kwh",
  bandwidth: "ui.unit.gbps_hours",
  protection: "ui.unit.gbps_hours",
  transfer: "ui.unit.gib",
};
type UiUnit =
  | "ui.unit.core_hours"
  | "ui.unit.gib_hours"
  | "ui.unit.card_hours"
  | "ui.unit.node_hours"
  | "ui.unit.qpu_hours"
  | "ui.unit.shots"
  | "ui.unit.kwh"
  | "ui.unit.gbps_hours"
  | "ui.unit.gib";

/** A line's quantity in the unit that its price is for: core-us over 3.6e9 is core-hours. */
export function quantity(kind: string, amount: number, per: number): string {
  const value = amount / per;
  const digits = value >= 100 ? 1 : value >= 1 ? 3 : value >= 0.001 ? 5 : 8;
  const unit = QUANTITY_UNITS[kind];
  return unit ? `${decimal(value, digits)} ${t(unit)}` : decimal(value, digits);
}

/** The last figures of a made id: enough to tell tasks apart on a screen. */
export const shortId = (id: string): string => (id.length > 14 ? `${id.slice(0, id.indexOf("-") + 1)}…${id.slice(-6)}` : id);
