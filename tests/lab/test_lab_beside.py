"""What joins a lab that is up: a real firewall that segments lead through, and the network of a task's namespace."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv6Network
from pathlib import Path
from shutil import which

import pytest
from lab_rig import LAB, MBPS, SLACK_US, Lab, cables, lab, look

from suanwang.lab import beside, build, netns, state
from suanwang.lab.functions import Firewall, Rule
from suanwang.lab.functions.firewall import ruleset
from suanwang.lab.ping import ping
from suanwang.lab.traffic import Ask, measure
from suanwang.model.error import NotFoundError, UnreachableError
from suanwang.model.grid import ProtectionFunction

# a to c directly in 1 ms; the firewall stands at b, off the way: 2 + 3 ms.
DETOUR = cables("detour", "abc", [("ac", 50, 1_000, 1), ("ab", 50, 2_000, 1), ("bc", 50, 3_000, 1)])
WALL = Firewall((Rule("telnet", "drop", "tcp", (23, 23)), Rule("syslog", "drop", "udp", (500, 520))))
NFT = [pytest.mark.lab, LAB[1], pytest.mark.skipif(which("nft") is None, reason="needs nftables")]


@pytest.fixture(scope="module")
def detour() -> Iterator[Lab]:
    with lab("d", DETOUR, 50 * MBPS) as made:
        yield made


def listens(made: Lab, node: int, port: int) -> socket.socket:
    sock = netns.inside(made.layout.host(node), lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM))
    sock.bind(("::", port))
    sock.listen()
    return sock


def answers(made: Lab, node: int, port: int, to: int) -> bool:
    with netns.inside(made.layout.host(node), lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM)) as sock:
        sock.settimeout(0.5)
        try:
            sock.connect((str(made.layout.addressing.host_address(to)), port))
        except TimeoutError:
            return False
        return True


class TestFirewall:
    pytestmark = NFT

    def test_segments_lead_through_it_and_it_drops_what_it_must(self, detour: Lab) -> None:
        layout, plan = detour.layout, detour.layout.addressing
        one = beside.chain(detour.name, 1, WALL, time.sleep)
        try:
            assert one.kind is ProtectionFunction.FIREWALL
            route = f"{plan.host_prefix(2)} encap seg6 mode encap segs {one.sid(layout)} dev host metric 1"
            with listens(detour, 2, 23), listens(detour, 2, 80):
                assert answers(detour, 0, 23, 2) and answers(detour, 0, 80, 2)  # not steered yet
                netns.batch("ip", [f"route add {route}"], layout.router(0))
                assert answers(detour, 0, 80, 2) and not answers(detour, 0, 23, 2)
            rtt = detour.ping("a", "c").rtt_us
            assert len(rtt) == 5 and 6_000 - 200 <= min(rtt) <= 6_000 + SLACK_US  # there over b, back directly
            found = look(layout, state.require(detour.name).functions).functions
            assert [(row.number, row.site, row.sid) for row in found] == [(0, "b", one.sid(layout))]
            counted = {name: count.packets for name, count in found[0].counters.items()}
            assert counted["telnet"] >= 1 and counted["syslog"] == 0 and counted["rest"] >= 5 + 3
        finally:
            netns.batch("ip", [f"route del {plan.host_prefix(2)} metric 1"], layout.router(0), force=True)
            beside.unchain(detour.name, one.number, time.sleep)

    def test_what_it_lets_through_goes_on_by_a_segment_list(self, detour: Lab) -> None:
        """The proxy's second half: the firewall is at the headend itself, so without it the policy would loop."""
        layout, plan = detour.layout, detour.layout.addressing
        one = beside.chain(detour.name, 0, Firewall((Rule("all", "accept"),), "drop"), time.sleep)
        decap = f"{plan.dt6_sid(2)}/128 encap seg6local action End.DT6 table main dev host"
        over_b = f"{plan.end_sid(1)}/128 encap seg6local action End dev l1"
        steer = f"{plan.host_prefix(2)} encap seg6 mode encap segs {one.sid(layout)} dev host metric 1"
        try:
            netns.batch("ip", [f"route add {decap}"], layout.router(2))
            netns.batch("ip", [f"route add {over_b}"], layout.router(1))
            netns.batch("ip", [f"route add {steer}"], layout.router(0))
            beside.go_on(detour.name, one.number, plan.host_prefix(2), [plan.end_sid(1), plan.dt6_sid(2)], time.sleep)
            rtt = detour.ping("a", "c").rtt_us
            assert len(rtt) == 5 and 6_000 - 200 <= min(rtt) <= 6_000 + SLACK_US
            assert WALL.counters(one.place(layout))["all"].packets == 5
            beside.go_on(detour.name, one.number, plan.host_prefix(2), None, time.sleep)
        finally:
            netns.batch("ip", [f"route del {plan.host_prefix(2)} metric 1"], layout.router(0), force=True)
            netns.batch("ip", [f"route del {plan.end_sid(1)}/128"], layout.router(1), force=True)
            netns.batch("ip", [f"route del {plan.dt6_sid(2)}/128"], layout.router(2), force=True)
            beside.unchain(detour.name, one.number, time.sleep)
        assert netns.names(f"{layout.prefix}f") == []
        assert [name for name in netns.devices(layout.router(0)) if name.startswith("f")] == []
        with pytest.raises(NotFoundError):
            beside.unchain(detour.name, one.number, time.sleep)

    def test_one_that_cannot_start_leaves_nothing(self, detour: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        """nft itself refuses, in the middle of chaining."""
        broken = Firewall((Rule("x", "drop", source=IPv6Network("fd00::/64")),))
        real = ruleset(broken)
        real["nftables"][-2]["add"]["rule"]["expr"].append({"nonsense": None})
        monkeypatch.setattr("suanwang.lab.functions.firewall.ruleset", lambda _: real)
        with pytest.raises(UnreachableError) as caught:
            beside.chain(detour.name, 1, broken, time.sleep)
        assert (caught.value.code, caught.value.params["tool"]) == ("lab_command", "nft")
        assert netns.names(f"{detour.layout.prefix}f") == [] and state.require(detour.name).functions == ()


def test_rules_are_checked_where_they_are_written() -> None:
    for wrong in (
        lambda: Rule("Bad name", "drop"),
        lambda: Rule("rest", "drop"),
        lambda: Rule("ports", "drop", ports=(1, 2)),
        lambda: Rule("ports", "drop", "tcp", (2, 1)),
        lambda: Firewall((Rule("same", "drop"), Rule("same", "accept"))),
    ):
        with pytest.raises(AssertionError):
            wrong()


@contextmanager
def task() -> Iterator[int]:
    """A process in a network namespace without a name, as bubblewrap makes one."""
    child = subprocess.Popen(["unshare", "--net", "sleep", "60"])
    try:
        own = os.stat("/proc/self/ns/net").st_ino
        for _ in range(200):
            if os.stat(f"/proc/{child.pid}/ns/net").st_ino != own:
                break
            time.sleep(0.01)
        yield child.pid
    finally:
        child.kill()
        child.wait()


class TestTasks:
    pytestmark = LAB

    def test_a_tasks_traffic_goes_through_the_lab(self, detour: Lab) -> None:
        plan = detour.layout.addressing
        with task() as one, task() as two:
            near = beside.attach(detour.name, 0, Path(f"/proc/{one}/ns/net"), time.sleep)
            far = beside.attach(detour.name, 2, Path(f"/proc/{two}/ns/net"), time.sleep)
            assert near.address in plan.host_prefix(0) and far.address in plan.host_prefix(2)
            # By the lab's 1 ms link to the other task, and by the router to the host of its own site.
            for to, least_us in ((far.address, 2_000), (plan.host_address(2), 2_000), (plan.host_address(0), 0)):
                found = ping(f"/proc/{one}/ns/net", to, time.monotonic_ns, count=5, interval_us=20_000)
                assert found.lost == 0 and least_us - 200 <= min(found.rtt_us) <= least_us + SLACK_US
            ask = Ask(f"/proc/{one}/ns/net", f"/proc/{two}/ns/net", far.address, near.mtu, 1, 80 * MBPS, 0)
            assert 42 * MBPS < measure(ask, "own", time.monotonic_ns, time.sleep).received_bps <= 50 * MBPS
            build.fail_link(detour.name, detour.link("ac"), None, time.sleep)
            over_b = ping(f"/proc/{one}/ns/net", far.address, time.monotonic_ns, count=3, interval_us=20_000)
            assert over_b.lost == 0 and min(over_b.rtt_us) >= 10_000 - 200
            build.heal(detour.name, detour.link("ac"), time.sleep)
            beside.detach(detour.name, near, time.sleep)
            assert "lab0" not in devices_of(one)

    def test_numbers_are_used_again_when_a_task_has_ended(self, detour: Lab) -> None:
        router = detour.layout.router(1)
        with task() as one, task() as two:
            first = beside.attach(detour.name, 1, Path(f"/proc/{one}/ns/net"), time.sleep)
            second = beside.attach(detour.name, 1, Path(f"/proc/{two}/ns/net"), time.sleep)
            assert (first.device, second.device) == ("t0", "t1") and first.address != second.address
            os.kill(one, signal.SIGKILL)
            for _ in range(300):
                if "t0" not in netns.devices(router):
                    break
                time.sleep(0.01)
            with task() as three:
                assert beside.attach(detour.name, 1, Path(f"/proc/{three}/ns/net"), time.sleep).device == "t0"
                beside.detach(detour.name, first, time.sleep)  # no fault, and the name is another's by now
                assert "lab0" in devices_of(three) and "t0" in netns.devices(router)
        with pytest.raises(UnreachableError):
            beside.attach(detour.name, 1, Path("/proc/0/ns/net"), time.sleep)
        with pytest.raises(AssertionError):
            beside.attach(detour.name, 1, Path("/proc/self/ns/net"), time.sleep)
        for _ in range(500):  # the kernel takes a namespace's devices away after its last process
            if not any(name.startswith("t") for name in netns.devices(router)):
                break
            time.sleep(0.01)
        assert [name for name in netns.devices(router) if name.startswith("t")] == []


def devices_of(pid: int) -> str:
    words = ["nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-o", "link", "show"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout
