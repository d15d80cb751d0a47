"""Flows of tasks as SR policies: each stretch of a path pinned by the fewest segments. Pure.

A path of a plan is a walk over single links, and its promise is on those. A stretch of it is one node segment where
the IGP's only path between its ends is that stretch; any single link can be its adjacency segment. What is so for a
stretch is so for each stretch within it, hence taking the longest one each time gives the fewest segments.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from suanwang.model.sr import CandidatePath, Segment, SegmentList, SrPolicy, adjacency, node, service
from suanwang.model.wanted import Steered, TaskFlow
from suanwang.net.policy.walk import Walker

PREFERENCE_PLANNED: Final = 200
PREFERENCE_STANDBY: Final = 100


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a path, from a site to a site: what it comes out of, and the function that it ends in."""

    start: str
    end: str
    links: tuple[str, ...]
    after: str = ""
    into: str = ""


@dataclass
class Policies:
    """The policies of some flows. Flows of one path share their policies: there are as many as paths, not as tasks."""

    walker: Walker
    made: dict[tuple[str, int, str], SrPolicy] = field(default_factory=dict)
    _known: dict[tuple[Stretch, ...], tuple[tuple[str, int, str], ...]] = field(default_factory=dict)

    def steer(self, flow: TaskFlow) -> Steered:
        """The flow with its policies, which are made where they are not yet."""
        parts = tuple(stretches(flow))
        spare = flow.standby if len(parts) == 1 and not flow.pools else ()
        keys = self._known.get((*parts, Stretch("", "", spare)))
        if keys is None:
            keys = tuple(self._policy(part, spare) for part in parts)
            self._known[(*parts, Stretch("", "", spare))] = keys
        return Steered(flow=flow, policies=keys)

    def _policy(self, part: Stretch, spare: tuple[str, ...]) -> tuple[str, int, str]:
        paths = [CandidatePath(preference=PREFERENCE_PLANNED, lists=(self._list(part, part.links),))]
        if spare:
            paths.append(CandidatePath(preference=PREFERENCE_STANDBY, lists=(self._list(part, spare),)))
        color = _color(part, spare)
        while True:
            made = SrPolicy(headend=part.start, color=color, endpoint=part.end, paths=tuple(paths), after=part.after)
            if self.made.setdefault(made.key, made) == made:
                return made.key
            color = (color + 1) % 2**32

    def _list(self, part: Stretch, links: Sequence[str]) -> SegmentList:
        pinned = pin(self.walker, links)
        return SegmentList(segments=(*pinned, service(part.into)) if part.into else pinned)


def stretches(flow: TaskFlow) -> Iterator[Stretch]:
    """The path cut at each security pool. The last one is left out where it would lead nowhere: what comes out of a
    function beside the task's own site is there."""
    start, after, done = str(flow.origin), "", 0
    for pool in flow.pools:
        yield Stretch(start, str(pool.site), flow.links[done : pool.after], after, str(pool.security_pool))
        start, after, done = str(pool.site), str(pool.security_pool), pool.after
    if start != str(flow.site):
        yield Stretch(start, str(flow.site), flow.links[done:], after)


def pin(walker: Walker, links: Sequence[str]) -> tuple[Segment, ...]:
    """The fewest segments on the walker's plane that send traffic over exactly these directed links."""
    return tuple(segment for segment, _ in pinned(walker, links))


def pinned(walker: Walker, links: Sequence[str]) -> Iterator[tuple[Segment, tuple[str, ...]]]:
    """The same, each segment with the links that it stands for."""
    numbers = [walker.link_of[one] for one in links]
    topology = walker.plane.topology
    at = 0
    while at < len(numbers):
        until = _longest(walker, numbers, at)
        if until > at:
            segment = node(topology.nodes[int(topology.target[numbers[until - 1]])])
        else:
            segment, until = adjacency(links[at]), at + 1
        yield segment, tuple(links[at:until])
        at = until


def _longest(walker: Walker, numbers: Sequence[int], at: int) -> int:
    """Where the longest stretch ends that one node segment pins; `at` where there is none."""
    topology = walker.plane.topology
    start = int(topology.source[numbers[at]])
    until = at
    while until < len(numbers):
        target = int(topology.target[numbers[until]])
        if target == start or walker.leg(start, target) != frozenset(numbers[at : until + 1]):
            break
        until += 1
    return until


def _color(part: Stretch, spare: tuple[str, ...]) -> int:
    """RFC 9256, 2.1: an intent. Here the intent is this very path, so that a path has the same color for good."""
    text = "|".join((part.after, *part.links, part.into, "standby", *spare))
    return int.from_bytes(blake2b(text.encode(), digest_size=4).digest(), "big")
