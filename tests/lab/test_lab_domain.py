"""What the network agent writes beside its programs on a real lab: shares and marks, also after another was killed; and a lab
that goes, or is made anew, under it."""

import time

import pytest
from lab_rig import LAB, MBPS, Lab, cables, lab, wanted

from suanwang.agent.network import Member
from suanwang.lab import build, netns
from suanwang.lab.shares import OVERHEAD_PERMILLE, TABLE
from suanwang.model.error import NotFoundError
from suanwang.model.grid import ProtectionFunction
from suanwang.model.ids import PlanId, SecurityPoolId, SiteId, TaskId
from suanwang.model.wanted import PassedPool, TaskFlow
from suanwang.runtime.lab_domain import LabDomain

pytestmark = LAB
RATE_BPS = 60 * MBPS


def pair(name: str):
    return cables(name, "ab", [("ab", 100, 1_000, 1)])


def member(task: str, address: str, placed: bool = True, wall: bool = False) -> Member:
    pools = (
        (
            PassedPool(
                security_pool=SecurityPoolId("a/w"), site=SiteId("a"), function=ProtectionFunction.FIREWALL, after=0
            ),
        )
        if wall
        else ()
    )
    flow = TaskFlow(
        task_id=TaskId(task),
        plan_id=PlanId("plan-1"),
        origin=SiteId("a"),
        site=SiteId("b"),
        links=("ab:ab",),
        pools=pools,
        bandwidth_bps=RATE_BPS,
        latency_us=1_000,
    )
    return Member(flow, address, placed)


def ef_bit(one: Lab) -> int:
    """The rate of the EF class of the only link out of a."""
    shown = netns.ask(["tc", "-n", one.layout.router(0), "class", "show", "dev", one.layout.links[0].device])
    (line,) = [line for line in shown.splitlines() if " 1:10 " in line]
    rate = line.split(" rate ")[1].split()[0]
    return int(float(rate.removesuffix("Mbit")) * MBPS)


def rules(one: Lab) -> str:
    shown = netns.ask(["ip", "netns", "exec", one.layout.router(0), "nft", "list", "ruleset"])
    return shown if TABLE in shown else ""


def test_elements_of_an_array_share_what_their_task_holds() -> None:
    with lab("d", pair("d")) as one:
        domain = LabDomain(one.name)
        domain.hold([member("task-1", "fd00:5::10"), member("task-1", "fd00:5::11")])
        assert ef_bit(one) == RATE_BPS * OVERHEAD_PERMILLE // 1000
        assert "{ fd00:5::10, fd00:5::11 } limit rate over" in rules(one)
        domain.close()


def test_what_a_killed_agent_left_is_written_over_by_the_next_first_round() -> None:
    with lab("e", pair("e")) as one:
        plain = ef_bit(one)
        killed = LabDomain(one.name)
        killed.hold([member("task-1", "fd00:5::10"), member("task-2", "fd00:5::20", placed=False, wall=True)])
        assert "fd00:5::20 counter" in rules(one) and ef_bit(one) != plain
        after = LabDomain(one.name)
        assert "fd00:5::20 counter" in rules(one), "closed until somebody knows better"
        after.hold([])
        assert rules(one) == "" and ef_bit(one) == plain
        for domain in (killed, after):
            domain.close()


def test_a_lab_that_goes_is_no_cut_and_one_made_anew_is_taken_in() -> None:
    with lab("g", pair("g")) as one:
        domain = LabDomain(one.name)
        assert domain.down() == frozenset()
        build.down(one.name, time.sleep)
        with pytest.raises(NotFoundError):
            domain.down()
        build.up(wanted(one.name, pair("g")), time.sleep)
        assert domain.down() == frozenset() and domain.generation == 1
        build.fail_link(one.name, 0, None, time.sleep)
        deadline = time.monotonic() + 10
        while domain.down() != {"ab"}:
            assert time.monotonic() < deadline
            domain.wait(0.2)
        domain.close()
