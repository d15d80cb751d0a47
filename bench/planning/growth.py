"""How the rate of decisions changes with batch size, sites, nodes, policy and threads; and what starting costs.

Every world is first filled until what runs asks for 1.05 of all cards; then arrivals and ends keep it there. Rates are
of decide and release, tables of tasks included; without check and log. Seconds are CPU seconds of the deciding thread
where the name says core, else wall seconds.
"""

import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any, NamedTuple

import numpy as np

from suanwang.plan.kernel import Decisions, Policy, Reason, State, Tasks, decide, release
from suanwang.plan.kernel.live import Live
from suanwang.plan.kernel.scores import expected_of
from suanwang.plan.kernel.types import I64

from .ten_million import Run, accelerator_fill, prefill_count
from .worlds import Stream, World, churn_stream, make_world

BULK = "from suanwang.plan.kernel.warm import warm; warm()"  # bulk kernel and node policy
PLANNER = "from suanwang.plan import warm; warm()"  # one task at a time


class Turned(NamedTuple):
    """What some arrivals came to."""

    placed: int
    released: int
    cost: int  # micro-yuan, refusals at what the class says


class Steady:
    """A world that is full, with the rest of its stream."""

    def __init__(
        self,
        world: World,
        decisions: int,
        batch: int,
        policy: Policy = Policy.CHEAPEST,
        asked: float = Run().fill,
        by_loss: bool = False,
    ) -> None:
        """`asked`: part of all cards that what runs asks for. `by_loss`: nodes by LEAST_LOSS, for tasks as they come."""
        run = Run(batch=batch, fill=asked)
        self.world, self.batch, self.policy = world, batch, policy
        self.first = prefill_count(world, run)
        self.end = self.first + decisions
        # Twice as long as what is played: in a stream that ends too early tasks live too short to fill the cards.
        self.stream: Stream = churn_stream(world, run.seed, self.end + self.first, run.fill, run.card_share)
        self.when = self.stream.release_before[self.stream.release_order]
        self.state, self.live = State(world.fabric, world.classes), Live(1 << 20)
        if by_loss:
            came = np.bincount(self.stream.task_class[: self.first], minlength=len(world.classes.cpu))
            self.state.mind(expected_of(world.fabric, world.classes, came))
        self._turns(0, self.first, 65_536)

    def _turns(self, first: int, end: int, batch: int) -> Turned:
        """Decide arrivals `first` up to `end`."""
        placed = released = cost = 0
        reject_cost = self.world.classes.reject_cost
        for at in range(first, end, batch):
            till = min(at + batch, end)
            back = self._release(at, till)
            rows = self._decide(at, till)
            placed += int((rows.reason == Reason.PLACED).sum())
            released += int((back.reason == Reason.RELEASED).sum())
            cost += int(rows.cost.sum()) + int(reject_cost[rows.task_class[rows.candidate < 0]].sum())
        return Turned(placed, released, cost)

    def _release(self, at: int, till: int) -> Decisions:
        """What ends before arrival `till`."""
        gone: I64 = self.stream.release_order[slice(*np.searchsorted(self.when, [at, till]))]
        return release(self.state, self.live.recall(gone))

    def _decide(self, at: int, till: int) -> Decisions:
        classes = self.stream.task_class[at:till]
        rows = decide(self.state, Tasks(np.arange(at, till), classes, np.zeros(till - at, np.uint8)), self.policy)
        self.live.remember(rows)
        return rows

    def release_before_next(self) -> None:
        """What ends before the end of the next batch."""
        self._release(self.first, self.first + self.batch)

    def one_batch(self) -> Decisions:
        """Decide the next batch."""
        rows = self._decide(self.first, self.first + self.batch)
        self.first += self.batch
        return rows

    def measure(self) -> dict[str, Any]:
        """Decide the rest."""
        self.state.own().memo.passed[:] = 0
        count = self.end - self.first
        wall, core = time.perf_counter(), time.thread_time()
        turned = self._turns(self.first, self.end, self.batch)
        wall, core = time.perf_counter() - wall, time.thread_time() - core
        return {
            "decisions_per_core_s": round(count / core),
            "decisions_per_s": round(count / wall),
            "batch": self.batch,
            "nodes": int(self.world.fabric.node_first[-1]),
            "sites": len(self.world.site_province),
            "pools": len(self.world.fabric.pool_site),
            "placed": turned.placed / count,
            "refused": count - turned.placed,
            "cost_micro_yuan": turned.cost,
            "releases_per_decision": turned.released / count,
            "accelerator_fill": accelerator_fill(self.state),
            "passed_per_decision": float(self.state.arrays.memo.passed.sum()) / count,
        }


def by_batch(sizes: list[int], servers: int, decisions: int) -> list[dict[str, Any]]:
    """One world, one stream, cut into batches of these sizes."""
    world = make_world(1, servers=servers)
    return [Steady(world, decisions, size).measure() for size in sizes]


def by_world(worlds: list[tuple[int, int]], decisions: int) -> list[dict[str, Any]]:
    """(sites, servers) each."""
    return [
        Steady(make_world(1, sites=sites, servers=servers), decisions, 65_536).measure() for sites, servers in worlds
    ]


def by_policy(servers: int, decisions: int) -> dict[str, dict[str, Any]]:
    """The same stream under every policy; `cost_over_cheapest`: refusals included, 1.0 is the default policy's."""
    world = make_world(1, servers=servers)
    said = {one.name.lower(): Steady(world, decisions, 65_536, one).measure() for one in Policy}
    least = said[Policy.CHEAPEST.name.lower()]["cost_micro_yuan"]
    for row in said.values():
        row["cost_over_cheapest"] = row["cost_micro_yuan"] / max(least, 1)
    return said


def by_node_policy(worlds: list[tuple[int, int]], decisions: int, asked: float = 0.95) -> list[dict[str, Any]]:
    """Nodes by bits and by LEAST_LOSS, the same stream in each (sites, servers); what runs asks for `asked` of the cards."""
    out = []
    for sites, servers in worlds:
        world = make_world(1, sites=sites, servers=servers)
        for by_loss in (False, True):
            one = Steady(world, decisions, 65_536, asked=asked, by_loss=by_loss)
            said = one.measure()
            kept = ("nodes", "sites", "decisions_per_core_s", "placed", "refused", "accelerator_fill")
            out.append(
                {"node_policy": "least_loss" if by_loss else "bits", "asked": asked}
                | {name: said[name] for name in kept}
                | {"largest_pool": int(np.diff(world.fabric.node_first)[world.fabric.shape_cards > 0].max())}
            )
    return out


def by_threads(servers: int, decisions: int) -> dict[str, Any]:
    """One world on one thread; then two worlds of its size, each with its own writer, at once."""
    world = make_world(1, servers=servers)
    alone = Steady(world, decisions, 65_536).measure()
    both = [Steady(world, decisions, 65_536) for _ in range(2)]
    out: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda one=one: out.append(one.measure())) for one in both]
    wall = time.perf_counter()
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return {
        "one": alone["decisions_per_s"],
        "two_shards": round(2 * decisions / (time.perf_counter() - wall)),
        "two_shards_per_core_s": [one["decisions_per_core_s"] for one in out],
    }


def snapshot_cost(servers: int) -> dict[str, float]:
    """Milliseconds to take a snapshot, and for the first write after it; MiB of the state."""
    world = make_world(1, servers=servers)
    state = State(world.fabric, world.classes)
    begun = time.perf_counter()
    kept = state.snapshot()
    taken = time.perf_counter()
    state.own()
    owned = time.perf_counter()
    arrays = state.arrays
    size = sum(part.nbytes for parts in (arrays.free, arrays.nodes, arrays.memo) for part in parts)
    assert kept.arrays.free.cpu is not arrays.free.cpu
    return {
        "snapshot_ms": 1e3 * (taken - begun),
        "snapshot_first_write_ms": 1e3 * (owned - taken),
        "state_mib": size / 2**20,
        "rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


class Start(NamedTuple):
    """Of a process from nothing to its first decision, its end included."""

    wall_s: float
    cpu_s: float


def start_of(code: str, cold: bool, ready: bool = False) -> Start:
    """Run the code in a process of its own; cold: everything is compiled first, else it has been.

    `ready`: it is known to be compiled, and is not run before to make sure.
    """
    with tempfile.TemporaryDirectory() as folder:
        there = dict(os.environ)
        if cold:
            there["NUMBA_CACHE_DIR"] = folder
        elif not ready:
            subprocess.run([sys.executable, "-c", code], env=there, check=True)
        wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], env=there, check=True)
        wall, after = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_CHILDREN)
        return Start(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
