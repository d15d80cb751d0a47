"""The road end to end on one process with SQLite or PostgreSQL: submit in bulk -> planned -> fake-executed -> settled.

Every step is durable (one fsync a batch) before the next begins. Prints `durable_tasks_per_s`, how long the tables then
take to reflect the whole log (`projection_lag_s`), how long a task takes from the moment it comes until its order is with
the agent while 2,000 a second come (`dispatched_p99_ms_at_2000_per_s`), the latency of one plan on the china grid
(`plan_p50_ms`, `plan_p99_ms`) and the memory of the process with all tasks in it.

    python -m bench.road [--tasks 20000] [--store sqlite|postgres] [--json]
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from bench.postgres import postgres_server
from blake3 import blake3

from suanwang.agent.adapters.fake import FakeAdapter
from suanwang.agent.agent import Agent
from suanwang.agent.journal import Journal
from suanwang.flow import Road
from suanwang.grids import china_path, load_grid
from suanwang.model.grid import Grid, PoolKind, ProtectionFunction, Tenant
from suanwang.model.ids import AgentId, TaskId, TenantId
from suanwang.model.principal import Submission
from suanwang.model.record import GridAdopted, Phase, TenantSet
from suanwang.model.snapshot import index_grid
from suanwang.model.task import Circle, Preference, Resources, TaskRequest
from suanwang.model.units import GIB, US_PER_S
from suanwang.observe.state import State
from suanwang.plan import PlanAsk, plan, warm
from suanwang.runtime.clock import now_us
from suanwang.runtime.ids import RealIds
from suanwang.runtime.memory import few_collections
from suanwang.runtime.projecting import Projecting
from suanwang.store import Store
from suanwang.twin.streams import stream

TENANT = TenantId("bench")
SEED = 20261122
SUBMIT = 1_000  # tasks handed in at once
PACE, PACED_S = 2_000, 8  # tasks a second, and for how long


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


def open_road(grid: Grid, url: str) -> tuple[Road, Store]:
    """A brain without a lock or a thread: the bench is its only caller."""
    store = Store(url)
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
    for first in range(0, len(requests), SUBMIT):
        submit(road, requests[first : first + SUBMIT])
        move(road, agent)
    while road.state.live:
        move(road, agent)
    return time.perf_counter() - begin_s


def submit(road: Road, requests: list[TaskRequest]) -> list[TaskId]:
    offers = [Submission(request=one) for one in requests]
    return [one.task_id for one in road.submit(TENANT, "bench", offers, [road.ids.task_id() for _ in offers])]


def move(road: Road, agent: Agent) -> None:
    """One turn of the wheel: plan, dispatch, let the agent work and speak."""
    road.plan_round()
    road.dispatch_round()
    agent.exchange(road.exchange)


def run_paced(road: Road, agent: Agent, requests: list[TaskRequest], per_s: int) -> list[float]:
    """Seconds from the moment at which each task was due to be submitted until its order is with the agent, sorted.

    Tasks come at an even rate whatever the brain does; what it cannot take at once waits, and its waiting counts.
    """
    begin_s, due_s, waits = time.perf_counter(), {}, []
    sent = 0
    while sent < len(requests) or due_s:
        until = min(len(requests), int((time.perf_counter() - begin_s) * per_s))
        if until > sent:
            for number, task_id in enumerate(submit(road, requests[sent:until]), start=sent):
                due_s[task_id] = begin_s + number / per_s
            sent = until
        move(road, agent)
        now_s = time.perf_counter()
        gone = [one for one in due_s if road.state.tasks[one].phase not in (Phase.WAITING, Phase.PLANNED)]
        for one in gone:
            wait_s = now_s - due_s.pop(one)
            if road.state.tasks[one].attempts:  # the others were refused
                waits.append(wait_s)
    while road.state.live:
        move(road, agent)
    return sorted(waits)


def plan_latencies_ms(road: Road, requests: list[TaskRequest]) -> list[float]:
    """Each request planned alone, with nothing to share a batch with; sorted."""
    out = []
    for number, request in enumerate(requests):
        ask = PlanAsk(TaskId(f"task-{number}"), TENANT, request)
        begin_s = time.perf_counter()
        plan(road.state.snapshot(), [ask], now_us(), SEED, road.ids)
        out.append((time.perf_counter() - begin_s) * 1_000)
    return sorted(out)


def measure(url: str, tasks: int, say: Callable[[str], None]) -> dict[str, float]:
    """All figures on one engine."""
    grid = load_grid(china_path())
    warm()
    few_collections()
    draw = stream(SEED, "bench")
    requests = [a_task(draw, grid) for _ in range(tasks)]
    with tempfile.TemporaryDirectory() as name:
        road, store = open_road(grid, url)
        projecting = Projecting(store, url)
        projecting.start()
        adapter = FakeAdapter(now_us, SEED)
        sites = [site.id for site in grid.sites if site.pools]
        agent = Agent(AgentId("bench"), sites, adapter, Journal(Path(name) / "journal.db"), now_us)
        seconds = run_tasks(road, agent, requests)
        lag_s = caught_up(store)
        ended = {phase.value: count for phase, count in road.state.ended.items()}
        say(f"{tasks} tasks in {seconds:.2f} s: {ended}; tables {lag_s:.2f} s behind at the end")
        waits_s = run_paced(road, agent, [a_task(draw, grid) for _ in range(PACED_S * PACE)], PACE)
        caught_up(store)
        latencies = plan_latencies_ms(road, requests[:1_000])
        agent.close()
        projecting.stop()
        store.close()
    return {
        "durable_tasks_per_s": round(tasks / seconds, 1),
        "projection_lag_s": round(lag_s, 2),
        f"dispatched_p50_ms_at_{PACE}_per_s": round(waits_s[len(waits_s) // 2] * 1_000, 1),
        f"dispatched_p99_ms_at_{PACE}_per_s": round(waits_s[len(waits_s) * 99 // 100] * 1_000, 1),
        "plan_p50_ms": round(latencies[len(latencies) // 2], 3),
        "plan_p99_ms": round(latencies[len(latencies) * 99 // 100], 3),
        "tasks": tasks,
        "succeeded": ended.get("succeeded", 0),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def caught_up(store: Store) -> float:
    """Seconds until the tables reflect the whole log."""
    begin_s = time.perf_counter()
    while store.behind():
        time.sleep(0.01)
    return time.perf_counter() - begin_s


@contextmanager
def engines(name: str) -> Iterator[str]:
    """The address of a new, durable store."""
    if name == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/store.db"
        return
    with postgres_server(durable=True) as folder:
        yield f"postgresql+psycopg://postgres@/postgres?host={folder}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    arguments = parser.parse_args()
    with engines(arguments.store) as url:
        found = {
            "store": arguments.store,
            **measure(url, arguments.tasks, (lambda _: None) if arguments.json else print),
        }
    if arguments.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:>32} {value:>12}")


if __name__ == "__main__":
    main()
