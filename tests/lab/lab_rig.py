"""Labs under test, with names of this process alone, and what a test needs of this machine, by name."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pytest

from suanwang.lab import build, netns, processes, state
from suanwang.lab.functions import Chained
from suanwang.lab.functions.encryption import SOCKETS
from suanwang.lab.layout import Layout, prefix_of
from suanwang.lab.ping import Pinged, ping
from suanwang.lab.probe import probe, require_root
from suanwang.lab.state import State, Stored
from suanwang.lab.status import LabStatus, status
from suanwang.lab.traffic import Ask, Measured, Tool, measure
from suanwang.model.error import SuanwangError
from suanwang.net.topology import Topology, make_topology
from suanwang.texts import text

MBPS = 1_000_000
# What a loaded machine may add to a round trip: wake-ups of the relay, one each way and link.
SLACK_US = 3_000


def own_name(letter: str) -> str:
    """A lab's name that no other process of the test run uses."""
    return letter + np.base_repr(os.getpid(), 36).lower()


def lacking() -> str | None:
    """Why no lab can be built here, or None; tried for real."""
    name = own_name("p")
    try:
        require_root()
        with state.locked(name, time.sleep) as lock:
            probe(prefix_of(name), lock)
    except SuanwangError as error:
        words = text(f"error.{error.code}", **error.params)
        return f"needs root, namespaces, SRv6 and htb: {words}"
    return None


LAB = [pytest.mark.lab, pytest.mark.skipif((WHY := lacking()) is not None, reason=str(WHY))]


@dataclass
class Lab:
    """One that is up."""

    name: str
    layout: Layout

    def node(self, site: str) -> int:
        return self.layout.topology.nodes.index(site)

    def ping(self, a: str, b: str, count: int = 5, interval_us: int = 20_000) -> Pinged:
        to = self.layout.addressing.host_address(self.node(b))
        host = self.layout.host(self.node(a))
        return ping(host, to, time.monotonic_ns, count=count, interval_us=interval_us, wait_us=400_000)

    def measure(self, a: str, b: str, tool: Tool, rate_bps: int | None, seconds: int, tclass: int = 0) -> Measured:
        ask = Ask(
            source=self.layout.host(self.node(a)),
            target=self.layout.host(self.node(b)),
            address=self.layout.addressing.host_address(self.node(b)),
            mtu=self.layout.access_mtu,
            seconds=seconds,
            rate_bps=rate_bps,
            traffic_class=tclass,
        )
        return measure(ask, tool, time.monotonic_ns, time.sleep)

    def link(self, ident: str) -> int:
        return [link.id for link in self.layout.links].index(ident)


def look(layout: Layout, functions: Sequence[Chained] = ()) -> LabStatus:
    return status(layout, functions, lambda: time.monotonic_ns() // 1000, time.sleep)


def wanted(name: str, topology: Topology, top_rate_bps: int = 100 * MBPS, routes: bool = True) -> State:
    return State(name, Stored.of(topology), top_rate_bps, 30, 1500, routes=routes)


@contextmanager
def lab(letter: str, topology: Topology, top_rate_bps: int = 100 * MBPS) -> Iterator[Lab]:
    """A lab for as long as the block lasts, and nothing of it afterwards."""
    name = own_name(letter)
    try:
        yield Lab(name, build.up(wanted(name, topology, top_rate_bps), time.sleep))
    finally:
        build.down(name, time.sleep)
        assert remains(name) == []


def remains(name: str) -> list[str]:
    """Everything that is left of a lab: namespaces, processes, files, devices in the namespace of the test."""
    prefix = prefix_of(name)
    out = [*netns.names(prefix), *map(str, processes.relays(prefix)), *map(str, processes.inside(prefix))]
    out += [str(path) for path in (state.folder(name), state.ROOT / f"{name}.lock") if path.exists()]
    out += map(str, SOCKETS.glob(f"wg-{name}-*"))
    return out + sorted(set(os.listdir("/sys/class/net")) - BEFORE)


BEFORE = set(os.listdir("/sys/class/net"))


def cables(
    name: str, nodes: str, rows: Sequence[tuple[str, int, int, int]], back_us: dict[str, int] | None = None
) -> Topology:
    """One letter a node; a cable `ab` has (ends, capacity in Mb/s, latency in us, weight), the same both ways but
    for the latency of those in `back_us`."""
    ends = [(nodes.index(row[0][0]), nodes.index(row[0][1])) for row in rows]
    latency = [one for row in rows for one in (row[2], (back_us or {}).get(row[0], row[2]))]
    return make_topology(
        name,
        list(nodes),
        [f"{row[0]}:{way}" for row in rows for way in ("ab", "ba")],
        np.array([one for a, b in ends for one in (a, b)], np.int64),
        np.array([one for a, b in ends for one in (b, a)], np.int64),
        np.repeat(np.array([row[3] for row in rows], np.int64), 2),
        np.repeat(np.array([row[1] * MBPS for row in rows], np.int64), 2),
        np.array(latency, np.int64),
    )
