"""A security pool dies, or is full, under a task that runs past it: a new plan past another one, on real packets."""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from shutil import which

import pytest
from lab_rig import LAB
from plan_rig import MBPS, PORT, Net, served
from tests.plan.worlds import FIREWALL, general, grid_of, link_of, site_of

from suanwang.lab.functions import Firewall, Rule
from suanwang.lab.functions.firewall import TABLE, counters
from suanwang.model.grid import SecurityPool
from suanwang.model.ids import TaskId
from suanwang.model.path_report import PathFault
from suanwang.runtime import lab as labs

GIB = 2**30
# The largest link is 1 Gbit/s in the grid and 50 Mbit/s in the lab; so are 80 Mbit/s of a pool 4 in the lab.
RATE_BPS = 50 * MBPS
NARROW_BPS = 80 * MBPS
NARROW_LAB_BPS = 4 * MBPS
WALL = Firewall((Rule("telnet", "drop", "udp", (23, 23)),))
FLOOD = b"%08d" % 99_999_999  # the number of a packet that the receiver is not to count apart
pytestmark = [
    *LAB,
    pytest.mark.skipif(not all(map(which, ("bwrap", "nft"))), reason="needs bubblewrap and nftables"),
]


def square():
    """o reaches s past the firewall of b, which is cheap and narrow, and past that of c."""
    walls = {
        site: SecurityPool(id=f"{site}/wall", function=FIREWALL, capacity_bps=bps)
        for site, bps in (("b", NARROW_BPS), ("c", 10**9))
    }
    sites = [
        site_of("o"),
        *(site_of(site, security=[wall]) for site, wall in walls.items()),
        site_of("s", [general("s", cores=8, memory=8 * GIB)]),
    ]
    prices = {"ob": 1_000, "bs": 1_000, "oc": 9_000, "cs": 9_000}
    return grid_of(sites, [link_of(one, *one, price=price) for one, price in prices.items()], origin="o")


@pytest.fixture(scope="module")
def one_net() -> Iterator[Net]:
    with served("w", square(), RATE_BPS) as made:
        yield made


@pytest.fixture
def walls(one_net: Net) -> Iterator[dict[str, str]]:
    """Both firewalls as new, by site, and known to live: the namespaces that they are in."""
    name, layout = one_net.layout.name, one_net.layout
    numbers = {
        site: labs.chain(name, site, WALL, capacity_bps)[0]
        for site, capacity_bps in (("b", NARROW_LAB_BPS), ("c", None))
    }
    try:
        one_net.until(lambda: alive(one_net) == {"b/wall", "c/wall"}, 60)
        one_net.until(lambda: not one_net.here.brain.road.state.security_down, 60)
        yield {site: f"{layout.prefix}f{number}" for site, number in numbers.items()}
    finally:
        one_net.clear()
        for number in numbers.values():
            labs.unchain(name, number)


def test_a_firewall_whose_table_is_gone_is_left_and_the_second_one_takes_all(
    one_net: Net, walls: dict[str, str]
) -> None:
    net, (task, address) = one_net, past_b(one_net, walls)
    subprocess.run(["ip", "netns", "exec", walls["b"], "nft", "delete", "table", "ip6", TABLE], check=True)
    left(net, task)
    assert net.here.brain.road.state.security_down == {"b/wall"}
    (step,) = net.client.explain(task).paths
    assert (step.kind, step.cause.kind, step.cause.avoid_pools) == ("repaired", PathFault.CUT, ("b/wall",))
    assert passes(net, walls["c"], address) == 100
    net.end("o", address, task)


def test_a_firewall_that_is_full_is_left_and_still_works(one_net: Net, walls: dict[str, str]) -> None:
    """The task sends five times what it holds, and more than the firewall takes."""
    net, (task, address) = one_net, past_b(one_net, walls)
    with flooded(net, address):
        left(net, task)
    assert not net.here.brain.road.state.security_down
    assert alive(net) == {"b/wall", "c/wall"}
    (step,) = net.client.explain(task).paths
    assert step.kind == "repaired" and step.cause.kind in (PathFault.LOSS, PathFault.DOWN)
    assert (step.cause.avoid, step.cause.avoid_pools) == ((), ("b/wall",))
    assert passes(net, walls["c"], address) == 100
    net.end("o", address, task)


def alive(net: Net) -> set[str]:
    reports = net.here.brain.policies.reports()
    return {one.security_pool for report in reports for one in report.functions if one.alive}


def past_b(net: Net, walls: dict[str, str]) -> tuple[TaskId, str]:
    """A task that holds 2 of the lab's Mbit/s, and its address: its packets pass the firewall of b."""
    task = net.receiver(bandwidth=40 * MBPS, latency=20_000, protection=(FIREWALL,))
    address = net.address(task)
    assert pools(net, task) == ("b/wall",)
    assert passes(net, walls["b"], address) == 100
    return task, address


def pools(net: Net, task: TaskId) -> tuple[str, ...]:
    """Those that the task's packets are led through now."""
    return tuple(
        pool.security_pool
        for one in net.agent.members
        if one.flow.task_id == task and one.placed
        for pool in one.flow.pools
    )


def left(net: Net, task: TaskId) -> None:
    """Wait for the new plan and for the routers to have it; the task runs on."""
    (before,) = [one.flow.plan_id for one in net.agent.members if one.flow.task_id == task]
    net.until(lambda: pools(net, task) == ("c/wall",), 90)
    plan = net.here.brain.road.state.tasks[task].plan
    assert plan is not None and plan.parent == before
    assert [one.security_pool for one in plan.protection] == ["c/wall"]
    assert net.here.brain.road.state.tasks[task].attempt is not None


def passes(net: Net, wall: str, address: str) -> int:
    """How many of 100 packets to the task the firewall counts, and the task's router delivers."""
    with net.unprobed():
        net.until(lambda: quiet(wall))
        before = counters(wall)["rest"].packets
        taken = net.taken(lambda: net.send("o", address, 100))
        assert sum(taken["s"].values()) == 100
        return counters(wall)["rest"].packets - before


def quiet(wall: str) -> bool:
    """Whether nothing of what was sent before is still under way."""
    before = counters(wall)["rest"].packets
    time.sleep(0.3)
    return counters(wall)["rest"].packets == before


@contextmanager
def flooded(net: Net, address: str) -> Iterator[None]:
    """About 12 Mbit/s to the task. Packets of two sizes: where a large one finds no room in a full queue, one as small
    as a probe might."""
    stop = threading.Event()

    def send() -> None:
        with net.host("o") as near:
            while not stop.wait(0.001):
                for size in (1_400, 64, 64, 64):
                    near.sendto(FLOOD + b"." * (size - len(FLOOD)), (address, PORT))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
