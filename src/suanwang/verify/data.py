"""Data: is every input brought, from a site that has it, at a rate and in a time that agree."""

from collections.abc import Iterator, Sequence

from suanwang.model.compact import AnyPlan
from suanwang.model.grid import DataSet
from suanwang.model.ids import DataSetId
from suanwang.model.plan import DataMove
from suanwang.model.reason import PlanFault
from suanwang.model.snapshot import Snapshot
from suanwang.model.task import TaskRequest
from suanwang.verify.path import avoid_faults, walk_faults

ORIGIN = DataSetId("origin-inputs")


def data_faults(
    plan: AnyPlan, request: TaskRequest, snapshot: Snapshot, kept: Sequence[DataSet] = ()
) -> Iterator[tuple[PlanFault, str]]:
    """Faults of the data moves. `kept`: what an earlier attempt has saved and other tasks made, which must come too."""
    wanted = _wanted(request, snapshot) | {one.id: one for one in kept}
    moved = {move.data_set: move for move in plan.data}
    if list(moved) != list(wanted) or len(moved) != len(plan.data):
        yield PlanFault.DATA_MISSING, f"{', '.join(moved) or 'nothing'} for {', '.join(wanted) or 'nothing'}"
        return
    region = snapshot.index.sites[plan.site].region
    for name, data in wanted.items():
        yield from _move_faults(plan, moved[name], data, snapshot)
        yield from avoid_faults(moved[name].path, request, snapshot)
        if data.residency and not any(region == one or region.startswith(one + "-") for one in data.residency):
            yield PlanFault.RESIDENCY, f"{name} may not be used in {region}"


def _wanted(request: TaskRequest, snapshot: Snapshot) -> dict[DataSetId, DataSet]:
    """What must be at the place: each data set of the task, then its other inputs of known size as one."""
    out: dict[DataSetId, DataSet] = {}
    for one in request.inputs:
        if one.source.startswith("dataset:"):
            data = snapshot.index.data_sets[DataSetId(one.source[len("dataset:") :])]
            out[data.id] = data
    size = sum(one.size or 0 for one in request.inputs if not one.source.startswith("dataset:"))
    if size:
        origin = request.origin or snapshot.index.grid.default_origin
        out[ORIGIN] = DataSet(id=ORIGIN, name="inputs", size_bytes=size, replicas=(origin,))
    return out


def _move_faults(plan: AnyPlan, move: DataMove, data: DataSet, snapshot: Snapshot) -> Iterator[tuple[PlanFault, str]]:
    name = move.data_set
    if (move.size_bytes, move.version) != (data.size_bytes, data.version):
        yield PlanFault.DATA_MISSING, f"{name}: not the size and version that the grid has"
    if move.replica not in data.replicas:
        yield PlanFault.DATA_REPLICA, f"{name}: {move.replica} has no replica"
    yield from walk_faults(move.path, move.replica, plan.site, snapshot)
    if len(set(move.path.sites)) != len(move.path.sites):
        yield PlanFault.PATH_BROKEN, f"{name}: the path goes round"
    if not move.path.links:
        if move.start_us != move.end_us or move.rate_bps:
            yield PlanFault.DATA_TIME, f"{name} is there already, but takes time"
    elif move.rate_bps <= 0:
        yield PlanFault.DATA_TIME, f"{name} moves at no rate"
    else:
        whole, rest = divmod(move.size_bytes * 8 * 1_000_000, move.rate_bps)
        takes_us = whole + (1 if rest else 0) + move.path.latency_us
        if move.end_us - move.start_us != takes_us:
            yield PlanFault.DATA_TIME, f"{name} takes {takes_us} us, the plan says {move.end_us - move.start_us}"
    if move.start_us < plan.start_us:
        yield PlanFault.DATA_TIME, f"{name} moves before the plan starts"
