"""A small brain for tests of the agent: keeps its orders until their effect is seen, and applies each event once."""

from collections.abc import Callable
from typing import Any

from suanwang.model.error import UnreachableError
from suanwang.model.event import Event, EventKind, Heartbeat, Instruction, InstructionKind, Orders
from suanwang.model.ids import AttemptId, PlanId, PoolId, SiteId, TaskId
from suanwang.model.task import TaskRequest

SITE = SiteId("cn-bj-hub")


def made(kind: str, number: int) -> str:
    """An id of the made form: `task-00000000000000000000000001`."""
    return f"{kind}-{number:026d}"


def order(
    kind: InstructionKind = InstructionKind.START,
    task: int = 1,
    attempt: int | None = None,
    fence: int = 1,
    **rest: Any,
) -> Instruction:
    attempt = task * 100 + fence if attempt is None else attempt
    request = rest.pop("request", TaskRequest(run="true") if kind is InstructionKind.START else None)
    return Instruction(
        kind=kind,
        site=rest.pop("site", SITE),
        task_id=TaskId(made("task", task)),
        attempt_id=AttemptId(made("att", attempt)),
        plan_id=PlanId(made("plan", attempt)),
        fence=fence,
        pool=PoolId(f"{SITE}/general"),
        request=request,
        **rest,
    )


class Clock:
    def __init__(self, now_us: int = 1_000_000_000) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us


class Brain:
    """Applies events by sequence; repeats what it is told to say next in every answer until cleared."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.heartbeats: list[Heartbeat] = []
        self.orders: list[Instruction] = []
        self.secrets: dict[AttemptId, dict[str, str]] = {}
        self.applied = 0
        self.reachable = True
        self.before_answer: Callable[[], None] = lambda: None

    def send(self, heartbeat: Heartbeat) -> Orders:
        if not self.reachable:
            raise UnreachableError()
        self.heartbeats.append(heartbeat)
        for event in heartbeat.events:
            if event.sequence > self.applied:
                assert event.sequence == self.applied + 1, "events come in sequence"
                self.applied = event.sequence
                self.events.append(event)
        self.before_answer()
        return Orders(acknowledged=self.applied, instructions=tuple(self.orders), secrets=self.secrets)

    def kinds(self, attempt_id: AttemptId | None = None) -> list[EventKind]:
        return [e.kind for e in self.events if attempt_id in (None, e.attempt_id)]
