"""One search from an origin to every site: least cost, then least latency, then fewest links, within a latency bound.

Labels are settled in the order of (cost, latency, links, made first). Where a bound is given, a later label of the
same site is kept only if its latency is less than that of every one before it: a dearer but shorter way there may be
the only one that can still be extended within the bound. A protection chain adds stages: at a site with a security
pool of the next function a label may step to the next stage, at that pool's price and without time. Within one
stage a walk never comes twice to a site, since the label that goes round would have more links and no gain.
"""

import heapq
from dataclasses import dataclass

import numpy as np

from suanwang.net.jit import kernel
from suanwang.net.network import FUNCTIONS, Flags, Ints, Network
from suanwang.net.tree import Tree

NO_BOUND_US = 2**62
# No sum of costs along a walk may pass 63 bits: 2**62 over 5 stages of 3,000 sites, rounded down to a power of two.
# A price above it (281 million yuan for one Gbit/s in one hour) counts as this one when paths are compared.
COST_MAX = 2**48


@dataclass(frozen=True)
class Rules:
    """What a search may use. `chain` holds indices into `FUNCTIONS`, in the order in which traffic passes them."""

    edge_ok: Flags
    edge_cost: Ints
    sec_ok: Flags
    sec_cost: Ints
    chain: tuple[int, ...] = ()
    bound_us: int = NO_BOUND_US


def search(network: Network, origin: int, rules: Rules) -> Tree:
    """The best path from `origin` to every site under `rules`."""
    assert all(0 <= one < len(FUNCTIONS) for one in rules.chain), "a chain names functions"
    firsts, outs = _stage_tables(network, rules.chain)
    arrays = _search(
        network.first,
        network.out,
        network.to,
        network.latency_us,
        np.minimum(rules.edge_cost, COST_MAX),
        rules.edge_ok,
        firsts,
        outs,
        np.minimum(rules.sec_cost, COST_MAX),
        rules.sec_ok,
        origin,
        rules.bound_us,
        rules.bound_us < NO_BOUND_US,
    )
    return Tree(origin, len(network.to), *arrays)


def _stage_tables(network: Network, chain: tuple[int, ...]) -> tuple[Ints, Ints]:
    """The adjacency of security pools for each stage, padded to one width."""
    firsts = np.zeros((len(chain), len(network.first)), dtype=np.int64)
    width = max([1, *(len(network.sec_out[one]) for one in chain)])
    outs = np.zeros((len(chain), width), dtype=np.int64)
    for stage, one in enumerate(chain):
        firsts[stage] = network.sec_first[one]
        outs[stage, : len(network.sec_out[one])] = network.sec_out[one]
    return firsts, outs


@kernel
def _search(
    first: Ints,
    out: Ints,
    to: Ints,
    edge_latency: Ints,
    edge_cost: Ints,
    edge_ok: Flags,
    sec_firsts: Ints,
    sec_outs: Ints,
    sec_cost: Ints,
    sec_ok: Flags,
    origin: int,
    bound_us: int,
    pareto: bool,
) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Labels that lie on a best path: (best label of each node or -1, parent, via, cost, latency).

    `via` of a label is the edge taken into it, `-2 - pool` for a security pool passed, -1 for the origin.
    """
    nodes = len(first) - 1
    stages = sec_firsts.shape[0] + 1
    far = np.int64(2**62)
    room = nodes * stages * 2 + 16
    state = np.empty(room, np.int64)
    parent = np.empty(room, np.int64)
    via = np.empty(room, np.int64)
    cost = np.empty(room, np.int64)
    latency = np.empty(room, np.int64)
    least = np.full(nodes * stages, far)
    # The last label made of each state. One that comes after it in the order and is no quicker would find it settled.
    known_cost, known_late = np.full(nodes * stages, far), np.full(nodes * stages, far)
    known_hops = np.full(nodes * stages, far)
    best = np.full(nodes, -1, np.int64)
    state[0], parent[0], via[0], cost[0], latency[0] = origin * stages, -1, -1, 0, 0
    made = 1
    heap = [(np.int64(0), np.int64(0), np.int64(0), np.int64(0))]
    while len(heap) > 0:
        _, late, hops, label = heapq.heappop(heap)
        here = state[label]
        if late >= least[here]:
            continue
        least[here] = late if pareto else -1
        node, stage = here // stages, here % stages
        if stage == stages - 1:
            if best[node] < 0:
                best[node] = label
            lo_sec, hi_sec = np.int64(0), np.int64(0)
        else:
            lo_sec, hi_sec = sec_firsts[stage, node], sec_firsts[stage, node + 1]
        lo, hi = first[node], first[node + 1]
        if made + (hi - lo) + (hi_sec - lo_sec) > len(state):
            room = 2 * len(state) + (hi - lo) + (hi_sec - lo_sec)
            state, parent, via = _longer(state, room), _longer(parent, room), _longer(via, room)
            cost, latency = _longer(cost, room), _longer(latency, room)
        for at in range(lo_sec, hi_sec):
            pool = sec_outs[stage, at]
            if sec_ok[pool] and late < least[here + 1]:
                price = cost[label] + sec_cost[pool]
                known = known_cost[here + 1], known_late[here + 1], known_hops[here + 1]
                if known <= (price, late, hops) and (not pareto or known[1] <= late):
                    continue
                known_cost[here + 1], known_late[here + 1], known_hops[here + 1] = price, late, hops
                state[made], parent[made], via[made] = here + 1, label, -2 - pool
                cost[made], latency[made] = price, late
                heapq.heappush(heap, (cost[made], late, hops, np.int64(made)))
                made += 1
        for at in range(lo, hi):
            edge = out[at]
            there = to[edge] * stages + stage
            then = late + edge_latency[edge]
            if edge_ok[edge] and then <= bound_us and then < least[there]:
                price = cost[label] + edge_cost[edge]
                known = known_cost[there], known_late[there], known_hops[there]
                if known <= (price, then, hops + 1) and (not pareto or known[1] <= then):
                    continue
                known_cost[there], known_late[there], known_hops[there] = price, then, hops + 1
                state[made], parent[made], via[made] = there, label, edge
                cost[made], latency[made] = price, then
                heapq.heappush(heap, (cost[made], then, hops + 1, np.int64(made)))
                made += 1
    return _used(best, parent, via, cost, latency, made)


@kernel
def _longer(array: Ints, room: int) -> Ints:
    out = np.empty(room, np.int64)
    out[: len(array)] = array
    return out


@kernel
def _used(
    best: Ints, parent: Ints, via: Ints, cost: Ints, latency: Ints, made: int
) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Keep the labels that lie on a best path, in the order in which they were made (a parent before its children)."""
    new = np.full(made, -1, np.int64)
    for node in range(len(best)):
        label = best[node]
        while label >= 0 and new[label] < 0:
            new[label] = 0
            label = parent[label]
    count = 0
    for label in range(made):
        if new[label] == 0:
            new[label] = count
            count += 1
    kept = np.empty((4, count), np.int64)
    for label in range(made):
        at = new[label]
        if at >= 0:
            kept[0, at] = new[parent[label]] if parent[label] >= 0 else -1
            kept[1, at], kept[2, at], kept[3, at] = via[label], cost[label], latency[label]
    found = np.full(len(best), -1, np.int64)
    for node in range(len(best)):
        if best[node] >= 0:
            found[node] = new[best[node]]
    return found, kept[0], kept[1], kept[2], kept[3]
