"""What a lab refuses, by code: each refusal comes from the thing itself, not from a stand-in. The first half needs no root."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import which

import pytest
from lab_rig import LAB, MBPS, Lab, cables, lab, own_name, remains, wanted

from suanwang.lab import beside, build, netns, probe, processes, state
from suanwang.lab.functions import Chained, Firewall
from suanwang.lab.layout import prefix_of
from suanwang.lab.traffic import Tool
from suanwang.model.error import (
    ConflictError,
    FaultsError,
    NotAllowedError,
    NotFoundError,
    SuanwangError,
    UnreachableError,
)
from suanwang.model.grid import ProtectionFunction
from suanwang.net.addressing import SERVICES_MAX
from suanwang.runtime import lab as lab_of_cli

LINE = cables("line", "abc", [("ab", 50, 500, 1), ("bc", 50, 500, 1)])
NOBODY = 65_534
TOOLS = pytest.mark.skipif(not (which("ip") and which("tc")), reason="needs iproute2")


@pytest.fixture(scope="module")
def line() -> Iterator[Lab]:
    with lab("l", LINE, 50 * MBPS) as made:
        yield made


def refused(error: pytest.ExceptionInfo[SuanwangError]) -> tuple[str, dict[str, object]]:
    return error.value.code, dict(error.value.params)


class TestInput:
    def test_names_and_ranges(self) -> None:
        for name in ("Lab", "1ab", "a-b", "abcdefghi", ""):
            with pytest.raises(FaultsError) as caught:
                lab_of_cli.up(LINE, name)
            assert [(one.code, one.where, one.got) for one in caught.value.faults] == [("lab_name", "--name", name)]
        with pytest.raises(FaultsError) as caught:
            lab_of_cli.up(LINE, "x", top_rate_bps=999_999, ef_percent=100, access_mtu=1279)
        assert [(one.code, one.where, one.got) for one in caught.value.faults] == [
            ("lab_range", "--rate", "999999"),
            ("lab_range", "--ef-percent", "100"),
            ("lab_range", "--mtu", "1279"),
        ]
        assert caught.value.faults[2].params == {"least": 1280, "most": 9000}

    def test_without_root_nothing_is_begun(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
        for call in (
            lambda: lab_of_cli.up(LINE, "x"),
            lambda: lab_of_cli.down("x"),
            lambda: lab_of_cli.heal("x", "ab"),
            lambda: lab_of_cli.traffic("x", "a", "b", None, 1, False, False),
        ):
            with pytest.raises(NotAllowedError) as caught:
                call()
            assert refused(caught) == ("lab_root", {})


class TestStateAlone:
    """A lab of which only the state is there: what it decides is refused before anything of the kernel is touched."""

    @pytest.fixture
    def name(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
        monkeypatch.setattr(state, "ROOT", tmp_path / "labs")
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        state.write(replace(wanted("alone", LINE), up=True))
        return "alone"

    def test_sites_links_and_ends(self, name: str) -> None:
        for call, code, params in (
            (lambda: lab_of_cli.ping_hosts(name, "a", "z", 1), "lab_site_unknown", {"site": "z", "name": name}),
            (lambda: lab_of_cli.chain(name, "z", Firewall(())), "lab_site_unknown", {"site": "z", "name": name}),
            (lambda: lab_of_cli.heal(name, "az"), "lab_link_unknown", {"link": "az", "name": name}),
            (lambda: lab_of_cli.fail_link(name, "az", None), "lab_link_unknown", {"link": "az", "name": name}),
            (lambda: lab_of_cli.fail_link(name, "ab", "c"), "lab_not_an_end", {"site": "c", "link": "ab"}),
            (lambda: lab_of_cli.unchain(name, 3), "lab_function_unknown", {"number": 3, "name": name}),
        ):
            with pytest.raises(NotFoundError) as caught:
                call()
            assert refused(caught) == (code, params)

    def test_no_more_functions_than_there_are_sids(self, name: str) -> None:
        rows = tuple(Chained(number, 0, ProtectionFunction.FIREWALL) for number in range(SERVICES_MAX))
        state.write(replace(state.require(name), functions=rows))
        with pytest.raises(ConflictError) as caught:
            beside.chain(name, 1, Firewall(()), time.sleep)
        assert refused(caught) == ("lab_functions_full", {"name": name, "limit": SERVICES_MAX})
        assert state.require(name).functions == rows

    def test_one_command_at_a_time(self, name: str) -> None:
        pauses: list[float] = []
        with state.locked(name, time.sleep):
            with pytest.raises(ConflictError) as caught, state.locked(name, pauses.append):
                raise AssertionError("two have the lock")
            assert refused(caught) == ("lab_busy", {"name": name})
            with state.locked("other", pauses.append):
                pass
        assert sum(pauses) == pytest.approx(10)  # what it is ready to wait
        with state.locked(name, time.sleep):
            pass


class TestMachine:
    def test_a_program_that_is_not_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/nowhere")
        for call, tool in (
            (lambda: netns.ask(["ip", "link"]), "ip"),
            (lambda: netns.batch("tc", ["qdisc show"]), "tc"),
            (lambda: probe.probe(prefix_of("x"), -1), "ip"),
        ):
            with pytest.raises(UnreachableError) as caught:
                call()
            assert refused(caught) == ("lab_tool", {"tool": tool})

    @TOOLS
    def test_no_tun_device(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(probe, "TUN", tmp_path / "tun")
        with pytest.raises(UnreachableError) as caught:
            probe.probe(prefix_of("x"), -1)
        assert refused(caught) == ("lab_tun", {})

    @TOOLS
    @pytest.mark.skipif(not probe.TUN.exists(), reason="needs /dev/net/tun")
    def test_who_may_not_make_a_namespace(self, tmp_path: Path) -> None:
        """The kernel refuses: the probe is run by a child without rights."""
        said = tmp_path / "said"
        said.touch()
        child = os.fork()
        if child == 0:
            with said.open("w") as out:
                try:
                    if os.geteuid() == 0:
                        os.setgroups([])
                        os.setresgid(NOBODY, NOBODY, NOBODY)
                        os.setresuid(NOBODY, NOBODY, NOBODY)
                    probe.probe(prefix_of(own_name("q")), out.fileno())
                except SuanwangError as error:
                    out.write(f"{error.code} {error.params['detail']}")
                except BaseException as error:  # told to the parent, or the child would go on as a second test run
                    out.write(repr(error))
                out.flush()
                os._exit(0)
        os.waitpid(child, 0)
        code, _, detail = said.read_text().partition(" ")
        assert (code, bool(detail.strip())) == ("lab_netns", True), detail

    def test_a_setting_of_a_namespace_that_is_not_there(self) -> None:
        with pytest.raises(UnreachableError) as caught:
            netns.write_sysctls({prefix_of(own_name("q")): {"net/ipv6/conf/all/forwarding": 1}})
        assert caught.value.code == "lab_sysctl" and "No such file" in str(caught.value.params["detail"])


class TestLab:
    pytestmark = LAB

    def test_a_setting_that_the_kernel_does_not_have(self, line: Lab) -> None:
        with pytest.raises(UnreachableError) as caught:
            netns.write_sysctls({line.layout.router(0): {"net/ipv6/conf/all/no_such": 1}})
        assert caught.value.code == "lab_sysctl" and "no_such" in str(caught.value.params["detail"])

    @pytest.mark.parametrize("tool", ["own", "iperf3"])
    @pytest.mark.parametrize("rate_bps", [None, MBPS])
    def test_no_traffic_to_a_site_that_is_cut_off(self, line: Lab, tool: Tool, rate_bps: int | None) -> None:
        if which(tool) is None and tool != "own":
            pytest.skip("needs iperf3")
        build.fail_link(line.name, line.link("bc"), None, time.sleep)
        try:
            with pytest.raises(UnreachableError) as caught:
                line.measure("a", "c", tool, rate_bps, 1)
            assert caught.value.code == "lab_no_traffic" and caught.value.params["detail"]
        finally:
            build.heal(line.name, line.link("bc"), time.sleep)

    def test_a_segment_that_is_full(self, line: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(beside, "TASKS_MAX", 1)
        target = netns.RUN / f"{line.layout.prefix}task"
        netns.batch("ip", [f"netns add {target.name}"])
        one = beside.attach(line.name, 1, target, time.sleep)
        with pytest.raises(ConflictError) as caught:
            beside.attach(line.name, 1, target, time.sleep)
        assert refused(caught) == ("lab_segment_full", {"name": line.name, "limit": 1})
        beside.detach(line.name, one, time.sleep)

    def test_a_relay_that_does_not_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(processes, "RELAY_MODULE", "suanwang.runtime.no_such_module")
        name = own_name("m")
        with pytest.raises(UnreachableError) as caught:
            build.up(wanted(name, LINE), time.sleep)
        assert caught.value.code == "lab_relay" and "no_such_module" in str(caught.value.params["detail"])
        assert remains(name) == []
