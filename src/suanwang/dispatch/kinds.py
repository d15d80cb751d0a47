"""The kind of need of a task: tasks of one kind get the same answer from the planner on the same view. Pure."""

from collections.abc import Hashable, Mapping
from operator import attrgetter

from suanwang.fair import Kind
from suanwang.model.grid import PoolKind
from suanwang.model.ids import PoolId
from suanwang.model.share import amounts_of
from suanwang.model.snapshot import GridIndex
from suanwang.model.task import Resources, TaskRequest, pool_kind
from suanwang.observe.state import Task

Key = Hashable


# What a task says of itself, runs and brings back: the planner does not look at it.
NOT_PLANNED = frozenset(
    {
        "name",
        "run",
        "image",
        "environment",
        "secrets",
        "outputs",
        "mounts",
        "retries",
        "priority",
        "preemptible",
        "on_budget",
        "checkpoint",
        "checkpoint_every",
        "spread",
        "at_once",
        "after",
        "tags",
    }
)
# What tells by their tags beside whom a task runs; all the rest of a request can be compared as it is.
_OF_OTHERS = ("together_with", "apart_from")
_APART = {*NOT_PLANNED, *_OF_OTHERS, "inputs", "price_limit", "resources"}
_planned = attrgetter(*(name for name in TaskRequest.model_fields if name not in _APART))
_figures = attrgetter(*Resources.model_fields)


def key_of(task: Task, limited: bool, kept_out: bool = False) -> Key:
    """What decides whether, where and when a task fits. `limited`: its tenant has a budget, which is nobody else's.
    `kept_out`: others that name its tags are known to keep it from some site."""
    request = task.request
    assert request is not None, "a live task has its request"
    limit = request.price_limit
    social = kept_out or names_others(request)
    others = (_frozen(request.together_with), _frozen(request.apart_from)) if social else None
    tags = (kept_out, _frozen(request.tags), others) if social else None
    own = (task.tenant, limit, task.billed_micro_yuan) if limited or social or limit is not None else None
    data: Hashable = ()
    if request.inputs:
        data = tuple([(one.source if one.source.startswith("dataset:") else "", one.size) for one in request.inputs])
    return (own, tags, data, _planned(request), _figures(request.resources), _resumed(task))


def _resumed(task: Task) -> Hashable:
    """What it has done already makes a task one of its own kind: less to run, and a checkpoint to bring. So does what others
    made for it, by where it lies."""
    resume = task.resume
    if task.lies:
        return (task.lies, None if resume is None else (task.task_id, resume.version))
    return None if resume is None else (task.task_id, resume.version, resume.site)


def names_others(request: TaskRequest) -> bool:
    """Whether a task says beside which other tasks it runs or does not: those are told by their tags."""
    return bool(request.together_with or request.apart_from)


def _frozen(tags: Mapping[str, str]) -> Hashable:
    return tuple(sorted(tags.items()))


class Places:
    """Which pools could ever serve a need, by what never changes: kind, site, security level, shape and model.

    A pool that is left out can certainly not serve it; one that is named may still fail a later clause.
    """

    def __init__(self, index: GridIndex) -> None:
        self._index = index
        self._known: dict[Hashable, frozenset[PoolId]] = {}
        self._same: dict[frozenset[PoolId], frozenset[PoolId]] = {}

    def of(self, request: TaskRequest) -> frozenset[PoolId]:
        res = request.resources
        figures = (res.cpu, res.memory, res.accelerators, res.accelerator, res.qubits)
        asked = (pool_kind(res), request.sites, request.security_level, *figures)
        found = self._known.get(asked)
        if found is None:
            if len(self._known) > 100_000:  # more shapes than any real queue has: begin again
                self._known.clear()
            found = frozenset(self._fitting(request))
            found = self._known[asked] = self._same.setdefault(found, found)
        return found

    def _fitting(self, request: TaskRequest) -> list[PoolId]:
        res, kind, out = request.resources, pool_kind(request.resources), []
        for pool, site in self._index.pools.values():
            fits = pool.kind is kind and (not request.sites or site.id in request.sites)
            fits = fits and site.security_level >= request.security_level
            if kind is PoolKind.QUANTUM:
                fits = fits and res.qubits <= pool.qubits_per_node
            else:
                fits = fits and res.cpu <= pool.cores_per_node and res.memory <= pool.memory_bytes_per_node
                fits = fits and res.accelerators <= pool.accelerators_per_node
            if res.accelerator not in (None, "any"):
                fits = fits and pool.accelerator_model == res.accelerator
            if fits:
                out.append(pool.id)
        return out


def kind_of(key: Key, task: Task, places: Places, kept_out: bool = False) -> Kind:
    """The kind of a task, new."""
    request = task.request
    assert request is not None, "a live task has its request"
    networked = bool(request.bandwidth or request.protection or request.inputs or request.avoid or task.resume)
    quota = (task.cores, task.accelerators)
    social = kept_out or names_others(request)
    return Kind(key, amounts_of(request), quota, places.of(request), networked, social)
