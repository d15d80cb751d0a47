"""Real routers: reached, as far as asked, as fast as shaped, and healed."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from shutil import which
from time import monotonic_ns, sleep

import numpy as np
import pytest
from lab_rig import LAB, MBPS, SLACK_US, Lab, cables, lab, look

from suanwang.grids import random_grid
from suanwang.lab import build
from suanwang.lab.commands import EF_TRAFFIC_CLASS
from suanwang.lab.layout import NODES_MAX
from suanwang.lab.netns import batch
from suanwang.lab.ping import ping
from suanwang.lab.traffic import Tool
from suanwang.lab.underlay import plane_of
from suanwang.net.igp import build_plane
from suanwang.net.topology import topology_of_grid

pytestmark = LAB

# Two ways from a to d: over b in 9 + 3 ms, over c in 20 ms; e hangs on d by a link too short for the relay.
RING = cables(
    "ring",
    "abcde",
    [("ab", 100, 5_000, 1), ("bd", 100, 4_000, 1), ("ac", 100, 10_000, 2), ("cd", 100, 10_000, 2), ("de", 100, 50, 1)],
    back_us={"ab": 1_000, "bd": 2_000},
)
# a and d send to c; the link from b to c is the narrow one: 20 Mb/s, of which 6 are held for EF.
NARROW = cables("narrow", "abcd", [("ab", 100, 1_000, 1), ("bc", 20, 2_000, 1), ("bd", 100, 1_000, 1)])


@pytest.fixture(scope="module")
def ring() -> Iterator[Lab]:
    with lab("r", RING) as made:
        yield made


@pytest.fixture(scope="module")
def narrow() -> Iterator[Lab]:
    with lab("n", NARROW) as made:
        yield made


def test_round_trips_are_as_asked_even_where_the_ways_differ(ring: Lab) -> None:
    for a, b, asked_us in (("a", "b", 6_000), ("a", "d", 12_000), ("a", "c", 20_000), ("e", "a", 12_000)):
        found = ring.ping(a, b, count=10)
        assert found.lost == 0, (a, b)
        assert asked_us - 200 <= min(found.rtt_us) <= asked_us + SLACK_US, (a, b, found.rtt_us)
    assert min(ring.ping("d", "e").rtt_us) < 1_000  # a veth pair


def test_a_failed_link_is_gone_round_and_a_healed_one_comes_back(ring: Lab) -> None:
    link = ring.link("bd")
    for end in (None, ring.node("b"), ring.node("d")):
        build.fail_link(ring.name, link, end, sleep)
        found = look(ring.layout).links[link]
        assert (found.up, found.forth.up, found.back.up) == (False, False, False)  # no carrier at the other end
        round_ms = ring.ping("a", "d")
        assert round_ms.lost == 0 and 40_000 - 200 <= min(round_ms.rtt_us) <= 40_000 + SLACK_US
        build.heal(ring.name, link, sleep)
        assert look(ring.layout).links[link].up
        back = ring.ping("a", "d")
        assert back.lost == 0 and min(back.rtt_us) <= 12_000 + SLACK_US


def test_a_site_that_is_cut_off_is_not_reached_until_it_heals(ring: Lab) -> None:
    link = ring.link("de")  # a veth pair
    build.fail_link(ring.name, link, None, sleep)
    assert ring.ping("a", "e", count=2).rtt_us == ()
    assert ring.ping("a", "d", count=2).lost == 0
    build.heal(ring.name, link, sleep)
    assert ring.ping("a", "e", count=2).lost == 0


# Steps round the sites from each to others: all pairs of 24, and of the most that a lab may have so many that the test is short.
@pytest.mark.parametrize(("sites", "steps"), [(24, range(1, 24)), (NODES_MAX, (1, 7, 19, 30))], ids=["24", "largest"])
def test_routers_reach_each_other_within_what_the_grid_says(sites: int, steps: Sequence[int]) -> None:
    grid = topology_of_grid(random_grid(sites, 3))
    pairs = sorted({(min(a, b), max(a, b)) for a in range(sites) for step in steps for b in [(a + step) % sites]})
    with lab("g", grid) as made:
        assert len(look(made.layout).routers) == grid.n == sites
        plane = plane_of(made.layout)
        emulated = np.array([0] * grid.m, np.int64)
        for link in made.layout.links:
            for way in link.ways:
                emulated[way.directed] = way.latency_us if link.relayed else 0
        least = build_plane(grid, metric=emulated + 1).distance

        def go(pair: tuple[int, int]) -> int:
            return min(made.ping(grid.nodes[pair[0]], grid.nodes[pair[1]], count=2).rtt_us, default=-1)

        with ThreadPoolExecutor(4) as pool:
            found = dict(zip(pairs, pool.map(go, pairs), strict=True))
        assert [pair for pair, rtt in found.items() if rtt < 0] == []
        worst = {(a, b): int(plane.worst_us[a, b] + plane.worst_us[b, a]) for a, b in pairs}
        # Four at once on a loaded machine: what came late is asked again, alone.
        again = {pair: go(pair) for pair, rtt in found.items() if rtt > worst[pair] + SLACK_US}
        assert {pair: (rtt, worst[pair]) for pair, rtt in again.items() if rtt > worst[pair] + SLACK_US} == {}
        assert [pair for pair, rtt in found.items() if rtt < 2 * (int(least[pair]) - grid.n) - 200] == []


IPERF3 = pytest.param("iperf3", marks=pytest.mark.skipif(which("iperf3") is None, reason="needs iperf3"))


@pytest.mark.parametrize("tool", ["own", IPERF3])
def test_a_link_carries_what_it_is_shaped_to_and_no_more(narrow: Lab, tool: Tool) -> None:
    flood = narrow.measure("a", "c", tool, 40 * MBPS, 2)
    assert 0.9 * 20 * MBPS <= flood.received_bps <= 20 * MBPS
    assert flood.packets is not None and flood.lost is not None and flood.lost > 0.4 * flood.packets
    calm = narrow.measure("a", "c", tool, 10 * MBPS, 1)
    assert calm.lost == 0 and abs(calm.received_bps - 10 * MBPS) < MBPS
    stream = narrow.measure("a", "c", tool, None, 2)
    assert 0.8 * 20 * MBPS <= stream.received_bps <= 20 * MBPS


def test_ef_keeps_its_share_under_a_flood_and_so_does_the_rest(narrow: Lab) -> None:
    def both(ef_bps: int, rest_bps: int) -> tuple[int, float, int]:
        with ThreadPoolExecutor(2) as pool:
            rest = pool.submit(narrow.measure, "a", "c", "own", rest_bps, 2)
            ef = pool.submit(narrow.measure, "d", "c", "own", ef_bps, 2, EF_TRAFFIC_CLASS)
            held = ef.result()
            assert held.packets is not None and held.lost is not None
            return held.received_bps, held.lost / held.packets, rest.result().received_bps

    held, lost, rest = both(5 * MBPS, 60 * MBPS)  # within its 6 of 20
    assert lost == 0 and held > 4.7 * MBPS and rest < 16 * MBPS
    held, lost, rest = both(60 * MBPS, 12 * MBPS)  # EF floods: best effort has 14 of 20
    assert rest > 11 * MBPS and held < 10 * MBPS and lost > 0.5


def test_counters_tell_the_classes_apart(narrow: Lab) -> None:
    link = narrow.link("bc")
    before = look(narrow.layout).links[link]
    narrow.measure("a", "c", "own", 2 * MBPS, 1, EF_TRAFFIC_CLASS)
    after = look(narrow.layout).links[link]
    sent = after.forth.sent_packets - before.forth.sent_packets
    assert 150 <= after.forth.ef_packets - before.forth.ef_packets <= sent
    assert (after.forth.rate_bps, after.forth.ef_rate_bps) == (20 * MBPS, 6 * MBPS)
    assert after.back.ef_packets == before.back.ef_packets


def test_an_encapsulated_packet_of_the_hosts_mtu_fits_the_core(narrow: Lab) -> None:
    """Ten segments and a full packet; the DSCP goes to the outer header, so EF is still told from the rest."""
    plan, layout = narrow.layout.addressing, narrow.layout
    batch("ip", [f"route add {plan.end_sid(k)}/128 encap seg6local action End dev l0" for k in (1,)], layout.router(1))
    c = f"route add {plan.dt6_sid(2)}/128 encap seg6local action End.DT6 table main dev host"
    batch("ip", [c], layout.router(2))
    segments = ",".join([*[str(plan.end_sid(1))] * 9, str(plan.dt6_sid(2))])
    batch(
        "ip",
        [f"route add {plan.host_prefix(2)} encap seg6 mode encap segs {segments} dev l0 metric 1"],
        layout.router(0),
    )
    try:
        found = ping(layout.host(0), plan.host_address(2), monotonic_ns, count=3, interval_us=10_000, bytes_each=1452)
        assert found.lost == 0
        before = look(layout).links[narrow.link("bc")].forth.ef_packets
        narrow.measure("a", "c", "own", 2 * MBPS, 1, EF_TRAFFIC_CLASS)
        assert look(layout).links[narrow.link("bc")].forth.ef_packets - before >= 150
    finally:
        batch("ip", [f"route del {plan.host_prefix(2)} metric 1"], layout.router(0))
