"""What a million waiting tasks cost the next decision: rounds, ticks and memory with 0, 10,000 and 1,000,000 waiting.

The tasks wait for room in a site that is full, in `--kinds` kinds of need, half of them with a deadline. Measured then,
each many times: a tick in which nothing is due; a round with nothing to look at; an arrival that fits (submitted and
planned); an end that frees a place (tick and round after it, with what is then looked at). The state is built by
folding records, as after a start; requests of one kind are one object, as a bulk submission makes them.

    python bench/waiting.py [--sizes 0,10000,1000000] [--kinds 50] [--json]
"""

import argparse
import gc
import json
import resource
import time
from collections.abc import Callable

from fairness import START_US, NoLog, one_site
from suanwang.dispatch.carry import Cause
from suanwang.dispatch.lifecycle import Signal
from suanwang.flow import Road
from suanwang.model.grid import Grid, Link, LinkKind, PriceBook, Tenant
from suanwang.model.ids import AgentId, LinkId, PriceBookId, SiteId, TaskId, TenantId
from suanwang.model.principal import Submission
from suanwang.model.record import Phase, SiteChanged, TaskAdmitted, TaskSubmitted, TenantSet
from suanwang.model.snapshot import index_grid
from suanwang.model.task import Preference, Resources, TaskRequest
from suanwang.model.units import GIB, US_PER_S
from suanwang.observe.state import State
from suanwang.plan import warm
from suanwang.twin.streams import CountedIds

FULL, FREE = SiteId("full"), SiteId("free")
TENANTS = 20
REPEATS = 20
DEADLINE_US = START_US + 30 * 86_400 * US_PER_S


def request_of(site: SiteId, number: int, deadline: bool) -> TaskRequest:
    """One kind of need: they differ by their wall time."""
    resources = Resources(cpu=4, memory=1 * GIB, wall_time=(3_600 + number) * US_PER_S)
    return TaskRequest(
        run="true",
        resources=resources,
        sites=(site,),
        preference=Preference.FASTEST,
        deadline=DEADLINE_US if deadline else None,
    )


class Bench:
    def __init__(self, waiting: int, kinds: int) -> None:
        self.now_us, self.ids = START_US, CountedIds()
        link = Link(
            id=LinkId("road"), a=FULL, b=FREE, kind=LinkKind.OTN, length_km=1, capacity_bps=10**10, latency_us=10
        )
        grid = Grid(
            id="bench",
            name="Bench",
            default_origin=FULL,
            price_books=(PriceBook(id=PriceBookId("plain")),),
            sites=(one_site(FULL, 16), one_site(FREE, 1_000)),
            links=(link,),
        )
        state = State(index_grid(grid))
        for number in range(TENANTS):
            tenant = Tenant(id=TenantId(f"tenant-{number}"), name="T", live_tasks_max=10**9)
            state.apply(TenantSet(at_us=START_US, tenant=tenant))
        for site in (FULL, FREE):
            agent = AgentId(f"agent-{site}")
            state.apply(SiteChanged(at_us=START_US, site=site, agent=agent, live=True, emulated=True, cause="joined"))
        requests = [request_of(FULL, number, number % 2 == 0) for number in range(kinds)]
        gc.collect()
        before_mb = rss_mb()
        for number in range(waiting):
            task_id, tenant_id = self.ids.task_id(), TenantId(f"tenant-{number % TENANTS}")
            record = TaskSubmitted.model_construct(
                at_us=START_US,
                task_id=task_id,
                tenant=tenant_id,
                principal="bench",
                request=requests[number // TENANTS % kinds],
                idempotency_key=None,
            )
            state.apply(record)
            state.apply(TaskAdmitted.model_construct(at_us=START_US, task_id=task_id))
        self.road, self.start_s = timed(
            lambda: Road(state, NoLog(), lambda: self.now_us, self.ids, heartbeat_lost_us=10**15)
        )
        self.bytes_a_task = (rss_mb() - before_mb) * 2**20 / waiting if waiting else 0
        _, self.settle_s = timed(self.settle)

    def settle(self) -> None:
        """Look at what there is to look at, until everything that waits is set aside."""
        while self.road.plan_round():
            pass
        self.dispatch()
        self.road.tick()
        while self.road.plan_round():
            pass

    def arrival(self) -> None:
        offer = Submission(request=request_of(FREE, 0, False))
        task_id: TaskId = self.ids.task_id()
        self.road.submit(TenantId("tenant-0"), "bench", [offer], [task_id])
        self.road.plan_round()
        assert self.road.state.tasks[task_id].phase is Phase.PLANNED, "it has its plan in one round"

    def end(self) -> None:
        task = next(one for one in self.road.state.by_site[FULL].values() if one.attempt is not None)
        self.road.signal(task, Signal.FINISHED, Cause(self.now_us, finished=True))
        self.tick()
        self.road.plan_round()
        self.dispatch()

    def dispatch(self) -> None:
        """Start what is due; the agents take it up at once."""
        self.road.dispatch_round()
        for there in self.road.state.by_site.values():
            for task in there.values():
                assert task.attempt is not None, "dispatched"
                task.attempt.seen = True

    def tick(self) -> None:
        self.now_us += US_PER_S
        self.road.tick()


def timed(do: Callable[[], object]) -> tuple[object, float]:
    began_s = time.perf_counter()
    out = do()
    return out, time.perf_counter() - began_s


def median_ms(do: Callable[[], object]) -> float:
    taken = sorted(timed(do)[1] for _ in range(REPEATS))
    return round(taken[REPEATS // 2] * 1_000, 3)


def rss_mb() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def measure(waiting: int, kinds: int) -> dict[str, float]:
    bench = Bench(waiting, kinds)
    gc.freeze()
    found = {
        "waiting": waiting,
        "tick_ms": median_ms(bench.tick),
        "round_ms": median_ms(bench.road.plan_round),
        "arrival_ms": median_ms(bench.arrival),
        "start_s": round(bench.start_s, 2),
        "set_aside_s": round(bench.settle_s, 2),
        "bytes_a_task": round(bench.bytes_a_task),
    }
    if waiting:
        found["end_ms"] = median_ms(bench.end)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sizes", default="0,10000,1000000")
    parser.add_argument("--kinds", type=int, default=50)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    given = parser.parse_args()
    warm()
    found = {"kinds": given.kinds, "tenants": TENANTS, "sizes": []}
    for size in map(int, given.sizes.split(",")):
        found["sizes"].append(measure(size, given.kinds))
    print(json.dumps(found) if given.json else "\n".join(map(str, found["sizes"])))


if __name__ == "__main__":
    main()
