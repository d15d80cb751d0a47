"""What every driver of the srv6 adapter keeps. A rig names a driver and can meddle with its routers behind its back."""

from typing import Protocol

import pytest
from tests.net.five_routers import devices, mtu, plan

from suanwang.agent.adapters.srv6 import Driver, SrNetwork
from suanwang.agent.adapters.srv6.port import Action, Step
from suanwang.model.error import NetworkError
from suanwang.model.sr import CandidatePath, Segment, SegmentList, SrPolicy, node
from suanwang.model.sr_program import Group, Hop, Route, RouterProgram, Steer
from suanwang.net.policy import Compiled, compile_policies

HOSTS = "fd00:5::/64"
FAST, LONG = (node("r2"),), (node("r3"), node("r4"))


class Rig(Protocol):
    driver: Driver

    def occupy(self, router: str, prefix: str, metric: int) -> None:
        """Somebody else has a route there."""

    def free(self, router: str, prefix: str, metric: int) -> None:
        """And has it no more."""

    def link(self, router: str, device: str, up: bool) -> None: ...

    def lose(self, router: str) -> None:
        """The router answers no more."""


def policies(*ways: tuple[Segment, ...], headend: str = "r1", endpoint: str = "r5", steers: str = HOSTS) -> SrPolicy:
    paths = [CandidatePath(preference=200 - at, lists=(SegmentList(segments=way),)) for at, way in enumerate(ways)]
    return SrPolicy(headend=headend, color=20, endpoint=endpoint, paths=tuple(paths), steers=(steers,), binding=True)


def both_ways(*ways: tuple[Segment, ...]) -> list[SrPolicy]:
    """There, and back the same way."""
    back = [tuple(reversed(way)) for way in ways]
    return [policies(*ways), policies(*back, headend="r5", endpoint="r1", steers="fd00:1::/64")]


def compiled(*some: SrPolicy) -> Compiled:
    addressing, plane = plan()
    return compile_policies(addressing, plane, some, mtu(), devices())


def programs(*ways: tuple[Segment, ...]) -> list[RouterProgram]:
    return list(compiled(*both_ways(*ways)).programs.values())


def installed(rig: Rig, router: str) -> dict[object, object]:
    return dict(rig.driver.read(router).items)


def all_installed(rig: Rig) -> dict[str, dict[object, object]]:
    return {f"r{at}": installed(rig, f"r{at}") for at in range(1, 6)}


class Contract:
    """Subclasses give the fixture `rig`, a fresh network each."""

    def test_what_is_applied_is_what_is_read_back(self, rig: Rig) -> None:
        network = SrNetwork(rig.driver)
        wanted = programs(FAST, LONG)
        done = network.apply(wanted)
        assert done.steps == {one.router: len(one.items) for one in wanted}
        assert all_installed(rig) == {one.router: dict(one.items) for one in wanted}

    def test_applying_again_changes_nothing(self, rig: Rig) -> None:
        network = SrNetwork(rig.driver)
        network.apply(programs(FAST, LONG))
        assert network.apply(programs(FAST, LONG)).changed == 0
        assert network.reconcile().changed == 0

    def test_a_new_path_replaces_the_group_and_touches_no_route(self, rig: Rig) -> None:
        network = SrNetwork(rig.driver)
        network.apply(programs(FAST, LONG))
        before = installed(rig, "r1")
        network.apply(programs(LONG, FAST))
        after = installed(rig, "r1")
        assert {key for key in before | after if before.get(key) != after.get(key)} == {
            *(key for key, item in before.items() if isinstance(item, Group)),
            ("route", "fcbb:bb00:1:f114::/64", 1024),  # the binding SID
        }

    def test_one_router_that_refuses_leaves_all_as_they_were(self, rig: Rig) -> None:
        network = SrNetwork(rig.driver)
        network.apply(programs(FAST))
        before = all_installed(rig)
        extra = policies(LONG, headend="r4", endpoint="r1", steers="fd00:77::/64")
        rig.occupy("r4", "fd00:77::/64", 100)
        with pytest.raises(NetworkError) as caught:
            network.apply(compiled(*both_ways(LONG, FAST), extra).programs.values())
        assert caught.value.code == "network_hop"
        assert caught.value.params["router"] == "r4"
        assert "fd00:77::/64" in caught.value.params["command"]
        assert "File exists" in caught.value.params["detail"]
        assert all_installed(rig) == before
        rig.free("r4", "fd00:77::/64", 100)
        network.apply(compiled(*both_ways(LONG, FAST), extra).programs.values())
        assert ("route", "fd00:77::/64", 100) in installed(rig, "r4")

    def test_drift_is_corrected(self, rig: Rig) -> None:
        network = SrNetwork(rig.driver)
        network.apply(programs(FAST, LONG))
        wanted = all_installed(rig)
        steer = next(item for item in rig.driver.read("r1").items.values() if isinstance(item, Steer))
        group = next(item for item in rig.driver.read("r5").items.values() if isinstance(item, Group))
        other = next(
            key
            for key in wanted["r5"]
            if isinstance(key, tuple) and key[0] == "member" and key[1] != group.members[0][0]
        )
        rig.driver.write("r1", [Step(Action.REMOVE, steer)])
        rig.driver.write("r5", [Step(Action.REPLACE, group._replace(members=((other[1], 7),)))])
        rig.driver.write("r3", [Step(Action.ADD, Route("fd00:99::/64", (Hop("fd01:0:0:6::2", "to4"),)))])
        assert all_installed(rig) != wanted
        done = network.reconcile()
        assert done.steps == {"r1": 1, "r3": 1, "r5": 1}
        assert all_installed(rig) == wanted

    def test_a_link_that_is_down_waits_and_is_taken_up_again(self, rig: Rig) -> None:
        network = SrNetwork(rig.driver)
        network.apply(programs(FAST, LONG))
        wanted = all_installed(rig)
        rig.link("r1", "to2", False)
        done = network.reconcile()
        assert ("route", HOSTS, 100) in done.waiting["r1"] and ("route", HOSTS, 200) not in done.waiting["r1"]
        assert ("route", HOSTS, 200) in installed(rig, "r1") and ("route", HOSTS, 100) not in installed(rig, "r1")
        assert network.reconcile().changed == 0
        rig.link("r1", "to2", True)
        assert network.reconcile().waiting == {}
        assert all_installed(rig) == wanted

    def test_remove_leaves_nothing_of_ours_and_all_of_others(self, rig: Rig) -> None:
        rig.occupy("r2", "fd00:88::/64", 1024)
        network = SrNetwork(rig.driver)
        network.apply(programs(FAST, LONG))
        network.remove(["r1", "r3"])
        assert installed(rig, "r1") == installed(rig, "r3") == {} != installed(rig, "r2")
        network.remove()
        assert all(items == {} for items in all_installed(rig).values())
        with pytest.raises(NetworkError, match="File exists"):
            rig.driver.write("r2", [Step(Action.ADD, Route("fd00:88::/64", (Hop("fd01::1", "to1"),)))])

    def test_a_router_that_does_not_answer_is_named_and_nothing_is_changed(self, rig: Rig) -> None:
        network = SrNetwork(rig.driver)
        rig.lose("r4")
        with pytest.raises(NetworkError) as caught:
            network.apply(programs(FAST))
        assert caught.value.params["router"] == "r4"
        assert installed(rig, "r1") == {}
