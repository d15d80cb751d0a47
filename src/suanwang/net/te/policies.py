"""Routing policies of a demand matrix, and the form that the optimiser works on.

A segment (RFC 8402) is a whole number: node k is k, the adjacency segment of the directed link e is -1 - e. A list is
the segments after the source, and its last one ends at the demand's target. The lists of a demand share its traffic by
weight (RFC 9256, section 2.11); a demand without a list follows the IGP.
"""

from collections import Counter
from dataclasses import dataclass
from math import gcd
from typing import NamedTuple

import numpy as np

from suanwang.net.network import Ints
from suanwang.net.te.kernels import NONE, Int32s
from suanwang.net.topology import Demands, Topology


class WeightedList(NamedTuple):
    weight: int
    segments: tuple[int, ...]


Lists = tuple[WeightedList, ...]


@dataclass(frozen=True)
class Policies:
    """`lists[i]` are the lists of demand i, ascending by segments; none: the IGP's path."""

    lists: tuple[Lists, ...]

    @property
    def count(self) -> int:
        """How many demands have a policy."""
        return sum(1 for one in self.lists if one)

    @property
    def share(self) -> float:
        """The part of the demands that have one."""
        return self.count / max(1, len(self.lists))

    def changes_from(self, other: "Policies") -> int:
        """How many demands have other lists."""
        assert len(self.lists) == len(other.lists), "policies of the same demands"
        return sum(1 for mine, theirs in zip(self.lists, other.lists, strict=True) if mine != theirs)


def no_policies(demands: int) -> Policies:
    """All by the IGP."""
    return Policies(((),) * demands)


def part_firsts(demands: Demands, ways: int) -> Ints:
    """(q + 1,): where the parts of each demand begin; those above the mean get `ways` parts, the others one."""
    traffic = demands.bps.astype(np.float64)
    large = traffic > traffic.mean() if demands.q else np.zeros(0, np.bool_)
    return np.concatenate(([0], np.cumsum(np.where(large, ways, 1)))).astype(np.int64)


def to_parts(policies: Policies, first: Ints, demands: Demands, topology: Topology) -> Int32s:
    """(parts, 2): the segments before the target. A list that has no such form (more than three segments) is (-m - 1, NONE),
    which is no list of any part."""
    out = np.full((int(first[-1]), 2), NONE, np.int32)
    target = topology.target.tolist()
    for i, lists in enumerate(policies.lists):
        if not lists:
            continue
        low, high = int(first[i]), int(first[i + 1])
        total, so_far, at = sum(one.weight for one in lists), 0, low
        heaviest = max(lists, key=lambda one: one.weight)
        for one in lists if high - low > 1 else [heaviest]:
            so_far += one.weight
            until = low + round(so_far * (high - low) / total) if high - low > 1 else high
            out[at:until] = _before_target(one.segments, int(demands.target[i]), target)
            at = until
    return out


def _before_target(segments: tuple[int, ...], to: int, target: list[int]) -> tuple[int, int]:
    last = segments[-1]
    middle = segments[:-1] if last == to else segments
    strange = last < -len(target) or (last < 0 and target[-1 - last] != to) or (last >= 0 and last != to)
    if strange or len(middle) > 2:
        return -len(target) - 1, NONE
    one, two = (*middle, NONE, NONE)[:2]
    return one, two


def of_parts(middle: Int32s, first: Ints, demands: Demands, topology: Topology) -> Policies:
    """The policies that parts make up: equal parts are one list, with their number as its weight."""
    has = np.add.reduceat(middle[:, 0] != NONE, first[:-1]) > 0 if demands.q else np.zeros(0, np.bool_)
    lists: list[Lists] = [()] * demands.q
    target = topology.target.tolist()
    for i in np.flatnonzero(has).tolist():
        to = int(demands.target[i])
        count = Counter(_whole(pair, to, target) for pair in middle[first[i] : first[i + 1]].tolist())
        unit = gcd(*count.values())
        lists[i] = tuple(WeightedList(weight // unit, segments) for segments, weight in sorted(count.items()))
    return Policies(tuple(lists))


def _whole(pair: list[int], to: int, target: list[int]) -> tuple[int, ...]:
    """The list with its target, but where its last link ends there anyhow."""
    middle = tuple(one for one in pair if one != NONE)
    if middle and (middle[-1] == to or (middle[-1] < 0 and target[-1 - middle[-1]] == to)):
        return middle
    return (*middle, to)
