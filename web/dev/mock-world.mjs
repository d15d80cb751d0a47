// A stand-in world for developing the page: it answers in the shapes of API-SHAPES.md, and plans by rule of thumb.
// Nothing of this is shipped.

const US = 1e6;
const H = 3600 * US;
const GIB = 2 ** 30;
export const now = () => Date.now() * 1000;

let seed = 7;
export function random() {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
}
const pick = (list) => list[Math.floor(random() * list.length)];
let made = 0;
export const id = (prefix) => `${prefix}-${(Date.now().toString(36) + (made++).toString(36).padStart(4, "0")).padStart(26, "0").slice(-26)}`;

/** Shortest walk by latency from one site to every other. */
export function walks(grid, from) {
  const near = new Map(grid.sites.map((site) => [site.id, []]));
  for (const link of grid.links) {
    near.get(link.a).push({ to: link.b, link, forward: true });
    near.get(link.b).push({ to: link.a, link, forward: false });
  }
  const best = new Map([[from, { us: 0, back: null }]]);
  const open = new Set([from]);
  while (open.size) {
    let at = null;
    for (const one of open) if (at === null || best.get(one).us < best.get(at).us) at = one;
    open.delete(at);
    for (const { to, link, forward } of near.get(at)) {
      const us = best.get(at).us + link.latency_us;
      if (best.has(to) && best.get(to).us <= us) continue;
      best.set(to, { us, back: { at, link: link.id, forward } });
      open.add(to);
    }
  }
  return (to) => {
    const end = best.get(to);
    if (!end) return null;
    const sites = [to];
    const links = [];
    for (let step = end; step.back; step = best.get(step.back.at)) {
      sites.unshift(step.back.at);
      links.unshift({ link: step.back.link, forward: step.back.forward });
    }
    return { sites, links, latency_us: end.us };
  };
}

const join = (a, b) => ({ sites: [...a.sites, ...b.sites.slice(1)], links: [...a.links, ...b.links], latency_us: a.latency_us + b.latency_us });

const line = (kind, item, quantity, price, per, permille = 1000) => ({
  kind, item, quantity: Math.round(quantity), price_micro_yuan: price, per, permille,
  amount_micro_yuan: Math.round((quantity * price * permille) / (per * 1000)),
});

export const DEFAULTS = {
  name: "task", run: "true", image: "host", environment: {}, secrets: [],
  resources: { cpu: 1, memory: 512 * 2 ** 20, disk: GIB, accelerator: null, accelerators: 0, nodes: 1, qubits: 0, shots: 0, processes: 256, kind: null, network: false, wall_time: 600 * US },
  inputs: [], outputs: [], origin: null, latency: null, bandwidth: 0, security_level: 1, residency: [], protection: [], sites: [], owners: [],
  earliest_start: null, deadline: null, price_limit: null, preference: "cheapest", array: 1, retries: 2, priority: 10, on_budget: "continue", tags: {}, together_with: {}, apart_from: {},
  preemptible: false, standby: null, spread: null, elements: null, checkpoint: null, checkpoint_every: null,
};
const SIZES = { KiB: 1024, MiB: 2 ** 20, GiB: GIB, TiB: 2 ** 40, Mbps: 1e6, Gbps: 1e9, ms: 1e3, s: 1e6, min: 6e7, h: 3.6e9, yuan: 1e6 };
const unit = (value) => {
  const match = typeof value === "string" ? /^([\d.]+)\s*([A-Za-z]+)$/.exec(value) : null;
  return match && SIZES[match[2]] ? Number(match[1]) * SIZES[match[2]] : value;
};

export function readRequest(body) {
  const r = { ...DEFAULTS, ...body, resources: { ...DEFAULTS.resources, ...(body.resources ?? {}) } };
  for (const key of ["memory", "disk", "wall_time"]) r.resources[key] = unit(r.resources[key]);
  for (const key of ["bandwidth", "latency", "price_limit"]) r[key] = unit(r[key]);
  for (const key of ["deadline", "earliest_start"]) if (typeof r[key] === "string") r[key] = Date.parse(r[key]) * 1000;
  r.inputs = r.inputs.map((one) => ({ blake3: null, size: null, ...one }));
  r.outputs = r.outputs.map((one) => ({ target: null, ...one }));
  return r;
}

export const kindOf = (r) => r.resources.kind ?? (r.resources.qubits ? "quantum" : r.resources.accelerators ? "ai" : r.resources.nodes > 1 ? "hpc" : "general");
const CIRCLE = { metro: 1000, provincial: 5000, national: 20000 };

export class World {
  constructor(grid) {
    this.grid = grid;
    this.sites = new Map(grid.sites.map((site) => [site.id, site]));
    this.links = new Map(grid.links.map((link) => [link.id, link]));
    this.books = new Map(grid.price_books.map((book) => [book.id, book]));
    this.down = new Set();
    this.tasks = [];
    this.position = 100;
    this.walksFrom = new Map();
  }

  walk(from, to) {
    if (!this.walksFrom.has(from)) this.walksFrom.set(from, walks(this.grid, from));
    return this.walksFrom.get(from)(to);
  }

  plan(r, taskId, generation = 1, parent = null, avoid = new Set()) {
    const kind = kindOf(r);
    const origin = r.origin ?? this.grid.default_origin;
    const bound = r.latency === null ? Infinity : (CIRCLE[r.latency] ?? r.latency);
    const clauses = [];
    let left = this.grid.sites.flatMap((site) => site.pools.map((pool) => ({ site, pool })));
    const cut = (reason, keep) => {
      const next = left.filter(keep);
      const gone = left.filter((one) => !next.includes(one));
      if (gone.length) clauses.push({ reason, pools: gone.length, sites: new Set(gone.map((one) => one.site.id)).size });
      if (next.length === 0 && left.length) this.lastLeft = gone;
      left = next;
    };
    cut("kind", ({ pool }) => pool.kind === kind);
    cut("site_list", ({ site }) => !r.sites.length || r.sites.includes(site.id));
    cut("owner", ({ site }) => !r.owners.length || r.owners.includes(site.owner) || (site.owner !== "own" && r.owners.includes("third-party")));
    cut("site_down", ({ site }) => !this.down.has(site.id) && !avoid.has(site.id));
    cut("security_level", ({ site }) => site.security_level >= r.security_level);
    cut("residency", ({ site }) => !r.residency.length || r.residency.includes(site.region));
    cut("node_shape", ({ pool }) => kind === "quantum" ? pool.qubits_per_node >= r.resources.qubits : pool.cores_per_node >= r.resources.cpu && pool.memory_bytes_per_node >= r.resources.memory);
    cut("accelerator", ({ pool }) => kind !== "ai" || [null, "any", pool.accelerator_model].includes(r.resources.accelerator));
    cut("latency", ({ site }) => (this.walk(origin, site.id)?.latency_us ?? Infinity) <= bound);
    const guards = (place) => {
      let path = { sites: [origin], links: [], latency_us: 0 };
      const protection = [];
      for (const name of r.protection) {
        const found = this.grid.sites.filter((site) => site.security_pools.some((pool) => pool.function === name))
          .map((site) => ({ site, us: this.walk(path.sites.at(-1), site.id).latency_us + this.walk(site.id, place).latency_us }))
          .sort((a, b) => a.us - b.us)[0];
        if (!found) return null;
        path = join(path, this.walk(path.sites.at(-1), found.site.id));
        protection.push({ function: name, security_pool: found.site.security_pools.find((pool) => pool.function === name).id, site: found.site.id });
      }
      return { path: join(path, this.walk(path.sites.at(-1), place)), protection };
    };
    const start = Math.max(now() + 2 * US, r.earliest_start ?? 0);
    const options = left.map((one) => this.option(r, kind, one, guards(one.site.id), start)).filter((one) => one.path);
    const fits = options.filter((one) => (r.price_limit === null || one.price <= r.price_limit) && (r.deadline === null || one.end <= r.deadline));
    const late = options.filter((one) => r.deadline !== null && one.end > r.deadline);
    const dear = options.filter((one) => !late.includes(one) && r.price_limit !== null && one.price > r.price_limit);
    if (late.length) clauses.push({ reason: "deadline", pools: late.length, sites: late.length });
    if (dear.length) clauses.push({ reason: "price_limit", pools: dear.length, sites: dear.length });
    const keys = { cheapest: (o) => o.price, fastest: (o) => o.end * 1e-3 + o.path.latency_us, greenest: (o) => o.carbon };
    const key = keys[r.preference];
    fits.sort((a, b) => key(a) - key(b));
    const best = fits[0];
    if (fits.length > 1) clauses.push({ reason: "worse", pools: fits.length - 1, sites: new Set(fits.slice(1).map((one) => one.site.id)).size });
    const show = (one, reason) => ({ pool: one.pool.id, reason, price_micro_yuan: one.price ?? null, finish_us: one.end ?? null, latency_us: one.path?.latency_us ?? null, carbon_mg: one.carbon ?? null });
    const alternatives = best ? fits.slice(1, 6).map((one) => show(one, "worse")) : [...late.map((one) => show(one, "deadline")), ...dear.map((one) => show(one, "price_limit")), ...(this.lastLeft ?? []).slice(0, 5).map((one) => show(one, clauses.at(-1)?.reason ?? "kind"))].slice(0, 5);
    const relaxations = best ? [] : this.relax(r, origin, clauses, dear, late);
    const report = { task_id: taskId, chosen: best?.pool.id ?? null, verdicts: [], clauses, alternatives, relaxations, waits: false, objective: r.preference };
    if (!best) return { plan: null, report };
    const second = r.standby ? fits.find((one) => one.site.id !== best.site.id && (r.standby === "site" || one.site.region !== best.site.region)) : null;
    const plan = {
      standby: second ? { site: second.site.id, pool: second.pool.id, emulated: true, path: second.path, protection: second.protection } : null, took_over: false, quoted: null,
      plan_id: id("plan"), task_id: taskId, lease_id: id("lease"), generation, parent, snapshot_version: this.position, site: best.site.id, pool: best.pool.id,
      emulated: true, demand: best.demand, start_us: start, run_start_us: best.runStart, end_us: best.end, path: best.path, bandwidth_bps: r.bandwidth,
      protection: best.protection, data: best.data, holds: [], quote: best.lines, quote_micro_yuan: best.price, carbon_mg: best.carbon, alternatives, verdicts: "",
    };
    return { plan, report };
  }

  relax(r, origin, clauses, dear, late) {
    const out = [];
    if (clauses.some((one) => one.reason === "latency")) {
      const near = (this.lastLeft ?? []).map((one) => ({ one, us: this.walk(origin, one.site.id).latency_us })).sort((a, b) => a.us - b.us)[0];
      if (near) out.push({ clause: "latency", field: "latency", asked: String(r.latency), needed: `${(near.us / 1000).toFixed(2)} ms`, pool: near.one.pool.id });
    }
    const cheap = [...dear].sort((a, b) => a.price - b.price)[0];
    if (cheap) out.push({ clause: "price_limit", field: "price_limit", asked: `¥${r.price_limit / 1e6}`, needed: `¥${cheap.price / 1e6}`, pool: cheap.pool.id });
    const soon = [...late].sort((a, b) => a.end - b.end)[0];
    if (soon) out.push({ clause: "deadline", field: "deadline", asked: new Date(r.deadline / 1000).toISOString(), needed: new Date(soon.end / 1000).toISOString(), pool: soon.pool.id });
    return out;
  }

  option(r, kind, { site, pool }, guard, start) {
    if (!guard) return { site, pool, path: null };
    const n = r.resources.nodes * r.array;
    const whole = kind === "hpc" || kind === "quantum";
    const demand = whole ? { cores: 0, memory_bytes: 0, accelerators: 0, nodes: n } : { cores: r.resources.cpu * n, memory_bytes: r.resources.memory * n, accelerators: kind === "ai" ? r.resources.accelerators * n : 0, nodes: 0 };
    const data = r.inputs.filter((one) => one.source.startsWith("dataset:")).flatMap((one) => {
      const set = this.grid.data_sets.find((d) => d.id === one.source.slice(8));
      if (!set) return [];
      const replica = set.replicas.map((from) => ({ from, path: this.walk(from, site.id) })).sort((a, b) => a.path.latency_us - b.path.latency_us)[0];
      const moved = replica.path.links.length > 0;
      const span = moved ? Math.ceil((set.size_bytes * 8e6) / 1e11) + replica.path.latency_us : 0;
      return [{ data_set: set.id, version: set.version, replica: replica.from, size_bytes: set.size_bytes, path: replica.path, rate_bps: moved ? 1e11 : 0, start_us: start, end_us: start + span }];
    });
    const runStart = Math.max(start, ...data.map((one) => one.end_us));
    const hold = r.resources.wall_time;
    const book = this.books.get(site.price_book);
    const lines = [];
    if (demand.cores) lines.push(line("core", pool.id, demand.cores * hold, book.core_hour_micro_yuan, H), line("memory", pool.id, demand.memory_bytes * hold, book.gib_hour_micro_yuan, GIB * H));
    if (demand.accelerators) lines.push(line("accelerator", pool.id, demand.accelerators * hold, book.accelerator_hour_micro_yuan[pool.accelerator_model] ?? 8e6, H));
    if (kind === "hpc") lines.push(line("node", pool.id, n * hold, book.node_hour_micro_yuan, H));
    if (kind === "quantum") lines.push(line("qpu_shot", pool.id, r.resources.shots, book.qpu_shot_micro_yuan || 20000, 1));
    const watts = (pool.power_w_per_node * (site.energy.pue_permille / 1000)) * (whole ? n : demand.accelerators ? demand.accelerators / 8 : demand.cores / pool.cores_per_node);
    lines.push(line("energy", pool.id, watts * 1000 * hold, book.energy_kwh_micro_yuan, 1e6 * H, 700));
    if (r.bandwidth) for (const step of guard.path.links) lines.push(line("bandwidth", `${step.link}:${step.forward ? "ab" : "ba"}`, r.bandwidth * hold, this.links.get(step.link).price_micro_yuan_per_gbps_hour, 1e9 * H));
    for (const step of guard.protection) lines.push(line("protection", step.security_pool, Math.max(1e7, r.bandwidth) * hold, 600000, 1e9 * H));
    for (const one of data) if (one.rate_bps) lines.push(line("transfer", one.data_set, one.size_bytes, one.path.links.reduce((sum, step) => sum + this.links.get(step.link).price_micro_yuan_per_gib, 0), GIB));
    const priced = lines.filter((one) => one.quantity > 0 && one.amount_micro_yuan > 0);
    return {
      site, pool, path: guard.path, protection: guard.protection, data, demand, lines: priced, runStart, end: runStart + hold,
      price: priced.reduce((sum, one) => sum + one.amount_micro_yuan, 0), carbon: Math.round((watts * hold * site.energy.carbon_g_per_kwh) / H),
    };
  }
}

const NAMES = ["render-scene", "fold-protein", "train-digits", "reduce-fits", "nbody-cluster", "backup-verify", "screen-molecules", "river-forecast", "ghz-state", "transcode", "weather-east", "index-web"];

export function sampleRequest(world, i) {
  const origins = world.grid.sites.filter((site) => site.owner === "own");
  const base = { name: `${NAMES[i % NAMES.length]}-${100 + i}`, run: `python3 job.py --part ${i} --out out/result.json`, origin: pick(origins).id, tags: { day: "1", team: pick(["astro", "film", "bio"]) }, preference: pick(["cheapest", "fastest", "greenest"]), outputs: [{ path: "out/*.json" }] };
  const kind = ["general", "general", "ai", "general", "hpc", "general", "ai", "general", "quantum"][i % 9];
  const wall_time = (40 + Math.floor(random() * 200)) * US;
  const own = {
    general: { cpu: pick([2, 4, 8, 16]), memory: pick([2, 4, 8]) * GIB, wall_time },
    ai: { cpu: 8, memory: 16 * GIB, accelerator: "any", accelerators: pick([1, 2, 8]), wall_time },
    hpc: { cpu: 64, memory: 64 * GIB, nodes: pick([2, 4, 8]), wall_time },
    quantum: { qubits: 12, shots: 2000, wall_time },
  }[kind];
  const more = {};
  if (i % 3 === 0) Object.assign(more, { bandwidth: 500e6, latency: "national" });
  if (i % 4 === 1) Object.assign(more, { protection: ["firewall", "ids"], security_level: 3, bandwidth: 200e6 });
  if (i % 4 === 2) more.inputs = [{ source: `dataset:${pick(world.grid.data_sets.filter((d) => !d.residency.length && d.size_bytes < 50 * 2 ** 40)).id}`, path: "data/in" }];
  return readRequest({ ...base, ...more, resources: own });
}
