"""The road end to end on one process with SQLite: submit in bulk -> planned -> fake-executed -> settled.

Every step is durable (one fsync a batch) before the next begins. Prints `durable_tasks_per_s`, the latency of one
plan on the china grid (`plan_p50_ms`, `plan_p99_ms`) and the memory of the process with all tasks in it.

    python bench/road.py [--tasks 10000] [--json]
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from blake3 import blake3

from suanwang.agent.adapters.fake import FakeAdapter
from suanwang.agent.agent import Agent
from suanwang.agent.journal import Journal
from suanwang.flow import Road
from suanwang.grids import china_path, load_grid
from suanwang.model.grid import Grid, PoolKind, ProtectionFunction, Tenant
from suanwang.model.ids import AgentId, TaskId, TenantId
from suanwang.model.principal import Submission
from suanwang.model.record import GridAdopted, TenantSet
from suanwang.model.snapshot import index_grid
from suanwang.model.task import Circle, Preference, Resources, TaskRequest
from suanwang.model.units import GIB, US_PER_S
from suanwang.observe.state import State
from suanwang.plan import PlanAsk, plan, warm
from suanwang.runtime.clock import now_us
from suanwang.runtime.ids import RealIds
from suanwang.store import Store
from suanwang.twin.streams import stream

TENANT = TenantId("bench")
SEED = 20261122


def a_task(draw: Random, grid: Grid) -> TaskRequest:
    """A mixed task: five kinds of need, any origin."""
    kind = draw.choice((PoolKind.GENERAL,) * 7 + (PoolKind.AI, PoolKind.AI, PoolKind.HPC))
    cards = draw.choice((1, 2, 8)) if kind is PoolKind.AI else 0
    return TaskRequest(
        name="bench",
        run="true",
        resources=Resources(
            kind=kind,
            cpu=draw.choice((1, 2, 4, 8)),
            memory=draw.choice((1, 2, 8)) * GIB,
            accelerator="any" if cards else None,
            accelerators=cards,
            nodes=draw.choice((1, 2)) if kind is PoolKind.HPC else 1,
            wall_time=60 * US_PER_S,
        ),
        origin=draw.choice(grid.sites).id,
        latency=draw.choice((None, None, Circle.NATIONAL, Circle.NATIONAL, Circle.PROVINCIAL)),
        bandwidth=draw.choice((0, 0, 0, 10**6, 10**7)),
        protection=draw.choice(((), (), (), (ProtectionFunction.FIREWALL,))),
        preference=draw.choice(tuple(Preference)),
        tags={"fake.duration-us": "1000", "fake.outcome": "ok"},
    )


def open_road(grid: Grid, folder: Path) -> tuple[Road, Store]:
    """A brain without a lock or a thread: the bench is its only caller."""
    store = Store(f"sqlite:///{folder / 'store.db'}")
    road = Road(State(index_grid(grid)), store, now_us, RealIds(now_us), heartbeat_lost_us=3_600 * US_PER_S)
    store.grids.know(road.state.index)
    text = grid.model_dump_json()
    road.emit(GridAdopted(at_us=now_us(), grid_id=grid.id, digest=blake3(text.encode()).hexdigest(), text=text))
    road.emit(TenantSet(at_us=now_us(), tenant=Tenant(id=TENANT, name="Bench")))
    road.commit()
    return road, store


def run_tasks(road: Road, agent: Agent, requests: list[TaskRequest]) -> float:
    """Seconds from the first submission to the last charge."""
    begin_s = time.perf_counter()
    agent.exchange(road.exchange)
    for first in range(0, len(requests), 1_000):
        offers = [Submission(request=one) for one in requests[first : first + 1_000]]
        road.submit(TENANT, "bench", offers, [road.ids.task_id() for _ in offers])
        move(road, agent)
    while road.state.live:
        move(road, agent)
    return time.perf_counter() - begin_s


def move(road: Road, agent: Agent) -> None:
    """One turn of the wheel: plan, dispatch, let the agent work and speak."""
    road.plan_round()
    road.dispatch_round()
    agent.exchange(road.exchange)


def plan_latencies_ms(road: Road, requests: list[TaskRequest]) -> list[float]:
    """Each request planned alone, with nothing to share a batch with; sorted."""
    out = []
    for number, request in enumerate(requests):
        ask = PlanAsk(TaskId(f"task-{number}"), TENANT, request)
        begin_s = time.perf_counter()
        plan(road.state.snapshot(), [ask], now_us(), SEED, road.ids)
        out.append((time.perf_counter() - begin_s) * 1_000)
    return sorted(out)


def measure(tasks: int, say: Callable[[str], None]) -> dict[str, float]:
    grid = load_grid(china_path())
    warm()
    draw = stream(SEED, "bench")
    requests = [a_task(draw, grid) for _ in range(tasks)]
    with tempfile.TemporaryDirectory() as name:
        road, store = open_road(grid, Path(name))
        adapter = FakeAdapter(now_us, SEED)
        sites = [site.id for site in grid.sites if site.pools]
        agent = Agent(AgentId("bench"), sites, adapter, Journal(Path(name) / "journal.db"), now_us)
        seconds = run_tasks(road, agent, requests)
        ended = {phase.value: count for phase, count in road.state.ended.items()}
        say(f"{tasks} tasks in {seconds:.2f} s: {ended}")
        latencies = plan_latencies_ms(road, requests[:1_000])
        agent.close()
        store.close()
    return {
        "durable_tasks_per_s": round(tasks / seconds, 1),
        "plan_p50_ms": round(latencies[len(latencies) // 2], 3),
        "plan_p99_ms": round(latencies[len(latencies) * 99 // 100], 3),
        "tasks": tasks,
        "succeeded": ended.get("succeeded", 0),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    arguments = parser.parse_args()
    found = measure(arguments.tasks, (lambda _: None) if arguments.json else print)
    if arguments.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:>22} {value:>12}")


if __name__ == "__main__":
    main()
