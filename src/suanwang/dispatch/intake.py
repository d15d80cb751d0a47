"""The events of one message, taken in together: what thousands of them share is worked out once.

Plain events (a live attempt goes on as it should, or succeeds with nothing to deliver) are rows of one batch: decided by
the table of life, folded at once, and billed with `settle.Bills`. Any other event is taken alone (`Applier.take`), in
its order among them. Both ways write the same history.
"""

from typing import Final, NamedTuple

from suanwang.dispatch import carry, lifecycle
from suanwang.dispatch.applier import Applier, is_plain
from suanwang.model.batch import EventsHeard, Heard
from suanwang.model.event import PLAIN_KINDS, AnyEvent, EventKind, Heartbeat
from suanwang.model.ids import TaskId
from suanwang.model.record import Phase
from suanwang.observe import batches
from suanwang.observe.state import Task

# In which phase a plain event of which kind has no effect but its phase, by the table of life.
GOES_ON: Final = frozenset(
    (phase, kind)
    for phase in Phase
    for kind in PLAIN_KINDS - {EventKind.FINISHED}
    if (found := lifecycle.TABLE.get((phase, lifecycle.Signal(kind.value)))) is not None and not found.effects
)
assert all(lifecycle.TABLE[phase, lifecycle.Signal.FINISHED] is lifecycle.SUCCESS for phase in lifecycle.LIVE)


def take_all(applier: Applier, heartbeat: Heartbeat, now_us: int) -> None:
    """Apply each event of a message once, in order."""
    if heartbeat.events:
        _Intake(applier, heartbeat, now_us).run()


class _Success(NamedTuple):
    """A task that has ended, with what its row still lacks: the ids of its charges."""

    event: AnyEvent
    task: Task
    bill: carry.Bill


class _Intake:
    """One message. What plain rows change of tenants and of who waits is told when a run of them ends, and the ids of
    their charges are drawn then, together."""

    def __init__(self, applier: Applier, heartbeat: Heartbeat, now_us: int) -> None:
        self.applier, self.heartbeat, self.now_us = applier, heartbeat, now_us
        self.sites = frozenset(heartbeat.sites)
        self.rows: list[AnyEvent | _Success] = []
        self.ended: list[Task] = []
        self.news: list[TaskId] = []  # that others come after: they began or ended
        self.sums = batches.Sums()

    def run(self) -> None:
        cursors, agent = self.applier.state.cursors, self.heartbeat.agent
        last = cursors.get(agent, 0)
        for event in self.heartbeat.events:
            sequence = event.sequence
            if sequence <= last:
                continue
            if self._plainly(event):
                last = sequence
                continue
            self._flush(last)
            self.applier.take(event, self.heartbeat, self.now_us)
            last = cursors.get(agent, 0)
        self._flush(last)

    def _plainly(self, event: AnyEvent) -> bool:
        """Take an event as a row; False, and nothing has changed, where it is no plain one."""
        state, attempt_id, kind = self.applier.state, event.attempt_id, event.kind
        task_id = state.by_attempt.get(attempt_id)
        task = state.tasks[task_id] if task_id is not None else None
        attempt = task.attempt if task is not None else None
        if task is None or attempt is None or attempt.fence != event.fence or attempt.site not in self.sites:
            return False
        if not is_plain(event) or attempt_id in state.parting:
            return False
        if kind is EventKind.FINISHED:
            return self._succeeds(task, event)
        if (task.phase, kind) not in GOES_ON:
            return False
        batches.hear(self.now_us, event, task)
        self.rows.append(event)
        if kind is EventKind.RUNNING:
            self._note(task)
        return True

    def _note(self, task: Task) -> None:
        """Who comes after it, or after the whole that it is a part of, is asked when this run of rows ends."""
        followers = self.applier.state.following.followers
        self.news += [one for one in (task.task_id, task.part_of) if one is not None and one in followers]

    def _succeeds(self, task: Task, event: AnyEvent) -> bool:
        if task.phase not in lifecycle.LIVE or (event.outputs and any(one.target for one in event.outputs)):
            return False
        if not carry.is_plain_success(task):
            return False
        applier, now_us = self.applier, self.now_us
        bill = carry.bill_of(task, event, now_us, applier.bills)
        self.rows.append(_Success(event, task, bill))
        applier.waits.before_leaving(task)
        batches.hear(now_us, event, task)
        batches.end(applier.state, task, event, bill.lease_id, bill.amount_micro_yuan, self.sums)
        self.ended.append(task)
        self._note(task)
        return True

    def _flush(self, last: int) -> None:
        """Tell what the rows since the last time have brought about. `last`: the sequence of the latest of them."""
        if not self.rows:
            return
        applier = self.applier
        applier.state.cursors[self.heartbeat.agent] = last
        applier.add_rows(EventsHeard, self.now_us, self._heard())
        self.rows = []
        if self.ended:
            self.sums.settle(applier.state)
            applier.waits.tasks_ended(self.ended)
            applier.room_us = self.now_us
            for task in self.ended:
                applier.planned_us.pop(task.task_id, None)
            self.ended = []
        news, self.news = self.news, []
        for one in news:
            applier.tell_followers(one)

    def _heard(self) -> list[Heard]:
        """The rows of the batch, in order."""
        bills = [one.bill for one in self.rows if isinstance(one, _Success)]
        charge_ids = iter(self.applier.ids.charge_ids(sum([len(bill.lines) for bill in bills])))
        return [
            Heard(one.event, carry.closing_of(one.task, one.bill, charge_ids))
            if isinstance(one, _Success)
            else Heard(one, None)
            for one in self.rows
        ]
