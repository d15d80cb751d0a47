"""Finding the task that a route is about. Another tenant's task is not found, like one that never was."""

from suanwang.api.caller import tenant_scope
from suanwang.api.context import Context
from suanwang.api.family import as_one
from suanwang.api.views import task_view
from suanwang.model.error import NotFoundError
from suanwang.model.ids import TaskId
from suanwang.model.principal import Principal
from suanwang.model.view import TaskView
from suanwang.store.listing import TaskLine, task_line


def find_line(here: Context, principal: Principal, task_id: str) -> TaskLine:
    """The task's row. Raises NotFoundError where it is not the caller's to see."""
    line = task_line(here.brain.store, task_id)
    if line is None and here.brain.knows(principal, TaskId(task_id)):
        here.brain.wait_tables()  # it is in the log, and a large batch before it may not be in the tables yet
        line = task_line(here.brain.store, task_id)
        if line is None:
            raise here.brain.store.not_yet()
    own = tenant_scope(principal)
    if line is None or (own is not None and line.row.tenant != own):
        raise NotFoundError("task_unknown", task=task_id)
    return line


def whole_view(here: Context, line: TaskLine) -> TaskView:
    """The view of one task, with its request, refusals and outputs."""
    store = here.brain.store
    task_id = line.row.task_id
    steps = store.events(task_id) if line.row.phase == "refused" else []
    origin = here.brain.index.grid.default_origin
    return as_one(here, task_view(line, origin, steps, store.attempts(task_id), whole=True), whole=True)
