"""The cheapest walk over single links within a latency bound, and the shortest segment list that pins it.

The walk is searched by labels (`net.search`, Pareto fronts of price and latency), over links that have room for the whole
flow. A stretch of a walk can be one node segment of a plane when the plane's only path between its ends is that stretch;
every single link can be its adjacency segment (End.X). What is so for a stretch is so for each stretch within it, hence
taking the longest one each time gives the fewest segments.
"""

from collections.abc import Sequence

import numpy as np

from suanwang.net.network import FUNCTIONS, Flags, Ints, Network
from suanwang.net.paths.tables import FIRST, LAST, Tables
from suanwang.net.search import Rules, search
from suanwang.net.tree import Walk


def network_of(tables: Tables, pool_node: Ints, pool_price: Ints, pool_function: Ints) -> Network:
    """The arrays of `net.search` for a topology and pools; function -1 is none of the protection functions."""
    topology = tables.topology
    firsts, outs = [], []
    for function in range(len(FUNCTIONS)):
        held = np.flatnonzero(pool_function == function)
        held = held[np.argsort(pool_node[held], kind="stable")].astype(np.int64)
        first = np.zeros(topology.n + 1, np.int64)
        np.add.at(first, pool_node[held] + 1, 1)
        firsts.append(np.cumsum(first))
        outs.append(held)
    return Network(
        node_of={},
        first=topology.first,
        out=topology.out,
        to=topology.target,
        latency_us=topology.latency_us,
        capacity_bps=topology.capacity_bps,
        price_gbps_hour=tables.price,
        price_gib=np.zeros(topology.m, np.int64),
        sec_node=pool_node,
        sec_capacity_bps=np.zeros(len(pool_node), np.int64),
        sec_price=pool_price,
        sec_first=tuple(firsts),
        sec_out=tuple(outs),
    )


def strict_walk(
    network: Network,
    source: int,
    target: int,
    bound_us: int,
    link_ok: Flags,
    pool_ok: Flags,
    chain: tuple[int, ...] = (),
) -> Walk | None:
    """The cheapest walk within the bound over the links that may be used, past a pool of each function in order."""
    rules = Rules(link_ok, network.price_gbps_hour, pool_ok, network.sec_price, chain, bound_us)
    tree = search(network, source, rules)
    return tree.walk(target) if tree.best[target] >= 0 else None


def pin(tables: Tables, links: Sequence[int], stops: Sequence[int] = ()) -> list[int]:
    """The legs of the fewest segments that send traffic over exactly these links. `stops` are places in the walk (links
    before them) where a segment must end."""
    legs: list[int] = []
    at = 0
    while at < len(links):
        wall = min([one for one in stops if one > at], default=len(links))
        leg, at = _longest(tables, links, at, wall)
        legs.append(leg)
    return legs


def _longest(tables: Tables, links: Sequence[int], at: int, wall: int) -> tuple[int, int]:
    """The leg that pins the longest stretch from `at`, and where it ends."""
    n = tables.n
    start = int(tables.topology.source[links[at]])
    best, end = -1 - links[at], at + 1
    for plane in range(len(tables.planes)):
        for until in range(at + 1, wall + 1):
            leg = (plane * n + start) * n + int(tables.topology.target[links[until - 1]])
            first, last = int(tables.spans[leg, FIRST]), int(tables.spans[leg, LAST])
            if tables.carry[first:last, 0].tolist() != list(links[at:until]):
                break
            if until > end or (until == end and best < 0):
                best, end = leg, until
    return best, end
