"""Steps as lines of `ip -batch`, and a whole program as a script for people. Pure."""

from collections.abc import Iterable

from suanwang.agent.adapters.srv6.port import PROTOCOL, Action, Step
from suanwang.model.sr_program import Behavior, Group, Hop, Item, LocalSid, Member, Route, RouterProgram, Source, Steer

MAIN_TABLE = 254


def line(step: Step) -> str:
    """One step. A REPLACE is only of what was read as ours; an ADD fails on what somebody else has."""
    action, item = step
    if isinstance(item, Source):
        return f"sr tunsrc set {'::' if action is Action.REMOVE else item.address}"
    if isinstance(item, Member | Group):
        if action is Action.REMOVE:
            return f"nexthop del id {item.id}"
        return f"nexthop {action} id {item.id} {_next_hop(item)} proto {PROTOCOL}"
    if action is Action.REMOVE:
        return f"route del {item.prefix} metric {item.metric} proto {PROTOCOL}{_table(item)}"
    return f"route {action} {item.prefix} metric {item.metric} proto {PROTOCOL}{_table(item)} {_target(item)}"


def _table(item: Item) -> str:
    return f" table {item.table}" if isinstance(item, Steer) and item.table else ""


def script(program: RouterProgram) -> str:
    """Every command of a program, as one would type it on the router."""
    steps = [Step(Action.ADD, item) for item in _in_order(program.items.values())]
    return "\n".join([f"# {program.router}", *(f"ip {line(step)}" for step in steps), ""])


def _in_order(items: Iterable[Item]) -> list[Item]:
    kinds = [Source, Route, LocalSid, Member, Group, Steer]
    return sorted(items, key=lambda item: kinds.index(type(item)))


def _next_hop(item: Member | Group) -> str:
    if isinstance(item, Member):
        return f"{_over(item.hop)} encap seg6 mode {item.mode} segs {','.join(item.sids)}"
    return "group " + "/".join(f"{member},{weight}" for member, weight in item.members)


def _target(item: Route | LocalSid | Steer) -> str:
    match item:
        case Steer():
            return f"nhid {item.group}"
        case LocalSid():
            return f"encap seg6local {_behavior(item)} dev {item.device}"
        case Route():
            source = f"src {item.source} " if item.source else ""
            if len(item.hops) == 1:
                return source + _over(item.hops[0])
            return source + " ".join(f"nexthop {_over(hop)}" for hop in item.hops)


def _behavior(item: LocalSid) -> str:
    words = [f"action {item.behavior}"]
    match item.behavior:
        case Behavior.END_X:
            words.append(f"nh6 {item.gateway}")
        case Behavior.END_DT6:
            words.append(f"table {MAIN_TABLE}")
        case Behavior.END_B6_ENCAPS:
            words.append(f"srh segs {','.join(item.sids)}")
        case Behavior.END:
            pass
    if item.node_bits:
        words.append(f"flavors next-csid lblen {item.block_bits} nflen {item.node_bits}")
    return " ".join([*words, "count"])


def _over(hop: Hop) -> str:
    return f"via {hop.gateway} dev {hop.device}" if hop.gateway else f"dev {hop.device}"
