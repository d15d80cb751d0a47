"""Real packets through real routers: they take the planned segment lists, and outlive changes and failures."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from tests.agent.srv6_contract import FAST, HOSTS, LONG
from tests.agent.srv6_lab import NAMESPACES, Lab, ip
from tests.net.five_routers import ACCESS_MTU, devices, mtu, plan

from suanwang.agent.adapters.srv6 import (
    Counters,
    Delay,
    LinuxDriver,
    Probe,
    SrNetwork,
    endpoint,
    link_use,
    policy_use,
)
from suanwang.model.error import FaultsError
from suanwang.model.sr import CandidatePath, SegmentList, SrPolicy, adjacency, binding, node
from suanwang.net.policy import Compiled, compile_policies

pytestmark = NAMESPACES
H1, H2 = "fd00:1::2", "fd00:5::2"
IP_UDP_BYTES, ETHERNET_BYTES = 48, 14
FLOWS = 400
PACKETS = 2000


@dataclass
class Network:
    lab: Lab
    network: SrNetwork

    def apply(self, *some: SrPolicy, compress: bool = True) -> Compiled:
        made = compiled(*some, compress=compress)
        self.network.apply(made.programs.values())
        return made

    def probe(self, count: int, interval_us: int = 1000, size_bytes: int = 64) -> Delay:
        """h1 to h2, one way."""
        with endpoint(self.lab.namespace("h1"), H1) as near, endpoint(self.lab.namespace("h2"), H2) as far:
            return Probe(near, far, time.time_ns, time.sleep, size_bytes).run(count, interval_us)

    def flows(self, count: int) -> int:
        """One packet from each of `count` ports; how many came."""
        with endpoint(self.lab.namespace("h2"), H2) as far:
            for _ in range(count):
                with endpoint(self.lab.namespace("h1"), H1) as near:
                    near.sendto(b"flow", far.getsockname())
            far.settimeout(1)
            return sum(1 for _ in range(count) if far.recv(16))

    def count(self, act: Callable[[], object]) -> tuple[dict[str, Counters], dict[str, Counters]]:
        before = self.network.counters()
        act()
        return before, self.network.counters()

    def taken(self, act: Callable[[], object]) -> dict[str, int]:
        """Packets that each local SID took meanwhile, by the SID's short name."""
        before, after = self.count(act)
        out = {}
        for router, now in after.items():
            for prefix, count in now.sids.items():
                grown = count.packets - before[router].sids[prefix].packets
                if grown:
                    out[prefix.removeprefix("fcbb:bb00:").replace("::/48", "").replace("::/64", "")] = grown
        return out

    @contextmanager
    def traffic(self, count: int) -> Iterator[list[Delay]]:
        """1 kHz beside what is done within; the result is there afterwards."""
        out: list[Delay] = []
        thread = threading.Thread(target=lambda: out.append(self.probe(count)))
        thread.start()
        time.sleep(0.2)
        yield out
        thread.join()


@pytest.fixture(scope="module")
def net() -> Iterator[Network]:
    lab = Lab()
    network = SrNetwork(LinuxDriver(lab.namespace, time.sleep))
    made = Network(lab, network)
    made.apply()
    made.probe(20)  # neighbours are resolved
    yield made
    lab.close()


def compiled(*some: SrPolicy, compress: bool = True, core: int | None = None) -> Compiled:
    addressing, plane = plan()
    return compile_policies(addressing, plane, some, mtu(core) if core else mtu(), devices(), compress=compress)


def policy(*paths: SegmentList | tuple[SegmentList, ...], color: int = 20) -> SrPolicy:
    made = [
        CandidatePath(preference=200 - at, lists=one if isinstance(one, tuple) else (one,))
        for at, one in enumerate(paths)
    ]
    return SrPolicy(headend="r1", color=color, endpoint="r5", paths=tuple(made), steers=(HOSTS,))


def way(*segments, weight: int = 1) -> SegmentList:
    return SegmentList(segments=segments, weight=weight)


@pytest.mark.parametrize(("compress", "overhead"), [(True, 40), (False, 40 + 8 + 2 * 16)])
def test_each_node_of_the_list_is_visited_and_no_other(net: Network, compress: bool, overhead: int) -> None:
    made = net.apply(policy(way(*LONG)), compress=compress)
    before, after = net.count(lambda: net.probe(5))  # neighbours on this way are known now
    assert net.taken(lambda: net.probe(100)) == {"3": 100, "4": 100, "5:f006": 100}
    before, after = net.count(lambda: net.probe(200))
    (use,) = policy_use(made.placed, before, after)
    assert use.packets == 200 and use.active[0].packets == 200
    assert made.placed[0].active[0].overhead_bytes == overhead
    links = {(one.router, one.device): one for one in link_use(before, after, 1_000_000)}
    sent = links["r1", "to3"]
    assert 200 <= sent.packets < 210  # the neighbour protocol says a word now and then
    assert sent.bytes / sent.packets == pytest.approx(ETHERNET_BYTES + overhead + IP_UDP_BYTES + 64, abs=5)
    assert sent.bandwidth_bps == sent.bytes * 8
    assert links["r1", "to2"].packets < 10


def test_end_x_takes_its_link(net: Network) -> None:
    net.apply(policy(way(adjacency("r1-r3"), adjacency("r3-r4"))))
    assert net.taken(lambda: net.probe(50)) == {"1:e001": 50, "3:e001": 50, "5:f006": 50}
    net.apply(policy(way(adjacency("r1-r3"), adjacency("r3-r4"))), compress=False)
    assert net.taken(lambda: net.probe(50)) == {"1:e001": 50, "3:e001": 50, "5:f006": 50}


def test_two_containers_in_a_row(net: Network) -> None:
    """More than six uSIDs: the second container stands in a routing header."""
    up_and_down = way(adjacency("r1-r3"), adjacency("r3-r4"), adjacency("r4-r3"), node("r1"), node("r2"))
    made = net.apply(policy(up_and_down))
    assert len(made.placed[0].active[0].sids) == 2
    taken = net.taken(lambda: net.probe(50))
    assert taken == {"1:e001": 50, "3:e001": 50, "4:e000": 50, "1": 50, "2": 50, "5:f006": 50}


def test_flows_are_split_by_weight(net: Network) -> None:
    made = net.apply(policy((way(*FAST, weight=3), way(*LONG))))
    before, after = net.count(lambda: net.flows(FLOWS))
    (use,) = policy_use(made.placed, before, after)
    fast, long = (one.packets for one in use.active)
    assert fast + long == FLOWS
    assert abs(fast - FLOWS * 3 / 4) < 6 * (FLOWS * 3 / 16) ** 0.5  # six standard deviations


def test_a_binding_segment_leads_through_the_other_policy(net: Network) -> None:
    inner = CandidatePath(lists=(way(node("r1"), node("r2")),))
    other = SrPolicy(headend="r3", color=7, endpoint="r5", paths=(inner,), binding=True)
    made = net.apply(policy(way(binding("r3", 7))), other)
    before, after = net.count(lambda: net.probe(50))
    by_headend = {one.headend: one for one in policy_use(made.placed, before, after)}
    assert by_headend["r1"].packets == by_headend["r3"].bound.packets == 50
    assert net.taken(lambda: net.probe(50)) == {"3:f107": 50, "1": 50, "2": 50, "5:f006": 100}


def test_a_packet_of_the_access_mtu_just_fits_or_the_policy_is_refused(net: Network) -> None:
    wanted = policy(way(*LONG))
    net.apply(wanted)
    largest = ACCESS_MTU - IP_UDP_BYTES
    for core, comes in ((ACCESS_MTU + 40, 20), (ACCESS_MTU + 39, 0)):
        with narrow(net.lab, core):
            assert net.probe(20, size_bytes=largest).received == comes, "what the compiler counts is what is sent"
        if comes:
            compiled(wanted, core=core)
        else:
            with pytest.raises(FaultsError):
                compiled(wanted, core=core)


@contextmanager
def narrow(lab: Lab, mtu_bytes: int) -> Iterator[None]:
    """The link r3-r4 with another MTU."""
    for router, device in (("r3", "to4"), ("r4", "to3")):
        ip(f"link set {device} mtu {mtu_bytes}\n", lab.namespace(router))
    yield
    for router, device in (("r3", "to4"), ("r4", "to3")):
        ip(f"link set {device} mtu 1700\n", lab.namespace(router))


def test_twenty_changes_lose_no_packet(net: Network) -> None:
    net.apply(policy(way(*FAST), way(*LONG)))
    made = [compiled(policy(way(*a), way(*b))) for a, b in ((LONG, FAST), (FAST, LONG))]
    with net.traffic(2500) as out:
        for at in range(20):
            assert net.network.apply(made[at % 2].programs.values()).changed
            time.sleep(0.05)
    assert out[0].lost == 0
    assert out[0].sent == 2500


@contextmanager
def carriers_elsewhere(lab: Lab) -> Iterator[None]:
    """Beside the lab a cable goes up and down all the time, so that linkwatch never rests. Its ends have one number:
    see INDEX_FIRST."""
    one, other = f"{lab.prefix}x", f"{lab.prefix}y"
    ip(f"netns add {one}\nnetns add {other}\n")
    ip(f"link add beside index 2 netns {one} type veth peer name beside index 2 netns {other}\n")
    ip("link set beside up\n", other)
    ended = threading.Event()

    def flap() -> None:
        while not ended.wait(0.05):
            ip("link set beside up\n", one)
            ip("link set beside down\n", one)

    thread = threading.Thread(target=flap)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        ip(f"netns del {one}\nnetns del {other}\n")


@pytest.mark.parametrize(("router", "device"), [("r1", "to2"), ("r2", "to1")], ids=["near end", "far end"])
def test_a_failed_link_of_the_headend_costs_at_most_a_packet_in_a_thousand(
    net: Network, router: str, device: str
) -> None:
    """Nobody repairs anything here: the standby was installed before.

    The near end is dead in the same step of the kernel that takes it down. Word of a far end that went down has to wait
    until whoever holds the kernel's lock of all network devices (other tests make and remove namespaces) gives it up: a
    few milliseconds now and then, so that end may try thrice.
    """
    net.apply(policy(way(*FAST), way(*LONG)))
    net.probe(20)
    lost: list[int] = []
    with carriers_elsewhere(net.lab):
        while not lost or (min(lost) > PACKETS // 1000 and router != "r1" and len(lost) < 3):
            try:
                with net.traffic(PACKETS) as out:
                    net.lab.link(router, device, False)
                lost.append(out[0].lost)
                assert net.taken(lambda: net.probe(20)) == {"3": 20, "4": 20, "5:f006": 20}
            finally:
                net.lab.link(router, device, True)
            wait_for_carrier(net, "r1", "to2")
            assert net.network.reconcile().changed
            assert net.taken(lambda: net.probe(20)) == {"2": 20, "5:f006": 20}
    assert min(lost) <= PACKETS // 1000, lost
    assert max(lost) < PACKETS // 10, lost  # 200 ms: never the second of linkwatch


def wait_for_carrier(net: Network, router: str, device: str) -> None:
    for _ in range(100):
        if device not in net.network.driver.read(router).down:
            return
        time.sleep(0.02)
    raise AssertionError(f"{device} of {router} is still down")


def test_the_probe_measures_one_way(net: Network) -> None:
    net.apply()
    found = net.probe(200)
    assert (found.sent, found.received, found.lost) == (200, 200, 0)
    assert 0 < found.minimum_us <= found.mean_us <= found.maximum_us < 100_000
