"""The demo's chapter on real routers: a part of the grid as a lab, a brain on it, and one task whose packets are followed.

What is said is measured on the task's own packets: counters of the routers, and what the task itself has received. The lab
has a name of its own, goes with the block that made it, and what a killed demo left of it goes first.
"""

import shutil
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from suanwang.agent.adapters.srv6 import Counters, endpoint
from suanwang.agent.network import Member, NetworkAgent
from suanwang.cli.show.demo_lab import LabNarrator
from suanwang.client import Client
from suanwang.grids import dump_grid
from suanwang.grids.geometry import great_circle_km
from suanwang.lab.layout import NODES_MAX, Layout
from suanwang.lab.probe import require_root
from suanwang.lab.traffic import Ask, Measured, measure
from suanwang.lab.underlay import plane_of
from suanwang.model.error import ConflictError, NotAllowedError, SuanwangError, UnreachableError
from suanwang.model.grid import Grid, PoolKind, Site, Tier
from suanwang.model.ids import TaskId
from suanwang.model.record import ENDS, Phase
from suanwang.model.task import Resources, TaskRequest
from suanwang.model.units import US_PER_MINUTE, US_PER_S
from suanwang.net.topology import topology_of_grid
from suanwang.runtime import clock, lab
from suanwang.runtime.app import serving
from suanwang.runtime.settings import Settings

NAME: Final = "demo"
FAST_SITES: Final = 10  # hubs and the west: up in seconds
TIERS: Final = (Tier.HUB, Tier.WESTERN, Tier.PROVINCIAL, Tier.EDGE)
PACKAGES: Final = {"nft": "nftables", "bwrap": "bubblewrap"}
PORT: Final = 9000
LATENCY_US: Final = 20_000
BANDWIDTH_SHARE: Final = 10  # of the path's narrowest link the task holds one part in so many
PAIRS_TRIED: Final = 40
LINKS_WANTED: Final = 3
KM_MAX: Final = 1_600  # some 15 ms of fibre
COUNTED: Final = 200  # packets that are followed from hop to hop
SMALL_BYTES, LARGE_BYTES = 64, 1_400
BEAT_US: Final = 1_000  # a packet a millisecond while a link is cut: packets lost are milliseconds lost
CUT_S, CUT_AFTER_S = 3.0, 1.0
FLOOD_S: Final = 4
FLOOD_PERCENT: Final = 130  # of the link
SENT_PERCENT: Final = 80  # of what the task holds
LIMIT_S: Final = 60.0  # for whatever is waited for
LOOK_S: Final = 0.01
# Receives numbered packets; "ask" is answered with how many came, "end" ends it.
RECEIVER: Final = f"""
import socket
sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
sock.bind(("::", {PORT}))
seen = set()
print("ready", flush=True)
while True:
    data, peer = sock.recvfrom(2048)
    if data == b"end":
        break
    if data == b"ask":
        sock.sendto(b"%d" % len(seen), peer)
    else:
        seen.add(int(data[:8]))
print(len(seen), "packets came")
"""


@dataclass(frozen=True)
class Hop:
    """A router on the way: packets that it sent on over the planned link, and that its SID took where it is a segment's."""

    site: str
    link: str
    sent: int
    taken: int | None


@dataclass(frozen=True)
class Cut:
    link: str
    sent: int
    lost_ms: int
    repaired_ms: int  # until the routers had the repaired path
    sites: tuple[str, ...]
    latency_us: int


@dataclass(frozen=True)
class Flood:
    """`lost` of the task's packets, and the part of the flood's that its link dropped."""

    link: str
    rate_bps: int
    flood_bps: int
    task_bps: int
    sent: int
    lost: int
    flood_lost_permille: int


@dataclass(frozen=True)
class Chapter:
    """What the chapter found; `error` says why it ended before its end."""

    routers: int
    path: tuple[str, ...] = ()
    hops: tuple[Hop, ...] = ()
    cut: Cut | None = None
    after: tuple[Hop, ...] = ()
    flood: Flood | None = None
    error: str = ""

    def document(self) -> dict[str, Any]:
        return asdict(self)


def chapter(grid: Grid, settings: Settings, narrator: LabNarrator, fast: bool, name: str = NAME) -> Chapter | None:
    """Play it; None where this machine can have no lab, which is said in a line."""
    part = part_of(grid, FAST_SITES if fast else NODES_MAX)
    began_us = clock.monotonic_us()
    try:
        with _lab(part, name) as layout:
            narrator.up(part, layout, clock.monotonic_us() - began_us)
            found = _on(part, layout, settings, narrator)
        narrator.gone()
        return found
    except MissingError as missing:
        narrator.missing(missing.why)
        return None


class MissingError(Exception):
    """No lab can be had here."""

    def __init__(self, why: SuanwangError) -> None:
        self.why = why


def part_of(grid: Grid, sites_max: int) -> Grid:
    """The tiers from the hubs on that fit, whole; all of a grid that does. Data sets keep the replicas that are there."""
    chosen: set[str] = set()
    for tier in TIERS:
        more = {site.id for site in grid.sites if site.tier is tier}
        if len(chosen) + len(more) > sites_max:
            break
        chosen |= more
    if len(chosen) == len(grid.sites):
        return grid
    sets = [
        one.model_copy(update={"replicas": tuple(at for at in one.replicas if at in chosen)}) for one in grid.data_sets
    ]
    sites = tuple(site for site in grid.sites if site.id in chosen)
    return grid.model_copy(
        update={
            "id": f"{grid.id}-lab",
            "sites": sites,
            "links": tuple(link for link in grid.links if link.a in chosen and link.b in chosen),
            "data_sets": tuple(one for one in sets if one.replicas),
            "default_origin": grid.default_origin if grid.default_origin in chosen else sites[0].id,
        }
    )


@contextmanager
def _lab(part: Grid, name: str) -> Iterator[Layout]:
    """The lab, for as long as the block lasts. Raises MissingError where there can be none."""
    # An abstract socket is this process's lock on the name: the kernel lets it go however the process ends.
    with socket.socket(socket.AF_UNIX) as lock:
        try:
            require_root()
            for tool, package in PACKAGES.items():
                if shutil.which(tool) is None:
                    raise UnreachableError("lab_package", tool=tool, package=package)
            try:
                lock.bind(f"\0suanwang-lab-{name}")
            except OSError:
                raise ConflictError("lab_is_up", name=name) from None
            lab.down(name)
            layout, _ = lab.up(topology_of_grid(part), name)
        except (NotAllowedError, UnreachableError, ConflictError) as error:
            raise MissingError(error) from error
        try:
            yield layout
        finally:
            lab.down(name)


def _on(part: Grid, layout: Layout, settings: Settings, narrator: LabNarrator) -> Chapter:
    """A brain of its own on the lab's grid, and the story; where that breaks off, what was found until then."""
    home = settings.home / "lab"
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = Path(home, "grid.yaml")
    file.write_text(dump_grid(part), "utf-8")
    chosen = replace(settings, home=home, grid=str(file), port=0, lab=layout.name, scarcity_s=0, optimise_s=0)
    with serving(chosen) as here, Client(here.url, here.key) as client:
        assert here.network is not None
        story = Story(layout, client, here.network.agent, narrator)
        try:
            story.play(part)
        except SuanwangError as error:
            narrator.broke_off(error)
            story.found = replace(story.found, error=error.code)
        return story.found


@dataclass
class Story:
    """One task and its packets, from a host of the lab."""

    layout: Layout
    client: Client
    agent: NetworkAgent
    narrator: LabNarrator

    def __post_init__(self) -> None:
        self.found = Chapter(self.layout.topology.n)
        self._number = 0

    def play(self, part: Grid) -> None:
        task = self._submit(part)
        member = self._member(task, ())
        self._until(lambda: b"ready" in b"".join(self.client.logs(task, follow=False)))
        self.found = replace(self.found, path=self._sites(member))
        self.narrator.planned(self.client.explain(task), self.client.policies(), member.address)
        with self._quiet(), self._near(member) as near:
            self.found = replace(self.found, hops=self._followed(near, member))
            self.narrator.hops(self.found.hops, COUNTED)
            cut = self._cut(near, member, task)
            self.found = replace(self.found, cut=cut)
            self.narrator.cut(cut)
            member = self._member(task, ())
            self.found = replace(self.found, after=self._followed(near, member))
            self.narrator.hops(self.found.after, COUNTED)
            flood = self._flood(near, member)
            self.found = replace(self.found, flood=flood)
            self.narrator.flood(flood)
            self._end(near, member, task)

    # -- the task ----------------------------------------------------------------------------------------------------

    def _submit(self, part: Grid) -> TaskId:
        """A service far from its user: of the pairs of sites that are tried, the one whose path has most links."""
        self._until(lambda: all(site.live for site in self.client.panorama().sites if site.pools))
        best: tuple[int, TaskRequest] | None = None
        for origin, target in pairs(part):
            request = _request(origin, target, 1)
            plan = self.client.plan(request).plan
            if plan is None or not plan.path.links:
                continue
            capacity_bps = min(one.capacity_bps for one in part.links if one.id in {at.link for at in plan.path.links})
            if best is None or len(plan.path.links) > best[0]:
                best = len(plan.path.links), _request(origin, target, capacity_bps // BANDWIDTH_SHARE)
            if best[0] >= LINKS_WANTED:
                break
        if best is None:
            raise ConflictError("no_way_cut_off", source=part.default_origin, target="")
        return TaskId(self.client.submit(best[1]).task_id)

    def _member(self, task: TaskId, before: tuple[str, ...]) -> Member:
        """The task in the network once its policies stand, on other links than before."""
        found: list[Member] = []

        def placed() -> bool:
            found[:] = [
                one
                for one in self.agent.members
                if one.flow.task_id == task and one.placed and one.flow.links and one.flow.links != before
            ]
            return bool(found)

        self._until(placed)
        return found[0]

    def _end(self, near: socket.socket, member: Member, task: TaskId) -> None:
        def over() -> bool:
            near.sendto(b"end", (member.address, PORT))
            clock.pause(0.1)
            return self.client.task(task).phase in ENDS

        self._until(over)
        ended = self.client.task(task)
        if ended.phase is not Phase.SUCCEEDED:
            raise ConflictError("demo_lab_task", phase=ended.phase.value)
        self.narrator.ended(ended)

    # -- packets -----------------------------------------------------------------------------------------------------

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Without probes: what is counted is the task's packets alone."""
        self.agent.probing = False
        clock.pause(0.2)  # one that is under way
        try:
            yield
        finally:
            self.agent.probing = True

    def _near(self, member: Member) -> socket.socket:
        node = self._node(member.flow.origin)
        return endpoint(self.layout.host(node), str(self.layout.addressing.host_address(node)))

    def _send(self, near: socket.socket, address: str, count: int, interval_us: int, size: int = SMALL_BYTES) -> None:
        start_us = clock.monotonic_us()
        for at in range(count):
            left_us = start_us + at * interval_us - clock.monotonic_us()
            if left_us > 0:
                clock.pause(left_us / US_PER_S)
            near.sendto(b"%08d" % self._number + b"." * (size - 8), (address, PORT))
            self._number += 1

    def _came(self, near: socket.socket, member: Member) -> int:
        """What the task says that it has received."""
        clock.pause(0.3)  # what is under way
        near.settimeout(0.5)
        deadline_s = clock.monotonic_s() + LIMIT_S
        while clock.monotonic_s() < deadline_s:
            near.sendto(b"ask", (member.address, PORT))
            try:
                return int(near.recv(64))
            except TimeoutError:
                continue
        raise UnreachableError("lab_no_traffic", detail=f"{member.address} does not answer")

    def _followed(self, near: socket.socket, member: Member) -> tuple[Hop, ...]:
        """Send some, and read each router's counters before and after."""
        before = self.agent.domain.network.counters()
        self._send(near, member.address, COUNTED, 2_000)
        clock.pause(0.3)
        now = self.agent.domain.network.counters()
        topology, out = self.layout.topology, []
        for link in member.flow.links:
            directed = topology.links.index(link)
            site, device = topology.nodes[int(topology.source[directed])], self.layout.device(directed)
            sent = now[site].sent[device].packets - before[site].sent[device].packets
            out.append(Hop(site, link, sent, taken(before, now, site)))
        return (*out, Hop(member.flow.site, "", 0, taken(before, now, member.flow.site)))

    # -- a link is cut -------------------------------------------------------------------------------------------------

    def _cut(self, near: socket.socket, member: Member, task: TaskId) -> Cut:
        link = self._expendable(member, task)
        asked = self._came(near, member)
        count = round(CUT_S * US_PER_S / BEAT_US)
        thread = threading.Thread(target=self._send, args=(near, member.address, count, BEAT_US), name="packets")
        thread.start()
        clock.pause(CUT_AFTER_S)
        cut_us = clock.monotonic_us()
        lab.fail_link(self.layout.name, link, None)
        repaired = self._member(task, member.flow.links)
        repaired_ms = (clock.monotonic_us() - cut_us) // 1_000
        thread.join()
        lost = count - (self._came(near, repaired) - asked)
        return Cut(link, count, lost * BEAT_US // 1_000, repaired_ms, self._sites(repaired), repaired.flow.latency_us)

    def _expendable(self, member: Member, task: TaskId) -> str:
        """The link nearest to the task's site without which there is another path that keeps the promise."""
        links = [one.rpartition(":")[0] for one in member.flow.links]
        for link in reversed(links):
            ways = self.client.what_if_cut([link]).ways
            if any(one.before.owner == task and one.links is not None for one in ways):
                return link
        return links[-1]

    # -- a flood -------------------------------------------------------------------------------------------------------

    def _flood(self, near: socket.socket, member: Member) -> Flood:
        """Best effort beside the task over a link of its path, more than the link can carry."""
        directed = self._flooded(member.flow.links)
        topology = self.layout.topology
        way = next(way for one in self.layout.links for way in one.ways if way.directed == directed)
        held_bps = member.flow.bandwidth_bps * way.rate_bps // way.capacity_bps
        task_bps, flood_bps = held_bps * SENT_PERCENT // 100, way.rate_bps * FLOOD_PERCENT // 100
        interval_us = LARGE_BYTES * 8 * US_PER_S // task_bps
        count = (FLOOD_S - 1) * US_PER_S // interval_us
        asked = self._came(near, member)
        with ThreadPoolExecutor(1) as pool:
            beside = pool.submit(self._load, int(topology.source[directed]), int(topology.target[directed]), flood_bps)
            clock.pause(0.8)
            self._send(near, member.address, count, interval_us, LARGE_BYTES)
            rest = beside.result()
        lost = count - (self._came(near, member) - asked)
        dropped = 1000 * (rest.lost or 0) // max(1, rest.packets or 0)
        return Flood(topology.links[directed], way.rate_bps, flood_bps, task_bps, count, lost, dropped)

    def _flooded(self, links: Sequence[str]) -> int:
        """The last link of the path that is also the IGP's way between its ends: a flood between them takes it."""
        topology = self.layout.topology
        down = frozenset(link.at for link in self.layout.links if link.id in self.agent.domain.down())
        plane = plane_of(self.layout, down)
        numbers = [topology.links.index(one) for one in links]
        for at in reversed(numbers):
            source, target = int(topology.source[at]), int(topology.target[at])
            if plane.hops[plane.first[target, source] : plane.first[target, source + 1]].tolist() == [at]:
                return at
        return numbers[-1]

    def _load(self, source: int, target: int, rate_bps: int) -> Measured:
        """By the shipped measurer: iperf3's own connection would not live beside its flood."""
        layout = self.layout
        to = layout.addressing.host_address(target)
        ask = Ask(layout.host(source), layout.host(target), to, layout.access_mtu, FLOOD_S, rate_bps, 0)
        return measure(ask, "own", clock.monotonic_ns, clock.pause)

    # -- small ---------------------------------------------------------------------------------------------------------

    def _node(self, site: str) -> int:
        return self.layout.topology.nodes.index(site)

    def _sites(self, member: Member) -> tuple[str, ...]:
        topology = self.layout.topology
        ends = [topology.nodes[int(topology.target[topology.links.index(link)])] for link in member.flow.links]
        return (str(member.flow.origin), *ends)

    def _until(self, true: Callable[[], object]) -> None:
        deadline_s = clock.monotonic_s() + LIMIT_S
        while not true():
            if clock.monotonic_s() > deadline_s:
                raise UnreachableError("demo_lab_late", seconds=round(LIMIT_S))
            clock.pause(LOOK_S)


def pairs(part: Grid) -> list[tuple[Site, Site]]:
    """Two sites, the second with general machines: the farthest apart first, as far as the latency may reach."""
    found = [
        (great_circle_km(a.latitude, a.longitude, b.latitude, b.longitude), a, b)
        for a in part.sites
        for b in part.sites
        if a.id != b.id and any(pool.kind is PoolKind.GENERAL for pool in b.pools)
    ]
    near = sorted((one for one in found if one[0] <= KM_MAX), key=lambda one: (-one[0], one[1].id, one[2].id))
    return [(a, b) for _, a, b in near[:PAIRS_TRIED]]


def taken(before: Mapping[str, Counters], now: Mapping[str, Counters], site: str) -> int | None:
    """Packets that a router's SIDs took meanwhile; None where that is none: then it only forwarded."""
    grown = [count.packets - before[site].sids[prefix].packets for prefix, count in now[site].sids.items()]
    return sum(grown) or None


def _request(origin: Site, target: Site, bandwidth_bps: int) -> TaskRequest:
    return TaskRequest(
        name="packets over real routers",
        run=("python3", "-c", RECEIVER),
        resources=Resources(cpu=1, memory=2**27, network=True, wall_time=10 * US_PER_MINUTE),
        origin=origin.id,
        sites=(target.id,),
        latency=LATENCY_US,
        bandwidth=bandwidth_bps,
    )
