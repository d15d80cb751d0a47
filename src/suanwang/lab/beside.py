"""What joins a lab that is up: protection functions beside routers, and the networks of tasks beside hosts."""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from typing import Final

from suanwang.lab import commands, netns, processes, state
from suanwang.lab.build import Sleep
from suanwang.lab.functions import (
    Chained,
    Function,
    after_lines,
    capacity_lines,
    chain_lines,
    encryption,
    unchain_lines,
)
from suanwang.lab.layout import Layout
from suanwang.model.error import ConflictError, NotFoundError
from suanwang.model.grid import ProtectionFunction
from suanwang.net.addressing import SERVICES_MAX

TASK_DEVICE: Final = "lab0"  # in the task's namespace
TASK: Final = re.compile(r"t(\d+)")  # its other end, in the router
TASKS_MAX: Final = 4096  # of one site at once
FIRST_TASK_ADDRESS: Final = 0x10


@dataclass(frozen=True)
class Attached:
    """A namespace that is a member of a site's segment, by the router's `device`."""

    node: int
    device: str
    address: IPv6Address
    gateway: IPv6Address
    mtu: int
    device_number: int  # the kernel's own, which no other device of that router gets; 0: it is gone already


def chain(name: str, node: int, function: Function, sleep: Sleep, capacity_bps: int | None = None) -> Chained:
    """Put a function beside a router: its namespace, its links, its SID, and the function itself."""
    with state.locked(name, sleep) as lock:
        now = state.require(name)
        (number,) = _free(now, 1)
        one = Chained(number, node, function.kind, capacity_bps=capacity_bps)
        _join(now, {one: function}, sleep, lock)
        return one


def encrypt(name: str, a: int, b: int, sleep: Sleep, capacity_bps: int | None = None) -> tuple[Chained, Chained]:
    """Put an encryption hop between two routers: what goes in at either end comes out in clear at the other."""
    assert a != b, "a hop has two ends"
    keys = [encryption.make_key() for _ in range(2)]
    with state.locked(name, sleep) as lock:
        now = state.require(name)
        layout = now.layout()
        first, second = _free(now, 2)
        ends = [
            Chained(number, node, ProtectionFunction.ENCRYPTION, peer, capacity_bps)
            for number, node, peer in ((first, a, second), (second, b, first))
        ]
        _join(
            now,
            {
                mine: encryption.End(
                    key,
                    mine.address(layout),
                    other.address(layout),
                    other_key.public,
                    layout.addressing.service_link(mine.node, mine.number, outward=True)[1],
                    layout.access_mtu,
                )
                for mine, other, key, other_key in zip(ends, ends[::-1], keys, keys[::-1], strict=True)
            },
            sleep,
            lock,
        )
        return ends[0], ends[1]


def unchain(name: str, number: int, sleep: Sleep) -> tuple[Chained, ...]:
    """Take a function away, with the other end of an encryption hop; what went."""
    with state.locked(name, sleep) as lock:
        now = state.require(name)
        one = _function(now, number)
        gone = tuple(other for other in now.functions if other.number in (number, one.peer))
        _unchain(now.layout(), gone, sleep, lock)
        state.write(replace(now, functions=tuple(other for other in now.functions if other not in gone)))
        return gone


def go_on(name: str, number: int, prefix: IPv6Network, segments: Sequence[IPv6Address] | None, sleep: Sleep) -> None:
    """What a function lets through for a prefix goes on by a segment list, or (None) by the main table again."""
    with state.locked(name, sleep) as lock:
        now = state.require(name)
        layout, one = now.layout(), _function(now, number)
        netns.batch("ip", after_lines(layout, one, prefix, segments), layout.router(one.node), held=[lock])


def attach(name: str, node: int, target: Path, sleep: Sleep, label: str = "") -> Attached:
    """Give the network namespace of a file (`/proc/<pid>/ns/net`, `/run/netns/<name>`) a device in a site's segment.

    It is reached, shaped and counted like the site's host. The device goes when either namespace does. The label (whose
    network it is) stands on the router's device as its alias, so that who looks at the router knows it.
    """
    assert not target.exists() or not target.samefile("/proc/self/ns/net"), (
        "this machine's own default route would move"
    )
    with state.locked(name, sleep) as lock:
        layout = state.require(name).layout()
        router = layout.router(node)
        taken = {int(found[1]) for device in netns.devices(router) if (found := TASK.fullmatch(device))}
        number = next((at for at in range(TASKS_MAX) if at not in taken), None)
        if number is None:
            raise ConflictError("lab_segment_full", name=name, limit=TASKS_MAX)
        device, mtu = f"t{number}", layout.access_mtu
        plan = layout.addressing
        address = task_address(layout, node, number)
        pair = f"link add {device} mtu {mtu} netns {router} type veth peer name {TASK_DEVICE} mtu {mtu} netns {target}"
        netns.batch("ip", [pair], held=[lock])
        try:
            # The gateway's address is on this device too, or the router would not answer for it here.
            gateway = plan.router_on_host_link(node)
            near = [
                f"link set {device} up",
                f"address add {gateway}/128 dev {device} nodad",
                f"route add {address}/128 dev {device}",
                *([f"link set {device} alias {label}"] if label else []),
            ]
            netns.batch("ip", near, router, held=[lock])
            far = ["link set lo up", *commands.member_lines(layout, node, address, TASK_DEVICE)]
            netns.batch("ip", far, str(target), held=[lock])
        except BaseException:
            netns.batch("ip", [f"link del {device}"], router, held=[lock], force=True)
            raise
        return Attached(node, device, address, gateway, mtu, netns.device_number(router, device) or 0)


def task_address(layout: Layout, node: int, number: int) -> IPv6Address:
    """Of the task that has the device `t<number>` at a router."""
    return layout.addressing.host_prefix(node)[FIRST_TASK_ADDRESS + number]


def detach(name: str, attached: Attached, sleep: Sleep) -> None:
    """Take it back; no fault where the task's end has taken it already. Its name may be another task's by then."""
    with state.locked(name, sleep) as lock:
        router = state.require(name).layout().router(attached.node)
        if netns.device_number(router, attached.device) == attached.device_number:
            netns.batch("ip", [f"link del {attached.device}"], router, held=[lock], force=True)


def _free(now: state.State, wanted: int) -> list[int]:
    taken = {one.number for one in now.functions}
    free = [at for at in range(SERVICES_MAX) if at not in taken][:wanted]
    if len(free) < wanted:
        raise ConflictError("lab_functions_full", name=now.name, limit=SERVICES_MAX)
    return free


def _join(now: state.State, wanted: Mapping[Chained, Function], sleep: Sleep, lock: int) -> None:
    """All of them or none; the state first, so that whoever is killed in between is seen."""
    layout = now.layout()
    state.write(replace(now, functions=(*now.functions, *wanted)))
    try:
        for one, function in wanted.items():
            place, router = one.place(layout), layout.router(one.node)
            pairs, inside, beside = chain_lines(layout, one)
            place.folder.mkdir(mode=0o700)
            netns.batch("ip", [f"netns add {place.namespace}"], held=[lock])
            netns.write_sysctls({place.namespace: commands.ROUTER_SYSCTLS})
            netns.batch("ip", pairs, held=[lock])
            netns.batch("ip", inside, place.namespace, held=[lock])
            netns.batch("tc", capacity_lines(layout, one), router, held=[lock])
            function.start(place, lock)  # before the first packet can come
            netns.batch("ip", beside, router, held=[lock])
    except BaseException:
        _unchain(layout, tuple(wanted), sleep, lock)
        state.write(now)
        raise


def _unchain(layout: Layout, gone: Sequence[Chained], sleep: Sleep, lock: int) -> None:
    places = [one.place(layout) for one in gone]
    for one in gone:
        netns.batch("ip", unchain_lines(layout, one), layout.router(one.node), held=[lock], force=True)
    found = processes.of_namespaces(place.namespace for place in places)
    processes.end_all((pid for pids in found.values() for pid in pids), sleep)
    for place in places:
        netns.batch("ip", [f"netns del {place.namespace}"], held=[lock], force=True)
        encryption.forget_sockets(place.namespace)
        shutil.rmtree(place.folder, ignore_errors=True)


def _function(now: state.State, number: int) -> Chained:
    for one in now.functions:
        if one.number == number:
            return one
    raise NotFoundError("lab_function_unknown", number=number, name=now.name)
