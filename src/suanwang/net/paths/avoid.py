"""What a flow must not cross, as one flag a directed link; and which legs that closes.

A node that is avoided closes every link into and out of it. A leg is closed when any of its equal-cost paths takes an
avoided link: the network spreads traffic over all of them, whatever the controller would like. The planes are those that
the routers run, so nothing is searched on a plane without the avoided links.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from suanwang.net.igp.shares import Int32s
from suanwang.net.jit import inner, lean
from suanwang.net.network import Flags
from suanwang.net.paths.tables import Bytes
from suanwang.net.topology import Topology


@dataclass(frozen=True)
class Avoid:
    """Directed links, nodes and shared-risk groups as numbers; `regions` are names, given to nodes by the engine."""

    links: tuple[int, ...] = ()
    nodes: tuple[int, ...] = ()
    groups: tuple[int, ...] = ()
    regions: tuple[str, ...] = ()


def avoided_links(topology: Topology, avoid: Avoid, region_of: tuple[str, ...] = ()) -> Flags:
    """(m,): the links that are avoided. A link of a node that is avoided is one of them."""
    flags = np.zeros(topology.m, np.bool_)
    flags[list(avoid.links)] = True
    for group in avoid.groups:
        flags[topology.links_of_risk(group)] = True
    nodes = np.zeros(topology.n, np.bool_)
    nodes[list(avoid.nodes)] = True
    if avoid.regions:
        assert len(region_of) == topology.n, "the engine was told where its nodes are"
        nodes |= np.isin(np.array(region_of), list(avoid.regions))
    out: Flags = flags | nodes[topology.source] | nodes[topology.target]
    return out


def apart_from(topology: Topology, links: Iterable[int], nodes: bool = False) -> Flags:
    """(m,): the links that a standby of these must not use: they, their other directions, and all that share a risk group
    with one of them; with `nodes` also every link of a node that they pass (its ends left out)."""
    used = sorted(set(links))
    flags = np.zeros(topology.m, np.bool_)
    flags[used] = True
    back = topology.reverse[used]
    flags[back[back >= 0]] = True
    both = np.flatnonzero(flags)
    for group in sorted({int(one) for link in both.tolist() for one in topology.risks_of(link)}):
        flags[topology.links_of_risk(group)] = True
    if nodes:
        passed = set(topology.source[used].tolist()) & set(topology.target[used].tolist())
        flags |= np.isin(topology.source, list(passed)) | np.isin(topology.target, list(passed))
    return flags


@inner
def leg_closed(leg: int, avoided: Bytes, spans: Int32s, carry: Int32s) -> int:
    """1 if any equal-cost path of a leg takes an avoided link."""
    for at in range(spans[leg, 0], spans[leg, 1]):
        if avoided[carry[at, 0]] != 0:
            return 1
    return 0


@lean
def close_ends(s: int, t: int, n: int, avoided: Bytes, spans: Int32s, carry: Int32s, closed: Bytes) -> None:
    """Of all legs from s and all legs to t, on every plane: which are closed. The rest of `closed` is left as it was."""
    for plane in range(len(spans) // (n * n)):
        for k in range(n):
            leg = (plane * n + s) * n + k
            closed[leg] = leg_closed(leg, avoided, spans, carry)
            leg = (plane * n + k) * n + t
            closed[leg] = leg_closed(leg, avoided, spans, carry)


@lean
def close_all(avoided: Bytes, spans: Int32s, carry: Int32s, closed: Bytes) -> None:
    """Of every leg: whether it is closed."""
    for leg in range(len(spans)):
        closed[leg] = leg_closed(leg, avoided, spans, carry)
