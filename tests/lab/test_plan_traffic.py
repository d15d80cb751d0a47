"""A task's packets take its plan: real tasks in sandboxes, real routers, one grid, one brain."""

import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from shutil import which

import pytest
from lab_rig import LAB
from plan_rig import MBPS, Net, flood, served
from tests.plan.worlds import FIREWALL, general, grid_of, link_of, site_of

from suanwang.lab.functions import Firewall, Rule
from suanwang.lab.functions.firewall import counters
from suanwang.model.grid import SecurityPool
from suanwang.model.route import RouteProbe
from suanwang.runtime import lab as labs

GIB = 2**30
# The largest link is 1 Gbit/s in the grid and 50 Mbit/s in the lab.
RATE = 50 * MBPS
pytestmark = [*LAB, pytest.mark.skipif(which("bwrap") is None, reason="a task's sandbox needs bubblewrap")]
NFT = pytest.mark.skipif(which("nft") is None, reason="needs nftables")


def square():
    """o reaches s by b (the IGP's way) and by c (the cheap one); only b has a firewall."""
    wall = SecurityPool(id="b/wall", function=FIREWALL, capacity_bps=10**9)
    sites = [
        site_of("o"),
        site_of("b", security=[wall]),
        site_of("c"),
        site_of("s", [general("s", cores=8, memory=8 * GIB)]),
    ]
    links = [
        link_of("ob", "o", "b", latency=1_000, price=9_000),
        link_of("bs", "b", "s", latency=1_000, price=9_000),
        link_of("oc", "o", "c", latency=2_000, price=1_000),
        link_of("cs", "c", "s", latency=2_000, price=1_000),
    ]
    return grid_of(sites, links, origin="o")


@pytest.fixture(scope="module")
def one_net() -> Iterator[Net]:
    with served("q", square(), RATE) as made:
        yield made


@pytest.fixture
def net(one_net: Net) -> Iterator[Net]:
    yield one_net
    one_net.clear()


def test_packets_take_the_planned_segments_and_no_other(net: Net) -> None:
    task = net.receiver(bandwidth=100 * MBPS, latency=10_000)
    address = net.address(task)
    with net.unprobed():
        taken = net.taken(lambda: net.send("o", address, 100))
    assert taken == {"c": {net.sid("c"): 100}, "s": {net.sid("s", 6): 100}}
    assert net.end("o", address, task)["seen"] == 100


def test_what_goes_into_its_policy_is_told_with_the_sids_that_it_is_given(net: Net) -> None:
    """At 1 kHz; the standby carries nothing."""
    task = net.receiver(bandwidth=100 * MBPS, latency=10_000)
    address = net.address(task)
    (steered,) = net.here.brain.policies.wanted()[1].tasks

    def used() -> list[tuple[int, int]]:
        """Packets a second by the planned path, packets by the standby."""
        return [
            (one.packets * 1_000_000 // report.interval_us, one.standby_packets)
            for report in net.here.brain.policies.reports()
            for one in report.policies
            if one.key == steered.policies[0]
        ]

    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(net.send, "o", address, 4_000)
        net.until(lambda: any(300 < pps < 1_500 and standby == 0 for pps, standby in used()))
        sent.result()
    (placed,) = net.agent.placed

    def probe() -> RouteProbe | None:
        route = net.here.brain.policies.route(task)
        return route.probe if route is not None else None

    net.until(probe)
    found = probe()
    assert found is not None and found.sids == placed.active[0].sids != ()
    assert found.sids[0] in routes(net, "o") + ip(net, "o", "nexthop", "show")
    net.end("o", address, task)


def test_the_latency_of_the_path_is_what_the_plan_says(net: Net) -> None:
    """4 ms by c, not 2 by b; the promise is 10."""
    task = net.receiver(bandwidth=100 * MBPS, latency=10_000)
    address = net.address(task)

    def probed() -> list[int]:
        (report,) = net.here.brain.policies.reports()
        return [one.mean_us for one in report.paths if one.task_id == task and one.received == one.sent]

    net.until(probed)
    assert 3_900 <= probed()[0] <= 10_000
    net.end("o", address, task)


def test_its_bandwidth_is_held_under_cross_traffic(net: Net) -> None:
    """300 Mbit/s of the grid are 15 of the lab's 50; beside it comes more than the rest of the link."""
    task = net.receiver(bandwidth=300 * MBPS, latency=10_000)
    address = net.address(task)
    with ThreadPoolExecutor(2) as pool:
        cross = pool.submit(flood, net, "c", "s", 100 * MBPS, 5)
        time.sleep(1)
        sent = pool.submit(net.send, "o", address, 2_000, 1_000, 1_400)  # 11.2 Mbit/s
        # A full link is told as one, of the grid's 1,000 Mbit/s: the lab's 50 would be 5 % (half: a busy machine).
        net.until(lambda: 500 * MBPS < carried_bps(net, "cs:ab") < 1_200 * MBPS)
        sent.result()
        taken = net.end("o", address, task)
        rest = cross.result()
    assert taken["seen"] >= 1_998
    assert rest.packets is not None and rest.lost is not None and rest.lost > rest.packets // 10  # it was a flood


def test_what_is_above_the_held_bandwidth_lives_on_what_is_left(net: Net) -> None:
    """Four times what it holds, beside a flood: at least what it holds comes through, and the flood keeps its part."""
    task = net.receiver(bandwidth=100 * MBPS, latency=10_000)  # 5 of the lab's 50
    address = net.address(task)
    with ThreadPoolExecutor(1) as pool:
        cross = pool.submit(flood, net, "c", "s", 100 * MBPS, 4)
        time.sleep(1)
        net.send("o", address, 4_000, 500, 1_400)  # 22.4 Mbit/s, less where the machine is busy
        seen = net.end("o", address, task)["seen"]
        rest = cross.result()
    # How much of the surplus is lost depends on how the flood's bursts fall: steady packets slip in between them.
    assert 4_000 * 5 / 22.4 * 0.85 <= seen < 4_000 * 0.99
    assert rest.received_bps > 20 * MBPS


def test_a_tasks_end_takes_its_policies_along(net: Net) -> None:
    task = net.receiver(bandwidth=100 * MBPS, latency=10_000)
    address = net.address(task)
    (placed,) = net.agent.placed
    assert f"{address} " in routes(net, "o")
    assert placed.standby_group is not None  # the way by b
    net.end("o", address, task)
    net.until(lambda: not net.agent.placed)
    left = [one for node in "obcs" for one in routes(net, node).splitlines() if " nhid " in one]
    assert left == []
    for node in "obcs":
        assert ip(net, node, "nexthop", "show") == ""
    assert "ip6 daddr" not in nft(net, "o")


def test_drift_is_corrected(net: Net) -> None:
    """Somebody deletes the route into the planned path: it is back with the next look."""
    task = net.receiver(bandwidth=100 * MBPS, latency=10_000)
    address = net.address(task)

    def steered() -> list[str]:
        return [one for one in routes(net, "o").splitlines() if one.startswith(address) and "metric 100" in one]

    assert steered()
    ip(net, "o", "-6", "route", "del", f"{address}/128", "metric", "100")
    assert not steered()
    net.until(steered, 15)
    net.end("o", address, task)


@NFT
class TestProtection:
    WALL = Firewall((Rule("telnet", "drop", "udp", (23, 23)),))

    def test_packets_pass_the_planned_function_and_then_go_on(self, net: Net) -> None:
        number, _ = labs.chain(net.layout.name, "b", self.WALL)
        try:
            task = net.receiver(bandwidth=100 * MBPS, latency=10_000, protection=(FIREWALL,))
            address = net.address(task)
            place = f"{net.layout.prefix}f{number}"
            before = counters(place)["rest"].packets
            with net.unprobed():
                taken = net.taken(lambda: net.send("o", address, 100))
            assert counters(place)["rest"].packets - before >= 100
            assert taken == {"s": {net.sid("s", 6): 100}}  # into the function by End.DX6, which is the lab's own
            assert net.end("o", address, task)["seen"] == 100
        finally:
            labs.unchain(net.layout.name, number)

    def test_without_its_function_nothing_passes(self, net: Net) -> None:
        """The lab has no firewall now: the plan's policies cannot be, and the task's traffic is closed at its ingress."""
        task = net.receiver(bandwidth=100 * MBPS, latency=10_000, protection=(FIREWALL,))
        net.until(lambda: [one for one in net.agent.members if one.flow.task_id == task])
        (member,) = [one for one in net.agent.members if one.flow.task_id == task]
        assert not member.placed
        net.until(
            lambda: any("sr_service_unknown" in one for r in net.here.brain.policies.reports() for one in r.faults)
        )
        assert net.taken(lambda: net.send("o", member.address, 50)) == {}
        net.client.cancel(task)
        net.until(lambda: not net.agent.members)


def carried_bps(net: Net, link: str) -> int:
    """What a directed link carries, by the network agent's last word."""
    reports = net.here.brain.policies.reports()
    return max((one.bandwidth_bps for report in reports for one in report.links if one.link == link), default=0)


def routes(net: Net, site: str) -> str:
    """The routes of a router that are ours."""
    return ip(net, site, "-6", "route", "show", "table", "all", "proto", "214")


def ip(net: Net, site: str, *words: str) -> str:
    router = net.layout.router(net.layout.topology.nodes.index(site))
    return subprocess.run(["ip", "-n", router, *words], capture_output=True, text=True, check=True).stdout


def nft(net: Net, site: str) -> str:
    router = net.layout.router(net.layout.topology.nodes.index(site))
    words = ["ip", "netns", "exec", router, "nft", "list", "ruleset"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout
