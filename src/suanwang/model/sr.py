"""SR policies: what is wanted of a headend, in the words of RFC 9256.

A policy is known by its headend, color and endpoint. It has candidate paths; the valid one of the greatest preference
is active, the next one is the standby. A candidate path is one or more segment lists that share the traffic by
weight. Nodes and directed links are named as in the topology.
"""

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from suanwang.model.base import Value

WEIGHT_MAX: Final = 256  # a next hop's weight in a Linux multipath group
PREFERENCE_MAX: Final = 2**32 - 1  # RFC 9256, 2.7
PREFERENCE_DEFAULT: Final = 100  # RFC 9256, 2.7
COLOR_MAX: Final = 2**32 - 1  # RFC 9256, 2.1


class SegmentKind(StrEnum):
    NODE = "node"  # the shortest way to a node (RFC 8402, 3.1)
    ADJACENCY = "adjacency"  # over one link of a node (RFC 8402, 3.4)
    BINDING = "binding"  # into another policy, to its endpoint (RFC 9256, 6)
    SERVICE = "service"  # into a protection function beside the endpoint (draft-ietf-spring-sr-service-programming)


class Segment(Value):
    """One instruction. `name` is a node's, that of a directed link, the headend of the policy of `color`, or that of
    a protection function."""

    kind: SegmentKind
    name: str
    color: Annotated[int, Field(ge=0, le=COLOR_MAX)] = 0

    def __str__(self) -> str:
        if self.kind is SegmentKind.BINDING:
            return f"policy of {self.name} color {self.color}"
        if self.kind is SegmentKind.SERVICE:
            return f"function {self.name}"
        return self.name if self.kind is SegmentKind.NODE else f"link {self.name}"


def node(name: str) -> Segment:
    return Segment(kind=SegmentKind.NODE, name=name)


def adjacency(link: str) -> Segment:
    return Segment(kind=SegmentKind.ADJACENCY, name=link)


def binding(headend: str, color: int) -> Segment:
    return Segment(kind=SegmentKind.BINDING, name=headend, color=color)


def service(function: str) -> Segment:
    return Segment(kind=SegmentKind.SERVICE, name=function)


class SegmentList(Value):
    """Segments in the order of travel, without the endpoint's decapsulation, which compiling adds. A service segment
    takes its place and is the last one."""

    segments: tuple[Segment, ...]
    weight: Annotated[int, Field(ge=1, le=WEIGHT_MAX)] = 1

    def __str__(self) -> str:
        return f"weight {self.weight}: {', '.join(map(str, self.segments)) or 'the IGP path'}"


class CandidatePath(Value):
    """Segment lists that share the policy's traffic."""

    preference: Annotated[int, Field(ge=0, le=PREFERENCE_MAX)] = PREFERENCE_DEFAULT
    lists: Annotated[tuple[SegmentList, ...], Field(min_length=1)]


class SrPolicy(Value):
    """`steers` are the destination prefixes that enter the policy at its headend (RFC 9256, 8); other traffic enters
    by the binding SID, where there is to be one. With `after` it takes only what comes out of that protection function,
    which stands beside the headend: so the policies of a service chain follow one another."""

    headend: str
    color: Annotated[int, Field(ge=0, le=COLOR_MAX)]
    endpoint: str
    paths: Annotated[tuple[CandidatePath, ...], Field(min_length=1)]
    steers: tuple[str, ...] = ()
    after: str = ""
    binding: bool = False  # whether the headend has a binding SID for it

    @model_validator(mode="after")
    def _ends_differ(self) -> Self:
        preferences = [path.preference for path in self.paths]
        if len(set(preferences)) != len(preferences):
            raise ValueError("two candidate paths have one preference")
        lists = [one for path in self.paths for one in path.lists]
        served = all(one.segments and one.segments[-1].kind is SegmentKind.SERVICE for one in lists)
        if self.headend == self.endpoint and not served:
            raise ValueError("headend and endpoint are one node")
        return self

    @property
    def key(self) -> tuple[str, int, str]:
        """What names the policy in its domain (RFC 9256, 2.1)."""
        return self.headend, self.color, self.endpoint

    @property
    def by_preference(self) -> tuple[CandidatePath, ...]:
        """The greatest preference first."""
        return tuple(sorted(self.paths, key=lambda path: -path.preference))

    def __str__(self) -> str:
        """A block of lines for people; the same policy always gives the same text."""
        head = f"policy {self.headend} -> {self.endpoint} color {self.color}"
        steers = [f"  steers {prefix}" for prefix in self.steers] + (["  binding SID"] if self.binding else [])
        if self.after:
            steers.append(f"  takes what comes out of function {self.after}")
        lines = []
        for path in self.by_preference:
            lines.append(f"  candidate path, preference {path.preference}")
            lines += [f"    {one}" for one in path.lists]
        return "\n".join([head, *steers, *lines])
