// Development only: node dev/mock-server.mjs [--port 8791] [--grid grid.json] [--static DIR] [--role operator] [--tasks 26] [--still 1]
// Serves the stand-in world under /v1 and, with --static, a built page.

import { execFileSync } from "node:child_process";
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { billed, explain, step, submit, view } from "./mock-tasks.mjs";
import { now, readRequest, sampleRequest, World } from "./mock-world.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");
const argument = (name, standard) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? standard : process.argv[at + 1];
};
const LOAD = "import sys; from suanwang.grids.load import load_grid; print(load_grid(sys.argv[1]).model_dump_json())";

function readGrid() {
  const file = argument("grid", "");
  if (file) return JSON.parse(readFileSync(file, "utf8"));
  const python = join(root, ".venv", "bin", "python");
  return JSON.parse(execFileSync(python, ["-c", LOAD, join(root, "grids", "china-4n31x.yaml")], { maxBuffer: 1 << 28, encoding: "utf8" }));
}

const world = new World(readGrid());
const role = argument("role", "operator");
const KEYS = { sw_demo_secret: role, sw_viewer_secret: "viewer" };
const count = Number(argument("tasks", "26"));
for (let i = 0; i < count; i++) {
  const fate = i % 9 === 4 ? "fails" : i === 5 ? "waits" : "ok";
  submit(world, sampleRequest(world, i), "demo", i > 14 ? (i - 14) * 40e6 : Math.random() * 9e6, fate);
}
if (count) submit(world, readRequest({ name: "train-at-the-edge", run: "python3 train.py", latency: 400, resources: { accelerators: 8, accelerator: "any", kind: "ai" } }));
const begin = now();
setInterval(() => {
  for (const task of world.tasks) step(world, task);
  if (count && !argument("still", "") && Math.random() < 0.05 && world.tasks.length < 400) submit(world, sampleRequest(world, world.tasks.length));
}, 250);

const own = world.grid.sites.filter((site) => site.owner === "own");
const nodes = (sites, kinds) => sites.reduce((sum, site) => sum + site.pools.reduce((all, pool) => all + (kinds.includes(pool.kind) ? pool.nodes : 0), 0), 0);
const gflops = (sites, kinds) => sites.reduce((sum, site) => sum + site.pools.reduce((all, pool) => all + (kinds.includes(pool.kind) ? pool.nodes * pool.gflops_per_node : 0), 0), 0);
const third = world.grid.sites.filter((site) => site.owner !== "own");

function scarcity() {
  const live = world.tasks.filter((task) => task.ended === null).length;
  const base = { made_us: now() - 2e7, age_us: 2e7, every_s: 60, waiting: 0, came: live, unread: 0, placed: live, hold_us: 54e8, rows: [], gap: null };
  const gap = { made_us: now() - 3e6, age_us: 3e6, tasks: 64, looked_at: 60, placed: 60, cost_micro_yuan: 9e8, bound_micro_yuan: 89e7, gap_ppm: 11112, prices_made_us: now() - 2e7, prices_age_us: 17e6, rounds: 9, proven: 4 };
  if (!world.tasks.length) return { ...base, state: "idle" };
  const site = world.grid.sites.find((one) => one.pools.some((pool) => pool.kind === "ai"));
  const pool = site.pools.find((one) => one.kind === "ai");
  const link = world.grid.links[0];
  const whole = pool.nodes * pool.accelerators_per_node;
  const rows = [
    { resource: "card", id: pool.id, site: site.id, to: null, model: pool.accelerator_model, free: 0, whole, micro_yuan: 28_705_157, whole_micro_yuan: 28_705_157 * whole },
    { resource: "link", id: `${link.id}:ab`, site: link.a, to: link.b, model: null, free: 1e9, whole: link.capacity_bps, micro_yuan: 412_000, whole_micro_yuan: 41_200_000 },
  ];
  return { ...base, state: "scarce", classes: 3, candidates: 900, columns: 36, resources: 3162, value_micro_yuan: 9e9, bound_micro_yuan: 9e9, rows, gap };
}

function panorama() {
  const live = world.tasks.filter((task) => task.ended === null && task.plans.length);
  const phases = {};
  for (const task of world.tasks) phases[task.phase] = (phases[task.phase] ?? 0) + 1;
  const use = new Map();
  const links = new Map();
  for (const task of live) {
    const { plan } = task.plans.at(-1);
    use.set(plan.site, (use.get(plan.site) ?? 0) + 1);
    for (const one of plan.path.links) {
      const state = links.get(one.link) ?? { id: one.link, up: true, used_ab_bps: 0, used_ba_bps: 0 };
      state[one.forward ? "used_ab_bps" : "used_ba_bps"] += plan.bandwidth_bps * 60 || 2e7;
      links.set(one.link, state);
    }
  }
  return {
    at_us: now(), position: world.position,
    totals: {
      servers: nodes(own, ["general", "hpc"]), third_party_servers: nodes(third, ["general", "ai", "hpc", "quantum"]), general_gflops: gflops(own, ["general"]), ai_gflops: gflops(own, ["ai"]), hpc_gflops: gflops(own, ["hpc"]),
      third_party_gflops: gflops(third, ["general", "ai", "hpc"]), sites: world.grid.sites.length, live_sites: world.grid.sites.length - world.down.size, emulated_sites: world.grid.sites.length,
      renewable_permille: 487, phases, billed_today_micro_yuan: world.tasks.reduce((sum, task) => sum + billed(task), 0), billed_today_emulated: true,
    },
    sites: world.grid.sites.map((site) => {
      const tasks = use.get(site.id) ?? 0;
      const load = Math.min(980, tasks * 230);
      return { id: site.id, live: !world.down.has(site.id), emulated: true, load_permille: load, tasks, cause: world.down.has(site.id) ? "operator_failed" : null, pools: tasks ? [{ id: site.pools[0].id, load_permille: load, used: { cores: 8, memory_bytes: 2 ** 33, accelerators: 0, nodes: 0 } }] : [] };
    }),
    links: [...links.values()],
    security_pools: [],
    flows: live.slice(0, 300).map((task) => {
      const { plan } = task.plans.at(-1);
      const moving = task.phase === "planned" || task.phase === "staging" || task.phase === "dispatched";
      return { task_id: task.task_id, name: task.r.name, phase: task.phase, kind: task.kind, emulated: true, sites: plan.path.sites, bandwidth_bps: plan.bandwidth_bps, progress_permille: task.progress, data: moving || now() - begin < 60e6 ? plan.data.filter((one) => one.path.links.length).map((one) => one.path.sites) : [] };
    }),
    recent: [...world.tasks].sort((a, b) => b.updated - a.updated).slice(0, 30).map((task) => ({ at_us: task.updated, task_id: task.task_id, name: task.r.name, phase: task.phase, origin: task.r.origin ?? world.grid.default_origin, site: task.plans.at(-1)?.plan.site ?? null, emulated: true })),
  };
}

const LIMITS = { budget_micro_yuan: null, live_tasks_max: 1e6, cores_max: 1e9, accelerators_max: 1e9, priority_max: 50, security_level_max: 5, parent: null, weight: 1, cores_borrowed_max: 0, accelerators_borrowed_max: 0, cores_lent_max: 1e9, accelerators_lent_max: 1e9 };
let tenants = [
  { ...LIMITS, id: "demo", name: "Demo" },
  { ...LIMITS, id: "uni", name: "University", cores_max: 1000, accelerators_max: 64, budget_micro_yuan: 5e10 },
  { ...LIMITS, id: "uni-physics", name: "Physics", parent: "uni", weight: 2, cores_max: 600, cores_borrowed_max: 200, accelerators_max: 48 },
  { ...LIMITS, id: "uni-biology", name: "Biology", parent: "uni", cores_max: 400, cores_lent_max: 150, accelerators_max: 16, budget_micro_yuan: 2e10 },
];
const HELD = { "uni-physics": [720, 40, 31, 9], "uni-biology": [180, 4, 12, 3] }; // cores, cards, live tasks, waiting ones

function shares(role) {
  const family = (id) => [id, ...tenants.filter((one) => one.parent === id).map((one) => one.id)];
  const sum = (id, at) => family(id).reduce((all, one) => all + (HELD[one]?.[at] ?? 0), 0);
  const quota = (one, at, name) => {
    const [limit, held] = [one[`${name}_max`], sum(one.id, at)];
    const beside = tenants.filter((two) => two.parent !== null && two.parent === one.parent && two.id !== one.id);
    const taken = beside.reduce((all, two) => all + Math.max(0, sum(two.id, at) - two[`${name}_max`]), 0);
    return { limit, live: held, held, borrowed: Math.max(0, held - limit), borrowed_max: one[`${name}_borrowed_max`], lent: Math.min(taken, Math.max(0, limit - held)), lent_max: one[`${name}_lent_max`] };
  };
  const seen = role === "operator" ? tenants : tenants.filter((one) => one.id === "demo");
  return seen.map((one) => ({
    tenant: one.id, name: one.name, parent: one.parent, weight: one.weight, share_ppm: sum(one.id, 0) * 9, resource: sum(one.id, 0) ? "cores" : null,
    live_tasks: sum(one.id, 2), live_tasks_max: one.live_tasks_max, cores: quota(one, 0, "cores"), accelerators: quota(one, 1, "accelerators"),
    budget_micro_yuan: one.budget_micro_yuan, spent_micro_yuan: sum(one.id, 0) * 21_000_000, waiting: sum(one.id, 3), turn: one.id === "uni" || one.id === "uni-biology",
  }));
}

function bill(query) {
  const from = Number(query.get("from") ?? 0);
  const charges = world.tasks.flatMap((task) => task.charges).filter((one) => one.at_us >= from);
  const kinds = new Map();
  const tasks = new Map();
  for (const { line, task_id } of charges) {
    const kind = kinds.get(line.kind) ?? { kind: line.kind, amount_micro_yuan: 0, lines: 0 };
    kind.amount_micro_yuan += line.amount_micro_yuan;
    kind.lines++;
    kinds.set(line.kind, kind);
    const task = world.tasks.find((one) => one.task_id === task_id);
    const sum = tasks.get(task_id) ?? { task_id, name: task.r.name, phase: task.phase, site: task.plans.at(-1).plan.site, amount_micro_yuan: 0, quote_micro_yuan: task.plans.at(-1).plan.quote_micro_yuan, lines: 0, emulated: true };
    sum.amount_micro_yuan += line.amount_micro_yuan;
    sum.lines++;
    tasks.set(task_id, sum);
  }
  const total = charges.reduce((sum, one) => sum + one.line.amount_micro_yuan, 0);
  const day = Math.floor((now() + 288e8) / 864e8) * 864e8 - 288e8;
  return { tenant: query.get("tenant"), from_us: from, to_us: now(), total_micro_yuan: total, emulated_micro_yuan: total, lines: charges.length, by_kind: [...kinds.values()], by_task: [...tasks.values()].sort((a, b) => b.amount_micro_yuan - a.amount_micro_yuan), by_day: [{ from_us: day, amount_micro_yuan: total }] };
}

function list(query) {
  const phase = query.get("phase");
  const text = (query.get("text") ?? "").toLowerCase();
  const [name, value] = (query.get("tag") ?? "").split("=");
  const found = world.tasks.filter((task) => {
    const inPhase = !phase || (phase === "live" ? task.ended === null : phase === "ended" ? task.ended !== null : task.phase === phase);
    const inTag = !name || (name in task.r.tags && (value === undefined || task.r.tags[name] === value));
    return inPhase && inTag && (task.r.name.toLowerCase().includes(text) || task.task_id.includes(text));
  });
  const limit = Number(query.get("limit") ?? 50);
  const at = Number(query.get("cursor") ?? 0);
  return { items: found.slice(at, at + limit).map((task) => view(world, task)), next_cursor: at + limit < found.length ? String(at + limit) : null, total: found.length };
}

const send = (response, status, body) => {
  response.writeHead(status, { "Content-Type": status < 400 ? "application/json" : "application/problem+json" });
  response.end(JSON.stringify(body));
};
const problem = (response, status, code, more = {}) => send(response, status, { type: "about:blank", title: code, status, detail: more.detail ?? code, code, ...more });
const readBody = async (request) => {
  let text = "";
  for await (const piece of request) text += piece;
  return text;
};
function streamOf(response) {
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  return (event, data, eventId) => response.write(`${eventId ? `id: ${eventId}\n` : ""}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

/** Just enough YAML for the text tab: a JSON text, or `key: value` lines one level deep. */
function readText(text) {
  if (text.trim().startsWith("{")) return JSON.parse(text);
  const out = {};
  const faults = [];
  let inner = null;
  text.split("\n").forEach((raw, index) => {
    const match = /^(\s*)([A-Za-z_]+):\s*(.*)$/.exec(raw);
    if (!raw.trim() || raw.trim().startsWith("#")) return;
    if (!match) return faults.push({ where: "", line: index + 1, got: raw, code: "yaml", text: "this line is not `key: value`", params: {} });
    const [, indent, key, value] = match;
    let read = value;
    try {
      read = JSON.parse(value);
    } catch {
      // a plain word
    }
    if (indent) inner[key] = read;
    else if (value === "") inner = out[key] = {};
    else out[key] = read;
    if (!indent && !["name", "run", "resources", "origin", "latency", "bandwidth", "preference", "array", "protection", "deadline", "price_limit", "security_level", "tags", "outputs", "inputs"].includes(key)) faults.push({ where: key, line: index + 1, got: key, code: "mock", text: `there is no field \`${key}\`; did you mean \`preference\`?`, params: {} });
  });
  return { ...out, faults };
}

async function api(request, response, path, query) {
  const key = (request.headers.authorization ?? "").replace("Bearer ", "");
  const who = KEYS[key];
  if (!who) return problem(response, 401, "not_known");
  const parts = path.split("/").filter(Boolean);
  if (path === "/whoami") return send(response, 200, { key_id: "key-demo", tenant: "demo", role: who, now_us: now(), tenants: world.grid.tenants.map((one) => one.id) });
  if (path === "/grid") return send(response, 200, world.grid);
  if (path === "/panorama") return send(response, 200, panorama());
  if (path === "/scarcity") return send(response, 200, scarcity());
  if (path === "/panorama/stream") {
    const put = streamOf(response);
    const timer = setInterval(() => put("panorama", panorama()), 1000);
    return request.on("close", () => clearInterval(timer));
  }
  if (path === "/shares") return send(response, 200, { items: shares(who), next_cursor: null });
  if (path === "/tenants") return send(response, 200, { items: tenants, next_cursor: null });
  if (parts[0] === "tenants" && request.method === "PUT") {
    if (who !== "operator") return problem(response, 403, "not_allowed");
    const limits = JSON.parse(await readBody(request));
    if (!(limits.weight >= 1 && limits.weight <= 1000)) return problem(response, 422, "faults", { faults: [{ where: "body.weight", line: null, got: String(limits.weight), code: "above", text: "At most 1000.", params: { got: String(limits.weight), limit: 1000 } }] });
    const set = { id: parts[1], ...limits };
    tenants = [...tenants.filter((one) => one.id !== set.id), set];
    return send(response, 200, set);
  }
  if (path === "/bill") return send(response, 200, bill(query));
  if ((path === "/plan" || path === "/tasks") && request.method === "POST") {
    if (path === "/tasks" && who === "viewer") return problem(response, 403, "not_allowed");
    const body = readText(await readBody(request));
    if (body.faults?.length) return problem(response, 422, "faults", { detail: `${body.faults.length} faults`, faults: body.faults });
    delete body.faults;
    const r = readRequest(body.request ?? body);
    if (path === "/plan") return send(response, 200, { request: r, refusals: [], ...world.plan(r, "task-dry") });
    return send(response, 201, view(world, submit(world, r), true));
  }
  if (path === "/tasks") return send(response, 200, list(query));
  const turn = /^\/sites\/(.+):(fail|heal)$/.exec(path);
  if (turn) {
    if (who !== "operator") return problem(response, 403, "not_allowed");
    world.down[turn[2] === "fail" ? "add" : "delete"](decodeURIComponent(turn[1]));
    return send(response, 200, {});
  }
  const task = parts[0] === "tasks" ? world.tasks.find((one) => one.task_id === parts[1]) : null;
  if (!task) return problem(response, 404, "not_found");
  if (parts[2] === "explain") return send(response, 200, explain(world, task));
  if (parts[2] === "cancel") {
    task.cancel = true;
    return send(response, 200, view(world, task));
  }
  if (parts[2] === "events") {
    const put = streamOf(response);
    let seen = -1;
    const timer = setInterval(() => {
      if (task.observed.length !== seen) put("event_applied", { t: "event_applied" }, String((seen = task.observed.length)));
      if (task.ended !== null) {
        put("end", {});
        clearInterval(timer);
        response.end();
      }
    }, 300);
    return request.on("close", () => clearInterval(timer));
  }
  if (parts[2] === "logs") {
    response.writeHead(200, { "Content-Type": "text/plain; charset=utf-8" });
    const attempt = task.attempts.find((one) => one.attempt_id === query.get("attempt")) ?? task.attempts.at(-1);
    let sent = 0;
    const timer = setInterval(() => {
      const lines = task.logs.get(attempt?.attempt_id) ?? [];
      if (lines.length > sent) response.write(`${lines.slice(sent).join("\n")}\n`);
      sent = lines.length;
      if (!attempt || attempt.closed_us !== null) {
        clearInterval(timer);
        response.end();
      }
    }, 150);
    return request.on("close", () => clearInterval(timer));
  }
  if (parts[2] === "outputs") {
    response.writeHead(200, { "Content-Type": "application/octet-stream", "Content-Disposition": "attachment" });
    return response.end('{"answer": 42}\n');
  }
  return problem(response, 404, "not_found");
}

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".json": "application/json", ".svg": "image/svg+xml", ".woff2": "font/woff2" };
const CSP = "default-src 'self'; img-src 'self' data: blob:; connect-src 'self'; style-src 'self'; script-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";
const statics = argument("static", join(root, "src", "suanwang", "api", "static"));

createServer((request, response) => {
  const url = new URL(request.url, "http://localhost");
  if (url.pathname.startsWith("/v1/")) {
    return api(request, response, url.pathname.slice(3), url.searchParams).catch((error) => problem(response, 500, "internal", { detail: String(error) }));
  }
  const file = join(statics, normalize(url.pathname === "/" ? "/index.html" : url.pathname));
  if (!file.startsWith(statics) || !existsSync(file)) return problem(response, 404, "not_found");
  response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream", "Content-Security-Policy": CSP });
  createReadStream(file).pipe(response);
}).listen(Number(argument("port", "8791")), "127.0.0.1", function () {
  console.log(`http://127.0.0.1:${this.address().port}/#key=sw_demo_secret`);
});
