"""A brain on a lab, each part a process of its own: `net agent`, `agent --lab` and `serve --lab`, and labs that do not fit."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

import pytest
from lab_rig import LAB, cables, own_name, remains
from plan_rig import MBPS, PORT, RECEIVER
from tests.plan.worlds import general, grid_of, link_of, site_of

from suanwang.agent.adapters.srv6 import LinuxDriver, endpoint
from suanwang.cli.exits import Exit
from suanwang.client import Client
from suanwang.grids import dump_grid
from suanwang.lab.layout import Layout
from suanwang.model.error import ConflictError, NotFoundError
from suanwang.model.task import Resources, TaskRequest
from suanwang.model.wanted import NetworkReport
from suanwang.runtime import lab as labs
from suanwang.runtime.lab_domain import check_lab

GIB = 2**30
pytestmark = [*LAB, pytest.mark.skipif(which("bwrap") is None, reason="a task's sandbox needs bubblewrap")]


def triangle():
    """o reaches s by b, the cheap way, and directly."""
    sites = [site_of("o"), site_of("b"), site_of("s", [general("s", cores=8, memory=8 * GIB)])]
    links = [
        link_of("ob", "o", "b", price=1_000),
        link_of("bs", "b", "s", price=1_000),
        link_of("os", "o", "s", price=9_000),
    ]
    return grid_of(sites, links, origin="o")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as path:  # a sandbox of a task reaches no folder of pytest
        file = Path(path, "grid.yaml")
        file.write_text(dump_grid(triangle()))
        yield Path(path)


@pytest.fixture
def lab(folder: Path) -> Iterator[Layout]:
    name = own_name("b")
    try:
        yield labs.up(labs.topology_of(folder / "grid.yaml", 0, 0), name)[0]
    finally:
        labs.down(name)
    assert remains(name) == []


@contextmanager
def program(*words: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """`suanwang WORDS` in a process; it ends with the block, by a signal."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SUANWANG_")}
    with subprocess.Popen(
        [sys.executable, "-m", "suanwang.cli", *words],
        env=clean | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "in time"
        time.sleep(0.05)


@pytest.fixture
def brain(folder: Path) -> Iterator[Client]:
    """`serve` without an agent."""
    words = ("serve", "--no-agent", "--json", "--port", "0", "--grid", str(folder / "grid.yaml"))
    with program(*words, "--home", str(folder / "home")) as process:
        assert process.stdout is not None
        here = json.loads(process.stdout.readline())
        with Client(here["url"], here["key"]) as client:
            yield client


def said(brain: Client) -> NetworkReport:
    """The agent's last word; on a busy machine the next one may be late, and an old one says nothing of now."""
    return next(iter(brain.policies().reports), NetworkReport(agent="", at_us=0, interval_us=1))


def ours(lab: Layout) -> str:
    """All that stands on the routers under the number of SR policies, and marks at the ingress."""
    out = ""
    for node in range(lab.topology.n):
        router = lab.router(node)
        out += run("ip", "-n", router, "-6", "route", "show", "table", "all", "proto", "214")
        out += run("ip", "-n", router, "nexthop", "show")
        if which("nft"):
            out += "".join(
                line
                for line in run("ip", "netns", "exec", router, "nft", "list", "ruleset").splitlines()
                if "daddr" in line
            )
    return out


def run(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_a_network_agent_and_an_agent_in_processes_of_their_own(brain: Client, lab: Layout, folder: Path) -> None:
    sites = ("o", "b", "s")
    net = brain.issue_key("local", "agent", sites=sites).key
    hands = brain.issue_key("local", "agent", sites=("s",)).key
    driver = LinuxDriver(lambda router: lab.router(lab.topology.nodes.index(router)), time.sleep)

    def taken(router: str) -> int:
        return sum(count.packets for count in driver.counters(router).sids.values())

    words = ("--url", brain.url, "--lab", lab.name)
    with (
        program("net", "agent", *words, "--name", "net-one", SUANWANG_KEY=net) as network,
        program("agent", *words, "--site", "s", "--home", str(folder / "far"), SUANWANG_KEY=hands),
    ):
        until(lambda: [one.agent for one in brain.policies().reports] == ["net-one"])
        until(lambda: all(site.live for site in brain.panorama().sites if site.id == "s"))
        resources = Resources(cpu=1, memory=2**27, network=True, wall_time=120_000_000)
        request = TaskRequest(
            run=("python3", "-c", RECEIVER),
            resources=resources,
            outputs=({"path": "seen.json"},),
            bandwidth=100 * MBPS,
            latency=10_000,
        )
        task = brain.submit(request).task_id
        until(lambda: said(brain).paths)  # probes have gone by its policies
        wanted = brain.policies().wanted
        assert wanted.tasks[0].flow.links == ("ob:ab", "bs:ab")
        until(lambda: said(brain).installed == wanted.digest)
        assert said(brain).faults == ()
        until(lambda: b"ready" in b"".join(brain.logs(task, follow=False)))
        address = str(lab.addressing.host_prefix(2)[0x10])
        before = taken("b")
        with endpoint(lab.host(0), str(lab.addressing.host_address(0))) as near:
            for at in range(50):
                near.sendto(b"%08d" % at + b"." * 56, (address, PORT))
                time.sleep(0.002)
            until(lambda: taken("b") - before >= 50)
            labs.fail_link(lab.name, "ob", None)
            until(lambda: [one.flow.links for one in brain.policies().wanted.tasks] == [("os:ab",)])
            until(lambda: said(brain).installed == brain.policies().wanted.digest)
            for at in range(50, 100):
                near.sendto(b"%08d" % at + b"." * 56, (address, PORT))
            ended = time.monotonic() + 60
            while not brain.task(task).ended_us:
                near.sendto(b"end", (address, PORT))
                assert time.monotonic() < ended
                time.sleep(0.2)
        seen = json.loads(b"".join(brain.outputs.read(brain.task(task), "seen.json")))
        assert seen["seen"] == 100
        assert ours(lab) != ""  # local SIDs stand as long as the agent does
        network.send_signal(signal.SIGTERM)
        assert network.wait(30) == 0
        assert ours(lab) == ""


def test_serve_on_a_lab_runs_the_network_agent(lab: Layout, folder: Path) -> None:
    words = ("serve", "--json", "--port", "0", "--grid", str(folder / "grid.yaml"), "--lab", lab.name)
    with program(*words, "--home", str(folder / "home")) as process:
        assert process.stdout is not None
        here = json.loads(process.stdout.readline())
        with Client(here["url"], here["key"]) as client:
            until(lambda: client.policies().reports)
            assert client.policies().reports[0].agent == f"lab-{lab.name}"
            until(lambda: ours(lab) != "")  # its first words come before its first program
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert ours(lab) == ""


def test_a_lab_that_is_not_up_is_said(folder: Path, capsys) -> None:
    from suanwang.cli.main import run as cli

    words = ["serve", "--port", "0", "--grid", str(folder / "grid.yaml"), "--home", str(folder / "home")]
    status = cli([*words, "--lab", own_name("z"), "--json"])
    assert (status, json.loads(capsys.readouterr().out)["error"]["code"]) == (Exit.NOT_FOUND, "lab_not_up")
    assert not (folder / "home").exists()
    with pytest.raises(NotFoundError):
        check_lab(own_name("z"), triangle())


def test_a_lab_of_another_grid_is_refused_with_what_differs(lab: Layout) -> None:
    check_lab(lab.name, triangle())
    grid = triangle()
    more = grid.model_copy(
        update={"sites": (*grid.sites, site_of("far")), "links": (*grid.links, link_of("bf", "b", "far"))}
    )
    with pytest.raises(ConflictError) as error:
        check_lab(lab.name, more)
    found = error.value.params
    assert (error.value.code, found["sites"], found["links"], found["such"]) == ("lab_other_grid", 1, 1, "far, bf")
    turned = grid.model_copy(update={"links": (grid.links[0].model_copy(update={"igp_weight": 77}), *grid.links[1:])})
    with pytest.raises(ConflictError) as error:
        check_lab(lab.name, turned)
    assert (error.value.params["sites"], error.value.params["links"], error.value.params["such"]) == (0, 1, "ob")


def test_a_lab_with_a_link_that_the_grid_has_not_is_refused() -> None:
    """Its IGP would know of a way that no plan does."""
    name = own_name("c")
    weights = [("ob", 1000, 1_000, 1), ("bs", 1000, 1_000, 1), ("os", 1000, 1_000, 1)]
    try:
        labs.up(cables(name, "obs", weights), name)
        grid = triangle()
        with pytest.raises(ConflictError) as error:
            check_lab(name, grid.model_copy(update={"links": grid.links[:2]}))
        assert "os" in error.value.params["such"]
    finally:
        labs.down(name)
