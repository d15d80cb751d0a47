"""The routed network of a grid: site s is node s, and link l is the directed links 2l (a to b) and 2l + 1 (b to a)."""

import numpy as np

from suanwang.model.grid import Grid, Link, LinkKind
from suanwang.net.topology.topology import IGP_WEIGHT_MAX, Topology, make_topology

# Where the grid file says no weight, the IGP prefers the shorter fibre: one unit for 10 us, which is 2 km.
US_PER_WEIGHT = 10


def topology_of_grid(grid: Grid) -> Topology:
    """The arrays of a checked grid."""
    node_of = {site.id: at for at, site in enumerate(grid.sites)}
    a = np.array([node_of[link.a] for link in grid.links], np.int64)
    b = np.array([node_of[link.b] for link in grid.links], np.int64)
    source, target = np.empty(2 * len(a), np.int64), np.empty(2 * len(a), np.int64)
    source[::2], source[1::2], target[::2], target[1::2] = a, b, b, a
    return make_topology(
        grid.id,
        [site.id for site in grid.sites],
        [f"{link.id}:{way}" for link in grid.links for way in ("ab", "ba")],
        source,
        target,
        np.repeat(np.array([igp_weight(link) for link in grid.links], np.int64), 2),
        np.repeat(np.array([link.capacity_bps for link in grid.links], np.int64), 2),
        np.repeat(np.array([link.latency_us for link in grid.links], np.int64), 2),
        longitude=np.array([site.longitude for site in grid.sites], np.float64),
        latitude=np.array([site.latitude for site in grid.sites], np.float64),
        satellite=np.repeat(np.array([link.kind is LinkKind.SATELLITE for link in grid.links], np.bool_), 2),
        risks=[link.shared_risk_groups for link in grid.links for _ in range(2)],
    )


def igp_weight(link: Link) -> int:
    """What the grid file says, or the latency in units of `US_PER_WEIGHT`, at least 1."""
    if link.igp_weight is not None:
        return link.igp_weight
    return min(IGP_WEIGHT_MAX, max(1, -(-link.latency_us // US_PER_WEIGHT)))
