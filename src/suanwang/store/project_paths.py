"""Records about the paths of running tasks -> rows of `plans`, `attempts`, `tasks` and `task_events`."""

from typing import Final

from suanwang.model.compact import last_end_us
from suanwang.model.record import PathBroken, PathRepaired, PathRestored
from suanwang.store.fold import Fold, Place, Row, to_json
from suanwang.store.project_tasks import plan_row

# Why a plan that was repaired stands no more.
REPAIRED: Final = "path_repaired"


def path_repaired(record: PathRepaired, at: Place, fold: Fold) -> None:
    """The plan before is released, the attempt and the task go on under the next. What waits in the outbox for the attempt
    stays: a start is of the plan that it was sent for, and asks for the same."""
    plan, attempt = record.plan, fold.attempt(record.attempt_id)
    assert attempt is not None, f"the attempt {record.attempt_id} was never opened"
    released: Row = {"released_us": record.at_us, "drop_reason": REPAIRED, "position": at.position}
    fold.change("plans", attempt.plan_id, released)
    row = plan_row(plan, record.at_us, at.position, at.ordinal, plan.model_dump_json())
    fold.add("plans", plan.plan_id, row | {"lease_end_us": last_end_us(plan.holds)})
    fold.opened[record.attempt_id] = attempt._replace(plan_id=plan.plan_id)
    fold.change("attempts", record.attempt_id, {"plan_id": plan.plan_id, "position": at.position})
    patch: Row = {"plan_id": plan.plan_id, "generation": plan.generation, "position": at.position}
    fold.change("tasks", record.task_id, patch)
    head = {"t": record.t, "at_us": record.at_us, "task_id": record.task_id, "attempt_id": record.attempt_id}
    head |= {"cause": record.cause.model_dump(mode="json"), "plan_id": plan.plan_id, "parent": plan.parent}
    head |= {"generation": plan.generation, "sites": plan.path.sites, "latency_us": plan.path.latency_us}
    fold.tell(record.task_id, record, at, to_json(head))


def path_told(record: PathBroken | PathRestored, at: Place, fold: Fold) -> None:
    fold.change("tasks", record.task_id, {"position": at.position})
    fold.tell(record.task_id, record, at)
