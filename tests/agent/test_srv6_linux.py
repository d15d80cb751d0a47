"""The Linux driver keeps the contract, on real network namespaces."""

import subprocess

import pytest
from tests.agent.srv6_contract import FAST, LONG, Contract, programs
from tests.agent.srv6_lab import NAMESPACES, Lab, ip, run

from suanwang.agent.adapters.srv6 import LinuxDriver, SrNetwork, linux
from suanwang.agent.adapters.srv6.port import Action, Step
from suanwang.model.error import NetworkError
from suanwang.model.sr_program import Source

pytestmark = NAMESPACES


@pytest.fixture(scope="module")
def lab():
    made = Lab()
    yield made
    made.close()


class LinuxRig:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.lost: set[str] = set()
        self.driver = LinuxDriver(lambda router: lab.namespace(router) + "-gone" * (router in self.lost), _no_wait)
        self.undo: list[tuple[str, str]] = []

    def occupy(self, router: str, prefix: str, metric: int) -> None:
        ip(f"route add {prefix} dev sids metric {metric} proto static\n", self.lab.namespace(router))
        self.undo.append((router, f"route del {prefix} metric {metric} proto static\n"))

    def free(self, router: str, prefix: str, metric: int) -> None:
        router, line = self.undo.pop()
        ip(line, self.lab.namespace(router))

    def link(self, router: str, device: str, up: bool) -> None:
        self.lab.link(router, device, up)

    def lose(self, router: str) -> None:
        self.lost.add(router)

    def close(self) -> None:
        self.lost.clear()
        SrNetwork(self.driver).remove([f"r{at}" for at in range(1, 6)])
        while self.undo:
            self.free("", "", 0)


def _no_wait(seconds: float) -> None:
    raise AssertionError(f"nothing here is to wait {seconds} s")


class TestLinux(Contract):
    @pytest.fixture
    def rig(self, lab: Lab):
        made = LinuxRig(lab)
        yield made
        made.close()

    def test_the_kernel_has_nothing_left_after_remove(self, rig: LinuxRig) -> None:
        before = run("ip", "-6", "-n", rig.lab.namespace("r1"), "route", "show", "table", "all")
        network = SrNetwork(rig.driver)
        network.apply(programs(FAST, LONG))
        network.remove()
        assert run("ip", "-6", "-n", rig.lab.namespace("r1"), "route", "show", "table", "all") == before
        assert run("ip", "-n", rig.lab.namespace("r1"), "nexthop", "show") == ""
        assert "::1" not in run("ip", "-n", rig.lab.namespace("r1"), "sr", "tunsrc", "show")

    def test_what_the_kernel_refuses_is_said_with_the_command(self, rig: LinuxRig) -> None:
        network = SrNetwork(rig.driver)
        broken = programs(FAST)[0]
        items = {**broken.items, ("source",): Source("not-an-address")}
        with pytest.raises(NetworkError) as caught:
            network.apply([type(broken)("r1", items)])
        assert caught.value.params["command"] == "sr tunsrc set not-an-address"
        assert rig.driver.read("r1").items == {}


def test_memory_that_is_short_for_a_moment_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's ENOMEM cannot be had at will: `ip` itself is replaced by its answers."""
    answers = [(2, "RTNETLINK answers: Cannot allocate memory\nCommand failed -:2\n"), (0, "")]
    batches: list[str] = []

    def fake_run(command: list[str], **given: str) -> subprocess.CompletedProcess[str]:
        batches.append(given["input"])
        code, errors = answers.pop(0)
        return subprocess.CompletedProcess(command, code, "", errors)

    monkeypatch.setattr(linux.subprocess, "run", fake_run)
    waited: list[float] = []
    steps = [Step(Action.REPLACE, Source(f"fd00::{at}")) for at in range(3)]
    LinuxDriver(str, waited.append).write("r1", steps)
    assert [batch.count("\n") for batch in batches] == [3, 2]  # the first step was done
    assert waited == [linux.WAIT_SECONDS]
    answers[:] = [(2, "RTNETLINK answers: Cannot allocate memory\nCommand failed -:1\n")] * linux.TRIES
    with pytest.raises(NetworkError, match="Cannot allocate memory"):
        LinuxDriver(str, waited.append).write("r1", steps)
