"""Makes and removes a lab. Every step is found again by the prefix of its names, whoever died in the middle."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from suanwang.lab import commands, netns, processes, state, underlay
from suanwang.lab.functions import encryption
from suanwang.lab.layout import Layout, prefix_of
from suanwang.lab.probe import probe
from suanwang.lab.state import State
from suanwang.model.error import ConflictError, UnreachableError

BATCHES_AT_ONCE = 4
READY = b"ready\n"
# A burst of routes can end in ENOMEM (the kernel allocates per-CPU memory atomically); a moment later it has refilled.
ROUTE_TRIES = 5
ROUTE_PAUSE_S = 0.2
Sleep = Callable[[float], None]


@dataclass(frozen=True)
class Removed:
    """What `remove` found."""

    namespaces: int
    processes: int


def up(wanted: State, sleep: Sleep) -> Layout:
    """Make the lab; what a crash left of one with the same name goes first.

    Raises ConflictError where one is up already. What fails in the middle is removed again.
    """
    layout = wanted.layout()
    with state.locked(wanted.name, sleep) as lock:
        before = state.read(wanted.name)
        if before is not None and before.up and netns.names(layout.prefix):
            raise ConflictError("lab_is_up", name=wanted.name)
        _remove(wanted.name, sleep, lock)
        try:
            wanted = replace(wanted, netem=probe(layout.prefix, lock))
            state.write(wanted)
            _make(layout, lock)
            if wanted.routes:
                install_routes(layout, frozenset(), sleep, lock)
            state.write(replace(wanted, up=True))
        except BaseException:
            _remove(wanted.name, sleep, lock)
            raise
    return layout


def down(name: str, sleep: Sleep) -> Removed:
    """Remove everything that carries the lab's prefix: processes, namespaces with their devices, files."""
    with state.locked(name, sleep) as lock:
        now = state.read(name)
        if now is not None:  # first of all, so that who watches it does not take its end for cut cables
            state.write(replace(now, up=False))
        return _remove(name, sleep, lock)


def fail_link(name: str, link: int, end: int | None, sleep: Sleep) -> None:
    """Take both ends of a link down, or that of node `end`; the underlay routes round it."""
    _switch(name, link, False, end, sleep)


def heal(name: str, link: int, sleep: Sleep) -> None:
    """Bring both ends of a link up, with the routes that the kernel dropped."""
    _switch(name, link, True, None, sleep)


def install_routes(layout: Layout, down_links: frozenset[int], sleep: Sleep, lock: int) -> None:
    """The plain underlay of every router, as it is without the links that are down."""
    plane = underlay.plane_of(layout, down_links)

    def one(node: int) -> None:
        router = layout.router(node)
        wanted, gone = underlay.route_lines(layout, plane, node)
        netns.batch("ip", gone, router, held=[lock], force=True)
        for tries_left in reversed(range(ROUTE_TRIES)):
            try:
                netns.batch("ip", wanted, router, held=[lock])
                return
            except UnreachableError:
                if not tries_left:
                    raise
                sleep(ROUTE_PAUSE_S)

    _each(layout.topology.n, one)


def _make(layout: Layout, lock: int) -> None:
    nodes = layout.topology.n
    netns.batch("ip", commands.make_namespaces(layout), held=[lock])
    routers = {layout.router(node): commands.ROUTER_SYSCTLS for node in range(nodes)}
    netns.write_sysctls(routers | {layout.host(node): commands.HOST_SYSCTLS for node in range(nodes)})
    netns.batch("ip", commands.make_pairs(layout), held=[lock])

    def one(node: int) -> None:
        netns.batch("ip", commands.router_lines(layout, node), layout.router(node), held=[lock])
        netns.batch("tc", commands.shaping_lines(layout, node), layout.router(node), held=[lock])
        netns.batch("ip", commands.host_lines(layout, node), layout.host(node), held=[lock])

    _each(nodes, one)
    _start_relay(layout)


def _start_relay(layout: Layout) -> None:
    """Returns when every TAP is attached, so that carriers are up before the first packet."""
    cables = [
        [
            *([layout.router(node), link.device] for node in (link.a, link.b)),
            link.forth.latency_us,
            link.back.latency_us,
        ]
        for link in layout.links
        if link.relayed
    ]
    if not cables:
        return
    home = state.folder(layout.name)
    file = home / "cables.json"
    file.write_text(json.dumps(cables), "utf-8")
    log = home / "relay.log"
    if processes.start(processes.relay_arguments(sys.executable, layout.prefix, file), log) != READY:
        raise UnreachableError("lab_relay", detail=log.read_text("utf-8", "replace").strip()[-300:])


def _remove(name: str, sleep: Sleep, lock: int) -> Removed:
    prefix = prefix_of(name)
    ended = processes.end_all({*processes.relays(prefix), *processes.inside(prefix)}, sleep)
    encryption.forget_sockets(prefix)
    found = netns.names(prefix)
    netns.batch("ip", [f"netns del {one}" for one in found], held=[lock])
    shutil.rmtree(state.folder(name), ignore_errors=True)
    return Removed(len(found), ended)


def _switch(name: str, link: int, wanted_up: bool, end: int | None, sleep: Sleep) -> None:
    with state.locked(name, sleep) as lock:
        now = state.require(name)
        layout = now.layout()
        down_links = frozenset(now.down_links) - {link} if wanted_up else frozenset(now.down_links) | {link}
        # The state first: whoever is killed in between is healed, or failed, by the same command once more.
        state.write(replace(now, down_links=tuple(sorted(down_links))))
        for router, lines in commands.switch_lines(layout, layout.links[link], wanted_up, end).items():
            netns.batch("ip", lines, router, held=[lock])
        if now.routes:
            install_routes(layout, down_links, sleep, lock)


def _each(nodes: int, call: Callable[[int], None]) -> None:
    """The call for every node, a few at once; the first error is raised when all have ended."""
    with ThreadPoolExecutor(max_workers=min(BATCHES_AT_ONCE, os.cpu_count() or 1)) as pool:
        done: Iterable[None] = pool.map(call, range(nodes))
        for _ in done:
            pass
