"""Where a segment list leads: its steps, and every link that a packet of it may take."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from suanwang.model.sr import Segment, SegmentKind, SegmentList
from suanwang.net.igp import NO_PATH, Plane
from suanwang.net.policy.sids import Step

NO_LINKS: Final[frozenset[int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Way:
    """A segment list that leads from headend to endpoint. `inner` are the links inside the policies of its binding
    segments, where packets carry that policy's header besides."""

    steps: tuple[Step, ...]
    first_links: tuple[int, ...]  # of the headend, ascending
    links: frozenset[int]
    inner: frozenset[int]
    service: int = -1  # the function beside the endpoint that it ends in


@dataclass(frozen=True, slots=True)
class NoWay:
    """Why a segment list leads nowhere: the first leg without a path."""

    at: int
    to: int


@dataclass(frozen=True, eq=False)
class Walker:
    """Walks on one plane; remembers the links of each leg."""

    plane: Plane
    node_of: Mapping[str, int]
    link_of: Mapping[str, int]
    services: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # function -> its node, its number there
    _legs: dict[tuple[int, int], frozenset[int]] = field(default_factory=dict)

    def next_links(self, at: int, to: int) -> list[int]:
        """The equal-cost next links of `at` towards `to`."""
        plane = self.plane
        out: list[int] = plane.hops[plane.first[to, at] : plane.first[to, at + 1]].tolist()
        return sorted(out)

    def leg(self, at: int, to: int) -> frozenset[int]:
        """Every link on an equal-cost path from `at` to `to`."""
        known = self._legs.get((at, to))
        if known is not None:
            return known
        found: set[int] = set()
        seen, edge = {at}, [at]
        while edge:
            for link in self.next_links(edge.pop(), to):
                found.add(link)
                far = int(self.plane.topology.target[link])
                if far not in seen:
                    seen.add(far)
                    edge.append(far)
        out = self._legs[at, to] = frozenset(found)
        return out

    def walk(
        self, listed: SegmentList, headend: int, endpoint: int, bound: Mapping[tuple[int, int], tuple[int, "Way"]]
    ) -> Way | NoWay:
        """The way of a list. `bound` is what each binding SID (headend, color) leads to: the endpoint, by which way."""
        steps: list[Step] = []
        links: set[int] = set()
        inner: set[int] = set()
        at, ends_in = headend, -1
        for segment in listed.segments:
            if segment.kind is SegmentKind.SERVICE:
                ends_in = self.services[segment.name][1]
                continue  # at the endpoint, which the checker has seen to
            step = self._step(segment)
            if step == Step(at):
                continue  # there already
            if not self._reaches(at, step.node) or (step.color >= 0 and (step.node, step.color) not in bound):
                return NoWay(at, step.node)
            links |= self.leg(at, step.node)
            if steps and step.link >= 0 and steps[-1] == Step(step.node):
                steps.pop()  # End.X is a SID of that very node
            steps.append(step)
            at = step.node
            if step.link >= 0:
                if not bool(self.plane.usable[step.link]):
                    return NoWay(at, int(self.plane.topology.target[step.link]))
                links.add(step.link)
                at = int(self.plane.topology.target[step.link])
            elif step.color >= 0:
                at, way = bound[step.node, step.color]
                inner |= way.links
        if not self._reaches(at, endpoint):
            return NoWay(at, endpoint)
        links |= self.leg(at, endpoint)
        return Way(
            tuple(steps), self._first_links(steps, headend, endpoint), frozenset(links), frozenset(inner), ends_in
        )

    def _step(self, segment: Segment) -> Step:
        if segment.kind is SegmentKind.ADJACENCY:
            link = self.link_of[segment.name]
            return Step(int(self.plane.topology.source[link]), link)
        node = self.node_of[segment.name]
        return Step(node, -1, segment.color) if segment.kind is SegmentKind.BINDING else Step(node)

    def _reaches(self, at: int, to: int) -> bool:
        return int(self.plane.distance[at, to]) < NO_PATH

    def _first_links(self, steps: list[Step], headend: int, endpoint: int) -> tuple[int, ...]:
        """The headend's links that a packet may leave by: they decide whether the list lives."""
        first = steps[0] if steps else Step(endpoint)
        if first.node == headend and first.link >= 0:
            return (first.link,)
        return tuple(self.next_links(headend, first.node))
