// Tasks of the stand-in world: each walks the road as time goes by.

import { id, kindOf, now, random } from "./mock-world.mjs";

const US = 1e6;
const NO_USAGE = { wall_us: 0, core_us: 0, memory_byte_us: 0, memory_peak_bytes: 0, bytes_in: 0, bytes_out: 0, processes_peak: 0 };

export function submit(world, r, tenant = "demo", ageUs = 0, fate = "ok") {
  const at = Math.round(now() - ageUs);
  const task_id = id("task");
  const answer = world.plan(r, task_id);
  const task = {
    task_id, tenant, r, kind: kindOf(r), at, phase: "waiting", fate, plans: [], attempts: [], observed: [], charges: [], waits: [], refusals: [], clauses: [], relaxations: [],
    progress: null, reason: null, detail: "", ended: null, updated: at, sequence: 0, total: Math.round((8 + random() * 40) * US), logs: new Map(), exit_code: null, cancel: false,
  };
  world.tasks.unshift(task);
  if (!answer.plan) {
    Object.assign(task, { phase: "refused", ended: at + 9000, clauses: answer.report.clauses, relaxations: answer.report.relaxations, refusals: [{ reason: "no_pool", field: "resources", got: "", limit: "" }] });
    return task;
  }
  if (fate === "waits") {
    task.waits.push({ at_us: at + 6000, reason: "capacity", until_us: 0, clauses: answer.report.clauses });
    task.wait = { reason: "capacity", until_us: 0 };
    return task;
  }
  adopt(task, answer, at + 12_000);
  return task;
}

function adopt(task, { plan, report }, at) {
  task.plans.push({ at_us: at, plan, report, dropped: null });
  task.phase = "planned";
  task.updated = at;
}

function event(world, task, attempt, kind, at, more = {}) {
  task.observed.push({ at_us: at + 3000, effective: true, event: { agent: "agent-1", sequence: ++task.sequence, site: attempt.site, attempt_id: attempt.attempt_id, fence: attempt.fence, at_us: at, kind, fraction_permille: null, exit_code: null, signal: null, reason: null, detail: "", usage: null, outputs: [], ...more } });
  task.updated = at;
  world.position++;
}

function usageAt(task, wall, plan) {
  const cores = plan.demand.cores || 32 * (plan.demand.nodes || 1);
  const memory = plan.demand.memory_bytes || 2 ** 36;
  const busy = 0.72 + 0.2 * Math.sin(wall / (3 * US));
  const before = task.usage ?? NO_USAGE;
  const step = wall - before.wall_us;
  const level = memory * Math.min(0.8, 0.2 + wall / (40 * US));
  task.usage = {
    wall_us: wall, core_us: Math.round(before.core_us + step * cores * busy), memory_byte_us: Math.round(before.memory_byte_us + step * level),
    memory_peak_bytes: Math.max(before.memory_peak_bytes, Math.round(level)), bytes_in: Math.round(wall * 12), bytes_out: Math.round(wall * 3), processes_peak: 6,
  };
  return task.usage;
}

function charge(world, task, attempt, plan, share) {
  for (const line of plan.quote) {
    const part = line.kind === "transfer" || line.kind === "qpu_shot" ? 1 : share;
    task.charges.push({
      charge_id: id("chg"), at_us: attempt.closed_us, task_id: task.task_id, attempt_id: attempt.attempt_id, tenant: task.tenant, creditor: "own", emulated: true,
      line: { ...line, quantity: Math.round(line.quantity * part), amount_micro_yuan: Math.round(line.amount_micro_yuan * part) },
    });
  }
}

function close(world, task, attempt, plan, at, succeeded, more) {
  Object.assign(attempt, { closed_us: at, succeeded, held_start_us: plan.start_us, held_end_us: at, usage: task.usage ?? NO_USAGE, ...more });
  charge(world, task, attempt, plan, Math.min(1, Math.max(0.02, (at - plan.start_us) / (plan.end_us - plan.start_us))));
  task.usage = undefined;
}

/** Move one task on to the present. */
export function step(world, task) {
  if (task.ended !== null || task.fate === "waits") return;
  const last = task.plans.at(-1);
  const { plan } = last;
  const t = now();
  let attempt = task.attempts.at(-1);
  if (task.phase === "planned" && t > last.at_us + 0.8 * US) {
    attempt = { attempt_id: id("att"), plan_id: plan.plan_id, site: plan.site, pool: plan.pool, fence: task.attempts.length + 1, emulated: true, opened_us: last.at_us + 0.8 * US, closed_us: null, succeeded: null, reason: null, detail: "", exit_code: null, signal: null, held_start_us: null, held_end_us: null, usage: NO_USAGE, outputs: [] };
    task.attempts.push(attempt);
    task.phase = "dispatched";
    event(world, task, attempt, "accepted", attempt.opened_us + 40_000);
  }
  if (!attempt || attempt.closed_us !== null) return;
  const opened = attempt.opened_us;
  if (world.down.has(plan.site) && task.phase !== "planned") {
    event(world, task, attempt, "failed", t, { reason: "site_lost" });
    close(world, task, attempt, plan, t, false, { reason: "site_lost", detail: "no heartbeat" });
    last.dropped = { at_us: t, reason: "site_lost" };
    const next = world.plan(task.r, task.task_id, plan.generation + 1, plan.plan_id);
    if (next.plan) adopt(task, next, t);
    task.progress = null;
    return;
  }
  if (task.phase === "dispatched" && t > opened + 1.5 * US) {
    task.phase = "staging";
    event(world, task, attempt, "staging", opened + 0.6 * US);
  }
  const began = opened + 3 * US;
  if (task.phase === "staging" && t > began) {
    task.phase = "running";
    event(world, task, attempt, "running", began);
    task.logs.set(attempt.attempt_id, [`$ ${task.r.run}`, `host cpu=${plan.demand.cores || "-"} site=${plan.site} (emulated)`]);
  }
  if (task.phase === "running") {
    const wall = Math.min(t - began, task.total);
    for (let at = (task.usage?.wall_us ?? 0) + US; at <= wall; at += US) {
      task.progress = Math.round((at / task.total) * 1000);
      event(world, task, attempt, "progress", began + at, { fraction_permille: task.progress, usage: usageAt(task, at, plan) });
      task.logs.get(attempt.attempt_id).push(`[${(at / US).toFixed(1).padStart(6)} s] step ${Math.round(at / US)}: loss=${(2.3 * Math.exp(-at / (20 * US))).toFixed(4)}  批次 ${Math.round(at / US) * 32} 完成`);
    }
    if (task.cancel) return end(world, task, attempt, plan, t, "cancelled", { reason: "cancelled" });
    if (task.fate === "fails" && task.progress > 400) {
      task.logs.get(attempt.attempt_id).push("Traceback (most recent call last):", '  File "job.py", line 42, in <module>', "ValueError: no such column: flux");
      return end(world, task, attempt, plan, t, "failed", { reason: "exit_code", exit_code: 1 });
    }
    if (wall >= task.total) {
      task.phase = "collecting";
      event(world, task, attempt, "collecting", began + task.total);
    }
  }
  if (task.phase === "collecting" && t > began + task.total + US) {
    const outputs = [{ path: "out/result.json", blake3: "ab".repeat(32), size_bytes: 18_233, target: null }, { path: "out/summary.json", blake3: "cd".repeat(32), size_bytes: 1_204, target: null }];
    end(world, task, attempt, plan, began + task.total + US, "succeeded", { outputs, exit_code: 0 });
  }
}

function end(world, task, attempt, plan, at, phase, more) {
  const ok = phase === "succeeded";
  event(world, task, attempt, ok ? "finished" : phase === "cancelled" ? "stopped" : "failed", at, { ...more, usage: task.usage ?? NO_USAGE });
  close(world, task, attempt, plan, at, ok, more);
  Object.assign(task, { phase, ended: at, reason: more.reason ?? null, exit_code: more.exit_code ?? null, progress: ok ? 1000 : task.progress });
}

export function view(world, task, whole = false) {
  const plan = task.plans.at(-1)?.plan;
  const out = {
    task_id: task.task_id, tenant: task.tenant, name: task.r.name, phase: task.phase, kind: task.kind, origin: task.r.origin ?? world.grid.default_origin,
    submitted_us: task.at, updated_us: task.updated, ended_us: task.ended, preference: task.r.preference, priority: task.r.priority, array: task.r.array, tags: task.r.tags,
    site: plan?.site ?? null, pool: plan?.pool ?? null, emulated: plan?.emulated ?? false, generation: plan?.generation ?? 0, run_start_us: plan?.run_start_us ?? null, end_us: plan?.end_us ?? null,
    deadline_us: task.r.deadline, quote_micro_yuan: plan?.quote_micro_yuan ?? null, billed_micro_yuan: billed(task), attempts: task.attempts.length, progress_permille: task.progress,
    wait: task.wait ?? null, reason: task.reason, detail: task.detail, exit_code: task.exit_code, refusals: task.refusals, outputs: task.attempts.at(-1)?.outputs ?? [],
  };
  return whole ? { ...out, request: task.r } : out;
}

export const billed = (task) => task.charges.reduce((sum, one) => sum + one.line.amount_micro_yuan, 0);

export function explain(world, task) {
  const refused = task.phase === "refused";
  return {
    task: view(world, task), request: { at_us: task.at, principal: "key-demo", request: task.r },
    admission: { at_us: task.at + 4000, outcome: refused ? "refused" : "admitted", refusals: task.refusals, clauses: task.clauses, relaxations: task.relaxations },
    waits: task.waits, plans: task.plans, attempts: task.attempts, observed: task.observed, paths: [], charges: task.charges,
  };
}
