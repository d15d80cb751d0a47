"""The arrays of one optimisation and the steps on them: prices from loads, a sweep, giving lists back."""

import numpy as np

from suanwang.net.igp.shares import Shares
from suanwang.net.igp.tables import NO_PATH, Plane, sums
from suanwang.net.network import Flags, Ints
from suanwang.net.te.kernels import NONE, Dial, Int32s, Legs, Parts, Prices, Scratch, State, Tables, put, reheat
from suanwang.net.te.policies import Policies, part_firsts, to_parts
from suanwang.net.te.sweep import check, fill_legs, prune, quickest, sweep
from suanwang.net.topology import Demands

NO_BOUND_US = NO_PATH - 1


class Engine:
    """Demands on a plane, cut into parts; `state.middle` is what each part takes now."""

    def __init__(
        self, plane: Plane, shares: Shares, demands: Demands, bound_us: Ints | None, installed: Policies, ways: int
    ) -> None:
        topology = plane.topology
        n, m = topology.n, topology.m
        self.plane, self.demands = plane, demands
        self.first = part_firsts(demands, ways)
        size = np.diff(self.first)
        owner = np.repeat(np.arange(demands.q), size)
        self.net = Tables(
            n,
            shares.first,
            shares.last,
            shares.link,
            shares.share,
            topology.source,
            topology.target,
            1.0 / np.maximum(topology.capacity_bps, 1),
            topology.latency_us,
            plane.worst_us,
            plane.usable,
        )
        bound = np.full(demands.q, NO_BOUND_US, np.int64) if bound_us is None else np.minimum(bound_us, NO_BOUND_US)
        self.parts = Parts(
            demands.source[owner],
            demands.target[owner],
            demands.bps[owner] / size[owner],
            bound[owner],
            to_parts(installed, self.first, demands, topology),
        )
        self.state = State(np.full((len(owner), 2), NONE, np.int32), np.zeros(m), np.zeros(m))
        self.scratch = Scratch(np.zeros(m), np.zeros(m, np.bool_), np.zeros(m, np.int64), np.zeros(m))
        self.price = np.zeros(m)
        self.prices = Prices(np.empty((n, n)), np.empty((n, n)))
        self.legs = _legs(1)
        has_path = plane.distance[self.parts.source, self.parts.target] < NO_PATH
        self.moving = has_path & (self.parts.source != self.parts.target) & (self.parts.bps > 0)
        self.order = np.argsort(-self.parts.bps, kind="stable").astype(np.int64)
        self.order = self.order[self.moving[self.order]]
        self.late = np.zeros(0, np.int64)  # demands whose bound no list with one midpoint keeps
        self.plain = self._plain(owner)
        self.parts.installed[~self.fits(self.parts.installed)] = (-m - 1, NONE)  # no list of any part
        self.start_from(self.parts.installed)

    def _plain(self, owner: Ints) -> Int32s:
        """The list that each part has without a policy: none, or where the IGP is too slow, the quickest."""
        out = np.full((len(owner), 2), NONE, np.int32)
        slow = self.order[~self.fits(out)[self.order]]
        fine = np.ones(len(owner), np.bool_)
        quickest(self.net, self.parts, slow, out, fine)
        lost = slow[~fine[slow]]
        self.late = np.unique(owner[lost])
        self.parts.bound_us[lost] = NO_BOUND_US  # a promise that cannot be kept holds nothing back
        out[lost] = NONE
        return out

    def fits(self, lists: Int32s) -> Flags:
        """Which parts could take these lists."""
        fine = np.zeros(len(lists), np.bool_)
        check(self.net, self.parts, lists, fine)
        return fine

    def start_from(self, lists: Int32s) -> None:
        """Take these lists, or the plain one where one cannot be taken."""
        fine = self.fits(lists) & self.moving
        self.state.middle[:] = np.where(fine[:, None], lists, self.plain)
        self.restore(self.state.middle.copy())

    def restore(self, middle: Int32s) -> None:
        """Take exactly these lists, loads made anew."""
        self.state.middle[:] = middle
        live = self.parts.bps.copy()
        live[~self.moving] = 0.0
        put(self.net, self.parts._replace(bps=live), self.state, self.scratch)

    @property
    def mlu(self) -> float:
        return float((self.state.load * self.net.per_bps).max(initial=0.0))

    @property
    def policies(self) -> int:
        """Parts with a list."""
        return int((self.state.middle[:, 0] != NONE).sum())

    def step(
        self, sharp: float, policy_price: float, change_price: float, least: float, begin: int, moves: int, deep: bool
    ) -> tuple[int, int]:
        """Prices of now, then a sweep from `begin` of the order until so many moved; where it ended, how many moved.

        `policy_price`, `change_price` and `least` are parts of the whole potential.
        """
        plane, top = self.plane, self.mlu
        if top <= 0.0:
            return len(self.order), 0
        total = reheat(self.state.load, self.net.per_bps, sharp, top, self.state.heat, self.price)
        sums(plane.count, plane.order, plane.first, plane.hops, plane.topology.target, self.price, self.prices.out)
        np.copyto(self.prices.back, self.prices.out.T)
        if deep:
            self.legs = self.legs if len(self.legs.step) == self.net.n else _legs(self.net.n)
            fill_legs(self.net, self.prices, self.price, self.legs)
        dial = Dial(sharp, top, least * total, policy_price * total, change_price * total)
        moved = np.zeros(1, np.int64)
        end = sweep(
            self.net,
            self.parts,
            self.state,
            self.scratch,
            self.prices,
            self.price,
            self.legs,
            deep,
            dial,
            self.order,
            begin,
            moves,
            moved,
        )
        return end, int(moved[0])

    def give_back(self, lists: Int32s, limit: float, only: Flags | None = None) -> int:
        """Smallest first, give parts these lists where no link then passes `limit`; how many took theirs."""
        fine = self.fits(lists)
        order = self.order[::-1]
        order = order[fine[order]] if only is None else order[(fine & only)[order]]
        return prune(self.net, self.parts, self.state, self.scratch, order.copy(), limit, lists)


def _legs(n: int) -> Legs:
    def whole() -> Ints:
        return np.zeros((n, n), np.int64)

    def real() -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
        return np.zeros((n, n))

    def short() -> Int32s:
        return np.zeros((n, n), np.int32)

    return Legs(real(), short(), whole(), real(), short(), whole())
