"""A lower bound on the maximum link utilisation of any routing whatever: the multi-commodity flow.

For prices y >= 0 of the links (of a unit of utilisation, so of capacity times y) each demand costs at least its cheapest
path, however it is split, and sum of y * capacity * utilisation is at most the greatest utilisation times sum of
y * capacity. So

    sum over demands of bps * distance_y(source, target)  /  sum over links of y * capacity

is at most the MLU of every routing (weak duality). `price_bound` computes that, in all cases from the final prices: a
solver's tolerances cannot make it too high. Prices come from HiGHS (`lp_bound`: one commodity a target, then it is the
least MLU itself but for tolerances) or, where that takes too long, from mirror ascent (`ascent_bound`: weaker).
"""

import math
from typing import Final, Literal, NamedTuple

import highspy
import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

LP_SECONDS: Final = 120.0
ROUNDS: Final = 600  # of the ascent: within 2 to 4 % of the program on networks of 36 to 110 nodes
TARGET: Final = 0.4  # above the best bound, at first; half of it after TARGET_ROUNDS
TARGET_ROUNDS: Final = 50
STEP_MOST: Final = 2.0  # of the logarithm of a price

Kind = Literal["lp", "dual"]


class Flows(NamedTuple):
    """Directed links (m,) over `n` nodes, and demands as a matrix bps[source, target]; capacities above 0."""

    n: int
    source: I64
    target: I64
    capacity_bps: F64
    bps: F64


class McfBound(NamedTuple):
    """A lower bound on the MLU, of the linear program or of weaker prices."""

    mlu: float
    kind: Kind


def flows_of(n: int, source: I64, target: I64, capacity_bps: I64, demands: tuple[I64, I64, I64]) -> Flows:
    """Parallel links as one, no loops; demands (source, target, bps) of one pair as one, those with no path left out."""
    pair, where = np.unique(source * n + target, return_inverse=True)
    capacity = np.bincount(where, weights=capacity_bps.astype(np.float64), minlength=len(pair))
    keep = (pair // n != pair % n) & (capacity > 0)
    matrix = np.zeros((n, n))
    np.add.at(matrix, (demands[0], demands[1]), demands[2].astype(np.float64))
    np.fill_diagonal(matrix, 0.0)
    flows = Flows(n, pair[keep] // n, pair[keep] % n, capacity[keep], matrix)
    matrix[~np.isfinite(distances(flows, np.ones(int(keep.sum()))))] = 0.0
    return flows


def distances(flows: Flows, price: F64) -> F64:
    """(n, n): least sum of prices from each node to each, by Bellman and Ford's recursion; infinite where no path is."""
    far = np.full((flows.n, flows.n), np.inf)
    np.fill_diagonal(far, 0.0)
    heads, begins = np.unique(flows.source, return_index=True)  # links are sorted by source
    for _ in range(flows.n):
        near = far.copy()
        if len(heads):
            step = np.minimum.reduceat(price[:, None] + far[flows.target], begins, axis=0)
            near[heads] = np.minimum(near[heads], step)
        if np.array_equal(near, far):
            break
        far = near
    return far


def price_bound(flows: Flows, price: F64) -> float:
    """The bound at these prices; 0 where they prove nothing."""
    assert bool((price >= 0).all()), "a negative price proves nothing"
    room = float(price @ flows.capacity_bps)
    far = distances(flows, price)
    return float((flows.bps * np.where(flows.bps > 0, far, 0.0)).sum()) / room if room > 0 else 0.0


def mcf_bound(flows: Flows, seconds: float = LP_SECONDS) -> McfBound:
    """The linear program's bound, or the ascent's if the solver does not end in time."""
    found = lp_bound(flows, seconds)
    return found if found.kind == "lp" else max(found, ascent_bound(flows), key=lambda one: one.mlu)


def lp_bound(flows: Flows, seconds: float = LP_SECONDS) -> McfBound:
    """One commodity a target; 'dual' and 0 where the time ran out first."""
    model = highspy.Highs()
    model.silent()
    for name, value in (("threads", 1), ("solver", "ipm"), ("run_crossover", "off"), ("time_limit", seconds)):
        model.setOptionValue(name, value)
    model.passModel(_program(flows))
    model.run()
    if model.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return McfBound(0.0, "dual")
    links = len(flows.source)
    duals = np.abs(np.array(model.getSolution().row_dual)[-links:]) if links else np.zeros(0)
    return McfBound(price_bound(flows, duals / flows.capacity_bps), "lp")


def _program(flows: Flows) -> highspy.HighsLp:
    """Least U so that for each link sum of flows - U * capacity <= 0, in parts of the link's capacity.

    Columns: U, then links of each target of traffic in turn. Rows: nodes of each target (what leaves less what comes is what the
    node sends there), then links.
    """
    n, m = flows.n, len(flows.source)
    targets = np.flatnonzero(flows.bps.sum(axis=0) > 0)  # nothing is sent to the others
    unit = float(flows.bps[flows.bps > 0].mean()) if len(targets) else 1.0
    number = np.repeat(np.arange(len(targets)), m)
    to = targets[number]
    link = np.tile(np.arange(m), len(targets))
    keep = flows.source[link] != to  # nothing leaves its target
    number, to, link = number[keep], to[keep], link[keep]
    columns, nodes = len(to), n * len(targets)
    rows = np.stack((number * n + flows.source[link], number * n + flows.target[link], nodes + link), axis=1)
    values = np.stack((np.ones(columns), -np.ones(columns), unit / flows.capacity_bps[link]), axis=1)
    values[flows.target[link] == to, 1] = 0.0  # the target's own row is free
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = columns + 1, nodes + m
    model.col_cost_ = np.concatenate(([1.0], np.zeros(columns)))
    model.col_lower_ = np.zeros(columns + 1)
    model.col_upper_ = np.full(columns + 1, highspy.kHighsInf)
    need = flows.bps / unit
    np.fill_diagonal(need, 0.0)
    need = need.T[targets].copy()
    model.row_lower_ = np.concatenate((need.ravel(), np.full(m, -highspy.kHighsInf)))
    model.row_upper_ = np.concatenate((need.ravel(), np.zeros(m)))
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    starts = np.concatenate(([0], m + 3 * np.arange(columns + 1)))
    model.a_matrix_.start_ = starts.astype(np.int32)
    model.a_matrix_.index_ = np.concatenate((nodes + np.arange(m), rows.ravel())).astype(np.int32)
    model.a_matrix_.value_ = np.concatenate((-np.ones(m), values.ravel()))
    return model


def ascent_bound(flows: Flows, rounds: int = ROUNDS) -> McfBound:
    """Mirror ascent on the prices: they grow where cheapest paths would load a link more than its prices are worth.

    The step is Polyak's, in the metric of the entropy, towards a target above the best bound so far that sinks to it. The
    bound is the best of a price's, or of the prices' mean that gives late ones more weight.
    """
    weight, mean, best = np.zeros(len(flows.source)), np.zeros(len(flows.source)), 0.0
    kept = mean
    for at in range(rounds if len(weight) else 0):
        part = np.exp(weight - weight.max())  # of the price of the whole network's capacity
        part /= part.sum()
        used = _loads(flows, part / flows.capacity_bps) / flows.capacity_bps
        value = float(part @ used)
        best, kept = (value, part) if value > best else (best, kept)
        above = used - value
        if not above.any():
            break
        miss = best * (1 + TARGET / (1 + at / TARGET_ROUNDS)) - value
        weight += min(miss / float(part @ (above * above)), STEP_MOST / float(np.abs(above).max())) * above
        mean += (part - mean) * 3 / (at + 3)
    return McfBound(max(price_bound(flows, price / flows.capacity_bps) for price in (kept, mean)), "dual")


def _loads(flows: Flows, price: F64) -> F64:
    """Load of each link where each demand takes its cheapest path: from the farthest node in, all targets at once."""
    n = flows.n
    far = distances(flows, price)
    hop = np.full((n, n), -1, np.int64)  # [node, target] -> link
    heads, begins = np.unique(flows.source, return_index=True)
    ends = np.append(begins[1:], len(flows.source))
    for node, low, high in zip(heads.tolist(), begins.tolist(), ends.tolist(), strict=True):
        hop[node] = low + np.argmin(price[low:high, None] + far[flows.target[low:high]], axis=0)
    order = np.argsort(-far, axis=0, kind="stable")
    waiting, load, every = flows.bps.copy(), np.zeros(len(flows.source)), np.arange(n)
    for rank in range(n):
        node = order[rank]
        moves = np.isfinite(far[node, every]) & (node != every) & (waiting[node, every] > 0)
        to, at = every[moves], node[moves]
        amount, link = waiting[at, to], hop[at, to]
        load += np.bincount(link, weights=amount, minlength=len(load))
        waiting[flows.target[link], to] += amount
    return load


def gap(mlu: float, bound: float) -> float:
    """How far above the bound a result is, as a part of the bound."""
    return mlu / bound - 1.0 if bound > 0 else math.inf
