"""The network agent on routers in memory: what it writes, what it tells, what it does before it is told."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
from tests.net.five_routers import devices, five_routers, mtu, plan

from suanwang.agent.adapters.srv6 import Counters, FakeDriver, LinkUse, SrNetwork
from suanwang.agent.adapters.srv6.watch import Change, Device, changes
from suanwang.agent.network import Laid, Member, NetworkAgent
from suanwang.model.error import UnreachableError
from suanwang.model.grid import ProtectionFunction
from suanwang.model.ids import LinkId, PlanId, SecurityPoolId, TaskId
from suanwang.model.sr_program import Steer
from suanwang.model.wanted import LinkUseReport, NetworkReport, PassedPool, ProbedPath, TaskFlow, WantedNetwork
from suanwang.net.igp import build_plane
from suanwang.net.policy import Policies, Walker, compile_policies

TASK = TaskId("task-1")
SHORT, LONG = ("r1-r2", "r2-r5"), ("r1-r3", "r3-r4", "r4-r5")


@dataclass
class FakeDomain:
    """Five routers in memory; a link is called by the devices at both its ends."""

    network: SrNetwork = field(default_factory=lambda: SrNetwork(FakeDriver()))
    found: dict[str, TaskId] = field(default_factory=lambda: {"fd00:5::10": TASK})
    fallen: set[str] = field(default_factory=set)
    held: list[Member] = field(default_factory=list)
    holds: list[tuple[bool, ...]] = field(default_factory=list)  # whether each was placed, call by call
    closed: bool = False
    generation: int = 0
    chained: tuple[str, ...] = ()
    lays: int = 0

    def addresses(self) -> Mapping[str, TaskId]:
        return self.found

    def refresh(self) -> None: ...

    def down(self) -> frozenset[LinkId]:
        return frozenset(map(LinkId, self.fallen))

    def wait(self, timeout_s: float) -> bool:
        return True

    def standing(self, wanted: WantedNetwork) -> tuple[str, ...]:
        return self.chained

    def lay(self, wanted, steers, down) -> Laid:
        self.lays += 1
        addressing, _ = plan()
        topology = five_routers()
        usable = np.array([name not in down for name in topology.links], np.bool_)
        policies = [one.model_copy(update={"steers": tuple(steers.get(one.key, ()))}) for one in wanted.policies]
        plane = build_plane(topology, usable=usable)
        made = compile_policies(addressing, plane, policies, mtu(), devices(), underlay=False)
        return Laid(made.programs, made.placed, ())

    def hold(self, members) -> None:
        self.held = list(members)
        self.holds.append(tuple(one.placed for one in members))

    def carried(self, use: LinkUse) -> LinkUseReport | None:
        if not use.device.startswith("to"):
            return None
        link = f"{use.router}-r{use.device[2:]}"
        return LinkUseReport(link=link, bandwidth_bps=use.bandwidth_bps, packets=use.packets, dropped=use.dropped)

    def functions(self, wanted) -> tuple:
        return ()

    def out_of(self, pool, flow, prefixes):
        return prefixes

    def probe(self, member: Member) -> ProbedPath:
        flow = member.flow
        return ProbedPath(task_id=flow.task_id, plan_id=flow.plan_id, sent=10, received=9, mean_us=7, maximum_us=9)

    def probe_address(self, flow: TaskFlow) -> None:
        return None

    def close(self) -> None:
        self.closed = True


@dataclass
class Brain:
    """Wants what it is told to want."""

    answer: WantedNetwork
    heard: list[NetworkReport] = field(default_factory=list)
    gone: bool = False

    def exchange(self, report: NetworkReport, wait_ms: int) -> WantedNetwork:
        if self.gone:
            raise UnreachableError(address="http://brain", cause="ConnectError")
        self.heard.append(report)
        return self.answer


def wanted(
    links: tuple[str, ...], digest: str, standby: tuple[str, ...] = (), down: tuple[str, ...] = ()
) -> WantedNetwork:
    topology = five_routers()
    nodes = {name: at for at, name in enumerate(topology.nodes)}
    walker = Walker(build_plane(topology), nodes, {name: at for at, name in enumerate(topology.links)})
    flow = TaskFlow(
        task_id=TASK, plan_id=PlanId("plan-1"), origin="r1", site="r5", links=links, standby=standby,
        bandwidth_bps=10**6, latency_us=20,
    )  # fmt: skip
    policies = Policies(walker)
    steered = policies.steer(flow)
    return WantedNetwork(
        digest=digest, grid_id="five", links_down=down, policies=tuple(policies.made.values()), tasks=(steered,)
    )


@dataclass
class Rig:
    domain: FakeDomain
    brain: Brain
    agent: NetworkAgent
    now: list[int]

    def lists(self, router: str = "r1") -> list[tuple[str, tuple[str, ...]]]:
        """First device and SIDs of the routes into policies, the planned one first."""
        items = self.domain.network.driver.read(router).items
        steers = sorted((one for one in items.values() if isinstance(one, Steer)), key=lambda one: one.metric)
        groups = [items["group", one.group] for one in steers]
        first = [items["member", group.members[0][0]] for group in groups]
        return [(one.hop.device, one.sids) for one in first]


@pytest.fixture
def rig() -> Rig:
    domain, brain, now = FakeDomain(), Brain(wanted(SHORT, "one", LONG)), [1_000_000]
    return Rig(domain, brain, NetworkAgent("net", domain, brain, lambda: now[0]), now)


def test_what_is_wanted_is_written_and_told(rig: Rig) -> None:
    rig.agent.listen(0)
    assert rig.lists() == [("to2", ("fcbb:bb00:5:f006::",)), ("to3", ("fcbb:bb00:4:5:f006::",))]
    assert [(one.address, one.placed) for one in rig.domain.held] == [("fd00:5::10", True)]
    rig.agent.listen(0)
    assert [one.installed for one in rig.brain.heard] == ["", "one"]


def test_a_change_is_written_once(rig: Rig) -> None:
    rig.agent.listen(0)
    steps = rig.domain.network.apply([]).changed
    rig.brain.answer = wanted(LONG, "two")
    rig.agent.listen(0)
    assert steps == 0 and rig.lists() == [("to3", ("fcbb:bb00:4:5:f006::",))]
    rig.agent.sync()
    assert rig.brain.heard[-1].installed == "one"


def test_a_fallen_link_is_told_at_once_and_its_return_too(rig: Rig) -> None:
    """The standby takes over before the brain has answered."""
    rig.agent.listen(0)
    rig.domain.fallen = {"r2-r5"}
    rig.agent.watch(0)
    assert rig.brain.heard[-1].links_down == ("r2-r5",)
    assert [device for device, _ in rig.lists()] == ["to3", "to3"]  # as the IGP goes now, without r2-r5
    rig.brain.answer = wanted(LONG, "two", down=("r2-r5",))
    rig.agent.listen(0)
    rig.domain.fallen = set()
    rig.agent.watch(0)
    assert (rig.brain.heard[-1].links_down, rig.brain.heard[-1].links_up) == ((), ("r2-r5",))


def test_a_link_that_an_operator_cut_is_not_told_to_be_up(rig: Rig) -> None:
    rig.brain.answer = wanted(LONG, "two", down=("r2-r5",))
    rig.agent.listen(0)
    rig.agent.listen(0)
    assert all(one.links_up == () for one in rig.brain.heard)


def test_measures_are_told_with_the_next_round(rig: Rig) -> None:
    rig.agent.listen(0)
    rig.agent.measure()
    rig.now[0] += 1_000_000
    rig.agent.measure()
    rig.agent.listen(0)
    told = rig.brain.heard[-1]
    assert told.measured_at_us == 2_000_000 and told.interval_us == 1_000_000
    assert [(one.sent, one.received) for one in told.paths] == [(10, 9)]


def test_what_went_into_each_policy_is_told_with_the_sids_that_carry_it(rig: Rig) -> None:
    rig.agent.listen(0)
    (placed,) = rig.agent.placed
    assert placed.standby_group is not None
    head = rig.domain.network.driver.router("r1")
    active, standby = placed.active[0], placed.standby[0]
    counts = {(placed.active_group, active.members[0]): 7, (placed.standby_group, standby.members[0]): 2}
    rig.agent.measure()
    head.counters = Counters({}, {}, {}, counts)
    rig.now[0] += 1_000_000
    rig.agent.measure()
    rig.agent.listen(0)
    told = rig.brain.heard[-1]
    (use,) = told.policies
    assert use.key == rig.brain.answer.policies[0].key
    assert (use.packets, use.standby_packets, use.bound_packets) == (7, 2, 0)
    assert [one.segments for one in told.paths] == [("fcbb:bb00:5:f006::",)]


def test_of_a_headend_that_was_not_read_no_use_is_told(rig: Rig) -> None:
    rig.agent.listen(0)
    rig.agent.measure()
    rig.domain.network.driver.lost.add("r1")
    rig.now[0] += 1_000_000
    rig.agent.measure()
    rig.agent.listen(0)
    assert rig.brain.heard[-1].paths and rig.brain.heard[-1].policies == ()


def test_a_brain_that_is_away_changes_nothing(rig: Rig) -> None:
    rig.agent.listen(0)
    before = rig.lists()
    rig.brain.gone = True
    with pytest.raises(UnreachableError):
        rig.agent.listen(0)
    assert rig.lists() == before


def test_a_task_that_goes_takes_its_steering_along(rig: Rig) -> None:
    rig.agent.listen(0)
    rig.domain.found = {}
    rig.agent.watch(0)
    assert rig.lists() == [] and rig.domain.held == []


def test_the_end_leaves_clean_routers(rig: Rig) -> None:
    rig.agent.listen(0)
    rig.agent.close()
    assert rig.domain.closed and rig.domain.network.driver.read("r1").items == {}


def chained(links: tuple[str, ...], digest: str) -> WantedNetwork:
    """The same flow, past a firewall that the policies know nothing of: here it only matters that it may not pass it by."""
    plain = wanted(links, digest)
    (one,) = plain.tasks
    wall = PassedPool(security_pool=SecurityPoolId("r2/wall"), site="r2", function=ProtectionFunction.FIREWALL, after=1)
    return plain.model_copy(
        update={"tasks": (one.model_copy(update={"flow": one.flow.model_copy(update={"pools": (wall,)})}),)}
    )


def test_what_leads_through_functions_is_opened_when_its_policies_stand(rig: Rig) -> None:
    rig.brain.answer = chained(SHORT, "one")
    rig.agent.listen(0)
    assert rig.domain.holds == [(False,), (True,)] and rig.lists()
    rig.brain.answer = chained(LONG, "two")  # a change of path loses no packet: one of both stands at any time
    rig.agent.listen(0)
    assert rig.domain.holds[2:] == [(True,), (True,)]


def test_it_stays_closed_where_a_router_refuses(rig: Rig) -> None:
    rig.brain.answer = chained(SHORT, "one")
    rig.domain.network.driver.lost.add("r2")
    rig.agent.joined()
    assert rig.domain.holds == [(False,)] and [one.placed for one in rig.agent.members] == [False]
    assert rig.agent.placed == ()
    rig.domain.network.driver.lost.clear()
    rig.agent.listen(0)
    assert rig.domain.holds[-1] == (True,) and rig.lists()
    assert "network_hop" in rig.brain.heard[-1].faults[0]


def test_a_function_that_is_chained_later_is_taken_in(rig: Rig) -> None:
    rig.agent.listen(0)
    rig.agent.sync()
    lays = rig.domain.lays
    rig.domain.chained = ("r2/wall",)
    rig.agent.sync()
    assert (lays, rig.domain.lays) == (1, 2)


def test_routers_that_were_made_anew_are_written_anew(rig: Rig) -> None:
    rig.agent.listen(0)
    rig.domain.network.driver.routers.clear()
    rig.agent.sync()
    assert rig.lists() == [], "nothing has told of it"
    rig.domain.generation += 1
    rig.agent.sync()
    assert rig.lists()


def test_a_router_that_does_not_answer_is_told_and_costs_no_other_figures(rig: Rig) -> None:
    rig.agent.listen(0)
    rig.agent.measure()
    rig.domain.network.driver.lost.add("r3")
    rig.now[0] += 10_000_000
    rig.agent.measure()
    rig.agent.listen(0)
    told = rig.brain.heard[-1]
    assert told.paths and any("r3" in fault for fault in told.faults)
    rig.domain.network.driver.lost.clear()
    rig.now[0] += 10_000_000
    rig.agent.measure()
    rig.agent.listen(0)
    assert rig.brain.heard[-1].faults == ()


def test_after_its_end_nothing_is_written(rig: Rig) -> None:
    """A thread that still waited for the brain's answer gets it when the agent has closed."""
    rig.agent.listen(0)
    rig.agent.close()
    rig.agent.listen(0)
    assert rig.domain.network.driver.read("r1").items == {}


def test_drift_is_looked_for_every_few_seconds(rig: Rig) -> None:
    rig.agent.listen(0)
    driver = rig.domain.network.driver
    driver.router("r1").items.clear()
    rig.now[0] += 10_000_000
    rig.agent.measure()
    assert rig.lists()


def test_a_message_of_the_kernel_is_a_device_or_its_end() -> None:
    def message(kind: int, flags: int) -> bytes:
        name = struct.pack("=HH", 4 + 3, 3) + b"l0\0" + b"\0"
        alias = struct.pack("=HH", 4 + 7, 20) + b"task-1\0" + b"\0"
        body = struct.pack("=BxHiII", 0, 1, 5, flags, 0) + name + alias
        return struct.pack("=IHHII", 16 + len(body), kind, 0, 1, 0) + body

    both = message(16, 0x10001) + message(16, 0x1) + message(17, 0)
    assert list(changes(both)) == [
        Change("l0", Device(True, "task-1")),
        Change("l0", Device(False, "task-1")),
        Change("l0", None),
    ]
