"""How long one plan takes on the china grid.

A seeded mix of tasks from every site is planned one call at a time, each beside the leases of those before it; then
the same mix again in batches of 256. Times are of `plan` alone, after a warm-up that compiles or loads the kernels.
`--json` prints one JSON object and nothing else.
"""

import argparse
import gc
import json
import random
import time
from dataclasses import dataclass, field

from suanwang.grids import china_path, load_grid
from suanwang.model.grid import Grid, ProtectionFunction
from suanwang.model.ids import LeaseId, PlanId, SiteId, TaskId, TenantId
from suanwang.model.plan import Hold, Plan
from suanwang.model.snapshot import GridIndex, LeaseChange, SiteState, Snapshot, index_grid
from suanwang.model.task import Circle, Input, Preference, Resources, TaskRequest
from suanwang.model.units import GIB
from suanwang.plan import PlanAsk, plan, warm

NOW_US = 1_800_000_000_000_000
S = 1_000_000
BATCH = 256


@dataclass
class Brain:
    """The part of a brain that a planner sees: leases with their history."""

    index: GridIndex
    leases: dict[LeaseId, tuple[Hold, ...]] = field(default_factory=dict)
    history: list[LeaseChange] = field(default_factory=list)
    made: int = 0
    sites: dict[SiteId, SiteState] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sites = {one: SiteState(live=True) for one in self.index.sites}

    def plan_id(self) -> PlanId:
        self.made += 1
        return PlanId(f"plan-{self.made:026d}")

    def lease_id(self) -> LeaseId:
        return LeaseId(f"lease-{self.made:026d}")

    def snapshot(self) -> Snapshot:
        end = len(self.history)
        return Snapshot(end, self.index, self.sites, self.leases, history=self.history, history_end=end)

    def commit(self, made: Plan | None) -> None:
        if made is not None:
            self.leases[made.lease_id] = made.holds
            self.history.append(LeaseChange(made.lease_id, made.holds, True))


def mixed_tasks(grid: Grid, count: int, seed: int) -> list[TaskRequest]:
    """Small and large, near and far, with and without data, protection, bandwidth and deadlines."""
    draw = random.Random(seed)
    sites = [site.id for site in grid.sites]
    data = [one.id for one in grid.data_sets if one.tenant is None]
    out = []
    for _ in range(count):
        kind = draw.choices(("general", "ai", "hpc", "quantum"), (75, 15, 8, 2))[0]
        wall_us = draw.choice((60, 600, 3_600, 4 * 3_600, 24 * 3_600)) * S
        figures: dict[str, object] = {"wall_time": wall_us}
        figures |= {
            "general": {"cpu": draw.choice((1, 2, 4, 16)), "memory": draw.choice((1, 4, 32)) * GIB},
            "ai": {"cpu": 4, "accelerators": draw.choice((1, 4, 8)), "accelerator": "any"},
            "hpc": {"nodes": draw.choice((2, 16, 128))},
            "quantum": {"qubits": 20, "shots": 4_000},
        }[kind]
        wanted = draw.sample(data, draw.choices((0, 1, 2), (80, 15, 5))[0])
        chain = draw.sample(list(ProtectionFunction), draw.choices((0, 1, 2), (85, 10, 5))[0])
        out.append(
            TaskRequest.model_validate(
                {
                    "run": "true",
                    "resources": Resources.model_validate(figures),
                    "inputs": tuple(Input(source=f"dataset:{one}", path=one) for one in wanted),
                    "origin": draw.choice(sites),
                    "latency": draw.choices((None, *Circle), (50, 5, 15, 30))[0],
                    "bandwidth": draw.choices((0, 10**8, 10**9, 10**10), (70, 15, 10, 5))[0],
                    "security_level": draw.choices((1, 3, 4), (80, 15, 5))[0],
                    "protection": tuple(chain),
                    "deadline": draw.choices((None, NOW_US + wall_us + draw.randrange(36 * 3_600) * S), (85, 15))[0],
                    "preference": draw.choice(list(Preference)),
                    "array": draw.choices((1, 8, 100), (90, 8, 2))[0],
                }
            )
        )
    return out


def run(count: int, seed: int, profile: bool) -> dict[str, object]:
    grid = load_grid(china_path())
    index = index_grid(grid)
    started = time.perf_counter()
    warm()
    warm_s = time.perf_counter() - started
    tasks = mixed_tasks(grid, count + 200, seed)
    asks = [PlanAsk(TaskId(f"task-{at}"), TenantId("bench"), task) for at, task in enumerate(tasks)]
    brain = Brain(index)
    spent: list[tuple[float, PlanAsk]] = []
    cpu: list[float] = []
    planned = 0
    gc.collect()
    for at, ask in enumerate(asks):
        snapshot = brain.snapshot()
        begun, begun_cpu = time.perf_counter(), time.process_time()
        made = plan(snapshot, [ask], NOW_US + at * 1_000, 0, brain)[0].plan
        took, took_cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
        brain.commit(made)
        if at >= 200:
            spent.append((took, ask))
            cpu.append(took_cpu)
            planned += made is not None
    times = sorted(took for took, _ in spent)
    cpu.sort()
    if profile:
        for took, ask in sorted(spent, key=lambda one: -one[0])[:12]:
            print(f"{took * 1e3:8.2f} ms {ask.request.model_dump(exclude_defaults=True, mode='json')}")
    return {
        "bench": "plan_latency",
        "grid": grid.id,
        "sites": len(grid.sites),
        "pools": len(index.pool_order),
        "links": len(grid.links),
        "tasks": count,
        "planned": planned,
        "seed": seed,
        "warm_s": round(warm_s, 3),
        "plan_p50_ms": round(times[len(times) // 2] * 1e3, 3),
        "plan_p99_ms": round(times[len(times) * 99 // 100] * 1e3, 3),
        "plan_mean_ms": round(sum(times) / len(times) * 1e3, 3),
        "plan_p50_cpu_ms": round(cpu[len(cpu) // 2] * 1e3, 3),  # of the processor: without what others ran meanwhile
        "plan_p99_cpu_ms": round(cpu[len(cpu) * 99 // 100] * 1e3, 3),
        "plan_max_ms": round(times[-1] * 1e3, 3),
        "bulk_mean_ms": round(bulk_mean_ms(index, asks), 3),
    }


def bulk_mean_ms(index: GridIndex, asks: list[PlanAsk]) -> float:
    """Milliseconds a task in batches, on an empty grid again."""
    brain = Brain(index)
    total = 0.0
    for first in range(0, len(asks), BATCH):
        snapshot = brain.snapshot()
        begun = time.perf_counter()
        answers = plan(snapshot, asks[first : first + BATCH], NOW_US + first * 1_000, 0, brain)
        total += time.perf_counter() - begun
        for answer in answers:
            brain.commit(answer.plan)
    return total / len(asks) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--slowest", action="store_true", help="also print the slowest tasks")
    given = parser.parse_args()
    found = run(given.tasks, given.seed, given.slowest and not given.json)
    if given.json:
        print(json.dumps(found))
    else:
        for key, value in found.items():
            print(f"{key:16} {value}")


if __name__ == "__main__":
    main()
