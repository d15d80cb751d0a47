"""The standby place: is there one where one is asked for, would the task be allowed there, can it outlive the first."""

from collections.abc import Iterator

from suanwang.model.compact import AnyPlan, full_plan
from suanwang.model.plan import Path
from suanwang.model.reason import PlanFault
from suanwang.model.snapshot import Snapshot
from suanwang.model.task import Standby, TaskRequest
from suanwang.verify.path import path_faults
from suanwang.verify.place import place_faults


def standby_faults(plan: AnyPlan, request: TaskRequest, snapshot: Snapshot) -> Iterator[tuple[PlanFault, str]]:
    """Faults of the second place and of the way to it, judged as those of the first are."""
    place = plan.standby
    if (place is None) != (request.standby is None):
        yield PlanFault.STANDBY_MISSING, f"{'none' if place is None else place.pool} for {request.standby}"
    if place is None:
        return
    if place.site not in snapshot.index.sites or place.pool not in snapshot.index.pools:
        yield PlanFault.STANDBY_MISSING, f"{place.pool} at {place.site} is unknown"
        return
    there = full_plan(plan).model_copy(
        update={
            "site": place.site,
            "pool": place.pool,
            "emulated": place.emulated,
            "path": place.path,
            "protection": place.protection,
        }
    )
    yield from place_faults(there, request, snapshot)
    yield from path_faults(there, request, snapshot)
    first, second = snapshot.index.sites[plan.site], snapshot.index.sites[place.site]
    if first.id == second.id or (request.standby is Standby.REGION and first.region == second.region):
        yield PlanFault.STANDBY_NEAR, f"{second.id} ({second.region}) beside {first.id} ({first.region})"
    if plan.bandwidth_bps:
        shared = risks(plan.path, snapshot) & risks(place.path, snapshot)
        if shared:
            yield PlanFault.STANDBY_NEAR, f"both ways depend on {', '.join(sorted(shared))}"


def risks(path: Path, snapshot: Snapshot) -> set[str]:
    """Whatever a way is lost with: its links, and the risk groups that they are in."""
    links = [snapshot.index.links[one.link] for one in path.links if one.link in snapshot.index.links]
    return {f"link {one.id}" for one in links} | {f"group {group}" for one in links for group in one.shared_risk_groups}
