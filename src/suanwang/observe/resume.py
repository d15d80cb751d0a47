"""What a task keeps from the attempts that the grid stopped. Folds; the owner of the task calls them."""

from dataclasses import dataclass, field
from typing import NamedTuple

from suanwang.model.compact import AnyPlan
from suanwang.model.event import Event, Kept, OutputFile
from suanwang.model.grid import DataSet, PoolKind
from suanwang.model.ids import AttemptId, DataSetId, SiteId
from suanwang.model.ranges import all_but, count_within, ranges_of
from suanwang.model.task import TaskRequest, pool_kind

# The name under which a checkpoint stands among the data of a plan.
CHECKPOINT = DataSetId("task-checkpoint")


class Stopped(NamedTuple):
    """An attempt that the grid stopped while it ran: its plan, and the span that its lease was held."""

    plan: AnyPlan
    start_us: int
    end_us: int


@dataclass(slots=True)
class Resume:
    """What is kept of a task, and since when."""

    kept: Kept
    site: SiteId  # where it was saved last
    version: int = 0  # grows with each checkpoint
    outputs: tuple[OutputFile, ...] = ()  # of the elements that are done
    saved_us: dict[AttemptId, int] = field(default_factory=dict)  # the last checkpoint of each attempt
    stopped: dict[AttemptId, Stopped] = field(default_factory=dict)


def keep(resume: Resume | None, event: Event) -> Resume:
    """Follow one checkpoint event: what it says is all that is kept; outputs add up."""
    assert event.kept is not None, "a checkpoint says what is kept"
    found = resume or Resume(event.kept, event.site)
    found.kept, found.site = event.kept, event.site
    found.version += 1
    found.outputs += event.outputs
    found.saved_us[event.attempt_id] = event.at_us
    return found


def note_stopped(resume: Resume | None, site: SiteId, attempt_id: AttemptId, held: Stopped) -> Resume:
    """The grid has stopped an attempt of a task with a checkpoint."""
    found = resume or Resume(Kept(), site)
    found.stopped[attempt_id] = held
    return found


def resumes(request: TaskRequest) -> bool:
    """Whether an attempt of the task can leave something behind that the next one need not do."""
    return request.checkpoint is not None or request.array > 1


def rest_of(request: TaskRequest, resume: Resume | None) -> TaskRequest:
    """The request as it is to be planned: an array without the elements that are done. One is left at the least: the
    attempt that ends the task. A quantum processor's shots are not counted by element, so such a task is planned whole."""
    own = request.elements
    if resume is None and own is None:
        return request
    first, many = (own.first, own.count) if own is not None else (0, request.array)
    done = count_within(resume.kept.done, first, many) if resume is not None else 0
    if pool_kind(request.resources) is PoolKind.QUANTUM:
        done = 0
    if not done and own is None:
        return request
    return request.model_copy(update={"array": max(1, many - done), "elements": None})


def kept_of(request: TaskRequest, resume: Resume | None) -> Kept | None:
    """What the next attempt is told: what is kept, and the elements that are not this task's as if they were done."""
    kept, own = resume.kept if resume is not None else None, request.elements
    if own is None:
        return kept
    done = tuple(ranges_of((), (*all_but(own.first, own.count, request.array), *(kept.done if kept else ()))))
    return Kept(done=done, files=kept.files if kept else ())


def checkpoint_data(resume: Resume | None, origin: SiteId, is_live: bool) -> DataSet | None:
    """The checkpoint as one more body of bytes that must come to the place: from the site where it was saved, or from
    the object store, which stands at the origin as it does for every other input that is no data set of the grid.
    `is_live`: the site where it was saved still answers."""
    size_bytes = sum(one.size_bytes for one in resume.kept.files) if resume is not None else 0
    if resume is None or not size_bytes:
        return None
    replicas = tuple(dict.fromkeys((resume.site, origin))) if is_live else (origin,)
    return DataSet.model_construct(
        id=CHECKPOINT,
        name=CHECKPOINT,
        version=resume.version,
        size_bytes=size_bytes,
        replicas=replicas,
        residency=(),
        tenant=None,
    )


def saved_spans(resume: Resume | None) -> list[tuple[AttemptId, Stopped]]:
    """The spans of stopped attempts up to their last checkpoint: work that was not done again."""
    if resume is None:
        return []
    out = []
    for attempt_id, one in resume.stopped.items():
        until_us = min(resume.saved_us.get(attempt_id, 0), one.end_us)
        if until_us > one.start_us:
            out.append((attempt_id, one._replace(end_us=until_us)))
    return out
