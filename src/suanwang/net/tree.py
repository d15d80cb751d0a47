"""What a search returns: the best path from one site to each site, kept as labels that point to their parents."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from suanwang.net.jit import kernel
from suanwang.net.network import Flags, Ints

FAR = 2**62


@dataclass(frozen=True)
class Walk:
    """One path as numbers: directed links in order, and the security pools with how many links lie before each."""

    edges: tuple[int, ...]
    pools: tuple[tuple[int, int], ...]  # (security pool, links before it)
    latency_us: int


@dataclass(frozen=True, eq=False)
class Tree:
    """`best[node]` is the label of the best path to a node, or -1 where there is none."""

    origin: int
    edges: int  # how many directed links the network has
    best: Ints
    parent: Ints
    via: Ints
    cost: Ints
    latency_us: Ints
    made: dict[object, Any] = field(default_factory=dict)  # what has been derived from this tree, by its key

    def per_node(self, values: Ints, missing: int = FAR) -> Ints:
        """A label vector as a node vector."""
        if not len(values):
            return np.full(len(self.best), missing, np.int64)
        return np.where(self.best >= 0, values[self.best], missing)

    def node_latency_us(self) -> Ints:
        return self._once("latency", self.latency_us)

    def node_cost(self) -> Ints:
        return self._once("cost", self.cost)

    def _once(self, key: str, values: Ints) -> Ints:
        found: Ints | None = self.made.get(key)
        if found is None:
            found = self.made[key] = self.per_node(values)
        return found

    def node_sum(self, edge_amount: Ints, pool_amount: Ints) -> Ints:
        """The sum of an amount of each link and security pool along the path to each node; `FAR` where no path."""
        return self.per_node(_sums(self.parent, self.via, edge_amount, pool_amount))

    def node_least(self, edge_value: Ints) -> Ints:
        """The least value of a link along the path to each node (`FAR` at the origin); -1 where there is no path."""
        return self.per_node(_leasts(self.parent, self.via, edge_value), -1)

    def used(self, resources: int) -> Flags:
        """Which directed links, and security pools after them, some best path uses. The tree keeps the answer."""
        found: Flags | None = self.made.get("used")
        if found is None:
            found = np.zeros(resources, np.bool_)
            found[self.via[self.via >= 0]] = True
            found[self.edges - 2 - self.via[self.via < -1]] = True
            self.made["used"] = found
        return found

    def used_to(self, wanted: Flags) -> Flags:
        """Which directed links the paths to the wanted nodes use."""
        return _used_to(self.best, self.parent, self.via, wanted, self.edges)

    def walks(self) -> tuple[Ints, Ints]:
        """The directed links of every path, one after the other, last link first: `edges[first[n]:first[n + 1]]`."""
        found: tuple[Ints, Ints] | None = self.made.get("walks")
        if found is None:
            found = self.made["walks"] = _walks(self.best, self.parent, self.via)
        return found

    def walk(self, node: int) -> Walk:
        """The path to a node that has one."""
        label = int(self.best[node])
        assert label >= 0, "there is a path"
        latency_us = int(self.latency_us[label])
        edges: list[int] = []
        pools: list[tuple[int, int]] = []
        while label >= 0:
            via = int(self.via[label])
            if via >= 0:
                edges.append(via)
            elif via < -1:
                pools.append((-2 - via, len(edges)))
            label = int(self.parent[label])
        total = len(edges)
        return Walk(tuple(reversed(edges)), tuple((pool, total - after) for pool, after in reversed(pools)), latency_us)


@kernel
def _sums(parent: Ints, via: Ints, edge_amount: Ints, pool_amount: Ints) -> Ints:
    out = np.zeros(len(parent), np.int64)
    for label in range(len(parent)):
        if via[label] >= 0:
            out[label] = out[parent[label]] + edge_amount[via[label]]
        elif via[label] < -1:
            out[label] = out[parent[label]] + pool_amount[-2 - via[label]]
    return out


@kernel
def _leasts(parent: Ints, via: Ints, edge_value: Ints) -> Ints:
    out = np.full(len(parent), 2**62, np.int64)
    for label in range(len(parent)):
        if parent[label] >= 0:
            out[label] = out[parent[label]]
        if via[label] >= 0:
            out[label] = min(out[label], edge_value[via[label]])
    return out


@kernel
def _used_to(best: Ints, parent: Ints, via: Ints, wanted: Flags, edges: int) -> Flags:
    out = np.zeros(edges, np.bool_)
    seen = np.zeros(len(parent), np.bool_)
    for node in range(len(best)):
        label = best[node] if wanted[node] else -1
        while label >= 0 and not seen[label]:
            seen[label] = True
            if via[label] >= 0:
                out[via[label]] = True
            label = parent[label]
    return out


@kernel
def _walks(best: Ints, parent: Ints, via: Ints) -> tuple[Ints, Ints]:
    first = np.zeros(len(best) + 1, np.int64)
    for node in range(len(best)):
        label, count = best[node], 0
        while label >= 0:
            if via[label] >= 0:
                count += 1
            label = parent[label]
        first[node + 1] = first[node] + count
    edges = np.empty(first[-1], np.int64)
    for node in range(len(best)):
        label, at = best[node], first[node]
        while label >= 0:
            if via[label] >= 0:
                edges[at] = via[label]
                at += 1
            label = parent[label]
    return first, edges
