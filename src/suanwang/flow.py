"""The road. One task travels it once, left to right:

    TaskRequest -> Admitted -> Plan -> Instruction -> Event -> Charge
      intent      admission    plan     dispatch      observe   settle
                               verify     agent

`Road` is the applier: the only writer of the log in a region. Each verb below is one arrow; each ends with one
batch in the log (one fsync), and nothing leaves the brain before its batch is committed. A verb that fails
half-way leaves the memory ahead of the log, so the process must end and replay: the brain is crash-only.
"""

from collections.abc import Sequence

from suanwang import failpoints
from suanwang.admission.admit import Refused, admit, plainly_admitted
from suanwang.dispatch import carry, company, intake, reconcile, repeats, spread, watch
from suanwang.dispatch.lifecycle import Signal
from suanwang.model.batch import Taken
from suanwang.model.event import Heartbeat, Orders, orders_of
from suanwang.model.ids import TaskId, TenantId
from suanwang.model.principal import Submission, Submitted
from suanwang.model.reason import FailureReason
from suanwang.model.record import Phase, TaskAdmitted, TaskRefused, TaskSubmitted
from suanwang.model.task import Elements, elements_of
from suanwang.reserve import Reserving

# How many waiting tasks are planned and committed as one batch: large enough to share an fsync, small enough
# that the last of them does not wait long for the first.
PLAN_BATCH = 2_048


class Road(Reserving):
    """The verbs. Not thread-safe: its owner holds a lock around each."""

    # -- TaskRequest -> Admitted -------------------------------------------------------------------------------

    def submit(
        self, tenant: TenantId, principal: str, offers: Sequence[Submission], task_ids: Sequence[TaskId]
    ) -> list[Submitted]:
        """Take requests in and admit or refuse each; durable when this returns. One idempotency key that stands for
        another task refuses all of them (ConflictError), and nothing has changed."""
        failpoints.hit("brain.submit.read")
        repeats.check_keys(self.state, tenant, offers)
        now_us = self.clock()
        out = self.submit_all(tenant, principal, offers, task_ids, now_us)
        self.commit()
        failpoints.hit("brain.submit.committed")
        return out

    def submit_all(
        self,
        tenant: TenantId,
        principal: str,
        offers: Sequence[Submission],
        task_ids: Sequence[TaskId],
        now_us: int,
    ) -> list[Submitted]:
        """Runs of plain tasks together, any other by itself, in their order."""
        plain = plainly_admitted([one.request for one in offers], self._standings(tenant), self.state.index)
        out: list[Submitted] = []
        run: list[Taken] = []
        keys: set[str] = set()
        for offer, task_id, admitted in zip(offers, task_ids, plain, strict=True):
            request, key = offer.request, offer.idempotency_key
            is_new = key is None or (key not in keys and (tenant, key) not in self.state.idempotency)
            if admitted and is_new and elements_of(request) == 1 and not request.after:
                run.append(Taken(task_id, request, key))
                keys |= set() if key is None else {key}
                out.append(Submitted(task_id=task_id, phase=Phase.WAITING))
                continue
            self.emit_all_taken(now_us, tenant, principal, run)
            run = []
            out.append(self._submit(tenant, principal, offer, task_id, now_us))
        self.emit_all_taken(now_us, tenant, principal, run)
        return out

    def _submit(self, tenant: TenantId, principal: str, offer: Submission, task_id: TaskId, now_us: int) -> Submitted:
        before = repeats.task_before(self.state, tenant, offer)
        if before is not None:
            return Submitted(task_id=before.task_id, phase=before.phase, repeated=True)
        request, key = offer.request, offer.idempotency_key
        answer = admit(self.applicant(tenant, request, frozenset(offer.secrets), now_us))
        if isinstance(answer, Refused):
            submitted = TaskSubmitted(
                at_us=now_us,
                task_id=task_id,
                tenant=tenant,
                principal=principal,
                request=request,
                idempotency_key=key,
            )
            self.emit(submitted)
            self.emit(TaskRefused(at_us=now_us, task_id=task_id, refusals=answer.refusals))
            return Submitted(task_id=task_id, phase=Phase.REFUSED, refusals=answer.refusals)
        shares = spread.shares_of(request, self.state.index, self.waits.places)
        if shares:
            self._submit_parts(tenant, principal, offer, task_id, now_us, shares)
        else:
            if request.secrets:
                self.secrets[task_id] = {name: offer.secrets[name] for name in request.secrets}
            self.emit_all_taken(now_us, tenant, principal, [Taken(task_id, request, key)])
            self.hold_back(self.state.tasks[task_id], now_us)
        return Submitted(task_id=task_id, phase=self.state.tasks[task_id].phase)

    def _submit_parts(
        self,
        tenant: TenantId,
        principal: str,
        offer: Submission,
        task_id: TaskId,
        now_us: int,
        shares: Sequence[Elements],
    ) -> None:
        """A task whose array is shared out: itself, and a task for each share."""
        request, parts = offer.request, tuple(self.ids.task_id() for _ in shares)
        whole = TaskSubmitted(
            at_us=now_us,
            task_id=task_id,
            tenant=tenant,
            principal=principal,
            request=request,
            idempotency_key=offer.idempotency_key,
            parts=parts,
        )
        self.emit(whole)
        if request.secrets:
            wanted = {name: offer.secrets[name] for name in request.secrets}
            self.secrets |= dict.fromkeys(parts, wanted)
        self.emit(TaskAdmitted(at_us=now_us, task_id=task_id))
        for number, (part, elements) in enumerate(zip(parts, shares, strict=True)):
            before = self.state.tasks[task_id].parts[number - 1] if number else None
            share = spread.part_of(request, elements, task_id, before)
            self.emit(
                TaskSubmitted(
                    at_us=now_us, task_id=part, tenant=tenant, principal=principal, request=share, part_of=task_id
                )
            )
            self.emit(TaskAdmitted(at_us=now_us, task_id=part))
        for part in parts:
            self.hold_back(self.state.tasks[part], now_us)

    # -- Admitted -> Plan --------------------------------------------------------------------------------------

    def plan_round(self, limit: int = PLAN_BATCH) -> int:
        """Plan the next `limit` waiting tasks, whose turn it is by `fair`; verify and commit each plan."""
        self.retry_paths()  # what runs comes before what waits
        tasks = self.waits.take(limit)
        for task_id in self.waits.turned_away:
            self.over_quota(self.state.tasks[task_id])
        if tasks:
            self.judge(tasks)
        self.waits.end_round()
        self.commit()
        failpoints.hit("brain.plan.committed")
        return len(tasks)

    # -- Plan -> Instruction -----------------------------------------------------------------------------------

    def dispatch_round(self) -> int:
        """Open an attempt for every plan whose start has come, if what runs still leaves it its room."""
        now_us = self.clock()
        due = self.state.agenda.due(now_us)
        if due:
            self.extend(now_us)  # what outlasts its window keeps its room: a plan that it crowds out goes back
        for task in due:
            parted = company.is_parted(task, self.state.placements)
            if parted or watch.outdated(task, now_us):
                self.signal(task, Signal.PLAN_DROPPED, carry.Cause(now_us, detail="parted" if parted else ""))
            else:
                self.open_attempt(task, now_us)
            failpoints.hit("brain.dispatch.opened")
        self.commit()
        return len(due)

    # -- Instruction -> agent -> Event -> Charge ---------------------------------------------------------------

    def exchange(self, heartbeat: Heartbeat) -> Orders:
        """One exchange with an agent: apply its events once, and say what it shall do."""
        now_us = self.clock()
        self.hear(heartbeat, now_us)
        failpoints.hit("brain.events.received")
        intake.take_all(self, heartbeat, now_us)
        failpoints.hit("brain.settle.made")
        self.commit()
        failpoints.hit("brain.events.applied")
        found = reconcile.reconcile(self.state, heartbeat, now_us, self.sent)
        for task in found.lost:
            self.signal(task, Signal.ATTEMPT_LOST, carry.Cause(now_us, FailureReason.LOST))
        self.commit()
        failpoints.hit("brain.settle.committed")
        failpoints.hit("brain.dispatch.sent")
        seen = self.state.cursors.get(heartbeat.agent, 0)
        return orders_of(seen, now_us, found.instructions)
