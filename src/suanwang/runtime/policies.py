"""What the routers are to do for the live plans, and what they say of themselves. Outside the brain's lock but for reading
the plans.

Level-triggered: a network agent says what it has installed (a digest) and what it sees; it is answered with all that is
wanted, at once where that differs, else when it changes. Nothing here is durable: after a restart the agent's next
round tells the same again. What changes the grid (a link that is down, a function that is dead) goes into the log by the brain's verbs.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

import numpy as np
from blake3 import blake3

from suanwang.dispatch.repair import is_change
from suanwang.flow import Road
from suanwang.model.error import NotAllowedError
from suanwang.model.grid import Grid
from suanwang.model.ids import LinkId, PlanId, SecurityPoolId, TaskId
from suanwang.model.principal import Principal, Role
from suanwang.model.route import RouteProbe, TaskRoute
from suanwang.model.units import US_PER_S
from suanwang.model.wanted import NetworkReport, NetworkView, PoolPlace, TaskFlow, WantedNetwork
from suanwang.net.igp import build_plane
from suanwang.net.policy import Policies, Walker, route_policies
from suanwang.net.policy.spare import Spares
from suanwang.net.topology import topology_of_grid
from suanwang.observe.flows import asks, flow_of, task_flows
from suanwang.observe.promises import Promises
from suanwang.runtime import clock

# A busy brain changes thousands of times a second; its network is looked at so often at the most.
LOOK_S: Final = 0.02
REPORT_S: Final = 10.0  # a report older than that says nothing of now

Look = Callable[[], AbstractContextManager[Road]]


@dataclass(frozen=True, eq=False)
class Maps:
    """What ways are found with while the links are as they are: the IGP's plane of those that are up, and the standby
    ways. Threads may share it."""

    grid: Grid
    down: frozenset[LinkId]
    spares: Spares
    walker: Walker
    standby: Callable[[TaskFlow], tuple[str, ...]]

    @staticmethod
    def of(grid: Grid, down: frozenset[LinkId], before: "Maps | None") -> "Maps":
        """A plan's path is never over a link that is down for longer than its repair."""
        spares = before.spares if before is not None and before.grid is grid else Spares.of(grid)
        topology = topology_of_grid(grid)
        up = np.repeat(np.array([link.id not in down for link in grid.links], np.bool_), 2)
        node_of = {name: at for at, name in enumerate(topology.nodes)}
        link_of = {name: at for at, name in enumerate(topology.links)}
        walker = Walker(build_plane(topology, usable=up), node_of, link_of)
        return Maps(grid, down, spares, walker, spares.finder(grid, down))


class PolicyDesk:
    """Thread-safe. What takes long (the maps of a grid, what is wanted of all routers) is made under a lock of its own, so that
    nobody waits for it who does not need it."""

    def __init__(self, look: Look, verb: Look, wait_change: Callable[[int, float], int]) -> None:
        self._look = look
        self._verb = verb
        self._wait_change = wait_change
        self._lock = threading.Lock()
        self._mapping, self._making = threading.Lock(), threading.Lock()
        self._flow_of: dict[PlanId, TaskFlow | None] = {}  # under the brain's lock
        self._kept: tuple[int, object, WantedNetwork] | None = None
        self._maps: Maps | None = None
        self._reports: dict[str, tuple[float, NetworkReport]] = {}
        self._promises = Promises()

    def exchange(self, principal: Principal, report: NetworkReport, wait_ms: int = 0) -> WantedNetwork:
        """An agent's round. Waits up to `wait_ms` while what it has is what is wanted. Raises NotAllowedError."""
        self._check(principal)
        self._hear(principal, report)
        deadline_s = clock.monotonic_s() + wait_ms / 1_000
        while True:
            position, wanted = self.wanted()
            left_s = deadline_s - clock.monotonic_s()
            if wanted.digest != report.installed or left_s <= 0:
                return wanted
            clock.pause(min(LOOK_S, left_s))
            self._wait_change(position, max(0.0, deadline_s - clock.monotonic_s()))

    def view(self, principal: Principal) -> NetworkView:
        """For people. Raises NotAllowedError."""
        self._check(principal)
        return NetworkView(wanted=self.wanted()[1], reports=tuple(self.reports()))

    def route(self, task_id: TaskId) -> TaskRoute | None:
        """How one live task's traffic goes; None where it has no plan, or asked nothing of its path. Made for this task
        alone: who asks need not wait for the policies of all."""
        with self._look() as road:
            state = road.state
            task = state.tasks.get(task_id)
            plan = None if task is None else task.plan if task.attempt is None else task.attempt.plan
            if task is None or plan is None or task.request is None or not plan.path.links or not asks(task.request):
                return None
            flow, live = flow_of(plan, task.request), task.attempt is not None
            down, grid = state.links_down, state.index.grid
        maps = self._map(grid, down)
        walker = maps.walker
        flow = flow.model_copy(update={"standby": maps.standby(flow)})
        steered = Policies(walker).steer(flow)
        return TaskRoute(
            task_id=task_id,
            plan_id=flow.plan_id,
            live=live,
            bandwidth_bps=flow.bandwidth_bps,
            latency_us=flow.latency_us,
            promised_us=flow.promise_us,
            policies=route_policies(walker, steered, {link.id: link.latency_us for link in grid.links}),
            probe=self._probe(flow),
        )

    def _probe(self, flow: TaskFlow) -> RouteProbe | None:
        """The newest that was measured of this very plan's path."""
        found = [
            RouteProbe(
                agent=report.agent,
                measured_at_us=report.measured_at_us,
                sent=path.sent,
                received=path.received,
                mean_us=path.mean_us,
                p90_us=path.judged_us,
                maximum_us=path.maximum_us,
                late=path.is_late(flow),
                sids=path.segments,
            )
            for report in self.reports()
            for path in report.paths
            if (path.task_id, path.plan_id) == (flow.task_id, flow.plan_id)
        ]
        return max(found, key=lambda one: one.measured_at_us, default=None)

    def _check(self, principal: Principal) -> None:
        """A network agent hears of every task and may take any link down: it needs a key for all sites."""
        if principal.role is Role.OPERATOR:
            return
        if principal.role is not Role.AGENT:
            raise NotAllowedError("role", role=principal.role.value)
        with self._look() as road:
            foreign = [site for site in road.state.index.sites if site not in principal.sites]
        if foreign:
            raise NotAllowedError("agent_site", site=foreign[0])

    def reports(self) -> list[NetworkReport]:
        """The last word of every agent that has spoken lately."""
        now_s = clock.monotonic_s()
        with self._lock:
            return [report for at_s, report in self._reports.values() if now_s - at_s < REPORT_S]

    def wanted(self) -> tuple[int, WantedNetwork]:
        """The log's position, and what is wanted at it."""
        with self._look() as road:
            state = road.state
            flows, position = task_flows(state, self._flow_of), road.position
            down, grid = state.links_down, state.index.grid
        key = (tuple(flows), down, grid.id)
        wanted = self._made(key)
        if wanted is None:
            with self._making:
                wanted = self._made(key)  # by who was here before
                if wanted is None:
                    wanted = self._make(flows, self._map(grid, down))
                    with self._lock:
                        if self._kept is None or self._kept[0] <= position:
                            self._kept = position, key, wanted
        return position, wanted.model_copy(update={"position": position})

    def _made(self, key: object) -> WantedNetwork | None:
        with self._lock:
            return self._kept[2] if self._kept is not None and self._kept[1] == key else None

    def _hear(self, principal: Principal, report: NetworkReport) -> None:
        """Keep it, and tell the grid of links and functions that went down or, as far as this agent took them down, came
        back. A measurement is told once, however often the agent repeats it, and not at all where it is old."""
        now_s = clock.monotonic_s()
        with self._lock:
            before = self._reports.get(report.agent)
            self._reports = {agent: kept for agent, kept in self._reports.items() if now_s - kept[0] < REPORT_S}
            self._reports[report.agent] = now_s, report
            fresh = before is None or before[1].measured_at_us != report.measured_at_us
            fresh = fresh and report.at_us - report.measured_at_us < REPORT_S * US_PER_S
            broken = self._promises.judge(report, self._flows(), self._capacities()) if fresh else []
        with self._look() as road:
            state = road.state
            words = [*((one, False) for one in report.links_down), *((one, True) for one in report.links_up)]
            links = [
                (link, up)
                for link, up in words
                if link in state.index.links and is_change(state.links_out.get(link), up, report.agent)
            ]
            pools = [
                (one.security_pool, one.alive)
                for one in (report.functions if fresh else ())
                if one.security_pool in state.index.security_pools
                and is_change(state.security_out.get(one.security_pool), one.alive, report.agent)
            ]
        if links or broken or pools:  # others may be first: each verb looks again
            with self._verb() as road:
                for pool, alive in pools:  # first: who passes a dead one need not be told that its path is bad
                    road.set_security_pool(pool, alive, principal.key_id, report.agent)
                road.report_paths(broken)
                for link, up in links:
                    road.set_link(link, up, principal.key_id, report.agent)
                road.commit()

    def _flows(self) -> Mapping[TaskId, TaskFlow]:
        """What was last wanted."""
        return {one.flow.task_id: one.flow for one in self._kept[2].tasks} if self._kept is not None else {}

    def _capacities(self) -> Mapping[SecurityPoolId, int]:
        maps = self._maps
        if maps is None:
            return {}
        return {pool.id: pool.capacity_bps for site in maps.grid.sites for pool in site.security_pools}

    @staticmethod
    def _make(flows: Sequence[TaskFlow], maps: Maps) -> WantedNetwork:
        grid, policies = maps.grid, Policies(maps.walker)
        tasks = tuple(policies.steer(flow.model_copy(update={"standby": maps.standby(flow)})) for flow in flows)
        made = tuple(policies.made[key] for key in sorted(policies.made))
        wanted = WantedNetwork(
            digest="",
            grid_id=grid.id,
            links_down=tuple(sorted(maps.down)),
            policies=made,
            tasks=tasks,
            security_pools=tuple(
                PoolPlace(security_pool=pool.id, function=pool.function, site=site.id)
                for site in grid.sites
                for pool in site.security_pools
            ),
        )
        return wanted.model_copy(update={"digest": blake3(wanted.model_dump_json().encode()).hexdigest()})

    def _map(self, grid: Grid, down: frozenset[LinkId]) -> Maps:
        """The maps of this grid with these links down."""
        with self._mapping:
            maps = self._maps
            if maps is None or maps.grid is not grid or maps.down != down:
                maps = self._maps = Maps.of(grid, down, maps)
            return maps
