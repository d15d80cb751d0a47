"""A grid's network as arrays. A directed link is `2 * link`, or `2 * link + 1` from b to a."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from suanwang.model.grid import Grid, ProtectionFunction
from suanwang.model.ids import SiteId

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

FUNCTIONS = tuple(ProtectionFunction)


@dataclass(frozen=True)
class Network:
    """Arrays over sites (nodes), directed links (edges) and security pools, each in the order of the grid file.

    `first` and `out` are the compressed adjacency: the edges that leave node n are `out[first[n]:first[n + 1]]`.
    `sec_first[f]` and `sec_out[f]` are the same for the security pools of function f at node n.
    """

    node_of: dict[SiteId, int]
    first: Ints
    out: Ints
    to: Ints
    latency_us: Ints
    capacity_bps: Ints
    price_gbps_hour: Ints
    price_gib: Ints
    sec_node: Ints
    sec_capacity_bps: Ints
    sec_price: Ints
    sec_first: tuple[Ints, ...]
    sec_out: tuple[Ints, ...]


def build_network(grid: Grid) -> Network:
    """The arrays of a checked grid."""
    node_of = {site.id: at for at, site in enumerate(grid.sites)}
    ends = [(node_of[link.a], node_of[link.b]) for link in grid.links]
    to = _ints(node for a, b in ends for node in (b, a))
    leave = _ints(node for a, b in ends for node in (a, b))
    pools = [(pool, node_of[site.id]) for site in grid.sites for pool in site.security_pools]
    sec_node = _ints(node for _, node in pools)
    tables = []
    for function in FUNCTIONS:
        held = np.flatnonzero(np.array([pool.function is function for pool, _ in pools], dtype=np.bool_))
        tables.append(_compress(sec_node[held], held.astype(np.int64), len(node_of)))
    first, out = _compress(leave, np.arange(len(leave), dtype=np.int64), len(node_of))
    return Network(
        node_of=node_of,
        first=first,
        out=out,
        to=to,
        latency_us=_twice(link.latency_us for link in grid.links),
        capacity_bps=_twice(link.capacity_bps for link in grid.links),
        price_gbps_hour=_twice(link.price_micro_yuan_per_gbps_hour for link in grid.links),
        price_gib=_twice(link.price_micro_yuan_per_gib for link in grid.links),
        sec_node=sec_node,
        sec_capacity_bps=_ints(pool.capacity_bps for pool, _ in pools),
        sec_price=_ints(pool.price_micro_yuan_per_gbps_hour for pool, _ in pools),
        sec_first=tuple(one for one, _ in tables),
        sec_out=tuple(two for _, two in tables),
    )


def _ints(values: Iterable[int]) -> Ints:
    return np.array(list(values), dtype=np.int64)


def _twice(values: Iterable[int]) -> Ints:
    return np.repeat(_ints(values), 2)


def _compress(node: Ints, item: Ints, nodes: int) -> tuple[Ints, Ints]:
    """Items sorted by their node, with the place where each node's items begin."""
    first = np.zeros(nodes + 1, dtype=np.int64)
    np.add.at(first, node + 1, 1)
    return np.cumsum(first), item[np.argsort(node, kind="stable")]
