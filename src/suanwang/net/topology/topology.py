"""A routed network as arrays over nodes and directed links, the form that every engine of `net` works on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from suanwang.net.network import Flags, Ints

Reals = npt.NDArray[np.float64]

# Tables of all pairs take 100 bytes a pair and more: 4,000 nodes are 1.6 GB, and no operator's IGP area is larger.
NODES_MAX: Final = 4_000
# A path's distance is a sum of at most NODES_MAX weights, and IS-IS wide metrics (RFC 5305) have 24 bits.
IGP_WEIGHT_MAX: Final = 2**24 - 1


@dataclass(frozen=True, eq=False)
class Topology:
    """`m` directed links over `n` nodes; the arrays of links have the shape (m,), in the order of the source.

    `out[first[u]:first[u + 1]]` are the links that leave u, `into[into_first[v]:into_first[v + 1]]` those that end
    at v. `reverse[e]` is the other direction of the same cable, -1 where the source has none. The shared-risk groups
    of link e are `risk[risk_first[e]:risk_first[e + 1]]`, numbers into `risk_groups`.
    """

    name: str
    nodes: tuple[str, ...]
    links: tuple[str, ...]
    longitude: Reals
    latitude: Reals
    source: Ints
    target: Ints
    weight: Ints
    capacity_bps: Ints
    latency_us: Ints
    satellite: Flags
    reverse: Ints
    risk_groups: tuple[str, ...]
    risk_first: Ints
    risk: Ints
    first: Ints
    out: Ints
    into_first: Ints
    into: Ints

    @property
    def n(self) -> int:
        return len(self.nodes)

    @property
    def m(self) -> int:
        return len(self.links)

    def risks_of(self, link: int) -> Ints:
        return self.risk[self.risk_first[link] : self.risk_first[link + 1]]

    def links_of_risk(self, group: int) -> Ints:
        """The directed links of one shared-risk group, ascending."""
        owner = np.repeat(np.arange(self.m), np.diff(self.risk_first))
        return np.unique(owner[self.risk == group]).astype(np.int64)


def make_topology(
    name: str,
    nodes: Sequence[str],
    links: Sequence[str],
    source: Ints,
    target: Ints,
    weight: Ints,
    capacity_bps: Ints,
    latency_us: Ints,
    *,
    longitude: Reals | None = None,
    latitude: Reals | None = None,
    satellite: Flags | None = None,
    risks: Sequence[Sequence[str]] | None = None,
) -> Topology:
    """The arrays with their indices. The columns are checked by whoever read them; here they are asserted."""
    n, m = len(nodes), len(links)
    columns = (source, target, weight, capacity_bps, latency_us)
    assert n <= NODES_MAX and all(len(one) == m for one in columns), "one value a link"
    assert all(bool(np.all((one >= 0) & (one < n))) for one in (source, target)), "ends are nodes"
    assert bool(np.all(weight >= 1)) and bool(np.all(weight <= IGP_WEIGHT_MAX))
    assert bool(np.all(capacity_bps >= 0)) and bool(np.all(latency_us >= 0))
    groups, risk_first, risk = _risks(risks, m)
    first, out = compress(source, n)
    into_first, into = compress(target, n)
    return Topology(
        name=name,
        nodes=tuple(nodes),
        links=tuple(links),
        longitude=np.zeros(n) if longitude is None else longitude,
        latitude=np.zeros(n) if latitude is None else latitude,
        source=source,
        target=target,
        weight=weight,
        capacity_bps=capacity_bps,
        latency_us=latency_us,
        satellite=np.zeros(m, np.bool_) if satellite is None else satellite,
        reverse=_reverse(source, target),
        risk_groups=groups,
        risk_first=risk_first,
        risk=risk,
        first=first,
        out=out,
        into_first=into_first,
        into=into,
    )


def compress(key: Ints, keys: int) -> tuple[Ints, Ints]:
    """Places sorted by their key, and where each key's places begin: shapes (keys + 1,), (len(key),)."""
    first = np.zeros(keys + 1, np.int64)
    np.add.at(first, key + 1, 1)
    return np.cumsum(first), np.argsort(key, kind="stable").astype(np.int64)


def _reverse(source: Ints, target: Ints) -> Ints:
    """Pair the k-th link from a to b with the k-th from b to a."""
    reverse = np.full(len(source), -1, np.int64)
    waiting: dict[tuple[int, int], list[int]] = {}
    for link, ends in enumerate(zip(source.tolist(), target.tolist(), strict=True)):
        other = waiting.get(ends[::-1])
        if other:
            reverse[link] = other.pop(0)
            reverse[reverse[link]] = link
        else:
            waiting.setdefault(ends, []).append(link)
    return reverse


def _risks(risks: Sequence[Sequence[str]] | None, links: int) -> tuple[tuple[str, ...], Ints, Ints]:
    if risks is None:
        return (), np.zeros(links + 1, np.int64), np.zeros(0, np.int64)
    assert len(risks) == links, "one list of groups a link"
    groups = sorted({group for one in risks for group in one})
    number = {group: at for at, group in enumerate(groups)}
    first = np.cumsum([0, *(len(one) for one in risks)]).astype(np.int64)
    flat = np.array([number[group] for one in risks for group in one], np.int64)
    return tuple(groups), first, flat
