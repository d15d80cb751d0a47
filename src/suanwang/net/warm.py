"""Make the compiled parts of `paths`, `te` and `igp` ready before the first flow waits for them."""

import numpy as np

from suanwang.net.igp import build_plane, build_shares
from suanwang.net.network import Ints
from suanwang.net.paths import Avoid, Engine, Flow, Refused
from suanwang.net.paths.protection import Pools
from suanwang.net.paths.sinks import Sink
from suanwang.net.te import Settings, failures_of, optimise, repair
from suanwang.net.topology import Demands, Topology, make_topology

NODES = 6
HOUSE = ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0), (1, 4), (2, 5))  # a ring with two chords
FULL_BPS = 10_000_000


def whole(*of: int) -> Ints:
    return np.array(of, np.int64)


def house() -> Topology:
    """Cables both ways, of which some share a risk; equal costs, and a long way round."""
    ends = [one for a, b in HOUSE for one in ((a, b), (b, a))]
    links = range(len(ends))
    return make_topology(
        "warm",
        [f"n{at}" for at in range(NODES)],
        [f"l{at}" for at in links],
        whole(*(a for a, _ in ends)),
        whole(*(b for _, b in ends)),
        whole(*(1 + at // 2 % 2 for at in links)),
        whole(*(FULL_BPS for _ in links)),
        whole(*(100 + at // 2 for at in links)),
        risks=[["duct"] if at < 4 else [] for at in links],
    )


def warm_paths() -> None:
    """One of every request, and as many as it takes until there is no room."""
    topology = house()
    pools = Pools(whole(2, 3), whole(FULL_BPS, FULL_BPS), whole(1, 1), whole(0, -1))
    engine = Engine(topology, np.arange(1, topology.m + 1), slots=2, region_of=["a"] * NODES, pools=pools)
    columns = np.array([[0, 1], [3, 4], [1, 1], [10**6, 10**6], [0, 0], [2, 1]], np.int64)
    handles = engine.admit_batch(columns)
    engine.resize(int(handles[0]), 2)
    engine.standby(int(handles[0]), Avoid(links=(14,)), apart_nodes=True)
    engine.request(Flow(0, 3, 1, chain=(0,)))
    engine.request(Flow(0, 3, 1, chain=(0,), avoid=Avoid(links=(14,))))
    engine.request_any(Flow(0, 0, 1, avoid=Avoid(links=(14,))), [Sink(1, 1, 1)])
    engine.release_batch(handles)
    while engine.request(Flow(0, 3, FULL_BPS // 3)) != Refused.NO_ROOM:
        pass
    engine.request(Flow(0, 3, FULL_BPS // 3, avoid=Avoid(links=(14,))))
    engine.request(Flow(0, 3, FULL_BPS // 3, chain=(0,)))
    engine.admit(0, 3, 1, 1)
    engine.advance(1)


def warm_te() -> None:
    """Optimise with each kind of list, and mend a failure."""
    topology = house()
    pairs = [(a, b) for a in range(NODES) for b in range(NODES) if a != b]
    source, target = whole(*(a for a, _ in pairs)), whole(*(b for _, b in pairs))
    bps = whole(*(FULL_BPS // (3 + at % 5) for at in range(len(pairs))))
    demands = Demands(tuple(map(str, range(len(pairs)))), source, target, bps)
    plane = build_plane(topology)
    shares, bound_us = build_shares(plane), np.full(len(pairs), 10**6)
    optimise(plane, shares, demands, bound_us, settings=Settings(segments=3))
    found = optimise(plane, shares, demands, bound_us, settings=Settings(ways=2))
    repair(topology, demands, found.policies, next(iter(failures_of(topology))), found.mlu, bound_us)
