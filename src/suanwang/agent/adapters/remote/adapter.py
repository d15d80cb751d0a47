"""The calls of the agent that need nothing of the backend. Every method returns at once; the clerk's thread does the work."""

import os
import queue
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from suanwang import failpoints
from suanwang.agent.adapter import Update
from suanwang.agent.adapters.remote.clerk import Attempted, Clerk
from suanwang.agent.deliver import Deliverer
from suanwang.agent.guard import Downloads
from suanwang.agent.lock import try_lock
from suanwang.agent.objects import ObjectStore
from suanwang.agent.rules import TransferRules
from suanwang.agent.s3 import S3Files
from suanwang.agent.staging import DataSets, Stager
from suanwang.model.error import BackendError, ConflictError
from suanwang.model.event import EventKind, OutputFile
from suanwang.model.ids import AttemptId

AFTER: Final = frozenset({EventKind.DELIVERED, EventKind.DELIVERY_FAILED})
A = TypeVar("A", bound=Attempted)


class Transfers:
    """What brings inputs in and outputs out, by the operator's rules."""

    def __init__(
        self, objects: ObjectStore, rules: TransferRules | None, monotonic: Callable[[], int], data_sets: DataSets
    ) -> None:
        rules = rules or TransferRules()
        self.downloads = Downloads(rules.http, monotonic)
        self.s3 = S3Files(rules.s3)
        self.stager = Stager(objects, rules, data_sets, self.downloads, self.s3)
        self.deliverer = Deliverer(objects, rules, self.s3)


def hold(folder: Path) -> int:
    """The lock on an adapter's folder. Raises ConflictError where another process has it."""
    held = try_lock(folder / "lock")
    if held is None:
        raise ConflictError("adapter_folder_taken", folder=str(folder))
    return held


class RemoteAdapter(ABC, Generic[A]):
    """Poll, forget, logs and delivery. What is built on it has a clerk, and says how work is begun and ended."""

    _clerk: Clerk[Any]

    def __init__(self, folder: Path, transfers: Transfers, clock: Callable[[], int]) -> None:
        """Raises ConflictError where another process has the folder."""
        self._held = hold(folder)
        self._transfers, self._clock = transfers, clock
        self._updates: queue.SimpleQueue[Update] = queue.SimpleQueue()
        self._deliveries = ThreadPoolExecutor(2, thread_name_prefix="deliver-")
        self._attempts: dict[AttemptId, A] = {}
        self._closed = False

    @abstractmethod
    def _forget(self, attempt: A) -> None:
        """On the clerk's thread: end it, and take away what is kept."""

    def poll(self) -> Sequence[Update]:
        if self._clerk.failed is not None:
            raise RuntimeError(f"the clerk of {type(self).__name__} has failed") from self._clerk.failed
        out = []
        while not self._updates.empty():
            update = self._updates.get_nowait()
            if update.kind in AFTER or update.attempt_id in self._attempts:
                out.append(update)
        return out

    def forget(self, attempt_id: AttemptId) -> None:
        attempt = self._attempts.pop(attempt_id, None)
        if attempt is None:
            return
        attempt.forgotten = True
        self._clerk.call(partial(self._forget, attempt))

    def knows(self, attempt_id: AttemptId) -> bool:
        return attempt_id in self._attempts

    def close(self) -> None:
        """Stop watching. What the backend keeps by itself, the next adapter in this folder finds again."""
        if self._closed:
            return
        self._closed = True
        self._clerk.close()
        self._deliveries.shutdown(wait=True, cancel_futures=True)
        self._transfers.downloads.close()
        os.close(self._held)

    def read_logs(self, attempt_id: AttemptId, offset: int, limit: int) -> bytes:
        attempt = self._attempts.get(attempt_id)
        return attempt.log.read(offset, limit) if attempt is not None else b""

    def deliver(self, attempt_id: AttemptId, outputs: Sequence[OutputFile]) -> None:
        self._deliveries.submit(self._deliver, attempt_id, tuple(outputs))

    def _deliver(self, attempt_id: AttemptId, outputs: tuple[OutputFile, ...]) -> None:
        try:
            self._transfers.deliverer.deliver(attempt_id, outputs)
        except BackendError as fault:
            update = Update(
                attempt_id, self._clock(), EventKind.DELIVERY_FAILED, reason=fault.reason, detail=fault.detail
            )
        else:
            failpoints.hit("agent.deliver.done")
            update = Update(attempt_id, self._clock(), EventKind.DELIVERED, outputs=outputs)
        self._updates.put(update)
