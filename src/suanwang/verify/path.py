"""Paths: do the links join, is the latency theirs, are functions that work passed in order without going round."""

from collections.abc import Iterator

from suanwang.model.compact import AnyPlan
from suanwang.model.grid import Maintenance
from suanwang.model.ids import SiteId
from suanwang.model.plan import DirectedLink, Path
from suanwang.model.reason import PlanFault
from suanwang.model.snapshot import Snapshot
from suanwang.model.task import TaskRequest, latency_us_max


def path_faults(plan: AnyPlan, request: TaskRequest, snapshot: Snapshot) -> Iterator[tuple[PlanFault, str]]:
    """Faults of the user's path and its protection."""
    origin = request.origin or snapshot.index.grid.default_origin
    yield from walk_faults(plan.path, origin, plan.site, snapshot)
    yield from avoid_faults(plan.path, request, snapshot)
    bound_us = latency_us_max(request)
    if bound_us is not None and plan.path.latency_us > bound_us:
        yield PlanFault.LATENCY_BOUND, f"{plan.path.latency_us} us for {bound_us} us"
    if tuple(step.function for step in plan.protection) != request.protection:
        yield PlanFault.PROTECTION_MISSING, "the functions are not those asked for, in their order"
        return
    for step in plan.protection:
        known = snapshot.index.security_pools.get(step.security_pool)
        if known is None or known[0].function is not step.function or known[1].id != step.site:
            yield PlanFault.PROTECTION_MISSING, f"{step.security_pool} is no {step.function.value} of {step.site}"
        elif known[0].id in snapshot.security_down:
            yield PlanFault.PROTECTION_MISSING, f"{step.security_pool} is down"
    if not _passes(plan.path.sites, [step.site for step in plan.protection]):
        yield PlanFault.PROTECTION_MISSING, "the path does not pass the functions in order, or goes round"


def avoid_faults(path: Path, request: TaskRequest, snapshot: Snapshot) -> Iterator[tuple[PlanFault, str]]:
    """Whatever a path crosses, its ends with it, that the task's traffic must not."""
    avoid = request.avoid
    if avoid is None:
        return
    for name in path.sites:
        site = snapshot.index.sites.get(name)
        region = "" if site is None else site.region
        if name in avoid.sites:
            yield PlanFault.AVOID, name
        if region in avoid.regions or region.partition("-")[0] in avoid.regions:
            yield PlanFault.AVOID, f"{name} in {region}"
    for step in path.links:
        link = snapshot.index.links.get(step.link)
        groups = () if link is None else link.shared_risk_groups
        if step.link in avoid.links:
            yield PlanFault.AVOID, step.link
        for group in groups:
            if group in avoid.risks:
                yield PlanFault.AVOID, f"{step.link} in {group}"


def maintenance_faults(plan: AnyPlan, snapshot: Snapshot) -> Iterator[tuple[PlanFault, str]]:
    """Links that a plan uses while they are in planned maintenance, whether it holds bandwidth there or not."""
    ways = [(plan.path, plan.run_start_us, plan.end_us)]
    if plan.standby is not None:
        ways.append((plan.standby.path, plan.run_start_us, plan.end_us))
    ways += [(move.path, move.start_us, move.end_us) for move in plan.data]
    for path, start_us, end_us in ways:
        for step, window in closed_in(path, start_us, end_us, snapshot):
            yield PlanFault.LINK_MAINTENANCE, f"{step.link} from {window.start} to {window.end}"


def closed_in(path: Path, start_us: int, end_us: int, snapshot: Snapshot) -> Iterator[tuple[DirectedLink, Maintenance]]:
    """The links of a path that are in planned maintenance at some moment of [start, end), with the windows."""
    for step in path.links:
        link = snapshot.index.links.get(step.link)
        for window in link.maintenance if link is not None else ():
            if window.start < end_us and start_us < window.end:
                yield step, window


def walk_faults(path: Path, first: SiteId, last: SiteId, snapshot: Snapshot) -> Iterator[tuple[PlanFault, str]]:
    """Faults of any path from `first` to `last`."""
    if not path.sites or path.sites[0] != first or path.sites[-1] != last:
        yield PlanFault.PATH_BROKEN, f"the path is not from {first} to {last}"
        return
    if len(path.sites) != len(path.links) + 1:
        yield PlanFault.PATH_BROKEN, "sites and links do not take turns"
        return
    latency_us = 0
    for at, step in enumerate(path.links):
        link = snapshot.index.links.get(step.link)
        if link is None or link.id in snapshot.links_down:
            yield PlanFault.PATH_BROKEN, f"{step.link} is {'unknown' if link is None else 'down'}"
            return
        ends = (link.a, link.b) if step.forward else (link.b, link.a)
        if ends != (path.sites[at], path.sites[at + 1]):
            yield PlanFault.PATH_BROKEN, f"{step.link} does not join {path.sites[at]} to {path.sites[at + 1]}"
            return
        latency_us += link.latency_us
    if latency_us != path.latency_us:
        yield PlanFault.PATH_LATENCY, f"{path.latency_us} us, the links make {latency_us} us"


def _passes(sites: tuple[SiteId, ...], steps: list[SiteId]) -> bool:
    """Whether the walk can be cut at the steps, in order, so that no part comes to a site twice."""
    if not steps:
        return len(set(sites)) == len(sites)
    return any(
        site == steps[0] and len(set(sites[: at + 1])) == at + 1 and _passes(sites[at:], steps[1:])
        for at, site in enumerate(sites)
    )
