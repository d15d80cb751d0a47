"""Plain IPv6 shortest-path routes of a lab's routers, with equal-cost next hops: what an IGP would install. Pure."""

from typing import Final

import numpy as np

from suanwang.lab.layout import Layout
from suanwang.net.igp import Plane, build_plane

# A number of our own among the kernel's route protocols, so that nobody else's routes are touched.
PROTOCOL: Final = 201


def plane_of(layout: Layout, down: frozenset[int] = frozenset()) -> Plane:
    """The IGP plane without the links that are down (places of `layout.links`)."""
    usable = np.ones(layout.topology.m, np.bool_)
    for link in layout.links:
        if link.at in down:
            usable[[link.forth.directed, link.back.directed]] = False
    return build_plane(layout.topology, usable=usable)


def route_lines(layout: Layout, plane: Plane, node: int) -> tuple[list[str], list[str]]:
    """`ip -6 -batch` lines of one router, to each locator and host prefix: the routes that stand, and the removal of
    those that there is no way for (which may be gone already)."""
    plan = layout.addressing
    wanted: list[str] = []
    gone: list[str] = []
    for target in range(layout.topology.n):
        if target == node:
            continue
        hops = plane.hops[plane.first[target, node] : plane.first[target, node + 1]].tolist()
        for prefix in (plan.locator(target), plan.host_prefix(target)):
            if not hops:
                gone.append(f"route del {prefix} proto {PROTOCOL}")
                continue
            over = [f"via {plan.gateway(link)} dev {layout.device(link)}" for link in hops]
            way = over[0] if len(over) == 1 else " ".join(f"nexthop {one}" for one in over)
            wanted.append(f"route replace {prefix} proto {PROTOCOL} src {plan.loopback(node)} {way}")
    return wanted, gone
