"""Folds of what becomes of the paths of running tasks."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from suanwang.model.record import PathBroken, PathRepaired, PathRestored

if TYPE_CHECKING:
    from suanwang.observe.state import State


def _repaired(state: "State", record: PathRepaired) -> None:
    """The attempt goes on under the next plan of its task; the lease is the same and holds the new path."""
    task, plan = state.tasks[record.task_id], record.plan
    attempt = task.attempt
    assert attempt is not None and attempt.attempt_id == record.attempt_id, "the path of a live attempt is repaired"
    assert plan.lease_id == record.lease_id == attempt.plan.lease_id, "a repair keeps the lease"
    assert (plan.parent, plan.generation) == (attempt.plan.plan_id, task.generation + 1), (
        "plans of a task are consecutive"
    )
    state.replace_lease(plan.lease_id, plan.holds)
    task.plan = attempt.plan = plan
    task.generation = plan.generation
    state.broken.pop(record.task_id, None)


def _broken(state: "State", record: PathBroken) -> None:
    state.broken[record.task_id] = record


def _restored(state: "State", record: PathRestored) -> None:
    del state.broken[record.task_id]


PATHS: dict[type, Callable[["State", Any], None]] = {
    PathRepaired: _repaired,
    PathBroken: _broken,
    PathRestored: _restored,
}
