// The answers of the API, as stated in API-SHAPES.md. Model types follow src/suanwang/model.

import type { TaskRoute } from "./network-types";
import type { PathStep } from "./path-types";

export type PoolKind = "general" | "ai" | "hpc" | "quantum";
export type Tier = "hub" | "western" | "provincial" | "edge";
export type LinkKind = "otn" | "ip" | "satellite";
export type ProtectionFunction = "firewall" | "ids" | "encryption" | "scrubbing";
export type Preference = "cheapest" | "fastest" | "greenest";
export type Role = "viewer" | "user" | "operator" | "agent" | "joiner";

export const LIVE_PHASES = [
  "waiting",
  "planned",
  "dispatched",
  "staging",
  "running",
  "collecting",
  "delivering",
  "stopping",
] as const;
export const END_PHASES = ["succeeded", "failed", "cancelled", "refused", "expired"] as const;
export type Phase = (typeof LIVE_PHASES)[number] | (typeof END_PHASES)[number];

export interface Names {
  en: string;
  zh_hant: string;
  zh_hans: string;
}

export interface Pool {
  id: string;
  kind: PoolKind;
  nodes: number;
  cores_per_node: number;
  memory_bytes_per_node: number;
  accelerator_model: string | null;
  accelerators_per_node: number;
  qubits_per_node: number;
  gflops_per_node: number;
  precision: string;
  power_w_per_node: number;
}

export interface SecurityPool {
  id: string;
  function: ProtectionFunction;
  capacity_bps: number;
  price_micro_yuan_per_gbps_hour: number;
}

export interface StoragePool {
  id: string;
  storage_class: "hot" | "warm" | "cold";
  capacity_bytes: number;
  throughput_bps: number;
  price_micro_yuan_per_gib_month: number;
}

export interface Site {
  id: string;
  names: Names;
  region: string;
  city: string;
  latitude: number;
  longitude: number;
  tier: Tier;
  owner: string;
  security_level: number;
  energy: { carbon_g_per_kwh: number; renewable_permille: number; pue_permille: number };
  price_book: string;
  pools: Pool[];
  security_pools: SecurityPool[];
  storage_pools: StoragePool[];
}

export interface Link {
  id: string;
  a: string;
  b: string;
  kind: LinkKind;
  length_km: number;
  capacity_bps: number;
  latency_us: number;
  price_micro_yuan_per_gbps_hour: number;
  price_micro_yuan_per_gib: number;
  shared_risk_groups: string[];
}

export interface DataSet {
  id: string;
  name: string;
  size_bytes: number;
  version: number;
  replicas: string[];
  residency: string[];
  tenant: string | null;
}

export interface PriceBook {
  id: string;
  core_hour_micro_yuan: number;
  gib_hour_micro_yuan: number;
  accelerator_hour_micro_yuan: Record<string, number>;
  node_hour_micro_yuan: number;
  qpu_shot_micro_yuan: number;
  qpu_hour_micro_yuan: number;
  energy_kwh_micro_yuan: number;
  time_of_use: { from_hour: number; to_hour: number; permille: number }[];
}

export interface Grid {
  id: string;
  name: string;
  version: number;
  route_factor_permille: number;
  default_origin: string;
  notes: { facts: string[]; assumptions: string[] };
  price_books: PriceBook[];
  sites: Site[];
  links: Link[];
  data_sets: DataSet[];
  tenants?: { id: string; name: string }[];
}

export interface Demand {
  cores: number;
  memory_bytes: number;
  accelerators: number;
  nodes: number;
}

export interface SiteState {
  id: string;
  live: boolean;
  emulated: boolean;
  load_permille: number;
  tasks: number;
  cause?: string;
  pools: { id: string; load_permille: number; used: Demand }[];
}

export interface LinkState {
  id: string;
  up: boolean;
  used_ab_bps: number;
  used_ba_bps: number;
}

export interface Flow {
  task_id: string;
  name: string;
  phase: Phase;
  kind: PoolKind;
  emulated: boolean;
  sites: string[];
  bandwidth_bps: number;
  progress_permille: number | null;
  data: string[][];
}

export interface RecentChange {
  at_us: number;
  task_id: string;
  name: string;
  phase: Phase;
  origin: string;
  site: string | null;
  emulated: boolean;
}

export interface Totals {
  servers: number;
  third_party_servers: number;
  general_gflops: number;
  ai_gflops: number;
  hpc_gflops: number;
  third_party_gflops: number;
  sites: number;
  live_sites: number;
  emulated_sites: number;
  renewable_permille: number;
  phases: Partial<Record<Phase, number>>;
  billed_today_micro_yuan: number;
  billed_today_emulated: boolean;
}

export interface Panorama {
  at_us: number;
  position: number;
  totals: Totals;
  sites: SiteState[];
  links: LinkState[];
  security_pools: { id: string; up: boolean; used_bps: number }[];
  flows: Flow[];
  recent: RecentChange[];
}

export interface ScarceRow {
  resource: "core" | "memory" | "card" | "node" | "link" | "security";
  id: string;
  site: string;
  to: string | null;
  model: string | null;
  free: number;
  whole: number;
  micro_yuan: number;
  whole_micro_yuan: number;
}

export interface RoundGap {
  made_us: number;
  looked_at: number;
  gap_ppm: number;
}

export interface Scarcity {
  state: "off" | "not_yet" | "idle" | "nowhere" | "unpriced" | "late" | "enough" | "scarce";
  made_us: number;
  waiting: number;
  came: number;
  hold_us: number;
  rows: ScarceRow[];
  gap: RoundGap | null;
}

export interface Path {
  sites: string[];
  links: { link: string; forward: boolean }[];
  latency_us: number;
}

export interface Line {
  kind: string;
  item: string;
  quantity: number;
  price_micro_yuan: number;
  per: number;
  permille: number;
  amount_micro_yuan: number;
}

export interface DataMove {
  data_set: string;
  version: number;
  replica: string;
  size_bytes: number;
  path: Path;
  rate_bps: number;
  start_us: number;
  end_us: number;
}

export interface Alternative {
  pool: string;
  reason: string;
  price_micro_yuan: number | null;
  finish_us: number | null;
  latency_us: number | null;
  carbon_mg: number | null;
}

/** A second place, held over the same time. */
export interface StandbyPlace {
  site: string;
  pool: string;
  emulated: boolean;
  path: Path;
  protection: { function: ProtectionFunction; security_pool: string; site: string }[];
}

export interface Plan {
  plan_id: string;
  task_id: string;
  lease_id: string;
  generation: number;
  parent: string | null;
  site: string;
  pool: string;
  emulated: boolean;
  demand: Demand;
  start_us: number;
  run_start_us: number;
  end_us: number;
  path: Path;
  bandwidth_bps: number;
  protection: { function: ProtectionFunction; security_pool: string; site: string }[];
  data: DataMove[];
  standby: StandbyPlace | null;
  took_over: boolean;
  quoted: { path: Path; protection: Plan["protection"] } | null;
  quote: Line[];
  quote_micro_yuan: number;
  carbon_mg: number;
  alternatives: Alternative[];
}

export interface ClauseCount {
  reason: string;
  pools: number;
  sites: number;
}

export interface Relaxation {
  clause: string;
  field: string;
  asked: string;
  needed: string;
  pool: string;
}

export interface PlanReport {
  task_id: string;
  chosen: string | null;
  verdicts: { pool: string; reason: string | null }[];
  clauses: ClauseCount[];
  alternatives: Alternative[];
  relaxations: Relaxation[];
  waits: boolean;
  objective: string;
}

/** `field` is the request's, `got` and `limit` are texts. */
export type Refusal = Record<"reason" | "field" | "got" | "limit", string>;

export interface OutputFile {
  path: string;
  blake3: string;
  size_bytes: number;
  target: string | null;
}

export interface Usage {
  wall_us: number;
  core_us: number;
  memory_byte_us: number;
  memory_peak_bytes: number;
  bytes_in: number;
  bytes_out: number;
  processes_peak: number;
}

export interface PythonEntry {
  module?: string | null;
  script?: string | null;
  arguments?: string[];
}

export type CircuitEntry = { circuit: string | null; file: string | null; seed: number | null };

export interface Resources {
  cpu: number;
  memory: number;
  disk: number;
  accelerator: string | null;
  accelerators: number;
  nodes: number;
  qubits: number;
  shots: number;
  processes: number;
  kind: PoolKind | null;
  network: boolean;
  wall_time: number;
}

export interface TaskRequest {
  name: string;
  run: string | string[] | PythonEntry | CircuitEntry;
  image: string;
  environment: Record<string, string>;
  secrets: string[];
  resources: Resources;
  inputs: { source: string; path: string; blake3: string | null; size: number | null }[];
  outputs: { path: string; target: string | null; prefix?: string | null; name?: string | null; always?: boolean }[];
  mounts: { path: string; folder: string }[];
  checkpoint: string | null;
  checkpoint_every: number | null;
  standby: "site" | "region" | null;
  spread: { sites: number | null; per_site_max: number | null } | null;
  preemptible: boolean;
  origin: string | null;
  latency: string | number | null;
  bandwidth: number;
  security_level: number;
  residency: string[];
  protection: ProtectionFunction[];
  sites: string[];
  owners: string[];
  earliest_start: number | null;
  deadline: number | null;
  price_limit: number | null;
  preference: Preference;
  array: number;
  retries: number;
  priority: number;
  on_budget: "continue" | "stop";
  tags: Record<string, string>;
  together_with: Record<string, string>;
  apart_from: Record<string, string>;
}

export interface TaskView {
  task_id: string;
  tenant: string;
  name: string;
  phase: Phase;
  kind: PoolKind;
  origin: string;
  submitted_us: number;
  updated_us: number;
  ended_us: number | null;
  preference: Preference;
  priority: number;
  array: number;
  tags: Record<string, string>;
  site: string | null;
  pool: string | null;
  emulated: boolean;
  generation: number;
  run_start_us: number | null;
  end_us: number | null;
  deadline_us: number | null;
  quote_micro_yuan: number | null;
  billed_micro_yuan: number;
  attempts: number;
  progress_permille: number | null;
  wait: { reason: string; until_us: number } | null;
  reason: string | null;
  detail: string;
  exit_code: number | null;
  refusals: Refusal[];
  outputs: OutputFile[];
  request?: TaskRequest;
  parts?: TaskPart[];
}

/** A part of a task whose array is shared out. */
export interface TaskPart {
  task_id: string;
  first: number;
  count: number;
  phase: Phase;
  site: string | null;
  progress_permille: number | null;
  quote_micro_yuan: number | null;
  billed_micro_yuan: number;
}

export interface GridEvent {
  agent: string;
  sequence: number;
  site: string;
  attempt_id: string;
  fence: number;
  at_us: number;
  kind: string;
  fraction_permille: number | null;
  exit_code: number | null;
  signal: number | null;
  reason: string | null;
  detail: string;
  usage: Usage | null;
  outputs: OutputFile[];
}

export interface Attempt {
  attempt_id: string;
  plan_id: string;
  site: string;
  pool: string;
  fence: number;
  emulated: boolean;
  opened_us: number;
  closed_us: number | null;
  succeeded: boolean | null;
  reason: string | null;
  detail: string;
  exit_code: number | null;
  signal: number | null;
  held_start_us: number | null;
  held_end_us: number | null;
  usage: Usage;
  outputs: OutputFile[];
}

export interface Charge {
  charge_id: string;
  at_us: number;
  task_id: string;
  attempt_id: string;
  tenant: string;
  creditor: string;
  line: Line;
  emulated: boolean;
}

export interface Observed {
  at_us: number;
  event: GridEvent;
  effective: boolean;
}

export interface ExplainPlan {
  at_us: number;
  plan: Plan;
  report: PlanReport | null;
  dropped: { at_us: number; reason: string } | null;
}

export interface Explain {
  task: TaskView;
  request: { at_us: number; principal: string; request: TaskRequest };
  admission: {
    at_us: number | null;
    outcome: "admitted" | "refused" | "pending";
    refusals: Refusal[];
    clauses: ClauseCount[];
    relaxations: Relaxation[];
  };
  waits: { at_us: number; reason: string; until_us: number; clauses: ClauseCount[] }[];
  plans: ExplainPlan[];
  attempts: Attempt[];
  observed: Observed[];
  paths: PathStep[];
  routes?: TaskRoute[];
  charges: Charge[];
}

export interface TaskBill {
  task_id: string;
  tenant: string;
  quote_micro_yuan: number | null;
  total_micro_yuan: number;
  emulated: boolean;
  charges: Charge[];
  usage: Usage;
  held_us: number;
}

export interface Bill {
  tenant: string | null;
  from_us: number;
  to_us: number;
  total_micro_yuan: number;
  emulated_micro_yuan: number;
  lines: number;
  by_kind: { kind: string; amount_micro_yuan: number; lines: number }[];
  by_task: {
    task_id: string;
    name: string;
    phase: Phase;
    site: string | null;
    amount_micro_yuan: number;
    quote_micro_yuan: number | null;
    lines: number;
    emulated: boolean;
  }[];
  by_day: { from_us: number; amount_micro_yuan: number }[];
}

export interface DryPlan {
  request: TaskRequest;
  refusals: Refusal[];
  plan: Plan | null;
  report: PlanReport;
  parts?: number;
}

export interface WhoAmI {
  key_id: string;
  tenant: string;
  role: Role;
  now_us: number;
  tenants: string[];
}

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
  total?: number;
}

export interface ProblemFault {
  where: string;
  line: number | null;
  got: string;
  code?: string;
  text: string;
  params?: Record<string, string | number>;
}

export interface Problem {
  type?: string;
  title?: string;
  status?: number;
  detail?: string;
  code?: string;
  faults?: ProblemFault[];
}
