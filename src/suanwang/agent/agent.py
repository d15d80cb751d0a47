"""The hands' side of the conversation: one agent, its sites, one adapter, one journal.

One `exchange` is one round: hear the adapter, journal what happened, tell the brain, do what it orders. No thread,
no clock and no socket of its own, so the same code runs under a real loop and in the simulator.

Promises: an order is journaled before it is carried out; a repeated order is carried out once; an order with an
older fence is refused; an event is repeated until the brain has it; an attempt that the adapter no longer knows is
reported lost. A round that cannot be journaled (the disk is full) raises StoreError and says and does nothing; the next one
goes on where it stopped.
"""

import importlib.metadata
from collections import deque
from collections.abc import Callable, Sequence
from functools import cache
from itertools import islice
from typing import Any, Final

from suanwang import failpoints
from suanwang.agent.adapter import TERMINAL, Adapter, Delivers, Logs, Saves, StartOrder, Update, Wakes
from suanwang.agent.journal import AttemptRow, Journal
from suanwang.agent.readable import readable_in
from suanwang.agent.shipping import LogShipper, LogSink
from suanwang.model.error import BackendError
from suanwang.model.event import (
    PLAIN_KINDS,
    AnyEvent,
    AnyInstruction,
    Event,
    EventKind,
    Heartbeat,
    InstructionKind,
    Orders,
    OutputFile,
    heartbeat_of,
)
from suanwang.model.ids import AgentId, AttemptId, SiteId, TaskId
from suanwang.model.reason import FailureReason
from suanwang.model.rows import EventRow, SeenRow

# Of one message, in events and in outputs named by them: about 1 MiB and 4 MiB of JSON. A backlog drains in order.
EVENTS_PER_EXCHANGE: Final = 4096
OUTPUTS_PER_EXCHANGE: Final = 20_000

# Clocks that differ by less than this agree: a message takes its time too.
CLOCKS_AGREE_US: Final = 5_000_000

Send = Callable[[Heartbeat], Orders]
_FREE_TEXTS: Final = ("detail", "outputs", "kept")
_AFTER_THE_END = frozenset({EventKind.DELIVERED, EventKind.DELIVERY_FAILED})


@cache
def _version() -> str:
    return importlib.metadata.version("suanwang")


def _seen(row: AttemptRow) -> SeenRow:
    return SeenRow(row.attempt_id, row.fence, row.live)


def _numbered(event: AnyEvent, sequence: int) -> AnyEvent:
    """The same event under another number."""
    if isinstance(event, Event):
        return event.model_copy(update={"sequence": sequence})
    return event._replace(sequence=sequence)


def _is_plain(update: Update) -> bool:
    """Whether an update says no more than a row of events has room for."""
    return (
        update.kind in PLAIN_KINDS
        and update.reason is None
        and update.signal is None
        and update.fraction_permille is None
        and update.kept is None
        and not update.detail
    )


class Agent:
    """Drives one adapter for some sites of the grid. Not thread-safe: one caller at a time."""

    def __init__(
        self,
        agent_id: AgentId,
        sites: Sequence[SiteId],
        adapter: Adapter,
        journal: Journal,
        clock: Callable[[], int],
        log_sink: LogSink | None = None,
    ) -> None:
        """`clock` gives microseconds since 1970 UTC. Attempts that the adapter lost are reported in the first round."""
        self.agent_id = agent_id
        self.sites = tuple(sites)
        self._site_set = frozenset(sites)
        self._adapter = adapter
        self._journal = journal
        self._clock = clock
        self._shipper = LogShipper(adapter, log_sink) if log_sink is not None and isinstance(adapter, Logs) else None
        self._known: dict[AttemptId, AttemptRow] = {row.attempt_id: row for row in journal.attempts()}
        self._live_of: dict[TaskId, AttemptId] = {r.task_id: r.attempt_id for r in self._known.values() if r.live}
        self._waiting: deque[AnyEvent] = deque(journal.events())  # journaled, not acknowledged
        self._delivering: set[AttemptId] = set()
        self._unshipped: set[AttemptId] = set()  # ended, with logs that may not all be shipped
        self._seen: dict[AttemptId, SeenRow] = {key: _seen(row) for key, row in self._known.items()}
        self._todo: list[tuple[AnyInstruction, int, dict[str, str]]] = []  # in hand: carried out when it is journaled
        self._report_lost()

    # One round ------------------------------------------------------------------------------------------------

    def exchange(self, send: Send) -> Orders:
        """One round with the brain. What `send` raises passes through; nothing is lost and the round is repeated."""
        self.collect()
        orders = send(self.heartbeat())
        failpoints.hit("agent.event.sent")
        self._acknowledge(orders.acknowledged)
        self._obey(orders)
        return orders

    def collect(self) -> None:
        """Hear the adapter: its logs go to the sink, its updates into the journal as events."""
        updates = self._adapter.poll()
        for update in updates:
            self._apply(update)
        if self._journal.commit():
            failpoints.hit("agent.event.journaled")
        self._carry_out_all()
        if self._shipper is not None:
            # After the commit: a sink that fails costs no update. Before the heartbeat: no end overtakes its log.
            self._unshipped.update(update.attempt_id for update in updates if update.kind in TERMINAL)
            self._shipper.ship(self._unshipped, tuple(self._live_of.values()))
            self._unshipped.clear()

    def heartbeat(self) -> Heartbeat:
        """What the agent says now: every attempt it holds, and its oldest unacknowledged events."""
        manifest = self._adapter.manifest
        return heartbeat_of(
            self.agent_id,
            manifest.name,
            manifest.emulated,
            self.sites,
            tuple(self._seen.values()),
            self._oldest(),
            _version(),
        )

    def _oldest(self) -> tuple[AnyEvent, ...]:
        """The first events that wait, as many as one message takes; one at least, however large."""
        out: list[AnyEvent] = []
        outputs = 0
        for event in islice(self._waiting, EVENTS_PER_EXCHANGE):
            outputs += len(event.outputs)
            if out and outputs > OUTPUTS_PER_EXCHANGE:
                break
            out.append(event)
        return tuple(out)

    def next_wake_us(self) -> int | None:
        """When the adapter has its next update, where it can tell."""
        return self._adapter.next_wake_us() if isinstance(self._adapter, Wakes) else None

    @property
    def unacknowledged(self) -> int:
        """Events that the brain has not confirmed."""
        return len(self._waiting)

    @property
    def live(self) -> tuple[AttemptId, ...]:
        """Attempts that run, as far as the agent knows."""
        return tuple(self._live_of.values())

    def close(self) -> None:
        self._adapter.close()
        self._journal.close()

    # Events ---------------------------------------------------------------------------------------------------

    def _event(self, row: AttemptRow, kind: EventKind, at_us: int, **facts: Any) -> None:
        # The work names its files as it likes. An event that cannot be written would end the agent, and the next one.
        facts |= {name: readable_in(facts[name]) for name in _FREE_TEXTS if name in facts}
        event = Event(
            agent=self.agent_id,
            sequence=self._journal.next_sequence(),
            site=row.site,
            attempt_id=row.attempt_id,
            fence=row.fence,
            at_us=at_us,
            kind=kind,
            **facts,
        )
        self._journal.add_event(event)
        self._waiting.append(event)

    def _plain_event(self, row: AttemptRow, kind: EventKind, at_us: int, update: Update | None = None) -> None:
        """An event that says only what it always says, as a row."""
        exit_code = usage = None
        outputs: tuple[OutputFile, ...] = ()
        if update is not None:
            exit_code, usage = update.exit_code, update.usage
            outputs = readable_in(update.outputs) if update.outputs else ()
        sequence = self._journal.next_sequence()
        attempt_id, fence = row.attempt_id, row.fence
        event = EventRow(self.agent_id, sequence, row.site, attempt_id, fence, at_us, kind, exit_code, usage, outputs)
        self._journal.add_event(event)
        self._waiting.append(event)

    def _end(self, row: AttemptRow) -> None:
        row.live = False
        self._journal.put_attempt(row)
        self._seen[row.attempt_id] = _seen(row)
        if self._live_of.get(row.task_id) == row.attempt_id:
            del self._live_of[row.task_id]

    def _fail(self, row: AttemptRow, reason: FailureReason, detail: str) -> None:
        self._end(row)
        self._event(row, EventKind.FAILED, self._clock(), reason=reason, detail=detail)

    def _apply(self, update: Update) -> None:
        row = self._known.get(update.attempt_id)
        if row is None or (not row.live and update.kind not in _AFTER_THE_END):
            return  # forgotten, or said its last word already: a late update changes nothing
        if update.kind in TERMINAL:
            self._end(row)
        if update.kind in _AFTER_THE_END:
            self._delivering.discard(update.attempt_id)
        if _is_plain(update):
            self._plain_event(row, update.kind, update.at_us, update)
            return
        self._event(
            row,
            update.kind,
            update.at_us,
            fraction_permille=update.fraction_permille,
            exit_code=update.exit_code,
            signal=update.signal,
            reason=update.reason,
            detail=update.detail,
            usage=update.usage,
            outputs=update.outputs,
            kept=update.kept,
        )

    def _report_lost(self) -> None:
        for row in list(self._known.values()):
            if row.live and not self._adapter.knows(row.attempt_id):
                self._fail(row, FailureReason.LOST, "the agent was restarted and its backend no longer has the work")
        self._journal.commit()

    def _acknowledge(self, sequence: int) -> None:
        if sequence > self._journal.last_sequence:
            # A new journal under an old name: the brain counts on from what it has, so must we.
            self._renumber(sequence)
        if sequence <= self._journal.acknowledged:
            return
        while self._waiting and self._waiting[0].sequence <= sequence:
            self._waiting.popleft()
        self._journal.acknowledge(sequence)

    def _renumber(self, base: int) -> None:
        events = [_numbered(one, base + number) for number, one in enumerate(self._waiting, start=1)]
        self._waiting = deque(events)
        self._journal.renumber(events, base + len(events))

    # Orders ---------------------------------------------------------------------------------------------------

    def _obey(self, orders: Orders) -> None:
        """Journal every order of the round in one commit, then carry them out in the brain's order."""
        self._journal.look_up([one.task_id for one in orders.instructions if one.kind is InstructionKind.START])
        ahead_us = self._clock() - orders.at_us if orders.at_us else 0
        for one in orders.instructions:
            if self._journal_order(one):
                not_before_us = one.not_before_us + (ahead_us if abs(ahead_us) > CLOCKS_AGREE_US else 0)
                self._todo.append((one, not_before_us, orders.secrets.get(one.attempt_id, {})))
        if self._journal.commit():
            failpoints.hit("agent.event.acknowledged")
            failpoints.hit("agent.order.journaled")
        self._carry_out_all()

    def _carry_out_all(self) -> None:
        todo, self._todo = self._todo, []
        for instruction, not_before_us, secrets in todo:
            self._carry_out(instruction, not_before_us, secrets)

    def _journal_order(self, order: AnyInstruction) -> bool:
        """Gather what the order changes; True where there is then something to do."""
        failpoints.hit("agent.order.received")
        match order.kind:
            case InstructionKind.START:
                return self._accept(order)
            case InstructionKind.STOP:
                return self._accept_stop(order)
            case InstructionKind.DELIVER:
                return order.attempt_id not in self._delivering
            case InstructionKind.FORGET:
                return self._accept_forget(order)

    def _accept(self, order: AnyInstruction) -> bool:
        if order.attempt_id in self._known:
            return False
        row = AttemptRow(order.attempt_id, order.task_id, order.site, order.fence, live=True)
        seen = self._journal.fence(order.task_id)
        if order.fence <= seen:
            detail = f"fence {order.fence} is not above {seen}, seen before"
            self._event(row, EventKind.FAILED, self._clock(), reason=FailureReason.STALE, detail=detail)
            return False
        self._hold(row)
        if order.site not in self._site_set:
            self._fail(row, FailureReason.BACKEND, f"agent {self.agent_id} does not serve site {order.site}")
            return False
        self._plain_event(row, EventKind.ACCEPTED, self._clock())
        return True

    def _hold(self, row: AttemptRow) -> None:
        seen = self._journal.fence(row.task_id)
        if row.fence > seen:
            self._journal.raise_fence(row.task_id, row.fence)
        self._journal.put_attempt(row)
        self._known[row.attempt_id] = row
        self._seen[row.attempt_id] = _seen(row)

    def _accept_stop(self, order: AnyInstruction) -> bool:
        row = self._known.get(order.attempt_id)
        if row is None:
            # Its start never came, or was forgotten: the raised fence refuses it from now on.
            row = AttemptRow(order.attempt_id, order.task_id, order.site, order.fence, live=False)
            self._hold(row)
            self._event(row, EventKind.STOPPED, self._clock(), detail="was not running here")
            return False
        return row.live

    def _accept_forget(self, order: AnyInstruction) -> bool:
        row = self._known.pop(order.attempt_id, None)
        if row is None:
            return False
        if self._live_of.get(row.task_id) == row.attempt_id:
            del self._live_of[row.task_id]
        self._journal.forget(order.attempt_id)
        if self._shipper is not None:
            self._shipper.forget(order.attempt_id)
        del self._seen[order.attempt_id]
        return True

    def _carry_out(self, order: AnyInstruction, not_before_us: int, secrets: dict[str, str]) -> None:
        match order.kind:
            case InstructionKind.START:
                self._start(order, not_before_us, secrets)
            case InstructionKind.STOP:
                self._stop(order)
            case InstructionKind.DELIVER:
                self._deliver(order)
            case InstructionKind.FORGET:
                failpoints.hit("agent.forget.before")
                self._adapter.forget(order.attempt_id)

    def _stop(self, order: AnyInstruction) -> None:
        if order.save and isinstance(self._adapter, Saves):
            self._adapter.save(order.attempt_id)
        else:
            self._adapter.stop(order.attempt_id)

    def _start(self, order: AnyInstruction, not_before_us: int, secrets: dict[str, str]) -> None:
        assert order.request is not None, "a start carries its request"
        row = self._known.get(order.attempt_id)
        if row is None or not row.live:
            return  # stopped or forgotten by a later order of the same round
        older = self._live_of.get(order.task_id)
        if older is not None:
            self._adapter.stop(older)
        self._live_of[order.task_id] = order.attempt_id
        start = StartOrder(
            site=order.site,
            pool=order.pool,
            task_id=order.task_id,
            attempt_id=order.attempt_id,
            fence=order.fence,
            request=order.request,
            demand=order.demand,
            not_before_us=not_before_us,
            secrets=secrets,
            kept=order.kept,
            number=order.number,
        )
        failpoints.hit("agent.start.before")
        try:
            self._adapter.start(start)
        except BackendError as fault:
            self._fail(row, fault.reason, fault.detail)
        failpoints.hit("agent.start.after")

    def _deliver(self, order: AnyInstruction) -> None:
        row = self._known.get(order.attempt_id)
        if row is None:
            row = AttemptRow(order.attempt_id, order.task_id, order.site, order.fence, live=False)
            self._hold(row)
        if not isinstance(self._adapter, Delivers):
            detail = f"the {self._adapter.manifest.name} adapter cannot deliver"
            self._event(row, EventKind.DELIVERY_FAILED, self._clock(), reason=FailureReason.DELIVERY, detail=detail)
            return
        self._delivering.add(order.attempt_id)
        self._adapter.deliver(order.attempt_id, order.outputs)
