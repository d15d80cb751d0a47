"""The outbox as instructions. A row says only what waits and where; the rest is joined from plan, attempt and task.

Forget instructions are not rows: no event ever answers them. They follow from what an agent says it still holds.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, select

from suanwang.model.event import Instruction, InstructionKind
from suanwang.model.ids import AttemptId, PlanId, PoolId, SiteId, TaskId
from suanwang.model.plan import Demand
from suanwang.model.task import TaskRequest
from suanwang.store.rows import read_outputs
from suanwang.store.schema import attempts, outbox, plans, tasks

Texts = Callable[[Sequence[Mapping[str, Any]]], dict[str, str]]
_AT_ONCE: Final = 500  # ids in one statement, far below the limit of either engine


def read_outbox(connection: Connection, sites: Sequence[str] | None, texts: Texts) -> list[Instruction]:
    """The waiting instructions of these sites, or of all, oldest first. `texts` gives the JSON of plans by rows."""
    query = (
        select(outbox, attempts.c.outputs, plans.c.pool, plans.c.run_start_us, plans.c.body, plans.c.logged)
        .add_columns(tasks.c.request)
        .join(attempts, attempts.c.attempt_id == outbox.c.attempt_id)
        .join(plans, plans.c.plan_id == outbox.c.plan_id)
        .join(tasks, tasks.c.task_id == outbox.c.task_id)
    )
    if sites is None:
        rows = list(connection.execute(query).mappings())
    else:
        rows = []
        for some in _slices(sites):
            rows += connection.execute(query.where(outbox.c.site.in_(some))).mappings()
    rows.sort(key=lambda row: (row["position"], row["ordinal"]))
    bodies = texts([dict(row) for row in rows if row["kind"] == InstructionKind.START.value])
    return [_instruction(row, bodies) for row in rows]


def _instruction(row: RowMapping, bodies: Mapping[str, str]) -> Instruction:
    kind = InstructionKind(row["kind"])
    if kind is InstructionKind.START:
        return Instruction(
            kind=kind,
            **_head(row),
            demand=Demand.model_validate(json.loads(bodies[row["plan_id"]])["demand"]),
            request=TaskRequest.model_validate_json(row["request"]),
            not_before_us=row["run_start_us"],
        )
    if kind is InstructionKind.DELIVER:
        return Instruction(kind=kind, **_head(row), outputs=read_outputs(row["outputs"]))
    return Instruction(kind=kind, **_head(row))


def _head(row: RowMapping) -> dict[str, Any]:
    return {
        "site": SiteId(row["site"]),
        "task_id": TaskId(row["task_id"]),
        "attempt_id": AttemptId(row["attempt_id"]),
        "plan_id": PlanId(row["plan_id"]),
        "fence": row["fence"],
        "pool": PoolId(row["pool"]),
    }


def _slices(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE)]
