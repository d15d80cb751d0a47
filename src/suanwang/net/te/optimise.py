"""Least maximum link utilisation (MLU) of a demand matrix by segment lists.

The road: prices of links from a potential that grows sharper (`kernels`), each demand offered the cheapest list at those
prices, largest first, and moved where the exact potential falls by more than what a policy and a change cost
(`sweep`). A ladder of sharpness is run at a high price of a policy, then at lower ones, until the MLU falls no more;
of all states on the way the one with the fewest policies within `slack` of the best is kept, and the smallest demands
are given back as far as the slack allows. After Fortz and Thorup's link costs (INFOCOM 2000) and the exponential
potentials of packing programs (Plotkin, Shmoys and Tardos, 1995). Deterministic: the same input gives the same lists.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from suanwang.net.igp import NO_PATH, Plane, Shares
from suanwang.net.network import Ints
from suanwang.net.te.engine import Engine
from suanwang.net.te.kernels import Int32s
from suanwang.net.te.policies import Policies, no_policies, of_parts
from suanwang.net.topology import Demands
from suanwang.net.topology.topology import Reals

# Of sharpness. A fine ladder that begins low leaves a tenth fewer policies than a coarse one that begins at 10.
LADDER: Final = (5.0, 6.5, 8.5, 11.0, 14.0, 18.0, 24.0, 31.0, 40.0, 52.0, 68.0, 90.0, 150.0, 300.0, 600.0, 1000.0)
# What a policy costs, as a part of the whole potential: each ladder is cheaper, and so moves more demands.
PRICES: Final = (1e-3, 1e-4, 1e-5)
# (sharpness, price of a policy) of the last rungs, where only the busiest links count.
POLISH: Final = ((2_000.0, 3e-4), (4_000.0, 1e-4))
PASSES: Final = (1, 2, 8)  # at most, of each sharpness, for each price
ENOUGH: Final = 0.01  # of the demands: a pass that moved fewer is the last of its sharpness
GAIN_LEAST: Final = 1e-3  # of the MLU: a ladder that gained less is the last
LEAST: Final = 1e-6  # of the potential: demands whose whole path costs less are left alone
MOVES: Final = 200  # until prices are made anew
MOVES_DEEP: Final = 1_000  # making prices of three segments takes longer

# Three segments from the same beginning are compared with two after so many rungs: where they are this much worse then,
# they do not end better, and looking further takes most of the time.
COMPARED: Final = 6
WORSE: Final = 1.05

Watch = Callable[[float, int], bool]  # (MLU now, parts with a list) -> stop


@dataclass(frozen=True)
class Settings:
    """`segments` of a list, 2 or 3; `ways`: a large demand's traffic may be cut into so many equal parts; `slack`: how
    much of the MLU may be given for fewer policies; `goal_mlu`: good enough, stop there; `deep_above`: three segments are
    tried only where two leave more than this MLU; `change_price`: what changing an installed list costs, as a part of the
    whole potential."""

    segments: int = 2
    ways: int = 1
    slack: float = 0.00005
    goal_mlu: float | None = None
    deep_above: float | None = None
    change_price: float = 0.0

    def __post_init__(self) -> None:
        assert self.segments in (2, 3) and 1 <= self.ways <= 64 and self.slack >= 0.0 and self.change_price >= 0.0


@dataclass(frozen=True, eq=False)
class Optimised:
    """What was found. `start_mlu` is that of the installed lists, where they can be taken, `shallow_mlu` the best that lists of
    two segments came to. `changes` counts demands whose lists differ from the installed ones, `late` are demands whose
    latency bound no list with one midpoint keeps, `unrouted` those with no path."""

    policies: Policies
    mlu: float
    igp_mlu: float
    start_mlu: float
    shallow_mlu: float
    load_bps: Reals
    changes: int
    late: Ints
    unrouted: Ints


def optimise(
    plane: Plane,
    shares: Shares,
    demands: Demands,
    bound_us: Ints | None = None,
    installed: Policies | None = None,
    settings: Settings | None = None,
    watch: Watch | None = None,
) -> Optimised:
    """Lists for every demand. `bound_us` (q,): the worst latency each may have; `watch` sees the MLU on the way and may stop."""
    settings = Settings() if settings is None else settings
    before = no_policies(demands.q) if installed is None else installed
    engine = Engine(plane, shares, demands, bound_us, before, settings.ways)
    run = _Run(engine, settings, watch)
    engine.restore(engine.plain)
    igp_mlu = engine.mlu
    engine.start_from(engine.parts.installed)
    start_mlu = engine.mlu
    run.note()
    if not run.done:
        run.climb(deep=False)
    shallow_mlu = run.best
    deep = settings.segments == 3 and not run.done
    if deep and (settings.deep_above is None or shallow_mlu > settings.deep_above):
        run.climb(deep=True)
    run.choose(installed is not None)
    policies = of_parts(engine.state.middle, engine.first, demands, plane.topology)
    traffic = (demands.bps > 0) & (demands.source != demands.target)
    return Optimised(
        policies=policies,
        mlu=engine.mlu,
        igp_mlu=igp_mlu,
        start_mlu=start_mlu,
        shallow_mlu=shallow_mlu,
        load_bps=engine.state.load,
        changes=policies.changes_from(before),
        late=engine.late,
        unrouted=np.flatnonzero(traffic & (plane.distance[demands.source, demands.target] >= NO_PATH)),
    )


class _Run:
    """States on the way: (MLU, parts with a list, lists)."""

    def __init__(self, engine: Engine, settings: Settings, watch: Watch | None) -> None:
        self.engine, self.settings, self.watch = engine, settings, watch
        self.kept: list[tuple[float, int, Int32s]] = []
        self.best = np.inf
        self.stopped = False
        self.rungs: list[float] = []  # the MLU after each of the first ladder, by lists of two segments

    @property
    def done(self) -> bool:
        goal = self.settings.goal_mlu
        return self.stopped or (goal is not None and self.best <= goal)

    def note(self) -> None:
        """Keep the state of now if none has as low an MLU with as few lists."""
        mlu, lists = self.engine.mlu, self.engine.policies
        self.best = min(self.best, mlu)
        limit = self.best * (1 + self.settings.slack)
        self.kept = [one for one in self.kept if one[0] <= max(limit, self.settings.goal_mlu or 0.0)]
        if not any(one[0] <= mlu and one[1] <= lists for one in self.kept):
            self.kept.append((mlu, lists, self.engine.state.middle.copy()))

    def climb(self, deep: bool) -> None:
        """Ladders at falling prices of a policy, until one gains nothing."""
        for price, passes in zip(PRICES, PASSES, strict=True):
            began = self.best
            for at, sharp in enumerate(LADDER):
                self._rung(sharp, price, passes, deep)
                self.note()
                if self.done or (deep and price == PRICES[0] and self._is_hopeless(at)):
                    return
                if not deep and price == PRICES[0]:
                    self.rungs.append(self.engine.mlu)
            if self.best > began * (1 - GAIN_LEAST):
                break
        for sharp, price in POLISH:
            self._rung(sharp, price, 2, deep)
            self.note()
            if self.done:
                return

    def _is_hopeless(self, at: int) -> bool:
        """Whether three segments are well behind two at the rung at which they are compared."""
        return at == COMPARED < len(self.rungs) and self.engine.mlu > WORSE * self.rungs[at]

    def _rung(self, sharp: float, price: float, passes: int, deep: bool) -> None:
        engine, goal = self.engine, self.settings.goal_mlu
        for _ in range(passes):
            begin, moved = 0, 0
            while begin < len(engine.order):
                moves = MOVES_DEEP if deep else MOVES
                begin, now = engine.step(sharp, price, self.settings.change_price, LEAST, begin, moves, deep)
                moved += now
                mlu = engine.mlu
                if self.watch is not None and self.watch(mlu, engine.policies):
                    self.stopped = True
                if self.stopped or (goal is not None and mlu <= goal):
                    return
            if moved <= ENOUGH * len(engine.order):
                return

    def choose(self, churn: bool) -> None:
        """The state with the fewest lists (from an installed state: the fewest changes) within the slack; then give back."""
        engine = self.engine
        limit = self.best * (1 + self.settings.slack)
        if self.settings.goal_mlu is not None and self.best <= self.settings.goal_mlu:
            limit = self.settings.goal_mlu
        fine = [one for one in self.kept if one[0] <= limit]
        start = engine.parts.installed

        def cost(one: tuple[float, int, Int32s]) -> tuple[int, float]:
            return (int((one[2] != start).any(axis=1).sum()) if churn else one[1], one[0])

        engine.restore(min(fine, key=cost)[2])
        if churn:
            engine.give_back(start, limit)
            engine.give_back(engine.plain, limit, (engine.state.middle != start).any(axis=1))
        else:
            engine.give_back(engine.plain, limit)
