"""The local adapter: many sites of the grid, their work on this one host."""

import os
import queue
import shutil
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b

from suanwang import failpoints
from suanwang.agent import command
from suanwang.agent.adapter import Limit, Manifest, StartOrder, Update
from suanwang.agent.adapters.local import needs
from suanwang.agent.adapters.local.attempt import Attempt, Services
from suanwang.agent.adapters.local.disk import unmount_below
from suanwang.agent.adapters.local.host import HostFacts, probe
from suanwang.agent.adapters.local.place import pause
from suanwang.agent.adapters.local.settings import LocalSettings
from suanwang.agent.adapters.local.slots import Slots, Users
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

VERSION = "1"


class LocalAdapter:
    """Adapter, Logs, Saves and Delivers. Attempts run on threads of their own; every method here returns at once."""

    def __init__(
        self,
        settings: LocalSettings,
        objects: ObjectStore,
        clock: Callable[[], int],
        monotonic: Callable[[], int],
        data_sets: DataSets,
        rules: TransferRules | None = None,
        facts: HostFacts | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """`clock` and `monotonic` in microseconds; `on_change` is called, on any thread, when `poll` has news.

        Takes its folder for itself and sweeps what an earlier process left there: groups, mounts, folders.
        Raises ConflictError where another process has the folder.
        """
        self._settings = settings
        settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        held = try_lock(settings.folder / "lock")
        if held is None:
            raise ConflictError("adapter_folder_taken", folder=str(settings.folder))
        self._held = held
        self._attempts_folder = settings.folder / "attempts"
        self._facts = facts or self._probe()
        self._sweep()
        self._on_change = on_change
        self._updates: queue.SimpleQueue[Update] = queue.SimpleQueue()
        rules = rules or TransferRules()
        self._downloads = Downloads(rules.http, monotonic)
        s3 = S3Files(rules.s3)
        locks = settings.locks or settings.folder / "locks"
        cores = min(settings.host_cores or self._facts.cores, self._facts.cores)
        self._services = Services(
            settings=settings,
            facts=self._facts,
            groups=self._facts.groups,
            slots=Slots(locks, cores, settings.shares),
            users=Users(locks, settings.uid_base, settings.uid_count),
            objects=objects,
            stager=Stager(objects, rules, data_sets, self._downloads, s3),
            clock=clock,
            monotonic=monotonic,
            post=self._post,
        )
        self._deliverer = Deliverer(objects, rules, s3)
        self._deliveries = ThreadPoolExecutor(2, thread_name_prefix="deliver-")
        self._attempts: dict[AttemptId, Attempt] = {}
        self._pending: deque[Attempt] = deque()
        self._threads: dict[AttemptId, threading.Thread] = {}
        self._closed = False
        missing = self._facts.missing
        limits = frozenset(limit for limit in Limit if limit not in missing)
        self.manifest = Manifest("local", VERSION, settings.emulated, settings.kinds, limits, missing)

    # Adapter --------------------------------------------------------------------------------------------------

    def start(self, order: StartOrder) -> None:
        if order.attempt_id in self._attempts:
            return
        needs.check(order.request, self._facts, self._settings)
        command.command_of(order)
        command.environment_of(order, 0, 1, "")
        attempt = Attempt(order, self._services, self._attempts_folder / order.attempt_id)
        self._attempts[order.attempt_id] = attempt
        self._pending.append(attempt)
        self._launch()

    def poll(self) -> Sequence[Update]:
        out = []
        while not self._updates.empty():
            out.append(self._updates.get_nowait())
        self._launch()
        return out

    def stop(self, attempt_id: AttemptId) -> None:
        attempt = self._attempts.get(attempt_id)
        if attempt is None or attempt.ended:
            return
        attempt.stop()
        if attempt in self._pending:
            self._pending.remove(attempt)
            attempt.end_unstarted()

    def save(self, attempt_id: AttemptId) -> None:
        attempt = self._attempts.get(attempt_id)
        if attempt is not None and not attempt.ended and attempt not in self._pending:
            attempt.save()
        else:
            self.stop(attempt_id)

    def forget(self, attempt_id: AttemptId) -> None:
        attempt = self._attempts.pop(attempt_id, None)
        if attempt is None:
            return
        attempt.silence()
        if attempt in self._pending:
            self._pending.remove(attempt)
            attempt.log.close()
        if attempt_id not in self._threads or attempt.ended:
            shutil.rmtree(attempt.folder, ignore_errors=True)

    def knows(self, attempt_id: AttemptId) -> bool:
        return attempt_id in self._attempts

    def close(self) -> None:
        """Kill everything and wait until it is gone."""
        if self._closed:
            return
        self._closed = True
        for attempt in self._attempts.values():
            attempt.silence()
        for attempt in self._pending:
            attempt.log.close()
        for thread in list(self._threads.values()):
            thread.join()
        self._deliveries.shutdown(wait=True, cancel_futures=True)
        self._downloads.close()
        self._sweep()
        if self._facts.groups is not None:
            self._facts.groups.close()
        os.close(self._held)

    # Optional protocols ---------------------------------------------------------------------------------------

    def read_logs(self, attempt_id: AttemptId, offset: int, limit: int) -> bytes:
        attempt = self._attempts.get(attempt_id)
        return attempt.log.read(offset, limit) if attempt is not None else b""

    def next_wake_us(self) -> int | None:
        """When the next attempt that waits for its data may begin."""
        return min((attempt.order.not_before_us for attempt in self._pending), default=None)

    def deliver(self, attempt_id: AttemptId, outputs: Sequence[OutputFile]) -> None:
        self._deliveries.submit(self._deliver, attempt_id, tuple(outputs))

    # Inside ---------------------------------------------------------------------------------------------------

    def _probe(self) -> HostFacts:
        # The name holds the folder, so that two agents of one host never sweep each other's groups.
        tail = blake2b(str(self._settings.folder.resolve()).encode(), digest_size=4).hexdigest()
        shutil.rmtree(self._settings.folder / "probe", ignore_errors=True)
        return probe(f"{self._settings.name}-{tail}", self._settings.folder)

    def _sweep(self) -> None:
        if self._facts.groups is not None:
            self._facts.groups.sweep(pause)
        if self._facts.root:
            unmount_below(self._settings.folder)
        shutil.rmtree(self._attempts_folder, ignore_errors=True)
        self._attempts_folder.mkdir(mode=0o700)

    def _post(self, update: Update) -> None:
        self._updates.put(update)
        self._on_change()

    def _launch(self) -> None:
        """Give a thread to each attempt whose time has come, as many as may be active at once."""
        self._threads = {key: thread for key, thread in self._threads.items() if thread.is_alive()}
        now_us = self._services.clock()
        for attempt in list(self._pending):
            if len(self._threads) >= self._settings.active_max:
                return
            if attempt.order.not_before_us <= now_us:
                self._pending.remove(attempt)
                thread = threading.Thread(target=attempt.run, name=attempt.order.attempt_id, daemon=True)
                self._threads[attempt.order.attempt_id] = thread
                thread.start()

    def _deliver(self, attempt_id: AttemptId, outputs: tuple[OutputFile, ...]) -> None:
        clock = self._services.clock
        try:
            self._deliverer.deliver(attempt_id, outputs)
        except BackendError as fault:
            update = Update(attempt_id, clock(), EventKind.DELIVERY_FAILED, reason=fault.reason, detail=fault.detail)
        else:
            failpoints.hit("agent.deliver.done")
            update = Update(attempt_id, clock(), EventKind.DELIVERED, outputs=outputs)
        self._post(update)
