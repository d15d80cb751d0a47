"""Plans of one brain on a lab of 24 routers, and on one from a public format: every hop of every task counted."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from shutil import which

import pytest
from lab_rig import LAB
from plan_rig import MBPS, Net, served
from sniff import Sniffer, sniff

from suanwang.grids import SMALL, load_graphml, random_grid
from suanwang.model.grid import Grid
from suanwang.model.ids import SiteId, TaskId
from suanwang.model.sr import SegmentKind

pytestmark = [*LAB, pytest.mark.skipif(which("bwrap") is None, reason="a task's sandbox needs bubblewrap")]
SENT = b"." * 40
DATA = Path(__file__).parents[1] / "grids" / "data"


@pytest.fixture(
    scope="module",
    params=[random_grid(24, 7, SMALL), load_graphml(DATA / "five-cities.graphml", 1)],
    ids=["24", "graphml"],
)
def net(request: pytest.FixtureRequest) -> Iterator[Net]:
    with served("m", request.param) as made:
        yield made


def largest(net: Net, at_most: int) -> list[SiteId]:
    """Sites away from the origin, the largest first, so that they can take a task."""
    grid: Grid = net.here.brain.index.grid
    held = {
        site.id: sum(pool.nodes * pool.cores_per_node for pool in site.pools if pool.kind == "general")
        for site in grid.sites
    }
    away = (one for one in held if held[one] and one != grid.default_origin)
    chosen = sorted(away, key=lambda one: -held[one])[:at_most]
    assert chosen
    return chosen


def asked(net: Net, site: SiteId) -> TaskId:
    """A task at a site. All of them share this machine's cores: one that waits for its core may be the one that a test
    waits for, while those that hold the cores wait for the test. So no more are asked for than run at once."""
    origin = net.here.brain.index.grid.default_origin
    return net.receiver(sites=(site,), bandwidth=20 * MBPS, latency=200_000, origin=origin)


def left(net: Net, node: int, seen: Sniffer) -> Counter[str]:
    """Directed link -> frames with what the test sends that left a router by it."""
    topology = net.layout.topology
    links = {net.layout.device(at): topology.links[at] for at in range(topology.m) if topology.source[at] == node}
    return Counter(
        links[device] for device, leaving, data in seen.read() if leaving and SENT in data and device in links
    )


def test_every_hop_of_every_task_is_the_planned_one(net: Net) -> None:
    origin = str(net.here.brain.index.grid.default_origin)
    for site in largest(net, 4):
        task = asked(net, site)
        address = net.address(task)
        wanted = net.here.brain.policies.wanted()[1]
        (steered,) = [one for one in wanted.tasks if one.flow.task_id == task]
        (policy,) = [one for one in wanted.policies if one.key == steered.policies[0]]
        segments = policy.by_preference[0].lists[0].segments
        with net.unprobed(), ExitStack() as stack:
            seen = [stack.enter_context(sniff(net.layout.router(node))) for node in range(net.layout.topology.n)]
            taken = net.taken(lambda a=address: net.send(origin, a, 40, 2_000))
            crossed = {link: count for node, one in enumerate(seen) for link, count in left(net, node, one).items()}
        visited = {one.name for one in segments if one.kind is SegmentKind.NODE} - {site}
        for one in segments:
            if one.kind is SegmentKind.ADJACENCY:
                topology = net.layout.topology
                visited.add(topology.nodes[int(topology.source[topology.links.index(one.name)])])
        visited -= {origin}
        assert taken.pop(site) == {net.sid(site, 6): 40}
        assert {router: sum(counts.values()) for router, counts in taken.items()} == dict.fromkeys(visited, 40)
        assert crossed == dict.fromkeys(steered.flow.links, 40)  # these and no others, router by router
        assert net.end(origin, address, task)["seen"] == 40


def test_latencies_are_those_of_the_plans(net: Net) -> None:
    tasks = {site: asked(net, site) for site in largest(net, min(2, os.cpu_count() or 1))}
    origin = str(net.here.brain.index.grid.default_origin)
    for task in tasks.values():
        net.address(task)
    flows = {one.flow.task_id: one.flow for one in net.agent.members}

    def probed() -> dict[str, int]:
        (report,) = net.here.brain.policies.reports()
        return {one.task_id: one.mean_us for one in report.paths if one.received and one.task_id in flows}

    net.until(lambda: len(probed()) == len(tasks), 30)
    for task, mean_us in probed().items():
        assert flows[task].latency_us - 200 * len(flows[task].links) <= mean_us
        assert mean_us <= flows[task].latency_us + 1_500 * len(flows[task].links) + 2_000
    for task in tasks.values():
        net.end(origin, net.address(task), task)
    net.clear()
