"""The events of one message, taken in together: what thousands of them share is worked out once.

Plain events (a live attempt goes on as it should, or succeeds with nothing to deliver) are rows of one batch: decided by
the table of life, folded at once, and billed with `settle.Bills`. Any other event is taken alone (`Applier.take`), in
its order among them. Both ways write the same history.
"""

from suanwang.dispatch import carry, lifecycle
from suanwang.dispatch.applier import Applier, is_plain
from suanwang.model.batch import EventsHeard, Heard
from suanwang.model.event import AnyEvent, EventKind, Heartbeat
from suanwang.observe import batches
from suanwang.observe.state import Task


def take_all(applier: Applier, heartbeat: Heartbeat, now_us: int) -> None:
    """Apply each event of a message once, in order."""
    if heartbeat.events:
        _Intake(applier, heartbeat, now_us).run()


class _Intake:
    """One message. What plain rows change of tenants and of who waits is told when a run of them ends."""

    def __init__(self, applier: Applier, heartbeat: Heartbeat, now_us: int) -> None:
        self.applier, self.heartbeat, self.now_us = applier, heartbeat, now_us
        self.sites = frozenset(heartbeat.sites)
        self.rows: list[Heard] = []
        self.ended: list[Task] = []
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
        state, attempt_id = self.applier.state, event.attempt_id
        task_id = state.by_attempt.get(attempt_id)
        task = state.tasks[task_id] if task_id is not None else None
        attempt = task.attempt if task is not None else None
        if task is None or attempt is None or attempt.fence != event.fence or attempt.site not in self.sites:
            return False
        if not is_plain(event) or attempt_id in state.parting:
            return False
        if event.kind is EventKind.FINISHED:
            return self._succeeds(task, event)
        transition = lifecycle.step(task.phase, lifecycle.signal_of(event, 0, False))  # no retry: it has not failed
        if transition is None or transition.effects:
            return False
        batches.hear(self.now_us, event, task)
        self.rows.append(Heard(event, None))
        return True

    def _succeeds(self, task: Task, event: AnyEvent) -> bool:
        if any(one.target for one in event.outputs) or not carry.is_plain_success(task):
            return False
        if lifecycle.step(task.phase, lifecycle.Signal.FINISHED) is not lifecycle.SUCCESS:
            return False
        applier, now_us = self.applier, self.now_us
        closing = carry.closing_of(task, event, now_us, applier.bills, applier.ids)
        self.rows.append(Heard(event, closing))
        applier.waits.before_leaving(task)
        batches.hear(now_us, event, task)
        batches.end(applier.state, task, event, closing, self.sums)
        self.ended.append(task)
        return True

    def _flush(self, last: int) -> None:
        """Tell what the rows since the last time have brought about. `last`: the sequence of the latest of them."""
        if not self.rows:
            return
        applier = self.applier
        applier.state.cursors[self.heartbeat.agent] = last
        applier.add_rows(EventsHeard, self.now_us, self.rows)
        self.rows = []
        if self.ended:
            self.sums.settle(applier.state)
            applier.waits.tasks_ended(self.ended)
            applier.room_us = self.now_us
            for task in self.ended:
                applier.planned_us.pop(task.task_id, None)
            self.ended = []
