"""What Linux routers would get for the live plans, with none of them there: by the driver that only writes about them.

A lab of the brain's grid is laid out on paper, of any size. What only a lab that is up can know is numbered in a fixed order: a
site's tasks as a lab would number them if they came in the order of submission, protection functions by their pool's name.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address

from suanwang.agent.adapters.srv6 import DryRunDriver, SrNetwork
from suanwang.agent.network import PolicyKey
from suanwang.lab.beside import task_address
from suanwang.lab.layout import Layout, make_layout
from suanwang.model.grid import Grid
from suanwang.model.sr import SegmentKind, SrPolicy
from suanwang.model.wanted import Steered, WantedNetwork
from suanwang.net.addressing import SERVICES_MAX
from suanwang.net.topology import topology_of_grid
from suanwang.runtime.laying import lay


@dataclass(frozen=True, slots=True)
class DryRouter:
    """One router's commands of iproute2 and its configuration of FRR."""

    router: str
    commands: tuple[str, ...]
    frr: str


@dataclass(frozen=True, slots=True)
class DryRun:
    """Routers that a policy begins, bends or ends at; `faults` name policies that could not be compiled."""

    routers: tuple[DryRouter, ...]
    faults: tuple[str, ...]


def dry_run(grid: Grid, wanted: WantedNetwork, task_id: str | None = None) -> DryRun:
    """Compile the wanted policies for the routers of a grid, and write down what each would get. With a task, only the
    policies that it takes and their routers."""
    layout = make_layout(topology_of_grid(grid))
    own = {key for one in wanted.tasks if task_id in (None, one.flow.task_id) for key in one.policies}
    policies = [one for one in wanted.policies if one.key in own]
    laid = lay(layout, policies, _steers(layout, wanted.tasks), wanted.links_down, _services(wanted.tasks))
    named = _routers(layout, policies)
    lines: list[str] = []
    driver = DryRunDriver(lines.append)
    SrNetwork(driver).apply(laid.programs[router] for router in named)
    return DryRun(tuple(_router(driver, router) for router in named), laid.faults)


def _router(driver: DryRunDriver, router: str) -> DryRouter:
    script, _, frr = driver.document(router).partition("\n! ")
    commands = tuple(line for line in script.splitlines() if line.startswith("ip "))
    return DryRouter(router, commands, f"! {frr}")


def _routers(layout: Layout, policies: Iterable[SrPolicy]) -> list[str]:
    """In the order of the grid."""
    topology = layout.topology
    source = {link: topology.nodes[int(topology.source[at])] for at, link in enumerate(topology.links)}
    named: set[str] = set()
    for policy in policies:
        named |= {policy.headend, policy.endpoint}
        for one in (segment for path in policy.paths for listed in path.lists for segment in listed.segments):
            if one.kind is SegmentKind.NODE:
                named.add(one.name)
            elif one.kind is SegmentKind.ADJACENCY:
                named.add(source[one.name])
    return [node for node in topology.nodes if node in named]


def _steers(layout: Layout, tasks: Iterable[Steered]) -> dict[PolicyKey, list[str]]:
    node_of = {site: at for at, site in enumerate(layout.topology.nodes)}
    there: dict[str, int] = {}
    out: dict[PolicyKey, list[str]] = {}
    for one in tasks:
        number = there.get(one.flow.site, 0)
        there[one.flow.site] = number + 1
        address: IPv6Address = task_address(layout, node_of[one.flow.site], number)
        for key in one.policies:
            out.setdefault(key, []).append(f"{address}/128")
    return out


def _services(tasks: Iterable[Steered]) -> dict[str, tuple[str, int]]:
    """Pools beyond what a domain can number are left without one; the compiler says so for each policy."""
    site_of = {str(pool.security_pool): str(pool.site) for one in tasks for pool in one.flow.pools}
    return {pool: (site_of[pool], at) for at, pool in enumerate(sorted(site_of)[:SERVICES_MAX])}
