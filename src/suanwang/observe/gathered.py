"""What a task takes of the outputs of others: folds, and what the planner is told of where it lies."""

from typing import TYPE_CHECKING, Any

from suanwang.model.grid import DataSet
from suanwang.model.ids import DataSetId, SiteId
from suanwang.model.record import InputsGathered, Lies

if TYPE_CHECKING:
    from suanwang.observe.state import State


def made_data(lies: Lies, origin: SiteId, is_live: bool) -> DataSet:
    """The outputs that one site made, as one more body of bytes that must come to the place: from that site, or, where it
    answers no more, from the object store, which stands at the origin as it does for every input that is no data set."""
    name = DataSetId(f"outputs-of-{lies.site}")
    replicas = (lies.site if is_live else origin,)
    return DataSet.model_construct(
        id=name, name=name, version=1, size_bytes=lies.size_bytes, replicas=replicas, residency=(), tenant=None
    )


def _gathered(state: "State", record: InputsGathered) -> None:
    task = state.tasks[record.task_id]
    assert task.request is not None, "a live task has its request"
    task.request = task.request.model_copy(update={"inputs": record.inputs})
    task.lies = record.lies


GATHERED: dict[type, Any] = {InputsGathered: _gathered}
