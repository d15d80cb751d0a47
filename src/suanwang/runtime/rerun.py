"""Results of sites of third parties, run again elsewhere by sampling.

A task says with the tag `repeatable=yes` that the same inputs give the same outputs. Of such tasks that a site of somebody else has
finished, some are run a second time on the operator's own sites, on the operator's account, and the outputs are compared byte by
byte by their hashes. Which ones nobody can tell before they have ended: it is drawn from the brain's own secret and the task's id.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import structlog
from blake3 import blake3

from suanwang.flow import Road
from suanwang.model.event import OutputFile
from suanwang.model.ids import JoinId, TaskId, TenantId
from suanwang.model.joining import JoinState
from suanwang.model.principal import Submission
from suanwang.model.record import ENDS, Phase, ResultCompared
from suanwang.model.task import TaskRequest, edge_of
from suanwang.runtime.ids import RealIds, new_secret
from suanwang.runtime.private import write_private
from suanwang.store import Store
from suanwang.store.rows import TaskRow

TAG: Final = "repeatable"
MARK: Final = f"{TAG}=yes"
OWN: Final = "own"
NEWEST: Final = 200  # of the finished ones that are looked at, each time; and as many of the older ones
SEEN_MANY: Final = 10_000
PENDING_MAX: Final = 16  # second runs at once
PATIENCE_US: Final = 24 * 3_600 * 1_000_000  # a second run that finds no room for so long is given up

_log = structlog.get_logger("suanwang.trust")


class Reruns:
    """Called by the trust watch's thread alone."""

    def __init__(
        self,
        permille: int,
        secret: bytes,
        store: Store,
        verb: Callable[[], AbstractContextManager[Road]],
        look: Callable[[], AbstractContextManager[Road]],
        clock: Callable[[], int],
    ) -> None:
        self._permille, self._secret, self._store = permille, secret, store
        self._verb, self._look, self._clock = verb, look, clock
        self._ids = RealIds(clock)
        self._seen: dict[str, int] = {}  # by task: when it ended
        self._cursor: str | None = None  # how far the walk through older ones has come
        self._pending: dict[TaskId, tuple[JoinId, TaskRow]] = {}  # second runs, and what they repeat

    def step(self) -> None:
        """Compare second runs that have ended, and begin others."""
        if not self._permille:
            return
        for second, (join_id, first) in list(self._pending.items()):
            with self._look() as road:
                phase = road.state.tasks[second].phase
            if phase in ENDS:
                del self._pending[second]
                self._compare(join_id, first, second)
        oldest_us = self._clock() - PATIENCE_US // 2  # what ended before is not run again
        if len(self._seen) > SEEN_MANY:
            self._seen = {task_id: ended_us for task_id, ended_us in self._seen.items() if ended_us >= oldest_us}
        for row in self._finished():
            ended_us = row.ended_us or 0
            if ended_us >= oldest_us and row.task_id not in self._seen and len(self._pending) < PENDING_MAX:
                self._seen[row.task_id] = ended_us
                if self._is_drawn(row.task_id):
                    self._begin(row)

    def _finished(self) -> list[TaskRow]:
        """The newest, and one page of the older ones: each step goes on where the last one ended, and around again."""
        newest = self._store.tasks(phase=Phase.SUCCEEDED, tag=MARK, limit=NEWEST)
        cursor = self._cursor or newest.cursor
        if cursor is None:
            return list(newest.items)
        older = self._store.tasks(phase=Phase.SUCCEEDED, tag=MARK, limit=NEWEST, cursor=cursor)
        self._cursor = older.cursor
        return [*newest.items, *older.items]

    def _is_drawn(self, task_id: str) -> bool:
        drawn = blake3(self._secret + task_id.encode()).digest()
        return int.from_bytes(drawn[:8], "big") % 1_000 < self._permille

    def _begin(self, row: TaskRow) -> None:
        request = second_of(row)
        with self._verb() as road:
            joins = {one.view.ask.site: one.view for one in road.state.joins.values()}
            view = joins.get(row.site or "")  # type: ignore[call-overload]
            if (
                request is None
                or view is None
                or view.state is not JoinState.APPROVED
                or view.proposed.site.owner == OWN
            ):
                return
            offer = Submission(request=request, idempotency_key=f"second-{row.task_id}")
            (made,) = road.submit(TenantId("local"), "trust", [offer], [self._ids.task_id()])
            if made.task_id not in road.state.compared:
                self._pending[made.task_id] = view.join_id, row

    def _compare(self, join_id: JoinId, first: TaskRow, second: TaskId) -> None:
        left, right = self._outputs(first.task_id), self._outputs(second)
        if right is None or left is None:
            return  # it could not be run again: that says nothing of the first
        same = left == right
        with self._verb() as road:
            road.emit(
                ResultCompared(
                    at_us=self._clock(), join_id=join_id, task_id=TaskId(first.task_id), second=second, same=same
                )
            )
            road.commit()
        if not same:
            _log.warning("results_differ", site=first.site, task_id=first.task_id, second=second)

    def _outputs(self, task_id: str) -> frozenset[tuple[str, str]] | None:
        """Path and hash of what the attempt that succeeded left; None where none did."""
        done = [one for one in self._store.attempts(task_id) if one.succeeded]
        return files(done[-1].outputs) if done else None


def files(outputs: Iterable[OutputFile]) -> frozenset[tuple[str, str]]:
    return frozenset((one.path, one.blake3) for one in outputs)


def second_of(row: TaskRow) -> TaskRequest | None:
    """The same work for the second time: on the operator's own sites, delivered nowhere. None for what cannot be repeated: with
    secrets or outputs of other tasks, which are gone, or without outputs, which leave nothing to compare."""
    request = row.request
    if request.secrets or not request.outputs or any(edge_of(one.source) is not None for one in request.inputs):
        return None
    changed: dict[str, object] = {
        "name": f"second run of {row.task_id}",
        "sites": (),
        "owners": (OWN,),
        "origin": None,
        "latency": None,
        "bandwidth": 0,
        "standby": None,
        "earliest_start": None,
        "price_limit": None,
        "deadline": (row.ended_us or 0) + PATIENCE_US + request.resources.wall_time,
        "outputs": tuple(
            one.model_copy(update={"target": None, "prefix": None, "name": None}) for one in request.outputs
        ),
        "tags": {},
        "after": (),
        "together_with": {},
        "apart_from": {},
        "priority": 0,
    }
    return request.model_copy(update=changed)


def secret_of(home: Path) -> bytes:
    """What decides which results are looked at: made once for a home, and known to nobody else."""
    path = home / "draw.secret"
    if not path.exists():
        write_private(path, new_secret())
    return path.read_bytes()
