"""What the planner is asked and what it answers."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, runtime_checkable

from suanwang.model.compact import AnyPlan
from suanwang.model.grid import DataSet
from suanwang.model.ids import LeaseId, PlanId, SiteId, TaskId, TenantId
from suanwang.model.plan import ClauseCount, PlanReport, Relaxation
from suanwang.model.task import TaskRequest


class PlanIds(Protocol):
    """Makers of the ids that a plan carries."""

    def plan_id(self) -> PlanId: ...
    def lease_id(self) -> LeaseId: ...


@runtime_checkable
class ManyIds(Protocol):
    """A maker that draws the ids of many plans at once."""

    def plan_and_lease_ids(self, count: int) -> list[tuple[PlanId, LeaseId]]: ...


def plan_and_lease_ids(ids: PlanIds, count: int) -> list[tuple[PlanId, LeaseId]]:
    """A plan's id and its lease's for each of `count` plans."""
    if isinstance(ids, ManyIds):
        return ids.plan_and_lease_ids(count)
    return [(ids.plan_id(), ids.lease_id()) for _ in range(count)]


@dataclass(frozen=True)
class PlanAsk:
    """One task to plan. `excluded_sites` are not considered: what the lead of a task's earlier attempts rules out."""

    task_id: TaskId
    tenant: TenantId
    request: TaskRequest
    generation: int = 1
    parent: PlanId | None = None
    excluded_sites: frozenset[SiteId] = frozenset()
    kept: tuple[
        DataSet, ...
    ] = ()  # what earlier attempts have saved and other tasks made: it must come to the place too


class Why(Protocol):
    """Works out, when asked, why an answer is what it is."""

    def report(self, relax: bool) -> PlanReport: ...
    def clauses(self) -> tuple[ClauseCount, ...]: ...
    def relaxations(self) -> tuple[Relaxation, ...]: ...
    def ever(self) -> bool: ...


@dataclass
class PlanAnswer:
    """A plan, or None where nothing fits. The reasons are worked out when they are asked for, on the same view.

    They need the snapshot's `sites`, `links_down` and `security_down` as they were, so ask before the brain's state moves on.
    """

    task_id: TaskId
    plan: AnyPlan | None
    why: Why = field(repr=False)
    fault: Exception | None = None  # the planner broke on this task: there is neither a plan nor a reason
    _reports: dict[bool, PlanReport] = field(default_factory=dict, repr=False)

    def report(self, relax: bool = True) -> PlanReport:
        """Every pool's verdict, the clause counts, and what would make the task fit where nothing does.

        The relaxations take many searches; `relax=False` leaves them out.
        """
        if relax not in self._reports:
            self._reports[relax] = self.why.report(relax)
        return self._reports[relax]

    @cached_property
    def clauses(self) -> tuple[ClauseCount, ...]:
        """How many pools each clause removes: the cheap part of the report."""
        return self.why.clauses()

    @cached_property
    def relaxations(self) -> tuple[Relaxation, ...]:
        """What would make the task fit where nothing does."""
        return self.why.relaxations()

    @cached_property
    def ever(self) -> bool:
        """Whether the task would fit with every site, link and security pool up and nothing held, from the same moment on."""
        return self.plan is not None or self.why.ever()
