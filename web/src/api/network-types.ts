// The answers of /v1/network. Model types follow src/suanwang/model/network.py, wanted.py and route.py.

import type { LinkKind } from "./types";

/** A directed link: `<link id>:ab` or `:ba`. */
export type Directed = string;

export interface WayState {
  held_bps: number;
  use_ppm: number;
}

export interface LinkNow {
  id: string;
  a: string;
  b: string;
  kind: LinkKind;
  capacity_bps: number;
  latency_us: number;
  igp_weight: number;
  price_micro_yuan_per_gbps_hour: number;
  shared_risk_groups: string[];
  up: boolean;
  in_maintenance: boolean;
  maintenance: { start: number; end: number }[];
  ab: WayState;
  ba: WayState;
}

export interface Mlu {
  use_ppm: number;
  link: Directed | null;
}

export interface Reservation {
  reservation_id: string;
  note: string;
  state: "planned" | "active" | "broken";
}

export interface NetworkNow {
  at_us: number;
  mlu: Mlu;
  links: LinkNow[];
  risk_groups: string[];
  reservations: Reservation[];
}

export interface LinkUse {
  link: Directed;
  bandwidth_bps: number;
  packets: number;
  dropped: number;
}

export interface NetworkReport {
  agent: string;
  at_us: number;
  measured_at_us: number;
  faults: string[];
  links: LinkUse[];
}

export interface NetworkView {
  reports: NetworkReport[];
}

export type HolderKind = "path" | "standby" | "data" | "reservation";

export interface HeldWay {
  owner: string;
  kind: HolderKind;
  item: string;
  source: string;
  target: string;
  links: Directed[];
  bps: number;
  start_us: number;
  end_us: number;
  latency_us: number;
  promised_us: number | null;
}

export interface LinkHolder {
  way: HeldWay;
  name: string;
  tenant: string | null;
  ab_bps: number;
  ba_bps: number;
}

export interface LinkHeld {
  at_us: number;
  link: LinkNow;
  holders: LinkHolder[];
  untold: number;
}

export interface CrossedWay {
  before: HeldWay;
  links: Directed[] | null;
  latency_us: number | null;
  segments: string[];
  refusal: { reason: string } | null;
}

export interface LinkCut {
  link: Directed;
  capacity_bps: number;
  before_bps: number;
  after_bps: number;
  up: boolean;
}

export interface CutFound {
  at_us: number;
  cut: string[];
  mlu_before: Mlu;
  mlu_after: Mlu;
  moved: number;
  broken: number;
  untried: number;
  ways: CrossedWay[];
  links: LinkCut[];
}

export interface RouteStep {
  segment: { kind: "node" | "adjacency" | "binding" | "service"; name: string; color: number };
  links: Directed[];
}

export interface RouteWay {
  preference: number;
  standby: boolean;
  steps: RouteStep[];
  latency_us: number;
}

export interface RoutePolicy {
  headend: string;
  color: number;
  endpoint: string;
  after: string;
  ways: RouteWay[];
}

export interface RouteProbe {
  agent: string;
  measured_at_us: number;
  sent: number;
  received: number;
  mean_us: number;
  /** What is held against the promise. */
  p90_us: number;
  maximum_us: number;
  /** Later than promised, beyond what a measurement errs: as path repair has it. */
  late: boolean;
  sids: string[];
}

/** How one plan's traffic goes. */
export interface TaskRoute {
  task_id: string;
  plan_id: string;
  live: boolean;
  bandwidth_bps: number;
  latency_us: number;
  promised_us: number | null;
  policies: RoutePolicy[];
  probe: RouteProbe | null;
}

