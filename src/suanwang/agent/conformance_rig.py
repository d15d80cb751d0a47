"""What the conformance suite works with: the rig that wraps an adapter, and a run that starts, waits and remembers."""

from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Final, Protocol

from suanwang.agent.adapter import TERMINAL, Adapter, Logs, StartOrder, Update
from suanwang.agent.objects import ObjectStore
from suanwang.model.event import EventKind, Kept
from suanwang.model.ids import AttemptId, PoolId, SiteId, TaskId
from suanwang.model.task import TaskRequest

SITE: Final = SiteId("conformance")
OUTPUT_NAME: Final = "result.txt"
CHECKPOINT_NAME: Final = "saved.txt"
PRINTED: Final = b"started"


class Work(Enum):
    """Kinds of work that a rig can ask its adapter for."""

    OK = auto()  # prints at least PRINTED, writes OUTPUT_NAME, ends with 0
    EXIT_3 = auto()
    SIGNAL_15 = auto()
    OUT_OF_MEMORY = auto()
    FOREVER = auto()
    SAVES = auto()  # prints PRINTED, runs for ever, and writes how far it is into CHECKPOINT_NAME, its checkpoint


class Rig(Protocol):
    """One adapter under test."""

    @property
    def adapter(self) -> Adapter: ...
    @property
    def objects(self) -> ObjectStore: ...
    def clock(self) -> int: ...
    def request(self, work: Work) -> TaskRequest:
        """A request that makes the adapter do this work."""

    def pass_time(self) -> bool:
        """Let some time pass; False where nothing more can be expected."""

    def restart(self) -> None:
        """The adapter's process dies and comes back: `adapter` is a new one."""


class Run:
    """One case at work: starts, waits, remembers every update."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.updates: list[Update] = []

    def order(
        self,
        number: int = 1,
        work: Work = Work.OK,
        not_before_us: int = 0,
        kept: Kept | None = None,
        **changes: Any,
    ) -> StartOrder:
        request = self.rig.request(work).model_copy(update=changes)
        return StartOrder(
            site=SITE,
            pool=PoolId(f"{SITE}/general"),
            task_id=TaskId(f"task-{number:026d}"),
            attempt_id=AttemptId(f"att-{number:026d}"),
            fence=1,
            request=request,
            not_before_us=not_before_us,
            kept=kept,
        )

    def start(self, number: int = 1, work: Work = Work.OK, **changes: Any) -> StartOrder:
        order = self.order(number, work, **changes)
        self.rig.adapter.start(order)
        return order

    def until(self, done: Callable[[], bool]) -> None:
        while True:
            self.updates += self.rig.adapter.poll()
            if done():
                return
            assert self.rig.pass_time(), f"waited in vain; so far {[u.kind.value for u in self.updates]}"

    def until_ended(self, count: int = 1) -> Update:
        """Wait for that many last words, and a little longer for what should not come; the latest last word."""
        self.until(lambda: len(self.ends()) >= count)
        self.rig.pass_time()
        self.updates += self.rig.adapter.poll()
        assert len(self.ends()) == count, "an attempt has one last word"
        return self.ends()[-1]

    def until_running(self) -> None:
        self.until(lambda: EventKind.RUNNING in [u.kind for u in self.updates])

    def until_printed(self, order: StartOrder) -> None:
        """Wait until the work itself has begun."""
        adapter = self.rig.adapter
        assert isinstance(adapter, Logs), "an adapter without logs cannot tell"
        self.until(lambda: PRINTED in adapter.read_logs(order.attempt_id, 0, 1 << 20))

    def ends(self) -> list[Update]:
        return [u for u in self.updates if u.kind in TERMINAL]

    def kept(self) -> Kept:
        """What the latest checkpoint keeps."""
        told = [u.kept for u in self.updates if u.kept is not None]
        assert told, f"no checkpoint came; so far {[u.kind.value for u in self.updates]}"
        return told[-1]

    def kinds(self) -> list[EventKind]:
        return [u.kind for u in self.updates if u.kind is not EventKind.PROGRESS]
