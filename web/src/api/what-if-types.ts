// The answers of /v1/what-if. Model types follow src/suanwang/model/what_if.py.

import type { Preference, Problem } from "./types";

export type WhatIfUnit = "count" | "us" | "micro_yuan" | "mg" | "core_s" | "card_s" | "bytes" | "ppm";

export interface SiteUse {
  site: string;
  owner: string;
  tasks: number;
  use_ppm: number;
  cost_micro_yuan: number;
  core_s: number;
  card_s: number;
  carbon_mg: number;
}

export interface LinkUse {
  link: string;
  use_ppm: number;
}

export interface Slot {
  at_us: number;
  arrived: number;
  wait_p50_us: number | null;
  wait_p95_us: number | null;
  cores: number;
  cards: number;
  cost_micro_yuan: number;
  carbon_mg: number;
}

export interface DayFigures {
  tasks: number;
  succeeded: number;
  failed: number;
  refused: number;
  expired: number;
  cancelled: number;
  unended: number;
  ran: number;
  wait_p50_us: number;
  wait_p95_us: number;
  wait_max_us: number;
  cost_micro_yuan: number;
  carbon_mg: number;
  core_s: number;
  card_s: number;
  moved_bytes: number;
  cost_by_tenant: Record<string, number>;
  revenue_by_owner: Record<string, number>;
  sites: SiteUse[];
  links: LinkUse[];
  slots: Slot[];
}

export interface MetricRow {
  metric: string;
  of: string;
  unit: WhatIfUnit;
  before: number;
  after: number;
  difference: number;
  change_permille: number | null;
}

export interface Flow {
  before: string | null;
  after: string | null;
  tasks: number;
  core_s: number;
}

export interface ReasonRow {
  kind: "refused" | "waited" | "failed";
  reason: string;
  clause: string;
  before: number;
  after: number;
}

export interface Said {
  code: string;
  params: Record<string, string | number>;
}

export interface Timing {
  wall_s: number;
  before_s: number;
  after_s: number;
  plan_before_s: number;
  plan_after_s: number;
  tasks_per_s: number;
}

export interface WhatIf {
  seed: number;
  grid: string;
  source: string;
  start_us: number;
  span_us: number;
  notes: Said[];
  changes: Said[];
  rows: MetricRow[];
  before: DayFigures;
  after: DayFigures;
  flows: Flow[];
  moved: number;
  reasons: ReasonRow[];
  timing: Timing;
}

export interface WhatIfView {
  run_id: string;
  state: "running" | "done" | "failed" | "cancelled";
  source: string;
  asked_us: number;
  tasks: number;
  ended: number;
  result: WhatIf | null;
  problem: Problem | null;
}

/** What the page asks: a part of what the API takes. */
export interface WhatIfAsk {
  day: { history?: string; drawn?: number; trace?: string; name?: string };
  changes: {
    sites?: { remove?: string[] };
    links?: { cut?: string[] };
    prices?: { all?: number; sites?: Record<string, number> };
    policy?: { preference?: Preference };
    load?: number;
  };
  sample?: number;
  seed?: number;
}
