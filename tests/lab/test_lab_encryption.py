"""A real encryption hop: what routers between its ends see, what passes, what it counts, and what happens when it dies."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

import pytest
from lab_rig import LAB, Lab, cables, lab, look
from sniff import sniff
from test_lab_ids import until

from suanwang.lab import beside, build, netns, processes, state
from suanwang.lab.functions import Chained, encryption
from suanwang.lab.ping import ping
from suanwang.lab.status import FunctionStatus
from suanwang.model.error import UnreachableError
from suanwang.model.grid import ProtectionFunction

MISSING = [tool for tool in ("wireguard-go", "wg") if which(tool) is None]
WIREGUARD = [*LAB, pytest.mark.skipif(bool(MISSING), reason=f"needs wireguard-go and wireguard-tools: no {MISSING}")]
pytestmark = WIREGUARD

# The hop is between a and d; b and c carry it, or e where c is cut off.
CROSS = cables(
    "cross",
    "abcde",
    [("ab", 100, 0, 1), ("bc", 100, 0, 1), ("cd", 100, 1000, 1), ("be", 100, 0, 5), ("ed", 100, 0, 5)],
)
PATTERN = b"the payload that nobody between may read"


@pytest.fixture(scope="module")
def cross() -> Iterator[Lab]:
    with lab("e", CROSS) as made:
        yield made


@contextmanager
def steered(made: Lab, at: int, to: int, one: Chained) -> Iterator[None]:
    """What the router `at` has for `to`'s host goes into the function."""
    prefix, router = made.layout.addressing.host_prefix(to), made.layout.router(at)
    route = f"{prefix} encap seg6 mode encap segs {one.sid(made.layout)} dev host metric 1"
    netns.batch("ip", [f"route add {route}"], router)
    try:
        yield
    finally:
        netns.batch("ip", [f"route del {prefix} metric 1"], router, force=True)


@contextmanager
def hop(made: Lab, a: int = 0, b: int = 3) -> Iterator[tuple[Chained, Chained]]:
    """Both ways between the hosts of a and b."""
    ends = beside.encrypt(made.name, a, b, time.sleep)
    try:
        with steered(made, a, b, ends[0]), steered(made, b, a, ends[1]):
            yield ends
    finally:
        beside.unchain(made.name, ends[1].number, time.sleep)  # either number takes both away
        assert state.require(made.name).functions == ()
        assert netns.names(f"{made.layout.prefix}f") == []
        assert list(encryption.SOCKETS.glob(f"wg-{made.name}-*")) == []
        assert not any(one.place(made.layout).folder.exists() for one in ends)


def of(made: Lab, ends: tuple[Chained, Chained]) -> tuple[FunctionStatus, FunctionStatus]:
    a, b = look(made.layout, ends).functions
    return a, b


def talk(made: Lab, a: int, b: int, payload: bytes, answer: bytes) -> None:
    """One datagram there and one back, between hosts."""
    hosts = [made.layout.host(node) for node in (a, b)]
    near, far = (netns.inside(host, lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) for host in hosts)
    with near, far:
        far.bind(("::", 7000))
        for sock in (near, far):
            sock.settimeout(3)
        near.sendto(payload, (str(made.layout.addressing.host_address(b)), 7000))
        got, back = far.recvfrom(2000)
        far.sendto(answer, back)
        assert (got, near.recv(2000)) == (payload, answer)


class TestHop:
    def test_between_its_ends_there_is_only_ciphertext(self, cross: Lab) -> None:
        layout = cross.layout
        back = PATTERN[::-1]
        with hop(cross) as ends, sniff(layout.router(0)) as before, sniff(layout.router(3)) as after:
            with sniff(layout.router(1)) as between, sniff(layout.router(2)) as further:
                for at in range(20):
                    talk(cross, 0, 3, PATTERN + bytes([at]), back)
                # The access link, and the way into the function beside it; behind it, nothing.
                assert before.clear(PATTERN) == {"host": 20, f"fi{ends[0].number}": 20}
                assert after.clear(PATTERN) == {f"fo{ends[1].number}": 20, "host": 20}
                assert after.clear(back) == {"host": 20, f"fi{ends[1].number}": 20}
                for one in (between, further):
                    assert one.clear(PATTERN) == one.clear(back) == {}
                    wire = [data for _, _, data in one.read() if data[20:21] == b"\x11"]
                    assert len(wire) >= 80  # 20 each way, seen on coming and on leaving: it did go this way
                    addresses = {data[22:54] for data in wire}
                    own = [end.address(layout).packed for end in ends]
                    assert addresses == {own[0] + own[1], own[1] + own[0]}
            first, second = of(cross, ends)
            assert (first.peer, second.peer, first.site, second.site) == (second.number, first.number, "a", "d")
            assert first.alive and second.alive
            for name, other in (("encrypted", "decrypted"), ("decrypted", "encrypted")):
                near, far = first.counters[name], second.counters[other]
                assert near.packets == far.packets == 20 and near.bytes == far.bytes > 20 * len(PATTERN)

    def test_without_it_the_links_carry_clear_text(self, cross: Lab) -> None:
        """The proof above would be none if the sniffer were blind."""
        with sniff(cross.layout.router(1)) as between:
            talk(cross, 0, 3, PATTERN, PATTERN)
            assert sum(between.clear(PATTERN).values()) == 4

    def test_the_largest_packet_of_a_host_passes_whole(self, cross: Lab) -> None:
        layout = cross.layout
        to = layout.addressing.host_address(3)
        with hop(cross) as ends, sniff(layout.router(1)) as between:
            largest = layout.access_mtu - 48
            found = ping(layout.host(0), to, time.monotonic_ns, count=5, interval_us=10_000, bytes_each=largest)
            assert found.lost == 0
            on_the_wire = between.largest("l0")
            assert on_the_wire == layout.access_mtu + encryption.OVERHEAD_BYTES <= layout.core_mtu
            # The rest of the core's MTU lets the carrier ride a list of five segments.
            spare = layout.core_mtu - on_the_wire
            assert (spare - 40 - 8) // 16 == 5
            plan = layout.addressing
            five = [plan.end_sid(node) for node in (1, 2, 1, 2, 3)]
            carrier = ends[1].address(layout)
            encap = f"{carrier}/128 encap seg6 mode encap segs {','.join(map(str, five))} dev l0"
            ends_of = [
                (layout.router(node), f"route add {plan.end_sid(node)}/128 encap seg6local action {action}")
                for node, action in ((1, "End dev l0"), (2, "End dev l1"), (3, "End.DT6 table main dev l2"))
            ]
            try:
                for router, line in ends_of:
                    netns.batch("ip", [line], router)
                netns.batch("ip", [f"route add {encap}"], layout.router(0))
                found = ping(layout.host(0), to, time.monotonic_ns, count=5, interval_us=10_000, bytes_each=largest)
                assert found.lost == 0 and between.largest("l0") == layout.core_mtu
            finally:
                netns.batch("ip", [f"route del {carrier}/128"], layout.router(0), force=True)
                for router, line in ends_of:
                    netns.batch("ip", [line.replace("add", "del")], router, force=True)

    def test_the_carrier_follows_the_underlay(self, cross: Lab) -> None:
        with hop(cross):
            assert cross.ping("a", "d").lost == 0
            build.fail_link(cross.name, cross.link("bc"), None, time.sleep)
            try:
                with sniff(cross.layout.router(4)) as round_about:
                    talk(cross, 0, 3, PATTERN, PATTERN)
                    assert round_about.clear(PATTERN) == {}
                    assert any(data[20:21] == b"\x11" for _, _, data in round_about.read())
            finally:
                build.heal(cross.name, cross.link("bc"), time.sleep)

    def test_a_dead_end_is_said_and_nothing_goes_on_in_clear(self, cross: Lab) -> None:
        layout = cross.layout
        with hop(cross) as ends:
            talk(cross, 0, 3, PATTERN, PATTERN)
            (pid,) = processes.of_namespaces([ends[0].place(layout).namespace]).popitem()[1]
            os.kill(pid, signal.SIGKILL)
            until(lambda: not of(cross, ends)[0].alive, "status says so")
            first, second = of(cross, ends)
            assert (first.counters, second.alive) == ({}, True)
            with sniff(layout.router(1)) as between:
                to = (str(layout.addressing.host_address(3)), 7000)
                with netns.inside(layout.host(0), lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) as sock:
                    for _ in range(10):
                        try:
                            sock.sendto(PATTERN, to)
                        except OSError:  # the function says that there is no way
                            continue
                time.sleep(0.2)
                assert between.clear(PATTERN) == {}
            assert cross.ping("a", "d", count=2).lost == 2

    def test_keys_are_in_no_file_and_in_no_text(self, cross: Lab) -> None:
        with hop(cross) as ends:
            for one in ends:
                place = one.place(cross.layout)
                words = ["wg", "show", encryption.device_of(place), "private-key"]
                key = netns.ask([*processes.enter_words(place.namespace), *words]).strip()
                assert len(key) == 44
                home = state.folder(cross.name)
                assert [path for path in home.rglob("*") if path.is_file() and key in path.read_text()] == []
                assert oct(place.folder.stat().st_mode & 0o777) == "0o700"
                for pid in processes.inside(cross.layout.prefix):
                    assert key not in " ".join(processes.words(pid))
        made = encryption.make_key()
        assert made.private not in repr(made) and made.public in repr(made)

    def test_down_takes_a_hop_away_too(self) -> None:
        with lab("g", cables("two", "ab", [("ab", 100, 0, 1)])) as made:  # `lab` looks that nothing is left
            beside.encrypt(made.name, 0, 1, time.sleep)
            assert len(processes.inside(made.layout.prefix)) == 2

    @pytest.mark.parametrize(("tool", "package"), [("wg", "wireguard-tools"), ("wireguard-go", "wireguard-go")])
    def test_a_missing_program_names_its_package(
        self, cross: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tool: str, package: str
    ) -> None:
        for name in {"ip", "tc", "nsenter", "wg", "wireguard-go"} - {tool}:
            (tmp_path / name).symlink_to(str(which(name)))
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(UnreachableError) as caught:
            beside.encrypt(cross.name, 0, 3, time.sleep)
        assert (caught.value.code, caught.value.params) == ("lab_package", {"tool": tool, "package": package})
        assert state.require(cross.name).functions == () and netns.names(f"{cross.layout.prefix}f") == []


def test_the_kind_is_the_grids() -> None:
    key = encryption.Key("private", "public")
    own = Chained(0, 0, ProtectionFunction.ENCRYPTION)
    assert own.kind is ProtectionFunction.ENCRYPTION and "private=" not in repr(key)
