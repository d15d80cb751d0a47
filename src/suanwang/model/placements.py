"""Where the live tasks of each tenant stand, by their tags: what `together_with` and `apart_from` are judged by.

A task stands at a site from when its plan is committed until that plan is dropped or its attempt is closed. Only tasks
with tags, or with something that they keep apart from, are kept: no other can matter to anyone.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from suanwang.model.ids import SiteId, TaskId, TenantId
from suanwang.model.task import TaskRequest

Tags = Mapping[str, str]


class Placed(NamedTuple):
    """A live task at its site."""

    task_id: TaskId
    tenant: TenantId
    site: SiteId
    tags: Tags
    apart_from: Tags


def bears(tags: Tags, wanted: Tags) -> bool:
    """Whether all of the wanted tags are there."""
    return all(tags.get(name) == value for name, value in wanted.items())


Group = dict[SiteId, dict[TaskId, Placed]]


class Placements:
    """The placed tasks. Each is found by its tenant, by each of its tags, and by the first tag it keeps apart from; these
    groups are made when somebody asks for the first time, and kept up from then on."""

    def __init__(self) -> None:
        self._of: dict[TaskId, Placed] = {}
        self._made: dict[tuple[str, ...], Group] | None = None
        self._wary = 0  # that keep apart from others

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Placements) and self._of == other._of

    __hash__ = None  # type: ignore[assignment]  # it changes

    @property
    def _groups(self) -> dict[tuple[str, ...], Group]:
        if self._made is None:
            self._made = {}
            for one in self._of.values():
                self._put(self._made, one)
        return self._made

    @staticmethod
    def _put(groups: dict[tuple[str, ...], Group], one: Placed) -> None:
        for key in _keys(one):
            groups.setdefault(key, {}).setdefault(one.site, {})[one.task_id] = one

    def place(self, task_id: TaskId, tenant: TenantId, site: SiteId, request: TaskRequest) -> None:
        """A plan of a task is committed."""
        assert task_id not in self._of, "a task stands at one site"
        if request.tags or request.apart_from:
            one = self._of[task_id] = Placed(task_id, tenant, site, request.tags, request.apart_from)
            self._wary += bool(one.apart_from)
            if self._made is not None:
                self._put(self._made, one)

    @property
    def is_wary(self) -> bool:
        """Whether anybody keeps apart from anyone."""
        return self._wary > 0

    def lift(self, task_id: TaskId) -> None:
        """The plan of a task no longer stands."""
        one = self._of.pop(task_id, None)
        if one is None:
            return
        self._wary -= bool(one.apart_from)
        for key in _keys(one) if self._made is not None else ():
            group = self._groups[key]
            del group[one.site][task_id]
            if not group[one.site]:
                del group[one.site]
            if not group:
                del self._groups[key]

    def without(self, gone: Iterable[TaskId]) -> "Placements":
        """The same but for some tasks; this one stays as it is."""
        out = Placements()
        left_out = set(gone)
        out._of = {task_id: one for task_id, one in self._of.items() if task_id not in left_out}
        out._wary = sum(bool(one.apart_from) for one in out._of.values())
        return out

    def of(self, tenant: TenantId) -> Mapping[SiteId, Mapping[TaskId, Placed]]:
        """All of a tenant's, by site."""
        return self._groups.get(("all", tenant), {})

    def sites_bearing(self, tenant: TenantId, wanted: Tags, but: TaskId) -> set[SiteId]:
        """The sites at which another task of the tenant stands that bears all of these tags."""
        groups = [self._groups.get(("tag", tenant, name, value), {}) for name, value in wanted.items()]
        return {
            site
            for site, there in min(groups, key=len, default={}).items()
            if any(one.task_id != but and bears(one.tags, wanted) for one in there.values())
        }

    def sites_wary_of(self, tenant: TenantId, tags: Tags, but: TaskId) -> set[SiteId]:
        """The sites at which another task of the tenant stands that keeps apart from one with these tags."""
        if not self._wary:
            return set()
        return {
            site
            for name, value in tags.items()
            for site, there in self._groups.get(("wary", tenant, name, value), {}).items()
            if any(one.task_id != but and bears(tags, one.apart_from) for one in there.values())
        }


def _keys(one: Placed) -> Iterator[tuple[str, ...]]:
    yield "all", one.tenant
    for name, value in one.tags.items():
        yield "tag", one.tenant, name, value
    for name, value in sorted(one.apart_from.items())[:1]:
        yield "wary", one.tenant, name, value
