"""A program as configuration of FRR (10.4 or later: static SIDs and `segments`), for people to read and to carry over.
Pure. What FRR's static daemon cannot say stands as a comment: weights of segment lists, and End.B6.Encaps. Tests compare
it as text: no FRR has loaded it."""

from collections.abc import Iterator
from ipaddress import IPv6Network
from typing import Final, TypeVar

from suanwang.model.sr_program import (
    METRIC_STANDBY,
    Behavior,
    Group,
    Item,
    LocalSid,
    Member,
    Route,
    RouterProgram,
    Source,
    Steer,
)

LOCATOR: Final = "MAIN"
DISTANCE_ACTIVE, DISTANCE_STANDBY, DISTANCE_UNDERLAY = 1, 2, 115  # 115 is IS-IS's
T = TypeVar("T", bound=Item)


def configuration(program: RouterProgram) -> str:
    """The lines of `frr.conf` that say what the program does."""
    locators = [one for one in _of(program, LocalSid) if one.behavior is Behavior.END]
    out = [f"! {program.router}", f"hostname {program.router}", "segment-routing", " srv6"]
    for one in _of(program, Source):
        out += ["  encapsulation", f"   source-address {one.address}", "  exit"]
    for end in locators:
        out += ["  locators", f"   locator {LOCATOR}", *_locator(end), "   exit", "  exit"]
    out += ["  static-sids", *(f"   {text}" for one in _of(program, LocalSid) for text in _sid(one)), "  exit"]
    out += [" exit", "exit", "!"]
    out += [text for one in _of(program, Route) for text in _route(one)]
    out += [text for one in _of(program, Steer) for text in _steer(program, one)]
    return "\n".join([*out, ""])


def _of(program: RouterProgram, kind: type[T]) -> list[T]:
    return [one for one in program.items.values() if isinstance(one, kind)]


def _locator(end: LocalSid) -> Iterator[str]:
    yield f"    prefix {end.prefix} block-len {end.block_bits} node-len {end.node_bits} func-bits 16"
    yield "    behavior usid"
    yield "    format usid-f3216"


def _sid(one: LocalSid) -> Iterator[str]:
    what = {
        Behavior.END: "behavior uN",
        Behavior.END_X: f"behavior uA interface {one.device} nexthop {one.gateway}",
        Behavior.END_DT6: "behavior uDT6 vrf default",
    }.get(one.behavior)
    if what is None:
        yield f"! binding SID {IPv6Network(one.prefix).network_address}: {one.behavior} {' '.join(one.sids)}"
    else:
        yield f"sid {one.prefix} locator {LOCATOR} {what}"


def _route(one: Route) -> Iterator[str]:
    for hop in one.hops:
        yield f"ipv6 route {one.prefix} {hop.gateway} {hop.device} {DISTANCE_UNDERLAY}"


def _steer(program: RouterProgram, one: Steer) -> Iterator[str]:
    group = program.items[("group", one.group)]
    assert isinstance(group, Group)
    table = f" table {one.table}" if one.table else ""
    distance = DISTANCE_STANDBY if one.metric == METRIC_STANDBY else DISTANCE_ACTIVE
    weights = {weight for _, weight in group.members}
    for at, weight in group.members:
        member = program.items[("member", at)]
        assert isinstance(member, Member)
        if len(weights) > 1:
            yield f"! weight {weight} of {sum(weight for _, weight in group.members)}"
        over = f"{member.hop.gateway} {member.hop.device}"
        segments = "/".join(member.sids)
        yield f"ipv6 route {one.prefix} {over} {distance} segments {segments} encap-behavior H_Encaps_Red{table}"
