"""A tenant who floods beside one who sends a task a round: how long the small one waits, with the flood and without.

One pool of 100 places, tasks of 5 to 15 seconds, one planning round a second on a virtual clock, so the figures are of the
rule and not of the machine. The flood of `--flood` tasks stands in the line before the first task of the small tenant;
a crowd without the rule of shares (one line by age) would make it wait until the flood is through.

    python bench/fairness.py [--flood 100000] [--rounds 200] [--json]
"""

import argparse
import heapq
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from suanwang.dispatch.carry import Cause
from suanwang.dispatch.lifecycle import Signal
from suanwang.flow import Road
from suanwang.model.grid import EnergyMix, Grid, Names, Pool, PoolKind, PriceBook, Site, Tenant, Tier
from suanwang.model.ids import AgentId, PoolId, PriceBookId, SiteId, TaskId, TenantId
from suanwang.model.principal import Submission
from suanwang.model.record import Phase, Record, SiteChanged, TenantSet
from suanwang.model.snapshot import index_grid
from suanwang.model.task import Resources, TaskRequest
from suanwang.model.units import GIB, US_PER_S
from suanwang.observe.state import State
from suanwang.twin.streams import CountedIds

START_US = 1_790_000_000 * US_PER_S
SITE = SiteId("here")
PLACES, LONG_S, WALL_S = 100, 10, 30
SMALL, FLOOD = TenantId("small"), TenantId("flood")


def one_site(name: SiteId, nodes: int, cores: int = 4) -> Site:
    """A site with one general pool."""
    pool = Pool(
        id=PoolId(f"{name}/general"),
        kind=PoolKind.GENERAL,
        nodes=nodes,
        cores_per_node=cores,
        memory_bytes_per_node=64 * GIB,
    )
    return Site(
        id=name,
        names=Names(en=name, zh_hant=name, zh_hans=name),
        region="CN-BJ",
        city=name,
        latitude=40,
        longitude=116,
        tier=Tier.HUB,
        security_level=3,
        energy=EnergyMix(carbon_g_per_kwh=500, renewable_permille=300),
        price_book=PriceBookId("plain"),
        pools=(pool,),
    )


class NoLog:
    """Takes every batch and keeps none: the cost of a disk is measured elsewhere."""

    def __init__(self) -> None:
        self.batches = 0

    def append(
        self, records: Sequence[Record], at_us: int, secrets: Mapping[str, Mapping[str, str]] | None = None
    ) -> int:
        self.batches += 1
        return self.batches


@dataclass
class Bench:
    """A brain on a clock that the bench moves; what is dispatched runs some seconds and ends well."""

    now_us: int = START_US
    ids: CountedIds = field(default_factory=CountedIds)
    waited: dict[TaskId, int] = field(default_factory=dict)  # rounds from submission to start
    sent: dict[TaskId, int] = field(default_factory=dict)
    running: list[tuple[int, TaskId]] = field(default_factory=list)
    round: int = 0

    def __post_init__(self) -> None:
        grid = Grid(
            id="bench",
            name="Bench",
            default_origin=SITE,
            price_books=(PriceBook(id=PriceBookId("plain")),),
            sites=(one_site(SITE, PLACES),),
        )
        self.road = Road(State(index_grid(grid)), NoLog(), lambda: self.now_us, self.ids, heartbeat_lost_us=10**15)
        for tenant in (SMALL, FLOOD):
            self.road.emit(TenantSet(at_us=self.now_us, tenant=Tenant(id=tenant, name=tenant)))
        up = SiteChanged(at_us=self.now_us, site=SITE, agent=AgentId("bench"), live=True, emulated=True, cause="joined")
        self.road.emit(up)

    def submit(self, tenant: TenantId, count: int) -> None:
        resources = Resources(cpu=4, memory=1 * GIB, wall_time=WALL_S * US_PER_S)
        offers = [Submission(request=TaskRequest(run="true", resources=resources)) for _ in range(count)]
        task_ids = [self.ids.task_id() for _ in range(count)]
        self.road.submit(tenant, "bench", offers, task_ids)
        self.sent |= dict.fromkeys(task_ids if tenant == SMALL else (), self.round)

    def turn(self) -> None:
        """One round: what is over ends, plans are made, what is due starts, a second goes by."""
        while self.running and self.running[0][0] <= self.now_us:
            task = self.road.state.tasks[heapq.heappop(self.running)[1]]
            self.road.signal(task, Signal.FINISHED, Cause(self.now_us, finished=True))
        self.road.tick()
        while self.road.plan_round():
            pass
        self.road.dispatch_round()
        for task in list(self.road.state.by_site.get(SITE, {}).values()):
            if task.phase is Phase.DISPATCHED:
                self.road.signal(task, Signal.RUNNING, Cause(self.now_us))
                task.phase = Phase.RUNNING
                long_s = LONG_S - 5 + task.order * 7 % 11
                heapq.heappush(self.running, (self.now_us + long_s * US_PER_S, task.task_id))
                if task.task_id in self.sent:
                    self.waited[task.task_id] = self.round - self.sent[task.task_id]
        self.now_us += US_PER_S
        self.round += 1


def waits(flood: int, rounds: int) -> dict[str, float]:
    """The small tenant's waits, in rounds, with so many tasks of the other before it."""
    bench = Bench()
    began_s = time.perf_counter()
    for first in range(0, flood, 10_000):
        bench.submit(FLOOD, min(10_000, flood - first))
    for _ in range(3):
        bench.turn()  # the flood has taken what there was
    for _ in range(rounds):
        bench.submit(SMALL, 1)
        bench.turn()
    for _ in range(10 * LONG_S):
        bench.turn()
    waited = sorted(bench.waited.values())
    assert len(waited) == rounds, "every task of the small tenant has started"
    return {
        "median": waited[len(waited) // 2],
        "p99": waited[len(waited) * 99 // 100],
        "most": waited[-1],
        "started_of_flood": bench.road.state.ended.get(Phase.SUCCEEDED, 0) - len(waited),
        "seconds": round(time.perf_counter() - began_s, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--flood", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    given = parser.parse_args()
    found = {
        "flood_tasks": given.flood,
        "small_tasks": given.rounds,
        "wait_rounds_alone": waits(0, given.rounds),
        "wait_rounds_in_flood": waits(given.flood, given.rounds),
    }
    print(json.dumps(found) if given.json else "\n".join(f"{name}: {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
