"""The panorama of each tenant, made when it is looked at and kept while nothing changes."""

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass

from suanwang.api.port import BrainPort
from suanwang.model.ids import SiteId, TaskId, TenantId
from suanwang.model.plan import Plan
from suanwang.model.record import ENDS, Phase
from suanwang.model.task import pool_kind
from suanwang.model.units import US_PER_DAY, US_PER_HOUR, US_PER_S
from suanwang.model.view import Flow, Panorama, Recent
from suanwang.observe.panorama import Counts, PhaseChange, panorama, phase_changes
from suanwang.store.listing import bill_by_kind, plan_texts, tasks_by_id, tasks_by_site, with_plan
from suanwang.store.rows import TaskRow

FLOWS_MAX = 300
RECENT_MAX = 30
CHANGES_KEPT = 600  # of all tenants: enough that a quiet tenant still sees its own
BATCHES_READ = 40  # of the log, at most, for the recent changes: under load the older ones are skipped
PLANS_KEPT = 2_000
FRESH_US = US_PER_S  # how long a picture is good where the log did not move
WITH_PLAN = frozenset(Phase) - ENDS - {Phase.WAITING}


@dataclass(frozen=True)
class _Walks:
    """What a panorama draws of a plan."""

    sites: tuple[SiteId, ...]
    data: tuple[tuple[SiteId, ...], ...]
    bandwidth_bps: int


class Pictures:
    """Thread-safe; a picture is computed by one thread at a time."""

    def __init__(self, brain: BrainPort) -> None:
        self._brain = brain
        self._lock = threading.Lock()
        self._kept: dict[TenantId | None, Panorama] = {}
        self._walks: OrderedDict[str, _Walks] = OrderedDict()
        self._changes: deque[tuple[PhaseChange, TaskId]] = deque(maxlen=CHANGES_KEPT)
        self._read_to = 0

    def picture(self, tenant: TenantId | None) -> Panorama:
        """The panorama as a tenant sees it; None: as an operator does."""
        with self._lock:
            now_us, position = self._brain.clock(), self._brain.store.last_position()
            kept = self._kept.get(tenant)
            if kept is None or kept.position != position or now_us - kept.at_us > FRESH_US:
                kept = self._kept[tenant] = self._make(tenant, now_us, position)
            return kept

    def _make(self, tenant: TenantId | None, now_us: int, position: int) -> Panorama:
        self._read_changes(position)
        snapshot = self._brain.snapshot()
        counts = self._counts(tenant, now_us)
        return panorama(snapshot, counts, self._flows(tenant), self._recent(tenant), now_us, position)

    def _counts(self, tenant: TenantId | None, now_us: int) -> Counts:
        store = self._brain.store
        today_us = (now_us + 8 * US_PER_HOUR) // US_PER_DAY * US_PER_DAY - 8 * US_PER_HOUR
        billed = bill_by_kind(store, tenant, today_us, now_us + 1)
        return Counts(
            phases=store.counts(tenant),
            tasks_by_site=tasks_by_site(store, WITH_PLAN),
            causes={row.site: row.cause for row in store.sites() if not row.live},
            billed_today_micro_yuan=sum(amount for *_, amount in billed),
            billed_today_emulated=any(emulated for _, emulated, _, _ in billed),
        )

    def _flows(self, tenant: TenantId | None) -> tuple[Flow, ...]:
        rows = with_plan(self._brain.store, tenant, WITH_PLAN, FLOWS_MAX)
        self._read_plans(rows)
        return tuple(self._flow(row) for row in rows if row.plan_id in self._walks)

    def _read_plans(self, rows: list[TaskRow]) -> None:
        missing = [row.plan_id for row in rows if row.plan_id and row.plan_id not in self._walks]
        for plan_id, text in plan_texts(self._brain.store, missing).items() if missing else ():
            plan = Plan.model_validate_json(text)
            data = tuple(move.path.sites for move in plan.data if move.path.links)
            self._walks[plan_id] = _Walks(plan.path.sites, data, plan.bandwidth_bps)
        while len(self._walks) > PLANS_KEPT:
            self._walks.popitem(last=False)

    def _flow(self, row: TaskRow) -> Flow:
        walks = self._walks[row.plan_id or ""]
        return Flow(
            task_id=TaskId(row.task_id),
            name=row.name,
            phase=row.phase,
            kind=pool_kind(row.request.resources),
            emulated=row.emulated,
            sites=walks.sites,
            bandwidth_bps=walks.bandwidth_bps,
            progress_permille=row.progress_permille,
            data=walks.data,
        )

    def _read_changes(self, position: int) -> None:
        after = max(self._read_to, position - BATCHES_READ)
        projected = self._brain.store.projected()
        for at, records in self._brain.store.read(after):
            if at > projected:  # the rest is told when the tables know it
                break
            for change in phase_changes(records):
                task_id = change.task_id or self._task_of(change)
                if task_id is not None:
                    self._changes.append((change, task_id))
            self._read_to = at

    def _task_of(self, change: PhaseChange) -> TaskId | None:
        attempt = self._brain.store.attempt(change.attempt_id or "")
        return TaskId(attempt.task_id) if attempt else None

    def _recent(self, tenant: TenantId | None) -> tuple[Recent, ...]:
        """The newest changes of a tenant's tasks; rows are looked up in parts, since the first is mostly enough."""
        found: list[Recent] = []
        newest = list(reversed(self._changes))
        for at in range(0, len(newest), 2 * RECENT_MAX):
            part = newest[at : at + 2 * RECENT_MAX]
            rows = tasks_by_id(self._brain.store, {task_id for _, task_id in part})
            for change, task_id in part:
                row = rows.get(task_id)
                if row is not None and tenant in (None, row.tenant):
                    found.append(self._one(change, row))
            if len(found) >= RECENT_MAX:
                break
        return tuple(found[:RECENT_MAX])

    def _one(self, change: PhaseChange, row: TaskRow) -> Recent:
        return Recent(
            at_us=change.at_us,
            task_id=TaskId(row.task_id),
            name=row.name,
            phase=change.phase,
            origin=row.request.origin or self._brain.index.grid.default_origin,
            site=SiteId(row.site) if row.site else None,
            emulated=row.emulated,
        )
