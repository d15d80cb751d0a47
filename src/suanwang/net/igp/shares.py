"""The ECMP shares of every pair: which links carry how much of one unit from s to t."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from suanwang.net.igp.tables import Plane
from suanwang.net.jit import lean
from suanwang.net.network import Ints
from suanwang.net.topology.topology import Reals

Int32s = npt.NDArray[np.int32]

# A share in whole numbers: units of 2**-SHARE_BITS, rounded up. What is reserved by it is never less than what flows.
SHARE_BITS: Final = 30
ROOM_PER_PAIR: Final = 16  # links a pair; where it is not enough, the second pass knows how many


@dataclass(frozen=True, eq=False)
class Shares:
    """The links of the pair (s, t) are `link[first[s * n + t]:last[s * n + t]]`, nearest to s first, with their `share` of one
    unit (0 < share <= 1) and `fixed`, the same in units of 2**-30, rounded up."""

    plane: Plane
    first: Ints  # (n * n,)
    last: Ints  # (n * n,)
    link: Int32s
    share: Reals
    fixed: Ints

    @property
    def entries(self) -> int:
        return len(self.link)


def build_shares(plane: Plane) -> Shares:
    """The shares of all pairs of a plane."""
    n = plane.topology.n
    first, last, flow = np.zeros(n * n, np.int64), np.zeros(n * n, np.int64), np.zeros(n, np.float64)
    tables = plane.count, plane.order, plane.first, plane.hops, plane.topology.target
    link, share = np.empty(ROOM_PER_PAIR * n * n, np.int32), np.empty(ROOM_PER_PAIR * n * n, np.float64)
    used = _shares(*tables, flow, first, last, link, share)
    if used > len(link):
        link, share = np.empty(used, np.int32), np.empty(used, np.float64)
        _shares(*tables, flow, first, last, link, share)
    link, share = link[:used], share[:used]
    fixed = np.minimum(np.ceil(share * float(1 << SHARE_BITS) + 1e-6), float(1 << SHARE_BITS)).astype(np.int64)
    return Shares(plane, first, last, link, share, fixed)


@lean
def _shares(
    count: Ints,
    order: Ints,
    first: Ints,
    hops: Ints,
    target: Ints,
    flow: Reals,
    starts: Ints,
    ends: Ints,
    link: Int32s,
    share: Reals,
) -> int:
    """Fill as far as there is room; how many entries there are. `flow` is (n,) of zeros, and is so again at the end."""
    n = len(count)
    used = 0
    room = len(link)
    for to in range(n):
        for place in range(1, count[to]):
            s = order[to, place]
            starts[s * n + to] = used
            flow[s] = 1.0
            for back in range(place, 0, -1):
                u = order[to, back]
                amount = flow[u]
                if amount > 0.0:
                    flow[u] = 0.0
                    low, high = first[to, u], first[to, u + 1]
                    part = amount / (high - low)
                    for at in range(low, high):
                        if used < room:
                            link[used] = hops[at]
                            share[used] = part
                        used += 1
                        flow[target[hops[at]]] += part
            flow[to] = 0.0
            ends[s * n + to] = used
    return used
