"""SR policies -> what each router installs. See README.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from suanwang.model.error import Fault, FaultsError
from suanwang.model.sr import CandidatePath, SrPolicy
from suanwang.model.sr_program import (
    METRIC_ACTIVE,
    METRIC_STANDBY,
    Behavior,
    Hop,
    Item,
    LocalSid,
    PlacedList,
    PlacedPolicy,
    RouterProgram,
    Steer,
    overhead_bytes,
    program_of,
)
from suanwang.net.addressing import FUNCTION_LENGTH, SERVICE_TABLE_FIRST, Addressing
from suanwang.net.igp import Plane
from suanwang.net.network import Ints
from suanwang.net.policy.check import Checker, full_form, has_binding, name
from suanwang.net.policy.members import Members
from suanwang.net.policy.sids import containers, full_sids
from suanwang.net.policy.underlay import Devices, hop, local_sids, routes
from suanwang.net.policy.walk import NoWay, Walker, Way

# What a packet carries at the least when it comes to a binding SID: one that is not in a routing header with another
# SID behind it is dropped by End.B6.Encaps (RFC 8986, 4.13).
ARRIVES_BYTES: Final = overhead_bytes(2, reduced=True)
METRICS: Final = (METRIC_ACTIVE, METRIC_STANDBY)


@dataclass(frozen=True, slots=True)
class Mtu:
    """Bytes of an IPv6 packet that fit: on every access link, and on each directed link of the core (m,)."""

    access: int
    core: Ints


@dataclass(frozen=True, slots=True)
class Compiled:
    """Programs by node name, where each policy went, and what is not as asked but does no harm."""

    programs: Mapping[str, RouterProgram]
    placed: tuple[PlacedPolicy, ...]
    notes: tuple[Fault, ...]


def compile_policies(
    addressing: Addressing,
    plane: Plane,
    policies: Sequence[SrPolicy],
    mtu: Mtu,
    devices: Devices,
    *,
    services: Mapping[str, tuple[str, int]] | None = None,
    compress: bool = True,
    underlay: bool = True,
) -> Compiled:
    """Programs of all routers. `services` are the protection functions: the node that each stands beside, its number.
    `compress` packs segments into uSID containers where all of them allow it; `underlay` False leaves out the routes of
    the IGP, for a network that has its own. Raises FaultsError with every fault."""
    compiler = _Compiler(addressing, plane, mtu, devices, services or {}, compress)
    placed = compiler.all(policies)
    if compiler.checker.faults:
        raise FaultsError(compiler.checker.faults, "policies")
    programs = {}
    for node, router in enumerate(plane.topology.nodes):
        own = compiler.of_node.get(node)
        below = routes(addressing, plane, devices, node) if underlay else ()
        above = [*own.members.items.values(), *own.items] if own else []
        programs[router] = program_of(router, [*local_sids(addressing, plane, devices, node), *below, *above])
    return Compiled(programs, tuple(placed), tuple(compiler.notes))


@dataclass
class _Headend:
    members: Members = field(default_factory=Members)
    items: list[Item] = field(default_factory=list)


@dataclass
class _Compiler:
    addressing: Addressing
    plane: Plane
    mtu: Mtu
    devices: Devices
    services: Mapping[str, tuple[str, int]]
    compress: bool
    of_node: dict[int, _Headend] = field(default_factory=dict)
    notes: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        topology = self.plane.topology
        node_of = {label: at for at, label in enumerate(topology.nodes)}
        link_of = {label: at for at, label in enumerate(topology.links)}
        beside = {label: (node_of[at], number) for label, (at, number) in self.services.items()}
        self.walker = Walker(self.plane, node_of, link_of, beside)
        self.checker = Checker(self.walker)
        self.bound: dict[tuple[int, int], tuple[int, Way]] = {}

    def all(self, policies: Sequence[SrPolicy]) -> list[PlacedPolicy]:
        """Place all policies; those that others lead into come first."""
        self.checker.check(policies)
        if self.checker.faults:
            return []
        order = sorted(enumerate(policies), key=lambda one: (has_binding(one[1]), one[1].key))
        ways: dict[tuple[str, int, str], Way] = {}
        placed = []
        for at, policy in order:
            if has_binding(policy) and not self.bound:
                self.bound = self.checker.bound_ways(ways)
            done = self._policy(at, policy, ways)
            if done is not None:
                placed.append(done)
        return placed

    def _policy(self, at: int, policy: SrPolicy, ways: dict[tuple[str, int, str], Way]) -> PlacedPolicy | None:
        before = len(self.checker.faults)
        valid = [
            found for p, path in _ranked(policy) if (found := self._valid(f"policies[{at}].paths[{p}]", policy, path))
        ]
        if len(self.checker.faults) > before:
            return None
        if not valid:
            self.checker.fault("sr_no_valid_path", f"policies[{at}].paths", name(policy))
            return None
        node = self.walker.node_of[policy.headend]
        own = self.of_node.setdefault(node, _Headend())
        groups, lists = [], []
        for role, found in zip(("active", "standby"), valid, strict=False):
            laid = tuple(self._lay(own.members, policy, way, sids, weight) for way, sids, weight in found)
            lists.append(laid)
            label = f"{policy.color} {policy.endpoint} {role}"
            groups.append(own.members.group(label, [(one.members, one.weight) for one in laid]))
        table = SERVICE_TABLE_FIRST + self.walker.services[policy.after][1] if policy.after else 0
        for prefix in policy.steers:
            own.items += [Steer(prefix, group, metric, table) for group, metric in zip(groups, METRICS, strict=False)]
        if len(valid) > 1:
            self._standby(at, policy, valid[0], valid[1])
        best = max(valid[0], key=lambda one: one[2])
        ways[policy.key] = best[0]
        sid = self._binding(own, policy, best[1]) if policy.binding else ""
        if policy.binding and len(valid[0]) > 1:
            self.notes.append(Fault("sr_binding_one_list", f"policies[{at}].binding", name(policy)))
        return PlacedPolicy(
            policy.headend,
            policy.color,
            policy.endpoint,
            groups[0],
            groups[1] if len(groups) > 1 else None,
            lists[0],
            lists[1] if len(lists) > 1 else (),
            sid,
        )

    def _valid(self, where: str, policy: SrPolicy, path: CandidatePath) -> list[tuple[Way, tuple[str, ...], int]]:
        """The lists of a candidate path that lead to the endpoint (RFC 9256, 5), each with its SIDs and weight."""
        out = []
        node_of, names = self.walker.node_of, self.plane.topology.nodes
        for q, listed in enumerate(path.lists):
            way = self.walker.walk(listed, node_of[policy.headend], node_of[policy.endpoint], self.bound)
            if isinstance(way, NoWay):
                params = {"policy": name(policy), "at": names[way.at], "to": names[way.to]}
                self.notes.append(Fault("sr_list_invalid", f"{where}.lists[{q}]", str(listed), None, params))
                continue
            end = node_of[policy.endpoint]
            short = self.compress and not full_form(way.steps)
            sids = (containers if short else full_sids)(self.addressing, way.steps, end, way.service)
            self._fits(f"{where}.lists[{q}]", policy, way, sids)
            out.append((way, sids, listed.weight))
        return out

    def _fits(self, where: str, policy: SrPolicy, way: Way, sids: tuple[str, ...]) -> None:
        """A packet of the access MTU with its headers is to fit on every link: what does not is dropped, and the
        "packet too big" goes to the headend, never to the host that sent it (RFC 2473, 7.1)."""
        over = overhead_bytes(len(sids), reduced=True)
        inner = ARRIVES_BYTES
        if policy.binding:
            inner = max(inner, ARRIVES_BYTES + overhead_bytes(len(sids), reduced=False))
        loads = [(way.links, inner if policy.binding else over), (way.inner, over + self._inner_bytes(way))]
        for links, extra in loads:
            if not links:
                continue
            tight = min(links, key=lambda link: (int(self.mtu.core[link]), link))
            least = int(self.mtu.core[tight])
            if self.mtu.access + extra > least:
                topology = self.plane.topology
                self.checker.fault(
                    "sr_mtu",
                    where,
                    name(policy),
                    overhead=extra,
                    access=self.mtu.access,
                    core=least,
                    link=topology.links[tight],
                    most=least - extra,
                )
                return

    def _inner_bytes(self, way: Way) -> int:
        """The most that a policy whose binding SID the way has adds."""
        most = 0
        for step in way.steps:
            if step.color >= 0:
                end, other = self.bound[step.node, step.color]
                pack = containers if self.compress else full_sids
                most = max(most, overhead_bytes(len(pack(self.addressing, other.steps, end)), reduced=False))
        return most

    def _lay(self, members: Members, policy: SrPolicy, way: Way, sids: tuple[str, ...], weight: int) -> PlacedList:
        hops = [hop(self.addressing, self.devices, link) for link in way.first_links]
        # A function beside the headend itself: over no link, so it lives as long as the router does.
        ids = tuple(members.member(one, sids) for one in hops or [Hop("", self.devices.of_sids)])
        names = frozenset(self.plane.topology.links[link] for link in way.links | way.inner)
        return PlacedList(ids, sids, weight, overhead_bytes(len(sids), reduced=True), names)

    def _standby(
        self,
        at: int,
        policy: SrPolicy,
        active: list[tuple[Way, tuple[str, ...], int]],
        standby: list[tuple[Way, tuple[str, ...], int]],
    ) -> None:
        """A standby that leaves by the active path's first links alone is no help when one of them fails."""
        first = {link for way, _, _ in active for link in way.first_links}
        spare = {link for way, _, _ in standby for link in way.first_links}
        if spare <= first:
            links = ", ".join(self.plane.topology.links[link] for link in sorted(spare))
            self.notes.append(Fault("sr_standby_shares", f"policies[{at}]", name(policy), None, {"links": links}))

    def _binding(self, own: _Headend, policy: SrPolicy, sids: tuple[str, ...]) -> str:
        """End.B6.Encaps takes one list: the active path's of the greatest weight."""
        sid = str(self.addressing.b6_sid(self.walker.node_of[policy.headend], policy.color))
        own.items.append(LocalSid(f"{sid}/{FUNCTION_LENGTH}", Behavior.END_B6_ENCAPS, self.devices.of_sids, "", sids))
        return sid


def _ranked(policy: SrPolicy) -> list[tuple[int, CandidatePath]]:
    """Candidate paths with their place, the greatest preference first."""
    return sorted(enumerate(policy.paths), key=lambda one: -one[1].preference)
