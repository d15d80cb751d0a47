"""Functions in a row with counters as the proof of their order; functions that are full, and functions that die."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from shutil import which

import pytest
from lab_rig import LAB, MBPS, Lab, cables, lab, look
from sniff import sniff
from test_lab_encryption import WIREGUARD, steered
from test_lab_ids import until

from suanwang.lab import beside, netns, state
from suanwang.lab.functions import Chained, Firewall, Ids, Rule
from suanwang.lab.status import FunctionStatus

NFT = pytest.mark.skipif(which("nft") is None, reason="needs nftables")
pytestmark = [*LAB, NFT]

LINE = cables("row", "abcd", [("ab", 100, 0, 1), ("bc", 100, 1000, 1), ("cd", 100, 0, 1)])
WALL = Firewall((Rule("syslog", "drop", "udp", (514, 514)),))
RULES = 'alert udp any any -> any any (msg:"a secret"; content:"the secret"; sid:1;)'
QUIET_BPS = 20_000  # neighbour and listener discovery of the link itself
SECRET = b"this is the secret of the row"


@pytest.fixture(scope="module")
def row() -> Iterator[Lab]:
    with lab("r", LINE) as made:
        yield made


@contextmanager
def chained(made: Lab, *found: Chained) -> Iterator[None]:
    try:
        yield
    finally:
        for one in found:
            beside.unchain(made.name, one.number, time.sleep)
        assert state.require(made.name).functions == () and netns.names(f"{made.layout.prefix}f") == []


def by_number(made: Lab) -> dict[int, FunctionStatus]:
    return {one.number: one for one in look(made.layout, state.require(made.name).functions).functions}


def send(made: Lab, port: int, count: int) -> None:
    with netns.inside(made.layout.host(0), lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) as sock:
        for _ in range(count):
            sock.sendto(SECRET, (str(made.layout.addressing.host_address(3)), port))


class TestRow:
    pytestmark = WIREGUARD

    def test_firewall_then_ids_then_encryption(self, row: Lab) -> None:
        layout, plan = row.layout, row.layout.addressing
        wall = beside.chain(row.name, 0, WALL, time.sleep)
        watcher = beside.chain(row.name, 1, Ids(RULES), time.sleep)
        enter, leave = beside.encrypt(row.name, 1, 3, time.sleep)
        to = plan.host_prefix(3)
        with ExitStack() as stack:
            stack.enter_context(chained(row, wall, watcher, enter))
            for one, after in ((wall, watcher), (watcher, enter)):
                beside.go_on(row.name, one.number, to, [after.sid(layout)], time.sleep)
            stack.enter_context(steered(row, 0, 3, wall))
            stack.enter_context(steered(row, 3, 0, leave))  # and back through the hop
            first, second, third, last = (stack.enter_context(sniff(layout.router(node))) for node in range(4))
            receiver = stack.enter_context(
                netns.inside(layout.host(3), lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
            )
            receiver.bind(("::", 53))
            receiver.settimeout(3)
            send(row, 514, 7)
            send(row, 53, 11)
            assert [receiver.recv(100) for _ in range(11)] == [SECRET] * 11
            until(lambda: Ids(RULES).counters(watcher.place(layout))["sid_1"].packets == 11, "alerts")
            found = by_number(row)
            counted = {
                (number, name): counter.packets
                for number, one in found.items()
                for name, counter in one.counters.items()
            }
            assert counted == {
                (wall.number, "syslog"): 7,
                (wall.number, "rest"): 11,
                # What the firewall dropped the sensor never saw; what it saw was in clear.
                (watcher.number, "seen"): 11,
                (watcher.number, "not_seen"): 0,
                (watcher.number, "not_inspected"): 0,
                (watcher.number, "sid_1"): 11,
                (enter.number, "encrypted"): 11,
                (enter.number, "decrypted"): 0,
                (leave.number, "encrypted"): 0,
                (leave.number, "decrypted"): 11,
            }
            assert all(one.alive for one in found.values())
            assert first.clear(SECRET)[f"fi{wall.number}"] == 18 and first.clear(SECRET)[f"fo{wall.number}"] == 11
            assert second.clear(SECRET)[f"fi{watcher.number}"] == second.clear(SECRET)[f"fi{enter.number}"] == 11
            assert second.clear(SECRET)[f"fo{enter.number}"] == 0
            assert third.clear(SECRET) == {} and len(third.read()) >= 22
            assert last.clear(SECRET) == {f"fo{leave.number}": 11, "host": 11}
            trip = row.ping("a", "d")
            assert trip.lost == 0 and min(trip.rtt_us) >= 2_000 - 200
            assert by_number(row)[leave.number].counters["encrypted"].packets == 5
        assert [name for node in range(4) for name in netns.devices(layout.router(node)) if name[0] == "f"] == []
        assert row.ping("a", "d", count=2).lost == 0


class TestCapacity:
    def test_a_full_function_is_full(self, row: Lab) -> None:
        """20 Mbit/s are sent into 5: what comes out is 5, and status says so while it lasts."""
        capacity = 5 * MBPS
        one = beside.chain(row.name, 1, WALL, time.sleep, capacity)
        with chained(row, one), steered(row, 0, 3, one):
            (idle,) = by_number(row).values()
            assert (idle.capacity_bps, idle.dropped) == (capacity, 0) and idle.use_bps < QUIET_BPS
            row.measure("a", "d", "own", 2 * MBPS, 1)
            (room,) = by_number(row).values()
            assert room.dropped == 0
            rates = []
            thread = threading.Thread(
                target=lambda: rates.append(row.measure("a", "d", "own", 20 * MBPS, 3).received_bps)
            )
            thread.start()
            time.sleep(1)
            (full,) = by_number(row).values()
            thread.join()
            assert 0.9 * capacity <= full.use_bps <= 1.05 * capacity
            assert full.dropped > 500
            assert 0.85 * capacity <= rates[0] <= 1.02 * capacity  # of payload
            (after,) = by_number(row).values()
            assert after.use_bps < QUIET_BPS and after.dropped >= full.dropped

    def test_without_a_capacity_it_takes_what_comes(self, row: Lab) -> None:
        one = beside.chain(row.name, 1, WALL, time.sleep)
        with chained(row, one), steered(row, 0, 3, one):
            assert row.measure("a", "d", "own", 20 * MBPS, 1).received_bps > 19 * MBPS
            (found,) = by_number(row).values()
            assert (found.capacity_bps, found.dropped) == (None, 0)

    @pytest.mark.parametrize("at", [0, 1])
    def test_both_ends_of_a_hop_have_it(self, row: Lab, at: int) -> None:
        if which("wg") is None or which("wireguard-go") is None:
            pytest.skip("needs wireguard-go and wireguard-tools")
        ends = beside.encrypt(row.name, 0, 3, time.sleep, 5 * MBPS)
        with chained(row, ends[0]), steered(row, 0, 3, ends[0]):
            assert row.measure("a", "d", "own", 15 * MBPS, 1).received_bps <= 5 * MBPS
            assert by_number(row)[ends[at].number].capacity_bps == 5 * MBPS
            assert by_number(row)[ends[0].number].dropped > 100


def test_a_firewall_without_its_table_is_dead(row: Lab) -> None:
    one = beside.chain(row.name, 2, WALL, time.sleep)
    with chained(row, one):
        assert by_number(row)[one.number].alive
        netns.ask(["ip", "netns", "exec", one.place(row.layout).namespace, "nft", "delete", "table", "ip6", "suanwang"])
        (found,) = by_number(row).values()
        assert (found.alive, found.counters) == (False, {})
