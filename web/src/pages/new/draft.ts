// The form's own state (texts, as typed) and its two ways: to a task request, and from one.

import type { PoolKind, Preference, ProtectionFunction, TaskRequest } from "../../api/types";

export interface Pair {
  name: string;
  value: string;
}

export interface Draft {
  name: string;
  runKind: "command" | "script" | "circuit";
  run: string;
  arguments: string;
  image: string;
  kind: PoolKind | "";
  cpu: string;
  memory: string;
  disk: string;
  accelerator: string;
  accelerators: string;
  nodes: string;
  qubits: string;
  shots: string;
  wallTime: string;
  network: boolean;
  origin: string;
  latency: string; // "", a circle, or "span"
  latencySpan: string;
  bandwidth: string;
  securityLevel: string;
  residency: string;
  protection: ProtectionFunction[];
  sites: string;
  owners: string;
  earliestStart: string; // of an <input type="datetime-local">
  deadline: string;
  priceLimit: string;
  preference: Preference;
  array: string;
  retries: string;
  priority: string;
  stopOnBudget: boolean;
  preemptible: boolean;
  standby: "" | "site" | "region";
  checkpoint: string;
  checkpointEvery: string;
  spreadSites: string;
  perSite: string;
  tags: Pair[];
  togetherWith: Pair[];
  apartFrom: Pair[];
  environment: Pair[];
  secrets: Pair[];
  inputs: Pair[]; // name: path, value: source
  outputs: Pair[]; // name: path, value: target
  // Of a task that is asked for again: what has no field in the form stays as it was.
  outputsBefore: TaskRequest["outputs"];
  mounts: { path: string; folder: string }[];
}

export const EMPTY: Draft = {
  name: "",
  runKind: "command",
  run: "",
  arguments: "",
  image: "",
  kind: "",
  cpu: "1",
  memory: "512 MiB",
  disk: "1 GiB",
  accelerator: "any",
  accelerators: "1",
  nodes: "1",
  qubits: "4",
  shots: "1000",
  wallTime: "10 min",
  network: false,
  origin: "",
  latency: "",
  latencySpan: "",
  bandwidth: "",
  securityLevel: "1",
  residency: "",
  protection: [],
  sites: "",
  owners: "",
  earliestStart: "",
  deadline: "",
  priceLimit: "",
  preference: "cheapest",
  array: "1",
  retries: "2",
  priority: "10",
  stopOnBudget: false,
  preemptible: false,
  standby: "",
  checkpoint: "",
  checkpointEvery: "",
  spreadSites: "",
  perSite: "",
  tags: [],
  togetherWith: [],
  apartFrom: [],
  environment: [],
  secrets: [],
  inputs: [],
  outputs: [],
  outputsBefore: [],
  mounts: [],
};

type Loose = Record<string, unknown>;

/** A whole number as a number; anything else as it was typed, so that the brain names the fault. */
const number = (text: string): number | string => (/^\s*\d+\s*$/.test(text) ? Number(text) : text.trim());
const words = (text: string): string[] => text.split(/[\s,，、]+/).filter(Boolean);
const named = (pairs: readonly Pair[]): Pair[] => pairs.filter((one) => one.name.trim() !== "");
const record = (pairs: readonly Pair[]): Record<string, string> => Object.fromEntries(named(pairs).map((one) => [one.name.trim(), one.value]));

/** Local date and time to an instant with its offset, as task files write it. */
function instant(local: string): string {
  const moment = new Date(local);
  const offset = -moment.getTimezoneOffset();
  const two = (value: number): string => String(Math.trunc(Math.abs(value))).padStart(2, "0");
  const sign = offset < 0 ? "-" : "+";
  return `${local.length === 16 ? `${local}:00` : local}${sign}${two(offset / 60)}:${two(offset % 60)}`;
}

function localInput(us: number | null): string {
  if (us === null) return "";
  const moment = new Date(us / 1000);
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** Keep only what says something other than the default, so that the task file stays as short as the task is simple. */
function unlessDefault(target: Loose, name: string, value: unknown, standard: unknown): void {
  if (value !== "" && JSON.stringify(value) !== JSON.stringify(standard)) target[name] = value;
}

function resources(draft: Draft): Loose {
  const out: Loose = {};
  if (draft.kind) out.kind = draft.kind;
  if (draft.kind === "quantum") {
    out.qubits = number(draft.qubits);
    out.shots = number(draft.shots);
  } else {
    unlessDefault(out, "cpu", number(draft.cpu), 1);
    unlessDefault(out, "memory", number(draft.memory), "512 MiB");
    unlessDefault(out, "disk", number(draft.disk), "1 GiB");
    if (draft.kind === "ai") {
      out.accelerator = draft.accelerator.trim() || "any";
      out.accelerators = number(draft.accelerators);
    }
    unlessDefault(out, "nodes", number(draft.nodes), 1);
  }
  unlessDefault(out, "wall_time", number(draft.wallTime), "10 min");
  if (draft.network) out.network = true;
  return out;
}

function run(draft: Draft): unknown {
  if (draft.runKind === "command") return draft.run.trim();
  if (draft.runKind === "circuit") return { circuit: draft.run };
  const args = draft.arguments.split("\n").filter((line) => line !== "");
  return args.length ? { script: draft.run, arguments: args } : { script: draft.run };
}

/** The request as a task file would say it: units as typed, defaults left out. */
export function toRequest(draft: Draft): Loose {
  const out: Loose = {};
  if (draft.name.trim()) out.name = draft.name.trim();
  out.run = run(draft);
  if (draft.image.trim()) out.image = draft.image.trim();
  const wanted = resources(draft);
  if (Object.keys(wanted).length) out.resources = wanted;
  const inputs = named(draft.inputs).map((one) => ({ source: one.value, path: one.name.trim() }));
  const outputs = named(draft.outputs).map((one) => outputOf(draft, one.name.trim(), one.value.trim()));
  unlessDefault(out, "inputs", inputs, []);
  unlessDefault(out, "outputs", outputs, []);
  unlessDefault(out, "mounts", draft.mounts, []);
  unlessDefault(out, "environment", record(draft.environment), {});
  unlessDefault(out, "secrets", named(draft.secrets).map((one) => one.name.trim()), []);
  unlessDefault(out, "origin", draft.origin, "");
  unlessDefault(out, "latency", draft.latency === "span" ? number(draft.latencySpan) : draft.latency, "");
  unlessDefault(out, "bandwidth", number(draft.bandwidth), 0);
  unlessDefault(out, "security_level", number(draft.securityLevel), 1);
  unlessDefault(out, "residency", words(draft.residency), []);
  unlessDefault(out, "protection", draft.protection, []);
  unlessDefault(out, "sites", words(draft.sites), []);
  unlessDefault(out, "owners", words(draft.owners), []);
  if (draft.earliestStart) out.earliest_start = instant(draft.earliestStart);
  if (draft.deadline) out.deadline = instant(draft.deadline);
  if (draft.priceLimit.trim()) out.price_limit = /^[\d.]+$/.test(draft.priceLimit.trim()) ? `${draft.priceLimit.trim()} yuan` : draft.priceLimit.trim();
  unlessDefault(out, "preference", draft.preference, "cheapest");
  unlessDefault(out, "array", number(draft.array), 1);
  unlessDefault(out, "retries", number(draft.retries), 2);
  unlessDefault(out, "priority", number(draft.priority), 10);
  if (draft.stopOnBudget) out.on_budget = "stop";
  if (draft.preemptible) out.preemptible = true;
  if (draft.standby) out.standby = draft.standby;
  if (draft.spreadSites.trim()) out.spread = { sites: number(draft.spreadSites) };
  else if (draft.perSite.trim()) out.spread = { per_site_max: number(draft.perSite) };
  if (draft.checkpoint.trim()) out.checkpoint = draft.checkpoint.trim();
  if (draft.checkpointEvery.trim()) out.checkpoint_every = draft.checkpointEvery.trim();
  unlessDefault(out, "tags", record(draft.tags), {});
  unlessDefault(out, "together_with", record(draft.togetherWith), {});
  unlessDefault(out, "apart_from", record(draft.apartFrom), {});
  return out;
}

function outputOf(draft: Draft, path: string, target: string): object {
  const before = draft.outputsBefore.find((one) => one.path === path && (one.target ?? "") === target);
  return before ?? (target ? { path, target } : { path });
}

const pairs = (values: Record<string, string>): Pair[] => Object.entries(values).map(([name, value]) => ({ name, value }));

const UNITS: [string, number][] = [["TiB", 2 ** 40], ["GiB", 2 ** 30], ["MiB", 2 ** 20]];
/** Bytes in the greatest unit that is exact. */
function exactBytes(value: number): string {
  for (const [unit, size] of UNITS) if (value && value % size === 0) return `${value / size} ${unit}`;
  return String(value);
}

const SPANS: [string, number][] = [["h", 3.6e9], ["min", 6e7], ["s", 1e6], ["ms", 1e3]];
function exactSpan(value: number): string {
  for (const [unit, size] of SPANS) if (value && value % size === 0) return `${value / size} ${unit}`;
  return String(value);
}

const shell = (parts: readonly string[]): string => parts.map((part) => (/^[\w./=:@%+,-]+$/.test(part) ? part : `'${part.replaceAll("'", "'\\''")}'`)).join(" ");

/** The form for a task that is asked for again. Secrets come back as names only: their values are never kept. */
export function fromRequest(request: TaskRequest): Draft {
  const r = request.resources;
  const entry = typeof request.run === "object" && !Array.isArray(request.run) ? request.run : null;
  const circuit = entry !== null && "circuit" in entry ? entry.circuit : null;
  const script = entry !== null && !("circuit" in entry) ? entry : null;
  const circle = request.latency === "metro" || request.latency === "provincial" || request.latency === "national";
  const command = typeof request.run === "string" ? request.run : Array.isArray(request.run) ? shell(request.run) : "";
  return {
    ...EMPTY,
    name: request.name,
    runKind: circuit !== null ? "circuit" : script?.script ? "script" : "command",
    run: circuit !== null ? circuit : script ? (script.script ?? `python -m ${script.module ?? ""} ${shell(script.arguments ?? [])}`.trim()) : command,
    arguments: (script?.arguments ?? []).join("\n"),
    image: request.image === "host" ? "" : request.image,
    kind: r.kind ?? (r.qubits || r.shots ? "quantum" : r.accelerators ? "ai" : ""),
    cpu: String(r.cpu),
    memory: exactBytes(r.memory),
    disk: exactBytes(r.disk),
    accelerator: r.accelerator ?? "any",
    accelerators: String(r.accelerators || 1),
    nodes: String(r.nodes),
    qubits: String(r.qubits || 4),
    shots: String(r.shots || 1000),
    wallTime: exactSpan(r.wall_time),
    network: r.network,
    origin: request.origin ?? "",
    latency: request.latency === null ? "" : circle ? String(request.latency) : "span",
    latencySpan: circle || request.latency === null ? "" : exactSpan(Number(request.latency)),
    bandwidth: request.bandwidth ? `${request.bandwidth / 1e6} Mbps` : "",
    securityLevel: String(request.security_level),
    residency: request.residency.join(", "),
    protection: request.protection,
    sites: request.sites.join(", "),
    owners: request.owners.join(", "),
    earliestStart: localInput(request.earliest_start),
    deadline: localInput(request.deadline),
    priceLimit: request.price_limit === null ? "" : String(request.price_limit / 1e6),
    preference: request.preference,
    array: String(request.array),
    retries: String(request.retries),
    priority: String(request.priority),
    stopOnBudget: request.on_budget === "stop",
    preemptible: request.preemptible,
    standby: request.standby ?? "",
    checkpoint: request.checkpoint ?? "",
    spreadSites: request.spread?.sites ? String(request.spread.sites) : "",
    perSite: request.spread?.per_site_max ? String(request.spread.per_site_max) : "",
    checkpointEvery: request.checkpoint_every === null ? "" : exactSpan(request.checkpoint_every),
    tags: pairs(request.tags).filter((one) => !one.name.startsWith("suanwang.")),
    togetherWith: pairs(request.together_with),
    apartFrom: pairs(request.apart_from),
    environment: pairs(request.environment),
    secrets: request.secrets.map((name) => ({ name, value: "" })),
    inputs: request.inputs.map((one) => ({ name: one.path, value: one.source })),
    outputs: request.outputs.map((one) => ({ name: one.path, value: one.target ?? "" })),
    outputsBefore: request.outputs,
    mounts: request.mounts,
  };
}
