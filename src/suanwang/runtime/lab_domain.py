"""A lab as an SRv6 domain of the network agent: the lab's underlay is its IGP, its routers take the programs."""

import subprocess
import threading
from collections.abc import Collection, Mapping
from contextlib import ExitStack, suppress
from typing import Final

from suanwang.agent.adapters.srv6 import SYSCTLS, LinkUse, LinuxDriver, Probe, SrNetwork, endpoint
from suanwang.agent.adapters.srv6.watch import LinkWatch
from suanwang.agent.network import Laid, Member, PolicyKey
from suanwang.lab import netns, shares, state
from suanwang.lab.beside import TASK, task_address
from suanwang.lab.layout import ACCESS_DEVICE, HOST_DEVICE, Layout
from suanwang.lab.status import functions_of
from suanwang.model.error import ConflictError, NetworkError, NotFoundError, UnreachableError
from suanwang.model.grid import Grid, ProtectionFunction
from suanwang.model.ids import LinkId, SecurityPoolId, TaskId
from suanwang.model.wanted import FunctionUse, LinkUseReport, ProbedPath, TaskFlow, WantedNetwork
from suanwang.net.topology import Topology, topology_of_grid
from suanwang.runtime import clock, lab
from suanwang.runtime.laying import lay

UNKNOWN: Final = -1  # no rate
NAMED_MAX: Final = 3  # of what differs; the rest is counted
PROBE_PACKETS: Final = 10
PROBE_INTERVAL_US: Final = 2_000
PROBE_FIRST: Final = 0x8000  # of a site's segment: addresses that answer probes, one a flow
PROBE_LAST: Final = 0xFFFF


class LabDomain:
    """One lab that is up. Its topology is that of the brain's grid: sites and links have the same names."""

    def __init__(self, name: str) -> None:
        self._name, self._generation = name, 0
        self._lock = threading.Lock()
        self._open()

    def _open(self) -> None:
        """The lab as it is up now. What an agent that was killed has left on it is written over by the first round:
        until then what it had closed stays closed."""
        self._layout = state.require(self._name).layout()
        self._opened = self._inodes()
        layout, nodes = self._layout, self._layout.topology.nodes
        routers = {site: layout.router(at) for at, site in enumerate(nodes)}
        sysctls = {f"net/ipv6/{path}": int(value) for path, value in SYSCTLS.items()}
        netns.write_sysctls(dict.fromkeys(routers.values(), sysctls))
        self._node = {site: at for at, site in enumerate(nodes)}
        self._network = SrNetwork(LinuxDriver(lambda router: routers[router], clock.pause))
        self._watch = LinkWatch(routers)
        self._links = {layout.device(way.directed) + f"@{way.node}": way for link in layout.links for way in link.ways}
        self._scale = (
            max(way.rate_bps for way in self._links.values()),
            max(way.capacity_bps for way in self._links.values()),
        )
        self._ef = {way.directed: UNKNOWN for way in self._links.values()}
        self._rules: dict[int, str | None] = dict.fromkeys(range(layout.topology.n))
        self._probes: dict[TaskId, tuple[int, int]] = {}  # site, and which of its segment's addresses

    def _inodes(self) -> tuple[int, ...]:
        """Which namespaces the routers are. Raises NotFoundError or ConflictError where the lab is not up."""
        state.require(self._name)
        routers = map(self._layout.router, range(self._layout.topology.n))
        try:
            return tuple((netns.RUN / router).stat().st_ino for router in routers)
        except OSError as error:
            raise NotFoundError("lab_not_up", name=self._name) from error

    def _check(self) -> None:
        """Whether it is still the lab that was opened; one that was made anew is opened. Raises what `require` does where it
        is not up, so that what goes down with it is not taken for cut cables."""
        if self._inodes() != self._opened:
            self._watch.close()
            self._open()
            self._generation += 1

    @property
    def generation(self) -> int:
        return self._generation

    @property
    def network(self) -> SrNetwork:
        return self._network

    @property
    def layout(self) -> Layout:
        return self._layout

    def wait(self, timeout_s: float) -> bool:
        return self._watch.wait(timeout_s)

    def down(self) -> frozenset[LinkId]:
        self._check()
        devices, nodes = self._watch.seen(), self._layout.topology.nodes
        return frozenset(
            LinkId(link.id)
            for link in self._layout.links
            if not all(
                (found := devices[nodes[way.node]].get(link.device)) is not None and found.up for way in link.ways
            )
        )

    def refresh(self) -> None:
        self._watch.wait(0)

    def addresses(self) -> dict[str, TaskId]:
        out = {}
        for site, devices in self._watch.seen().items():
            for name, device in devices.items():
                if device.alias and (found := TASK.fullmatch(name)):
                    address = task_address(self._layout, self._node[site], int(found[1]))
                    out[str(address)] = TaskId(device.alias)
        return out

    def standing(self, wanted: WantedNetwork) -> tuple[tuple[str, tuple[str, int]], ...]:
        return tuple(sorted(self._services(wanted).items()))

    def lay(self, wanted: WantedNetwork, steers: Mapping[PolicyKey, list[str]], down: frozenset[LinkId]) -> Laid:
        return lay(self._layout, wanted.policies, steers, down, self._services(wanted))

    def _services(self, wanted: WantedNetwork) -> dict[str, tuple[str, int]]:
        """A security pool of the grid is the lab's first function of its kind at its site."""
        found: dict[tuple[str, ProtectionFunction], int] = {}
        for one in state.require(self._name).functions:
            found.setdefault((self._layout.topology.nodes[one.node], one.kind), one.number)
        return {
            pool.security_pool: (pool.site, found[pool.site, pool.function])
            for pool in wanted.security_pools
            if (pool.site, pool.function) in found
        }

    def hold(self, members: Collection[Member]) -> None:
        held: dict[int, int] = {}
        flows: dict[int, list[shares.Ingress]] = {}
        number = {name: at for at, name in enumerate(self._layout.topology.links)}
        rate, capacity = self._scale
        of_task: dict[TaskId, list[Member]] = {}
        for one in members:
            of_task.setdefault(one.flow.task_id, []).append(one)
        for group in of_task.values():  # an array holds its bandwidth once, for all its elements
            flow, placed = group[0].flow, all(one.placed for one in group)
            bps = flow.bandwidth_bps * rate // capacity
            addresses = tuple(sorted(one.address for one in group))
            closed = bool(flow.pools) and not placed
            flows.setdefault(self._node[flow.origin], []).append(shares.Ingress(addresses, bps, closed))
            for link in flow.links if placed and bps else ():
                held[number[link]] = held.get(number[link], 0) + bps
        self._forget_probes({one.flow.task_id for one in members})
        self._shape(held)
        self._mark(flows)

    def carried(self, use: LinkUse) -> LinkUseReport | None:
        """Scaled by the link itself and not as bandwidth is: a small link's rate is raised to the least that a lab has."""
        way = self._links.get(f"{use.device}@{self._node[use.router]}")
        if way is None:
            return None
        return LinkUseReport(
            link=self._layout.topology.links[way.directed],
            bandwidth_bps=use.bandwidth_bps * way.capacity_bps // way.rate_bps,
            packets=use.packets,
            dropped=use.dropped,
        )

    def functions(self, wanted: WantedNetwork) -> tuple[FunctionUse, ...]:
        """The use is in the grid's figures, as its capacities are."""
        now = state.require(self._name)
        found = {one.number: one for one in functions_of(self._layout, now.functions, clock.monotonic_us, clock.pause)}
        rate, capacity = self._scale
        out = []
        for name, (_, number) in self._services(wanted).items():
            seen = found.get(number)
            if seen is not None:
                use_bps = seen.use_bps * capacity // rate
                out.append(FunctionUse(security_pool=SecurityPoolId(name), bandwidth_bps=use_bps, alive=seen.alive))
        return tuple(out)

    def out_of(self, pool: SecurityPoolId, flow: TaskFlow, prefixes: list[str]) -> list[str]:
        """Out of an encryption hop come packets for its far end. Where that is not beside the task's site there is
        nothing that this way could carry."""
        site = next(one.site for one in flow.pools if one.security_pool == pool)
        functions = {one.number: one for one in state.require(self._name).functions}
        wanted = (self._node[site], next(one.function for one in flow.pools if one.security_pool == pool))
        near = next((one for one in functions.values() if (one.node, one.kind) == wanted), None)
        if near is None or near.peer is None:
            return prefixes
        far = functions[near.peer]
        return [f"{far.address(self._layout)}/128"] if far.node == self._node[flow.site] else []

    def probe_address(self, flow: TaskFlow) -> str | None:
        """An address of its own in the segment of the task's site, made where it is not yet."""
        node = self._node[flow.site]
        with self._lock:
            known, at = self._probes.get(flow.task_id, (node, None))
            if at is None or known != node:
                taken = {one for where, one in self._probes.values() if where == node}
                at = next((one for one in range(PROBE_FIRST, PROBE_LAST) if one not in taken), None)
                if at is None:
                    return None
                address = self._layout.addressing.host_prefix(node)[at]
                lines = [f"address replace {address}/128 dev {HOST_DEVICE} nodad"]
                router = [
                    f"neigh replace {address} lladdr {self._layout.access_mac(node, host=True)} dev {ACCESS_DEVICE}"
                ]
                netns.batch("ip", lines, self._layout.host(node))
                netns.batch("ip", [f"{router[0]} nud permanent"], self._layout.router(node))
                self._probes[flow.task_id] = node, at
            return str(self._layout.addressing.host_prefix(node)[at])

    def probe(self, member: Member) -> ProbedPath | None:
        address, layout = self.probe_address(member.flow), self._layout
        if address is None:
            return None
        origin, site = self._node[member.flow.origin], self._node[member.flow.site]
        with ExitStack() as sockets:
            try:
                near = sockets.enter_context(endpoint(layout.host(origin), str(layout.addressing.host_address(origin))))
                far = sockets.enter_context(endpoint(layout.host(site), address))
            except OSError:
                return None
            found = Probe(near, far, clock.now_ns, clock.pause).run(PROBE_PACKETS, PROBE_INTERVAL_US)
        return ProbedPath(
            task_id=member.flow.task_id,
            plan_id=member.flow.plan_id,
            sent=found.sent,
            received=found.received,
            mean_us=max(0, round(found.mean_us)),  # the system's clock may have been put back meanwhile
            p90_us=max(0, round(found.p90_us)),
            maximum_us=max(0, round(found.maximum_us)),
        )

    def close(self) -> None:
        """What was added beside the programs goes; a lab that is gone already has taken it along."""
        self._watch.close()
        with suppress(UnreachableError, OSError):
            self._forget_probes(frozenset())

    def _forget_probes(self, kept: Collection[TaskId]) -> None:
        """Take away the addresses beside those of tasks that are gone."""
        with self._lock:
            for task in [one for one in self._probes if one not in kept]:
                node, at = self._probes.pop(task)
                address = self._layout.addressing.host_prefix(node)[at]
                lines = [f"address del {address}/128 dev {HOST_DEVICE}"]
                netns.batch("ip", lines, self._layout.host(node), force=True)

    def _shape(self, held: Mapping[int, int]) -> None:
        """The EF class of each direction, where it is to be another."""
        ways = {way.directed: way for way in self._links.values()}
        wanted = {directed: shares.ef_bps(ways[directed], bps) for directed, bps in held.items()}
        back = {directed: ways[directed].ef_bps for directed in self._ef if directed not in wanted}
        changed = {at: bps for at, bps in (wanted | back).items() if self._ef.get(at) != bps}
        for node in {ways[at].node for at in changed}:
            netns.batch("tc", shares.change_lines(self._layout, node, changed), self._layout.router(node))
        self._ef = wanted

    def _mark(self, flows: Mapping[int, list[shares.Ingress]]) -> None:
        """The ingress rules of each router, where they are to be others."""
        for node in flows.keys() | self._rules.keys():
            text = shares.ruleset(sorted(flows.get(node, []), key=lambda one: one.addresses))
            if self._rules.get(node) != text:
                _nft(self._layout.router(node), text)
                self._rules[node] = text


def check_lab(name: str, grid: Grid) -> None:
    """Whether a lab can be this grid's network: each site is a router of it, and the same links with the same ends and IGP
    weights are between them, or a segment list would lead elsewhere than the plan says.

    Raises what `lab.require` does where it is not up, else ConflictError.
    """
    mine, asked = lab.require(name).layout().topology, topology_of_grid(grid)
    sites = [site for site in asked.nodes if site not in set(mine.nodes)]
    links = sorted({link for link, *_ in _links(mine) ^ _links(asked)})
    if sites or links:
        such = ", ".join([*sites, *links][:NAMED_MAX])
        raise ConflictError("lab_other_grid", name=name, grid=grid.id, sites=len(sites), links=len(links), such=such)


def _links(topology: Topology) -> set[tuple[str, str, str, int]]:
    """Each cable's two directions: id, source, target, weight."""
    return {
        (
            link.rpartition(":")[0],
            topology.nodes[int(topology.source[at])],
            topology.nodes[int(topology.target[at])],
            int(topology.weight[at]),
        )
        for at, link in enumerate(topology.links)
    }


def _nft(namespace: str, text: str) -> None:
    words = ["ip", "netns", "exec", namespace, "nft", "-f", "-"]
    try:
        done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NetworkError("network_hop", router=namespace, command="nft", detail=str(error)) from error
    if done.returncode:
        raise NetworkError("network_hop", router=namespace, command="nft", detail=done.stderr.strip()[:300])
