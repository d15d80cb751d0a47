"""The drivers that need no kernel keep the contract; what the transaction does when even putting back fails."""

import pytest
from tests.agent.srv6_contract import FAST, HOSTS, LONG, Contract, compiled, policies, programs

from suanwang.agent.adapters.srv6 import DryRunDriver, FakeDriver, SrNetwork
from suanwang.agent.adapters.srv6.frr import configuration
from suanwang.agent.adapters.srv6.lines import script
from suanwang.model.error import NetworkError
from suanwang.model.sr import CandidatePath, SegmentList, SrPolicy, adjacency, node


class FakeRig:
    """The fake, and the dry run over it."""

    def __init__(self, dry: bool) -> None:
        self.printed: list[str] = []
        self.fake = FakeDriver()
        self.driver = DryRunDriver(self.printed.append, self.fake) if dry else self.fake

    def occupy(self, router: str, prefix: str, metric: int) -> None:
        self.fake.router(router).foreign.add(("route", prefix, metric))

    def free(self, router: str, prefix: str, metric: int) -> None:
        self.fake.router(router).foreign.discard(("route", prefix, metric))

    def link(self, router: str, device: str, up: bool) -> None:
        (self.fake.link_up if up else self.fake.link_down)(router, device)

    def lose(self, router: str) -> None:
        self.fake.lost.add(router)


class TestFake(Contract):
    @pytest.fixture
    def rig(self) -> FakeRig:
        return FakeRig(dry=False)


class TestDryRun(Contract):
    @pytest.fixture
    def rig(self) -> FakeRig:
        return FakeRig(dry=True)


@pytest.mark.parametrize("phase", ["prepare", "switch", "clean"])
def test_a_failure_in_any_phase_is_put_back(phase: str) -> None:
    rig = FakeRig(dry=False)
    network = SrNetwork(rig.driver)
    network.apply(programs(FAST))
    before = {router: dict(one.items) for router, one in rig.fake.routers.items()}
    wanted = {one.router: one for one in programs(LONG, FAST)}["r5"]
    now = before["r5"]
    keys = {
        "prepare": next(key for key in wanted.items if key not in now and key[0] == "member"),
        "switch": next(key for key in wanted.items if key not in now and key[0] == "route"),
    }
    if phase == "clean":
        wanted = {one.router: one for one in programs(LONG)}["r5"]
        keys["clean"] = next(key for key in now if key not in wanted.items)
    rig.fake.router("r5").refuses.add(keys[phase])
    with pytest.raises(NetworkError) as caught:
        network.apply(programs(LONG, FAST) if phase != "clean" else programs(LONG))
    assert caught.value.code == "network_hop"
    assert {router: dict(one.items) for router, one in rig.fake.routers.items()} == before


def test_a_router_that_is_lost_on_the_way_is_named_as_torn() -> None:
    rig = FakeRig(dry=False)
    network = SrNetwork(rig.driver)
    network.apply(programs(FAST))
    before = {router: dict(one.items) for router, one in rig.fake.routers.items()}

    class Dies(FakeDriver):
        def write(self, router: str, steps) -> None:
            super().write(router, steps)
            if router == "r5":
                self.lost.add("r5")
                raise NetworkError("network_hop", router="r5", command="ip", detail="connection lost")

    network.driver = Dies(rig.fake.routers)
    with pytest.raises(NetworkError) as caught:
        network.apply(programs(LONG, FAST))
    assert caught.value.code == "network_torn"
    assert caught.value.params["routers"] == "r5"
    now = {router: dict(one.items) for router, one in rig.fake.routers.items()}
    assert {router for router in now if now[router] != before[router]} == {"r5"}
    network.driver = rig.fake
    network.reconcile()  # the last program that was applied whole
    assert {router: dict(one.items) for router, one in rig.fake.routers.items()} == before


def test_the_dry_run_prints_what_it_would_do_and_then_only_the_difference() -> None:
    rig = FakeRig(dry=True)
    network = SrNetwork(rig.driver)
    network.apply(programs(FAST))
    assert any(text == "ip sr tunsrc set fcbb:bb00:1::1" for text in rig.printed)
    rig.printed.clear()
    network.apply(programs(LONG))
    assert [text.split(" id ")[0] for text in rig.printed if text.startswith("ip nexthop")] == [
        *["ip nexthop add"] * 2,
        *["ip nexthop replace"] * 2,
        *["ip nexthop del"] * 2,
    ]


def weighted() -> SrPolicy:
    lists = (
        SegmentList(segments=(node("r2"),), weight=3),
        SegmentList(segments=(adjacency("r1-r3"), node("r4"))),
    )
    spare = CandidatePath(preference=50, lists=(SegmentList(segments=(node("r3"),)),))
    paths = (CandidatePath(preference=200, lists=lists), spare)
    return SrPolicy(headend="r1", color=20, endpoint="r5", paths=paths, steers=(HOSTS,), binding=True)


def test_a_program_as_commands() -> None:
    text = script(compiled(weighted()).programs["r1"])
    for line in (
        "ip sr tunsrc set fcbb:bb00:1::1",
        "ip route add fcbb:bb00:5::/48 metric 1024 proto 214 src fcbb:bb00:1::1 via fd01::2 dev to2",
        "ip route add fcbb:bb00:1::/48 metric 1024 proto 214 encap seg6local action End"
        " flavors next-csid lblen 32 nflen 16 count dev sids",
        "ip route add fcbb:bb00:1:e001::/64 metric 1024 proto 214 encap seg6local action End.X nh6 fd01:0:0:4::2"
        " flavors next-csid lblen 32 nflen 32 count dev to3",
        "ip route add fcbb:bb00:1:f006::/64 metric 1024 proto 214 encap seg6local action End.DT6 table 254"
        " count dev sids",
        "ip route add fcbb:bb00:1:f114::/64 metric 1024 proto 214 encap seg6local action End.B6.Encaps"
        " srh segs fcbb:bb00:2:5:f006:: count dev sids",
    ):
        assert line in text.splitlines()
    assert "encap seg6 mode encap.red segs fcbb:bb00:1:e001:4:5:f006:0" in text
    assert ",3/" in text or ",1/" in text


def test_a_program_as_configuration_of_frr() -> None:
    text = configuration(compiled(weighted()).programs["r1"])
    steer = [line for line in text.splitlines() if HOSTS in line]
    assert set(steer) == {
        f"ipv6 route {HOSTS} fd01::2 to2 1 segments fcbb:bb00:2:5:f006:: encap-behavior H_Encaps_Red",
        f"ipv6 route {HOSTS} fd01::2 to2 115",
        f"ipv6 route {HOSTS} fd01:0:0:4::2 to3 1 segments fcbb:bb00:1:e001:4:5:f006:0 encap-behavior H_Encaps_Red",
        f"ipv6 route {HOSTS} fd01:0:0:4::2 to3 2 segments fcbb:bb00:3:5:f006:: encap-behavior H_Encaps_Red",
    }
    assert "! weight 3 of 4" in text and "! binding SID fcbb:bb00:1:f114::" in text
    assert "    prefix fcbb:bb00:1::/48 block-len 32 node-len 16 func-bits 16" in text
    assert "   sid fcbb:bb00:1:e001::/64 locator MAIN behavior uA interface to3 nexthop fd01:0:0:4::2" in text


def test_the_document_of_a_dry_run_has_both() -> None:
    rig = FakeRig(dry=True)
    SrNetwork(rig.driver).apply(compiled(policies(FAST)).programs.values())
    text = rig.driver.document("r1")
    assert "ip nexthop add" in text and "segment-routing" in text
