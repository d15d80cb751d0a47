"""Plan a batch: plain tasks by the sweep, the others, and those that find no room now, one by one by `decide`.

A task is plain if its run would begin at once and nothing is left to weigh but pools: no data to move, no deadline that
a cheaper hour could use, no company. Both ways make the same decision (a property test holds them together); the sweep
makes it some fifty times as fast, and gives plans in few numbers (`model.compact`).
"""

from collections.abc import Sequence
from operator import attrgetter

import numpy as np

from suanwang.model.compact import OTHERS, OTHERS_BYTES, CompactPlan, Holds
from suanwang.model.plan import ClauseCount, PlanReport, Relaxation
from suanwang.model.reason import PoolReason
from suanwang.model.snapshot import Snapshot
from suanwang.model.task import CircuitEntry, Preference
from suanwang.plan.ask import PlanAnswer, PlanAsk, PlanIds, plan_and_lease_ids
from suanwang.plan.build import AS_WRITTEN
from suanwang.plan.clauses import CHOSEN, CODE, PASSED
from suanwang.plan.layout import closes
from suanwang.plan.need import need_of
from suanwang.plan.scene import Memory, Scene
from suanwang.plan.sweep_kernel import DONE, LINE_ROWS, POOL_ROWS, Asks, Found, Says, Work, World, sweep
from suanwang.plan.sweep_tables import SweepTables, Told

NO_LIMIT = 2**62
SAYS = Says._make([*(CODE[PoolReason(one)] for one in Says._fields[:7]), PASSED, CHOSEN])
# What the planner reads of a plain request.
_of_place = attrgetter(
    *(f"resources.{one}" for one in ("kind", "cpu", "memory", "accelerator", "accelerators", "nodes", "qubits")),
    *("resources.shots", "resources.wall_time", "array", "security_level", "residency", "sites", "owners"),
)
# What its abilities follow from besides (`model.ability`): raw, since making them of each task would cost as much as the rest.
_of_abilities = attrgetter(
    *("image", "mounts", "secrets", "checkpoint", "resources.network", "resources.processes", "resources.disk")
)
_of_way = attrgetter("origin", "protection")
_of_path = attrgetter("origin", "protection", "latency", "bandwidth", "resources.wall_time")
_unplain = attrgetter("inputs", "deadline", "together_with", "apart_from", "standby", "avoid")


class Sweep:
    """One batch on one scene. `run` places plain tasks until one needs a closer look."""

    def __init__(self, memory: Memory, scene: Scene, snapshot: Snapshot, asks: Sequence[PlanAsk], now_us: int) -> None:
        self.scene, self.snapshot, self.asks, self.now_us = scene, snapshot, asks, now_us
        self.tables = _tables(memory, scene)
        wary = snapshot.placements.is_wary or any(one.request.apart_from for one in asks)
        self.plain = [self._is_plain(one, wary) for one in asks]
        layout = scene.layout
        if not any(self.plain):
            return
        rows = [self._row_or_nothing(at) for at in range(len(asks))]
        self._price(rows)
        columns = np.ascontiguousarray(np.array(rows, np.int64).T)
        self.columns = Asks(*columns)
        count, pools = len(asks), len(layout.pools)
        self.found = Found(
            np.zeros(count, np.int64),
            np.zeros(count, np.int64),
            np.zeros((count, pools), np.uint8),
            np.zeros((count, 4 * OTHERS), np.int64),
        )
        self.work = Work(*(np.zeros(size, np.int64) for size in (4, OTHERS + 1, 4, 1)))
        peaks, lines = scene.ledger.pools.peaks_from(now_us), scene.ledger.lines.peaks_from(now_us)
        slack = layout.empty_room - lines[:, 0]
        slack[~np.concatenate([scene.up, scene.sec_up])] = NO_LIMIT  # what is down is in no tree
        self.world = World(layout.node, layout.capacity, layout.rank, scene.live, peaks, slack, len(layout.network.to))

    def _is_plain(self, ask: PlanAsk, wary: bool) -> bool:
        request = ask.request
        if any(_unplain(request)) or ask.kept or ask.excluded_sites or (request.earliest_start or 0) > self.now_us:
            return False
        if closes(self.scene.layout, self.now_us, self.now_us + request.resources.wall_time):
            return False
        return not (wary and request.tags)

    def _row_or_nothing(self, at: int) -> tuple[int, ...]:
        if not self.plain[at]:
            return _NOTHING
        try:
            return self._row(self.asks[at])
        except Exception:  # a fault of the planner's own: it is met again, and told, when the task is decided by itself
            self.plain[at] = False
            return _NOTHING

    def _row(self, ask: PlanAsk) -> tuple[int, ...]:
        request = ask.request
        place = _of_place(request)
        if self.scene.layout.lacking:  # where every pool can do everything, what a task needs of that is not asked
            place = (*place, isinstance(request.run, CircuitEntry), *_of_abilities(request))
        told = Told(place, _of_way(request), _of_path(request), request.resources.wall_time)
        profile = self.tables.profile(self.scene, told, lambda: need_of(ask, self.snapshot.index, self.now_us))
        limit = NO_LIMIT if request.price_limit is None else request.price_limit
        return (*profile, request.preference is Preference.GREENEST, limit)

    def _price(self, rows: Sequence[tuple[int, ...]]) -> None:
        """Today's prices of every shape that is asked for; tasks whose prices are out of reach are left to `decide`."""
        shapes = self.tables.shapes
        for shape in {row[6] for row in rows if row is not _NOTHING}:
            shapes.price_at(shape, self.now_us)
        if not all(shapes.cheap):
            self.plain = [plain and shapes.cheap[row[6]] for plain, row in zip(self.plain, rows, strict=True)]

    def run(self, first: int) -> int:
        """Place plain tasks from `first` on; returns the first that was not: not plain, or in need of a closer look."""
        last = first
        while last < len(self.plain) and self.plain[last]:
            last += 1
        at, ledger = first, self.scene.ledger
        while at < last:
            at, why, resource = sweep(
                at,
                last,
                self.now_us,
                self.columns,
                self.tables.arrays(),
                self.tables.trees.arrays(),
                self.world,
                ledger.pools.book(),
                ledger.lines.book(),
                SAYS,
                self.found,
                self.work,
            )
            if why == POOL_ROWS:
                ledger.pools.grow(resource)
            elif why == LINE_ROWS:
                ledger.lines.grow(resource)
            elif why != DONE:
                break
        ledger.pools.changed()
        ledger.lines.changed()
        return at

    def answers(self, first: int, last: int, ids: PlanIds) -> list[PlanAnswer]:
        """The answers of tasks that were placed, with an id each for plan and lease, in order."""
        found, layout, version = self.found, self.scene.layout, self.scene.version
        written = found.verdicts[first:last].tobytes().translate(AS_WRITTEN)
        others = found.others[first:last].astype("<i8", copy=False).tobytes()
        width, order = len(layout.pools), layout.index.pool_order
        columns = zip(
            range(last - first),
            self.asks[first:last],
            found.pool[first:last].tolist(),
            found.price[first:last].tolist(),
            *(one[first:last].tolist() for one in (self.columns.tree, self.columns.through, self.columns.shape)),
            self.columns.wall_us[first:last].tolist(),
            self.columns.bps[first:last].tolist(),
            *zip(*plan_and_lease_ids(ids, last - first), strict=True),
            strict=True,
        )
        nodes, carbon, index, now_us = layout.node.tolist(), self.tables.shapes.carbon.rows, layout.index, self.now_us
        places, states = [one.id for _, one in layout.pools], self.scene.sites
        route, asked = self.tables.route, self.tables.shapes.asked
        out: list[PlanAnswer] = []
        for at, ask, pool, price, tree, through, shape, wall_us, bps, plan_id, lease_id in columns:
            made = CompactPlan()
            made.index, made.task_id, made.generation = index, ask.task_id, ask.generation
            made.parent, made.plan_id, made.lease_id, made.snapshot_version = ask.parent, plan_id, lease_id, version
            made.pool_number, made.pool = pool, order[pool]
            made.site = site = places[pool]
            made.emulated = states[site].emulated
            made.demand, made.shots = asked(shape)
            made.start_us, made.end_us = now_us, now_us + wall_us
            made.route, made.bandwidth_bps = route(tree, through, nodes[pool]), bps
            made.quote_micro_yuan, made.carbon_mg = price, int(carbon[shape, pool])
            made.others_packed = others[at * OTHERS_BYTES : (at + 1) * OTHERS_BYTES]
            made.verdicts_written = written[at * width : (at + 1) * width]
            made.forget()
            out.append(PlanAnswer(ask.task_id, made, NO_QUESTION))
        return out

    def took(self, holds: Holds) -> None:
        """A plan was made one by one: what it holds is free no more."""
        if not any(self.plain):
            return
        for hold in holds:
            where = self.scene.ledger.where(hold)
            if where is not None and where[0] is self.scene.ledger.pools:
                self.world.peak[where[1]] += where[2]
            elif where is not None:
                self.world.slack[where[1]] -= where[2][0]


class _Placed:
    """Why of a task that was placed: its plan carries its reasons, and nobody asks here."""

    def report(self, relax: bool) -> PlanReport:
        raise AssertionError("a plan that was made carries its reasons")

    def clauses(self) -> tuple[ClauseCount, ...]:
        raise AssertionError("a plan that was made carries its reasons")

    def relaxations(self) -> tuple[Relaxation, ...]:
        return ()

    def ever(self) -> bool:
        return True


NO_QUESTION = _Placed()
_NOTHING = (0,) * len(Asks._fields)


def _tables(memory: Memory, scene: Scene) -> SweepTables:
    kept = memory.sweep
    if kept is None or kept.down_key != scene.down_key:
        kept = memory.sweep = SweepTables(scene.layout, scene.down_key)
    assert isinstance(kept, SweepTables), "tables are kept as tables"
    kept.trim()
    return kept
