"""A proven gap for a round of planning: how much less the same tasks could have cost, at most.

For any prices y >= 0 of what the pools have, weak duality (`bound`): the tasks cannot cost less than the sum of each
one's least of refusal and of its places with their use priced in, less what the room is worth at y. Tried are none
(each task at its cheapest, as if all were free), the prices that are at hand, halves and quarters of them, and the same
where the round left little; the greatest bound counts. All of it is integers.

Counted in are tasks of which price alone decides where they run, and that may start at once. One that was not placed at
once costs twice the median of its places, on both sides. The tasks that are not counted in stay where they were
put. Links have no price here, so each place counts with its cheapest road: no road, not even one that nobody has
thought of, can make the bound too high.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from suanwang.guide.bound import PRICE_BITS
from suanwang.guide.snapshot import BY_NODES, MIB, at_once, places_of
from suanwang.model.compact import AnyPlan
from suanwang.model.plan import Demand
from suanwang.model.scarcity import RoundGap
from suanwang.model.snapshot import GridIndex, Snapshot
from suanwang.model.task import Preference, TaskRequest
from suanwang.plan.kernel.types import I64, WHOLE
from suanwang.plan.layout import Layout, amounts, build_layout
from suanwang.plan.ledger import Ledger
from suanwang.plan.need import Need, need_of
from suanwang.plan.round import Round
from suanwang.plan.scene import Memory, Scene, scene_of

TASKS_MAX = 512  # of a round; of more, every so many-th
KINDS_MAX = 48  # needs that are weighed: a millisecond or two each on a grid of hundreds of sites
HALVES = (0, 1, 2)  # prices shifted right by so much
NEARLY = 20  # used up: less than one part in so many is left
SAFE = 2**60  # price times use, so that sums stay inside 64 bits


class Prices(NamedTuple):
    """What one more of each figure of each pool was worth: i64[P, 4] in 2**-16 micro-yuan of a core, MiB, card, node."""

    grid_index: GridIndex
    pool: I64
    made_us: int


def prices_of(layout: Layout, price: I64, made_us: int) -> Prices:
    """From prices of the rows of a problem (`snapshot.problem_of`), i64[M]."""
    cores, memory, cards = np.split(np.minimum(price, SAFE // 1000), [len(layout.pools) * at for at in (1, 2, 3)])[:3]
    by_nodes = np.array([pool.kind in BY_NODES for pool, _ in layout.pools], np.bool_)
    whole = cores * 1000
    pool = np.stack([np.where(by_nodes, 0, whole), memory, cards * WHOLE, np.where(by_nodes, whole, 0)], axis=1)
    return Prices(layout.index, pool, made_us)


class _Kind(NamedTuple):
    """Tasks with one need."""

    tasks: int
    cost: I64  # micro-yuan, of each place
    pool: I64  # number of the pool of each place
    use: tuple[int, ...]  # cores, MiB, cards, nodes
    refuse: int  # micro-yuan


class RoundProver:
    """Proves one round after the other. Keeps only what is derived from the grid."""

    def __init__(self) -> None:
        self._memory: Memory | None = None

    def prove(self, done: Round, prices: Prices | None) -> RoundGap:
        """The proof of a round. The same arguments give the same proof."""
        scene = self._scene(done)
        kinds = _kinds(done)
        found = {need: _kind(scene, need, len(which), done.now_us) for need, which in kinds.items()}
        cost, placed = 0, 0
        for need, which in kinds.items():
            here = [plan.quote_micro_yuan for at in which if (plan := _now(done.plans[at], done.now_us)) is not None]
            placed += len(here)
            cost += sum(here) + found[need].refuse * (len(which) - len(here))
        looked_at = {at for which in kinds.values() for at in which}
        room, left = _rooms(scene, done, looked_at)
        bound, used = best_bound(list(found.values()), room, left, _of_grid(prices, done.grid_index))
        return RoundGap(
            made_us=done.now_us,
            tasks=len(done.asks),
            looked_at=len(looked_at),
            placed=placed,
            cost_micro_yuan=cost,
            bound_micro_yuan=bound,
            gap_ppm=-(-(cost - bound) * 1_000_000 // cost) if cost else 0,
            prices_made_us=prices.made_us if prices is not None and used else None,
            prices_age_us=max(0, done.now_us - prices.made_us) if prices is not None and used else 0,
        )

    def _scene(self, done: Round) -> Scene:
        """The grid as it was, with nothing held."""
        if self._memory is None or self._memory.layout.index is not done.grid_index:
            layout = build_layout(done.grid_index)
            self._memory = Memory(layout, Ledger(layout))
        view = Snapshot(0, done.grid_index, done.sites, {}, done.links_down, done.security_down)
        return scene_of(self._memory, view)


def is_counted(request: TaskRequest, now_us: int) -> bool:
    """Whether price alone decides where a task runs, and it may start at once."""
    timed = request.deadline is not None or request.inputs or (request.earliest_start or 0) > now_us
    choosy = request.preference is not Preference.CHEAPEST or len(request.owners) > 1
    return not (timed or choosy or request.together_with or request.apart_from)


def _kinds(done: Round) -> dict[Need, list[int]]:
    """The tasks that are looked at, by need: of so many at the most the needs that most of them have."""
    counted = [at for at, ask in enumerate(done.asks) if is_counted(ask.request, done.now_us)]
    kinds: dict[Need, list[int]] = {}
    for at in counted[:: -(-len(counted) // TASKS_MAX) or 1]:
        need = at_once(need_of(done.asks[at], done.grid_index, done.now_us), done.now_us)
        kinds.setdefault(need, []).append(at)
    return dict(sorted(kinds.items(), key=lambda item: -len(item[1]))[:KINDS_MAX])


def _now(plan: AnyPlan | None, now_us: int) -> AnyPlan | None:
    return plan if plan is not None and plan.start_us <= now_us else None


def _kind(scene: Scene, need: Need, tasks: int, now_us: int) -> _Kind:
    cost, pool = places_of(scene, need, now_us)
    refuse = 2 * int(np.median(cost)) if len(cost) else 0
    return _Kind(tasks, cost, pool, _floors(need.demand), refuse)


def _floors(demand: Demand) -> tuple[int, ...]:
    cores, memory_bytes, cards, nodes = amounts(demand)
    return cores, memory_bytes // MIB, cards, nodes


def _rooms(scene: Scene, done: Round, looked_at: set[int]) -> tuple[I64, I64]:
    """What was free for the tasks that are looked at, and what they left of it: i64[P, 4], memory in MiB, rounded up."""
    room = scene.layout.capacity - done.held
    left = room.copy()
    for at, plan in enumerate(done.plans):
        if plan is None or plan.run_start_us > done.now_us:
            continue  # it takes nothing of this moment
        where = scene.layout.pool_at[plan.pool]
        left[where] -= amounts(plan.demand)
        if at not in looked_at:
            room[where] -= amounts(plan.demand)
    for one in (room, left):
        one[:, 1] = -(-one[:, 1] // MIB)
    return np.maximum(room, 0), np.maximum(left, 0)


def _of_grid(prices: Prices | None, index: GridIndex) -> I64 | None:
    """Prices of the same grid, and none of another."""
    return prices.pool if prices is not None and prices.grid_index is index else None


def best_bound(kinds: Sequence[_Kind], room: I64, left: I64, price: I64 | None) -> tuple[int, bool]:
    """(the greatest bound in micro-yuan, whether prices made it)."""
    best, used = bound_at(kinds, room, np.zeros_like(room)), False
    if price is None or not price.any():
        return best, used
    short = left * NEARLY <= room
    for shift in HALVES:
        for y in (price >> shift, np.where(short, price >> shift, 0)):
            found = bound_at(kinds, room, y)
            best, used = max(best, found), used or found > best
    return best, used


def bound_at(kinds: Sequence[_Kind], room: I64, price: I64) -> int:
    """The bound at prices i64[P, 4], none below zero, in micro-yuan, rounded up as every cost is whole."""
    most = max((max(one.use) for one in kinds), default=1)
    y = np.minimum(price, SAFE // (4 * max(most, 1)))
    pays = 0
    for one in kinds:
        least = one.refuse << PRICE_BITS
        if len(one.cost):
            bids = (one.cost << PRICE_BITS) + y[one.pool] @ np.array(one.use, np.int64)
            least = min(least, int(bids.min()))
        pays += one.tasks * least
    held = sum(have * one for have, one in zip(room.ravel().tolist(), y.ravel().tolist(), strict=True) if one)
    return -(int(held - pays) >> PRICE_BITS)
