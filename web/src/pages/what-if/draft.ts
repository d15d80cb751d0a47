// What stands in the form, and the question that it makes.

import type { Preference } from "../../api/types";
import type { WhatIfAsk } from "../../api/what-if-types";
import { nowUs } from "../../core/clock";

export type DayKind = "history" | "drawn" | "trace";

export interface Draft {
  kind: DayKind;
  history: string;
  drawn: string;
  file: { name: string; text: string } | null;
  without: string[];
  cut: string[];
  prices: { site: string; factor: string }[];
  allPrices: string;
  load: string;
  preference: "" | Preference;
  sample: string;
  seed: string;
}

const UTC8_MS = 8 * 3_600_000;

/** Today in UTC+8, whose days the tariff keeps. */
export const today = (): string => new Date(nowUs() / 1000 + UTC8_MS).toISOString().slice(0, 10);

export const emptyDraft = (): Draft => ({
  kind: "history",
  history: today(),
  drawn: "500",
  file: null,
  without: [],
  cut: [],
  prices: [],
  allPrices: "",
  load: "",
  preference: "",
  sample: "",
  seed: "",
});

/** Whether the form names a day. */
export const isWhole = (draft: Draft): boolean =>
  draft.kind === "history" ? draft.history !== "" : draft.kind === "drawn" ? Number(draft.drawn) >= 1 : draft.file !== null;

const number = (text: string): number | undefined => (text.trim() === "" ? undefined : Number(text));

function day(draft: Draft): WhatIfAsk["day"] {
  if (draft.kind === "history") return { history: draft.history };
  if (draft.kind === "drawn") return { drawn: Number(draft.drawn) };
  return { trace: draft.file?.text ?? "", name: draft.file?.name ?? "" };
}

/** Fields that are left empty are left out: the brain's defaults stand. */
export function toAsk(draft: Draft): WhatIfAsk {
  const changes: WhatIfAsk["changes"] = {};
  if (draft.without.length) changes.sites = { remove: draft.without };
  if (draft.cut.length) changes.links = { cut: draft.cut };
  const sites = Object.fromEntries(draft.prices.filter((one) => one.site && one.factor).map((one) => [one.site, Number(one.factor)]));
  const all = number(draft.allPrices);
  if (Object.keys(sites).length || all !== undefined) {
    changes.prices = { ...(Object.keys(sites).length ? { sites } : {}), ...(all === undefined ? {} : { all }) };
  }
  if (draft.preference) changes.policy = { preference: draft.preference };
  const load = number(draft.load);
  if (load !== undefined) changes.load = load;
  const ask: WhatIfAsk = { day: day(draft), changes };
  const [sample, seed] = [number(draft.sample), number(draft.seed)];
  if (sample !== undefined) ask.sample = sample;
  if (seed !== undefined) ask.seed = seed;
  return ask;
}
