"""A segment list as SIDs: uSID containers (RFC 9800, NEXT-CSID) or one full SID a segment."""

from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final

from suanwang.net.addressing import BLOCK, DT6, NODE_BITS, SERVICE_FIRST, Addressing

SLOTS: Final = 6  # 16-bit uSIDs in one 128-bit container after its 32-bit block


@dataclass(frozen=True, slots=True)
class Step:
    """One leg of the way: the shortest way to `node`, from there over `link` where it is not -1, or into the node's
    policy of a `color` where that is not -1."""

    node: int
    link: int = -1
    color: int = -1


def containers(addressing: Addressing, steps: tuple[Step, ...], endpoint: int, service: int = -1) -> tuple[str, ...]:
    """The fewest containers for the steps and the endpoint's End.DT6, or its function `service`, filled from the front.

    A node and its function are two uSIDs that stay together: a container that ended between them would be read as
    the node's End.
    """
    units = [_unit(addressing, step) for step in steps]
    if steps and steps[-1] == Step(endpoint):
        units.pop()
    units.append((addressing.node_id(endpoint), DT6 if service < 0 else SERVICE_FIRST + service))
    out: list[list[int]] = [[]]
    for unit in units:
        if len(out[-1]) + len(unit) > SLOTS:
            out.append([])
        out[-1] += unit
    return tuple(_container(slots) for slots in out)


def full_sids(addressing: Addressing, steps: tuple[Step, ...], endpoint: int, service: int = -1) -> tuple[str, ...]:
    """End, End.X or End.B6.Encaps for each step, then the endpoint's End.DT6, or its function `service`."""
    kept = steps[:-1] if steps and steps[-1] == Step(endpoint) else steps
    last = addressing.dt6_sid(endpoint) if service < 0 else addressing.service_sid(endpoint, service)
    return tuple(str(sid) for sid in [*(_sid(addressing, step) for step in kept), last])


def _sid(addressing: Addressing, step: Step) -> IPv6Address:
    if step.color >= 0:
        return addressing.b6_sid(step.node, step.color)
    return addressing.end_sid(step.node) if step.link < 0 else addressing.end_x_sid(step.link)


def _unit(addressing: Addressing, step: Step) -> tuple[int, ...]:
    """The uSIDs of one step: uN, or uN and the function of uA."""
    node = addressing.node_id(step.node)
    if step.link < 0:
        return (node,)
    return node, int(addressing.end_x_sid(step.link)) >> 64 & 0xFFFF


def _container(slots: list[int]) -> str:
    bits = int(BLOCK.network_address)
    for at, slot in enumerate(slots):
        bits |= slot << (128 - BLOCK.prefixlen - NODE_BITS * (at + 1))
    return str(IPv6Address(bits))
