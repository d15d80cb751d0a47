"""A real sensor beside a router: packets of real sockets through real routers, what it says and what it counts."""

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from lab_rig import LAB, Lab, cables, lab, look

from suanwang.lab import beside, netns, processes, state
from suanwang.lab.functions import Chained, Ids, Place
from suanwang.lab.status import FunctionStatus
from suanwang.model.error import FaultsError, UnreachableError
from suanwang.model.grid import ProtectionFunction

pytestmark = LAB

# No relay: the kernel carries everything, so that a test may be fast.
LINE = cables("line", "abc", [("ab", 100, 0, 1), ("bc", 100, 0, 1)])
RULES = """\
# what a test sends
alert tcp any any -> any 80 (msg:"a shell in a request"; content:"/bin/sh"; nocase; sid:1; rev:2;)
alert udp any any -> any 53 (msg:"a bad name"; content:"|04|evil|07|example"; offset:12; sid:2;)
alert tcp any any -> any any (msg:"a scan"; flags:S; threshold: type both, track by_src, count 20, seconds 10; sid:3;)
"""


@pytest.fixture(scope="module")
def line() -> Iterator[Lab]:
    with lab("i", LINE) as made:
        yield made


@contextmanager
def through(made: Lab, one: Chained) -> Iterator[None]:
    """What a's host sends to c's host goes through the function."""
    layout = made.layout
    to = layout.addressing.host_prefix(2)
    route = f"{to} encap seg6 mode encap segs {one.sid(layout)} dev host metric 1"
    netns.batch("ip", [f"route add {route}"], layout.router(0))
    try:
        yield
    finally:
        netns.batch("ip", [f"route del {to} metric 1"], layout.router(0), force=True)


@contextmanager
def ids(made: Lab, text: str) -> Iterator[Chained]:
    one = beside.chain(made.name, 1, Ids(text), time.sleep)
    try:
        with through(made, one):
            yield one
    finally:
        beside.unchain(made.name, one.number, time.sleep)
        assert [name for name in netns.names(made.layout.prefix) if name.startswith(f"{made.layout.prefix}f")] == []
        assert not one.place(made.layout).folder.exists()


def of(made: Lab, one: Chained) -> FunctionStatus:
    return look(made.layout, [one]).functions[0]


def until(found: Callable[[], bool], what: str) -> None:
    for _ in range(300):
        if found():
            return
        time.sleep(0.02)
    pytest.fail(what)


def counted(made: Lab, one: Chained) -> dict[str, int]:
    return {name: count.packets for name, count in Ids(RULES).counters(one.place(made.layout)).items()}


def host_socket(made: Lab, node: int, kind: socket.SocketKind) -> socket.socket:
    return netns.inside(made.layout.host(node), lambda: socket.socket(socket.AF_INET6, kind))


@contextmanager
def datagrams(made: Lab, port: int) -> Iterator[tuple[Callable[[bytes], object], socket.socket]]:
    """Send from a's host; what c's host receives."""
    to = (str(made.layout.addressing.host_address(2)), port)
    with host_socket(made, 0, socket.SOCK_DGRAM) as sender, host_socket(made, 2, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("::", port))
        receiver.setsockopt(socket.SOL_SOCKET, 33, 64_000_000)  # SO_RCVBUFFORCE: the test may read late
        receiver.settimeout(1)
        yield (lambda data: sender.sendto(data, to)), receiver


def request(made: Lab, payload: bytes, port: int = 80) -> None:
    with host_socket(made, 2, socket.SOCK_STREAM) as listener, host_socket(made, 0, socket.SOCK_STREAM) as sock:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("::", port))
        listener.listen()
        sock.connect((str(made.layout.addressing.host_address(2)), port))
        sock.sendall(payload)
        sock.shutdown(socket.SHUT_WR)
        far, _ = listener.accept()
        with far:
            far.settimeout(5)
            got = b""
            while part := far.recv(1 << 20):
                got += part
    assert got == payload


class TestSensor:
    def test_patterns_in_tcp_and_udp(self, line: Lab) -> None:
        with ids(line, RULES) as one, datagrams(line, 53) as (send, receiver):
            request(line, b"GET /index.html HTTP/1.1\r\n\r\n")
            send(bytes(12) + b"\x04good\x07example\x00")
            assert receiver.recv(100)
            until(lambda: counted(line, one)["seen"] >= 5, "the sensor sees clean traffic")
            assert [counted(line, one)[f"sid_{sid}"] for sid in (1, 2, 3)] == [0, 0, 0]
            request(line, b"GET /cgi?x=/BIN/sh HTTP/1.1\r\n\r\n")
            request(line, b"GET /cgi?x=/bin/sh", port=8080)  # not the rule's port
            send(bytes(12) + b"\x04evil\x07example\x00")
            send(b"\x04evil\x07example\x00")  # before the offset
            assert receiver.recv(100) and receiver.recv(100)
            until(lambda: counted(line, one)["sid_2"] > 0, "an alert in UDP")
            found = of(line, one)
            assert found.kind is ProtectionFunction.IDS and found.alive
            assert [found.counters[f"sid_{sid}"].packets for sid in (1, 2, 3)] == [1, 1, 0]
            assert found.counters["sid_2"].bytes == 40 + 8 + 12 + 14
            rows = [json.loads(row) for row in (found.folder / "eve.json").read_text().splitlines()]
        plan = line.layout.addressing
        first, second = (
            {name: row[name] for name in ("event_type", "src_ip", "dest_ip", "dest_port", "proto")} for row in rows
        )
        ends = {"event_type": "alert", "src_ip": str(plan.host_address(0)), "dest_ip": str(plan.host_address(2))}
        assert first == ends | {"dest_port": 80, "proto": "TCP"}
        assert second == ends | {"dest_port": 53, "proto": "UDP"}
        assert rows[0]["alert"] == {
            "action": "allowed",
            "gid": 1,
            "signature_id": 1,
            "rev": 2,
            "signature": "a shell in a request",
            "severity": 3,
        }

    def test_a_pattern_that_two_segments_share(self, line: Lab) -> None:
        """A request of many segments, with the pattern round the end of the first."""
        size = line.layout.access_mtu - 40 - 32  # IPv6, and TCP with timestamps
        with ids(line, RULES) as one:
            request(line, b"x" * (size - 3) + b"/bin/sh" + b"y" * 10 * size)
            until(lambda: counted(line, one)["sid_1"] > 0, "an alert across segments")
            # Packets as they are on a wire: none is larger than the MTU, though the host sends large ones.
            seen = of(line, one).counters["seen"]
            assert seen.packets >= 11 and counted(line, one)["sid_1"] == 1

    def test_a_scan_is_one_alert(self, line: Lab) -> None:
        to = str(line.layout.addressing.host_address(2))
        with ids(line, RULES) as one:
            for port in range(1000, 1040):
                with host_socket(line, 0, socket.SOCK_STREAM) as sock, pytest.raises(ConnectionRefusedError):
                    sock.connect((to, port))
            until(lambda: counted(line, one)["seen"] >= 40, "the sensor sees all of them")
            assert counted(line, one)["sid_3"] == 1
            (row,) = (one.place(line.layout).folder / "eve.json").read_text().splitlines()
            assert json.loads(row)["dest_port"] == 1019  # the twentieth

    def test_it_counts_every_packet_that_passes_and_nothing_else(self, line: Lab) -> None:
        """No neighbour discovery, no ping of the router, no packet twice."""
        with ids(line, RULES) as one, datagrams(line, 4000) as (send, receiver):
            before = counted(line, one)["seen"]
            function = line.layout.addressing.service_link(1, one.number, outward=False)[2]
            words = f"neigh flush dev {one.near}"
            netns.batch("ip", [words], line.layout.router(1))
            with netns.inside(line.layout.router(1), lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) as own:
                own.sendto(b"to the function itself", (str(function), 9))
            for at in range(500):
                send(at.to_bytes(4, "big") + bytes(at % 1400))
            assert [receiver.recv(2000)[:4] for _ in range(500)] == [at.to_bytes(4, "big") for at in range(500)]
            until(lambda: counted(line, one)["seen"] >= before + 500, "the sensor sees all of them")
            time.sleep(0.3)
            found = of(line, one).counters
            assert found["seen"].packets - before == 500 and found["not_seen"].packets == 0
            assert found["seen"].bytes == sum(40 + 8 + 4 + at % 1400 for at in range(500))
            assert found["not_inspected"].packets == 0

    def test_one_that_falls_behind_holds_nothing_up_and_says_what_it_did_not_see(self, line: Lab) -> None:
        total = 20_000
        with ids(line, RULES) as one, datagrams(line, 4000) as (send, receiver):
            (pid,) = processes.of_namespaces([one.place(line.layout).namespace]).popitem()[1]
            os.kill(pid, signal.SIGSTOP)
            for at in range(total):
                send(bytes(200))
                if at % 100 == 0:
                    time.sleep(0.003)
            got = [receiver.recv(1000) for _ in range(total)]
            assert len(got) == total  # not one was held up
            assert counted(line, one)["seen"] == 0 and of(line, one).alive
            os.kill(pid, signal.SIGCONT)
            until(
                lambda: counted(line, one)["seen"] + counted(line, one)["not_seen"] >= total,
                "it catches up and says so",
            )
            found = counted(line, one)
            assert found["seen"] + found["not_seen"] == total and found["not_seen"] > 1000 and found["seen"] > 1000

    def test_a_killed_sensor_is_dead_and_its_counters_stay(self, line: Lab) -> None:
        with ids(line, RULES) as one, datagrams(line, 53) as (send, receiver):
            send(bytes(12) + b"\x04evil\x07example\x00")
            assert receiver.recv(100)
            until(lambda: counted(line, one)["sid_2"] == 1, "an alert")
            (pid,) = processes.of_namespaces([one.place(line.layout).namespace]).popitem()[1]
            os.kill(pid, signal.SIGKILL)
            until(lambda: not of(line, one).alive, "status says so")
            send(bytes(12) + b"\x04evil\x07example\x00")
            assert receiver.recv(100)  # it only watched: packets pass, unseen
            assert of(line, one).counters["sid_2"].packets == 1
            os.waitpid(pid, 0)  # it was a child of this test

    def test_one_that_cannot_start_says_why_and_leaves_nothing(
        self, line: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        with pytest.raises(FaultsError):
            Ids("alert tcp", "my.rules")
        wrong = Ids(RULES)
        object.__setattr__(wrong, "text", "alert tcp")  # the sensor's own process refuses
        with pytest.raises(UnreachableError) as caught:
            beside.chain(line.name, 1, wrong, time.sleep)
        assert caught.value.code == "lab_sensor" and "FaultsError" in str(caught.value.params["detail"])
        assert state.require(line.name).functions == ()
        assert netns.names(f"{line.layout.prefix}f") == []
        monkeypatch.setenv("PATH", "/nowhere")
        with pytest.raises(UnreachableError) as missing:
            Ids(RULES).start(Place("none", "in", "out", tmp_path), 0)
        assert missing.value.code == "lab_tool"
