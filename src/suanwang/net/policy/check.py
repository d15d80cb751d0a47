"""What makes a set of policies impossible; every fault of all of them is found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Network

from suanwang.model.error import Fault
from suanwang.model.sr import Segment, SegmentKind, SrPolicy
from suanwang.net.addressing import COLOR_MAX as BINDING_COLOR_MAX
from suanwang.net.policy.sids import Step
from suanwang.net.policy.walk import Walker, Way


@dataclass
class Checker:
    """Checks names, keys, steering and binding SIDs; the ways and MTUs are checked where they are known."""

    walker: Walker
    faults: list[Fault] = field(default_factory=list)
    _keys: set[tuple[str, int, str]] = field(default_factory=set)
    _steered: set[tuple[str, str, str]] = field(default_factory=set)
    _bound: dict[tuple[str, int], SrPolicy] = field(default_factory=dict)

    def fault(self, code: str, where: str, got: str, **params: object) -> None:
        self.faults.append(Fault(code, where, got, None, dict(params)))

    def check(self, policies: Sequence[SrPolicy]) -> None:
        for at, policy in enumerate(policies):
            self._binding(at, policy)
        for at, policy in enumerate(policies):
            self._policy(at, policy)

    def _binding(self, at: int, policy: SrPolicy) -> None:
        if not policy.binding:
            return
        where, mine = f"policies[{at}].binding", (policy.headend, policy.color)
        if policy.color > BINDING_COLOR_MAX:
            self.fault("sr_binding_color", where, str(policy.color), limit=BINDING_COLOR_MAX)
        elif mine in self._bound:
            self.fault("sr_binding_taken", where, name(policy), other=name(self._bound[mine]))
        else:
            self._bound[mine] = policy

    def _policy(self, at: int, policy: SrPolicy) -> None:
        where = f"policies[{at}]"
        if policy.key in self._keys:
            self.fault("sr_twice", where, name(policy))
        self._keys.add(policy.key)
        for word, node in (("headend", policy.headend), ("endpoint", policy.endpoint)):
            if node not in self.walker.node_of:
                self.fault("sr_node_unknown", f"{where}.{word}", node)
        for place, prefix in enumerate(policy.steers):
            self._steer(f"{where}.steers[{place}]", policy.headend, policy.after, prefix)
        if policy.after:
            self._service(f"{where}.after", policy.after, policy.headend)
        for p, path in enumerate(policy.paths):
            for q, listed in enumerate(path.lists):
                for s, segment in enumerate(listed.segments):
                    place_of = f"{where}.paths[{p}].lists[{q}].segments[{s}]"
                    self._segment(place_of, policy, segment)
                    if segment.kind is SegmentKind.SERVICE and s < len(listed.segments) - 1:
                        self.fault("sr_service_last", place_of, segment.name)

    def _steer(self, where: str, headend: str, after: str, prefix: str) -> None:
        try:
            known = str(IPv6Network(prefix))
        except ValueError:
            known = ""
        if known != prefix:
            self.fault("sr_prefix", where, prefix)
        elif (headend, after, prefix) in self._steered:
            self.fault("sr_steered_twice", where, prefix, headend=headend)
        self._steered.add((headend, after, prefix))

    def _segment(self, where: str, policy: SrPolicy, segment: Segment) -> None:
        if segment.kind is SegmentKind.NODE and segment.name not in self.walker.node_of:
            self.fault("sr_node_unknown", where, segment.name)
        if segment.kind is SegmentKind.ADJACENCY and segment.name not in self.walker.link_of:
            self.fault("sr_link_unknown", where, segment.name)
        if segment.kind is SegmentKind.SERVICE:
            self._service(where, segment.name, policy.endpoint)
        if segment.kind is SegmentKind.BINDING:
            other = self._bound.get((segment.name, segment.color))
            if other is None:
                self.fault("sr_binding_unknown", where, str(segment))
            elif other.headend == policy.headend or policy.binding or has_binding(other):
                self.fault("sr_binding_nested", where, str(segment), policy=name(policy))

    def _service(self, where: str, function: str, node: str) -> None:
        """A function that there is, beside this node."""
        known = self.walker.services.get(function)
        if known is None:
            self.fault("sr_service_unknown", where, function)
        elif node in self.walker.node_of and known[0] != self.walker.node_of[node]:
            self.fault("sr_service_place", where, function, node=node, at=self.walker.plane.topology.nodes[known[0]])

    def bound_ways(self, ways: Mapping[tuple[str, int, str], Way]) -> dict[tuple[int, int], tuple[int, Way]]:
        """What the binding SID (node, color) leads to, for the policies that have a way."""
        node_of = self.walker.node_of
        return {
            (node_of[one.headend], one.color): (node_of[one.endpoint], ways[one.key])
            for one in self._bound.values()
            if one.key in ways
        }


def name(policy: SrPolicy) -> str:
    """How messages call a policy."""
    return f"{policy.headend} -> {policy.endpoint} color {policy.color}"


def has_binding(policy: SrPolicy) -> bool:
    return any(
        segment.kind is SegmentKind.BINDING
        for path in policy.paths
        for listed in path.lists
        for segment in listed.segments
    )


def full_form(steps: tuple[Step, ...]) -> bool:
    """Whether the steps need one SID each: Linux's End.B6.Encaps has no NEXT-CSID flavour."""
    return any(step.color >= 0 for step in steps)
