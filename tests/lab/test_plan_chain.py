"""A plan's whole protection chain on real packets: a firewall, an IDS and an encryption hop, in the order of the plan."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from shutil import which

import pytest
from lab_rig import LAB
from plan_rig import MBPS, PORT, Net, served
from sniff import Sniffer, sniff
from tests.plan.worlds import FIREWALL, IDS, general, grid_of, link_of, site_of

from suanwang.lab import beside, state
from suanwang.lab.functions import Firewall, Ids, Rule
from suanwang.lab.functions import encryption as crypt
from suanwang.lab.functions import firewall as walls
from suanwang.lab.functions import ids as sensors
from suanwang.model.grid import ProtectionFunction, SecurityPool
from suanwang.runtime import clock

GIB = 2**30
ENCRYPTION = ProtectionFunction.ENCRYPTION
CHAIN = (FIREWALL, IDS, ENCRYPTION)
RULES = f'alert udp any any -> any {PORT} (msg:"a word"; content:"00000007"; sid:7;)\n'
pytestmark = [
    *LAB,
    pytest.mark.skipif(
        not all(map(which, ("bwrap", "nft", "wg", "wireguard-go"))),
        reason="needs bubblewrap, nftables, wireguard-tools and wireguard-go",
    ),
]


def row():
    """o to s directly and cheaply; the functions stand on the long way o-b-c-d-s."""

    def pool(site: str, function: ProtectionFunction) -> SecurityPool:
        return SecurityPool(id=f"{site}/{function}", function=function, capacity_bps=10**9)

    sites = [
        site_of("o"),
        site_of("b", security=[pool("b", FIREWALL)]),
        site_of("c", security=[pool("c", IDS)]),
        site_of("d", security=[pool("d", ENCRYPTION)]),
        site_of("s", [general("s", cores=8, memory=8 * GIB)]),
    ]
    names = ("ob", "bc", "cd", "ds", "os")
    return grid_of(sites, [link_of(one, *one, price=10 if one == "os" else 1_000) for one in names], origin="o")


@pytest.fixture(scope="module")
def net() -> Iterator[Net]:
    with served("c", row()) as made:
        name = made.layout.name
        beside.chain(name, 1, Firewall((Rule("telnet", "drop", "udp", (23, 23)),)), clock.pause)
        beside.chain(name, 2, Ids(RULES), clock.pause)
        beside.encrypt(name, 3, 4, clock.pause)
        yield made


def test_packets_pass_all_three_in_order_and_the_last_stretch_is_cipher(net: Net) -> None:
    task = net.receiver(bandwidth=100 * MBPS, latency=20_000, protection=CHAIN)
    address = net.address(task)
    (member,) = net.agent.members
    assert [one.after for one in member.flow.pools] == [1, 2, 3]
    places = [one.place(net.layout) for one in state.require(net.layout.name).functions]
    wall, sensor, enter, leave = places

    def counted() -> tuple[int, int, int, int, int]:
        told, hop = sensors.counters(sensor), crypt.counters(enter)["encrypted"].packets
        left = crypt.counters(leave)["decrypted"].packets
        return walls.counters(wall.namespace)["rest"].packets, told["seen"].packets, told["sid_7"].packets, hop, left

    with net.unprobed():
        before = counted()
        routers = (net.layout.router(net.layout.topology.nodes.index(one)) for one in "cds")
        with sniff(next(routers)) as at_c, sniff(next(routers)) as at_d, sniff(next(routers)) as at_s:
            taken = net.taken(lambda: net.send("o", address, 100, 2_000))
            after = counted()
            clear = clear_on(net, at_c, "c", "d"), clear_on(net, at_d, "d", "c")
            cipher = clear_on(net, at_d, "d", "s"), clear_on(net, at_s, "s", "d"), clear_on(net, at_s, "s", "o")
            at_task = at_s.clear(b"." * 40)["t0"]
    grown = tuple(b - a for a, b in zip(before, after, strict=True))
    assert grown == (100, 100, 1, 100, 100)  # the firewall, the IDS with its one alert, both ends of the hop
    # The ciphertext comes by a segment list, as the plan has it; WireGuard has a word of its own now and then.
    assert taken["s"].keys() == {net.sid("s", 6)} and 100 <= taken["s"][net.sid("s", 6)] <= 104
    assert (clear, cipher, at_task) == ((100, 100), (0, 0, 0), 100)
    assert net.end("o", address, task)["seen"] == 100


def test_what_passes_and_what_lives_is_reported(net: Net) -> None:
    """1 kHz of 1,400 bytes are 11 Mbit/s of the lab's 100, and so 110 of the grid's 1,000."""
    task = net.receiver(bandwidth=200 * MBPS, latency=20_000, protection=CHAIN)
    address = net.address(task)

    def told() -> dict[str, tuple[bool, int]]:
        reports = net.here.brain.policies.reports()
        return {one.security_pool: (one.alive, one.bandwidth_bps) for report in reports for one in report.functions}

    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(net.send, "o", address, 4_000, 1_000, 1_300)
        net.until(lambda: {"b/firewall", "c/ids", "d/encryption"} <= told().keys())
        net.until(lambda: all(alive and 80 * MBPS < bps < 160 * MBPS for alive, bps in told().values()))
        sent.result()
    net.end("o", address, task)


def clear_on(net: Net, seen: Sniffer, a: str, b: str) -> int:
    """How many packets of the test went over the link in clear, as its end `a` sees it."""
    nodes = net.layout.topology.nodes
    link = next(one for one in net.layout.links if {one.a, one.b} == {nodes.index(a), nodes.index(b)})
    return seen.clear(b"." * 40)[link.device]
