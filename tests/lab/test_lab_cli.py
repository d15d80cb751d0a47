"""`suanwang lab` as people use it: every command on a real lab, and one clear message for what cannot be."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from ipaddress import IPv6Network
from pathlib import Path
from shutil import which
from typing import Any, NamedTuple

import pytest
from lab_rig import LAB, own_name, remains

from suanwang.cli.main import run
from suanwang.lab import processes
from suanwang.lab.functions import Firewall, Rule, firewall_rules
from suanwang.model.error import FaultsError

REPETITA = """NODES 3
label x y
a 1 1
b 2 2
c 3 3

EDGES 4
label src dest weight bw delay
ab 0 1 1 100000 2000
ba 1 0 1 100000 4000
bc 1 2 1 50000 1000
cb 2 1 1 50000 1000
"""


class Ran(NamedTuple):
    exit: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Ran]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("COLUMNS", "140")
    for name in ("SUANWANG_URL", "SUANWANG_KEY", "SUANWANG_LANG"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: object) -> Ran:
        capsys.readouterr()
        status = run([str(one) for one in arguments])
        return Ran(status, *capsys.readouterr())

    return call


@pytest.fixture
def name(cli: Cli) -> Iterator[str]:
    own = own_name("c")
    yield own
    cli("lab", "down", "--name", own)
    assert remains(own) == []


@pytest.mark.lab
@LAB[1]
def test_every_command_on_a_repetita_graph(cli: Cli, name: str, tmp_path: Path) -> None:
    file = tmp_path / "three.graph"
    file.write_text(REPETITA)
    at = ("--name", name)
    assert f"Lab {name} is up: 3 routers, 2 links" in cli("lab", "up", file, *at).out
    again = cli("lab", "up", file, *at)
    assert (again.exit, "is up already" in again.err) == (4, True)

    found = cli("lab", "status", *at, "--json").json
    ab, bc = found["links"]
    assert (ab["id"], ab["up"], ab["forth"]["rate_bps"], bc["forth"]["rate_bps"]) == ("ab", True, 10**8, 5 * 10**7)
    assert (ab["forth"]["emulated_us"], ab["back"]["emulated_us"], found["relay_alive"]) == (2000, 4000, True)
    table = cli("lab", "status", *at).out
    assert "a – b" in table and "100 Mbps" in table and "2 ms / 4 ms" in table and "relay in user space" in table

    pinged = cli("lab", "ping", "a", "c", "-c", 2, *at, "--json").json
    assert pinged["lost"] == 0 and pinged["promised_us"] == 8000 and min(pinged["rtt_us"]) >= 7800
    assert "grid's latencies on this way: 8.00 ms" in cli("lab", "ping", "a", "c", "-c", 1, *at).out

    own = cli("lab", "iperf", "a", "c", "--rate", 8, "-t", 1, "--own", *at)
    assert "measured by the shipped measurer" in own.out
    sent = cli("lab", "iperf", "a", "c", "--rate", 8, "-t", 1, "--own", *at, "--json").json
    assert sent["tool"] == "own" and sent["lost"] == 0 and abs(sent["received_bps"] - 8_000_000) < 500_000

    assert "The link bc is down." in cli("lab", "fail-link", "bc", *at).out
    cut = cli("lab", "ping", "a", "c", "-c", 1, *at)
    assert (cut.exit, "1 of 1 packets lost" in cut.out) == (1, True)
    assert [link["up"] for link in cli("lab", "status", *at, "--json").json["links"]] == [True, False]
    assert cli("lab", "heal", "bc", *at).exit == 0
    assert cli("lab", "fail-link", "bc", "--end", "b", *at, "--json").json == {"link": "bc", "up": False, "end": "b"}
    assert cli("lab", "heal", "bc", *at).exit == 0
    assert cli("lab", "ping", "a", "c", "-c", 1, *at).exit == 0

    for arguments, said in (
        (("ping", "a", "x"), "has no site `x`"),
        (("fail-link", "x"), "has no link `x`"),
        (("fail-link", "bc", "--end", "a"), "does not end at `a`"),
    ):
        refused = cli("lab", *arguments, *at)
        assert (refused.exit, said in refused.err.replace("\n", " ")) == (4, True), arguments
    gone = cli("lab", "down", *at)
    assert "6 namespaces and 1 processes removed" in gone.out
    assert "nothing of a lab" in cli("lab", "down", *at).out
    assert cli("lab", "status", *at).exit == 4


@pytest.mark.lab
@LAB[1]
def test_graphml_and_drawn_grids_are_labs_too(cli: Cli, name: str, tmp_path: Path) -> None:
    file = tmp_path / "two.graphml"
    file.write_text(
        '<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><key id="x" for="node" attr.name="Latitude"'
        ' attr.type="double"/><key id="y" for="node" attr.name="Longitude" attr.type="double"/>'
        '<graph edgedefault="undirected"><node id="0"><data key="x">30</data><data key="y">114</data></node>'
        '<node id="1"><data key="x">31</data><data key="y">121</data></node><edge source="0" target="1"/></graph></graphml>'
    )
    made = cli("lab", "up", file, "--name", name, "--json").json
    assert (made["routers"], made["links"], len(made["hosts"])) == (2, 1, 2)
    assert cli("lab", "ping", *made["hosts"], "-c", 1, "--name", name).exit == 0
    cli("lab", "down", "--name", name)
    assert cli("lab", "up", "--sites", 3, "--name", name, "--json").json["routers"] == 3


def test_what_cannot_be_is_said_before_anything_is_made(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    large = cli("lab", "up", "--sites", 61)
    assert (large.exit, "The grid has 61 sites; a lab on one machine has at most 60." in large.err) == (2, True)
    bad = cli("lab", "up", "--ef-percent", 100, "--mtu", 900, "--rate", 1)
    assert (bad.exit, bad.err.count("out of range")) == (2, 2)
    assert cli("lab", "up", "--name", "Not-a-name").exit == 2
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for command in (["up"], ["status"], ["down"], ["ping", "a", "b"], ["heal", "x"]):
        refused = cli("lab", *command)
        assert (refused.exit, "A lab needs root" in refused.err) == (4, True), command


@pytest.mark.lab
@LAB[1]
def test_a_missing_program_is_named(cli: Cli, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    refused = cli("lab", "up", "--sites", 3, "--name", name)
    assert (refused.exit, "The program `ip` is not installed." in refused.err) == (5, True)


RULES = """\
alert udp any any -> any 53 (msg:"a bad name"; content:"|04|evil"; sid:1;)
"""
WALL = """\
# three rules
drop telnet tcp 23
drop syslog udp 500:520 from fd00::/16   # of our own hosts
accept web tcp to fd00:2::/64
rest drop
"""


class TestFunctions:
    @pytest.mark.lab
    @LAB[1]
    @pytest.mark.skipif(which("nft") is None, reason="needs nftables")
    def test_chain_status_unchain(self, cli: Cli, name: str, tmp_path: Path) -> None:
        grid, rules, wall = tmp_path / "three.graph", tmp_path / "ids.rules", tmp_path / "wall.rules"
        grid.write_text(REPETITA)
        rules.write_text(RULES)
        wall.write_text(WALL)
        at = ("--name", name)
        cli("lab", "up", grid, *at)
        said = cli("lab", "chain", "b", "firewall", "--rules", wall, "--capacity", 5, *at)
        assert (said.exit, "Function 0, firewall, is beside b; its SID is fcbb:bb00:2:f010::." in said.out) == (0, True)
        (made,) = cli("lab", "chain", "b", "ids", "--rules", rules, *at, "--json").json
        assert made == {
            "number": 1,
            "site": "b",
            "sid": "fcbb:bb00:2:f011::",
            "namespace": f"swlab-{name}-f1",
            "peer": None,
            "kind": "ids",
        }
        wall_row, ids_row = cli("lab", "status", *at, "--json").json["functions"]
        assert (wall_row["kind"], wall_row["alive"], wall_row["capacity_bps"]) == ("firewall", True, 5_000_000)
        assert list(wall_row["counters"]) == ["telnet", "syslog", "web", "rest"]
        assert (ids_row["alive"], ids_row["capacity_bps"], ids_row["use_bps"] < 20_000) == (True, None, True)
        assert list(ids_row["counters"]) == ["seen", "not_seen", "not_inspected", "sid_1"]
        assert Path(ids_row["folder"], "eve.json").exists()
        (pid,) = processes.of_namespaces([made["namespace"]])[made["namespace"]]
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert [row["alive"] for row in cli("lab", "status", *at, "--json").json["functions"]] == [True, False]
        table = cli("lab", "status", *at).out
        assert "alive" in table and "dead" in table and "5 Mbps" in table and "telnet 0" in table
        assert "Function 0 beside b is gone." in cli("lab", "unchain", 0, *at).out
        assert cli("lab", "unchain", 1, *at, "--json").json[0]["number"] == 1
        again = cli("lab", "unchain", 1, *at)
        assert (again.exit, "has no protection function 1" in again.err) == (4, True)
        assert cli("lab", "status", *at, "--json").json["functions"] == []

    @pytest.mark.lab
    @LAB[1]
    @pytest.mark.skipif(which("wg") is None or which("wireguard-go") is None, reason="needs wireguard")
    def test_a_hop_comes_and_goes_as_one(self, cli: Cli, name: str, tmp_path: Path) -> None:
        grid = tmp_path / "three.graph"
        grid.write_text(REPETITA)
        at = ("--name", name)
        cli("lab", "up", grid, *at)
        said = cli("lab", "chain", "a", "encryption", "--to", "c", *at)
        assert "Function 0, encryption, is beside a" in said.out and "Function 1, encryption, is beside c" in said.out
        assert "encryption (with 1)" in cli("lab", "status", *at).out
        assert [one["peer"] for one in cli("lab", "unchain", 1, *at, "--json").json] == [1, 0]
        refused = cli("lab", "chain", "a", "encryption", "--to", "x", *at)
        assert (refused.exit, "has no site `x`" in refused.err) == (4, True)

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            (("scrubbing",), "lab_function_kind"),
            (("nonsense",), "lab_function_kind"),
            (("ids",), "lab_option_needed"),
            (("encryption",), "lab_option_needed"),
            (("firewall", "--rules", "x", "--to", "b"), "lab_option_unused"),
            (("encryption", "--to", "b", "--rules", "x"), "lab_option_unused"),
            (("encryption", "--to", "a"), "lab_hop_ends"),
            (("encryption", "--to", "b", "--capacity", "100001"), "lab_range"),
            (("ids", "--rules", "/nowhere/at/all"), "file_unreadable"),
        ],
    )
    def test_what_cannot_be_is_one_fault(self, cli: Cli, arguments: tuple[str, ...], code: str) -> None:
        refused = cli("lab", "chain", "a", *arguments, "--json")
        assert (refused.exit, [one["code"] for one in refused.json["error"]["faults"]]) == (2, [code])

    def test_bad_rules_are_refused_with_file_and_line(self, cli: Cli, tmp_path: Path) -> None:
        file = tmp_path / "bad.rules"
        file.write_text(RULES + "drop tcp any any -> any any (sid:2;)\n")
        refused = cli("lab", "chain", "a", "ids", "--rules", file)
        assert (refused.exit, f"{file}:2" in refused.err.replace("\n", "")) == (2, True)
        assert "a firewall drops" in refused.err.replace("\n", " ")
        file.write_text(
            "drop x\nallow y\ndrop Bad tcp 1\ndrop p tcp 9:8\ndrop q to fd00::1/16\ndrop x udp\nrest accept\ndrop z\n"
        )
        faults = cli("lab", "chain", "a", "firewall", "--rules", file, "--json").json["error"]["faults"]
        assert [(one["code"], one["line"]) for one in faults] == [
            *(("lab_wall_form", line) for line in (2, 3, 4, 5)),
            ("lab_wall_twice", 6),
            ("lab_wall_after_rest", 8),
        ]

    def test_a_firewalls_text_is_its_rules(self) -> None:
        assert firewall_rules.read(WALL) == Firewall(
            (
                Rule("telnet", "drop", "tcp", (23, 23)),
                Rule("syslog", "drop", "udp", (500, 520), source=IPv6Network("fd00::/16")),
                Rule("web", "accept", "tcp", target=IPv6Network("fd00:2::/64")),
            ),
            "drop",
        )
        assert firewall_rules.read("") == Firewall(())
        for words in (
            "drop x tcp 1:",
            "drop x tcp :1",
            "drop x 1",
            "drop x from",
            "drop x to ::/0 to ::/0",
            "rest",
            "drop",
        ):
            with pytest.raises(FaultsError):
                firewall_rules.read(words)
