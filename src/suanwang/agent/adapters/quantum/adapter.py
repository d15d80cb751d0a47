"""The quantum adapter: a site's devices, simulated by qiskit-aer. See docs/guide/quantum.md."""

import os
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from suanwang import failpoints
from suanwang.agent.adapter import Manifest, StartOrder, Update
from suanwang.agent.adapters.quantum import limits
from suanwang.agent.adapters.quantum.aer import AerDevice
from suanwang.agent.adapters.quantum.attempt import Attempt, Services, Stage
from suanwang.agent.adapters.quantum.clerk import Clerk
from suanwang.agent.adapters.quantum.folder import Folder, Record
from suanwang.agent.adapters.quantum.resource import QuantumResource
from suanwang.agent.adapters.quantum.settings import QuantumSettings
from suanwang.agent.deliver import Deliverer
from suanwang.agent.guard import Downloads
from suanwang.agent.lock import try_lock
from suanwang.agent.objects import ObjectStore
from suanwang.agent.rules import TransferRules
from suanwang.agent.s3 import S3Files
from suanwang.agent.staging import DataSets, Stager
from suanwang.model.error import BackendError, ConflictError
from suanwang.model.event import EventKind, OutputFile
from suanwang.model.ids import AttemptId, PoolId
from suanwang.model.reason import FailureReason

VERSION: Final = "1"
_AFTER: Final = frozenset({EventKind.DELIVERED, EventKind.DELIVERY_FAILED})


class QuantumAdapter:
    """Adapter, Logs, Saves and Delivers. Every method returns at once; the clerk's thread does the work.

    A circuit does not outlive this process. A new adapter in the same folder begins it again with the same seed, as the same
    attempt, so that it comes to the same counts.
    """

    def __init__(
        self,
        settings: QuantumSettings,
        objects: ObjectStore,
        clock: Callable[[], int],
        monotonic: Callable[[], int],
        data_sets: DataSets,
        rules: TransferRules | None = None,
    ) -> None:
        """`clock` and `monotonic` in microseconds. Raises ConflictError where another process has the folder."""
        self._folder = Folder(settings.folder)
        self._folder.prepare()
        held = try_lock(settings.folder / "lock")
        if held is None:
            raise ConflictError("adapter_folder_taken", folder=str(settings.folder))
        self._held = held
        self._updates: queue.SimpleQueue[Update] = queue.SimpleQueue()
        self._clock = clock
        rules = rules or TransferRules()
        self._downloads = Downloads(rules.http, monotonic)
        s3 = S3Files(rules.s3)
        stager = Stager(objects, rules, data_sets, self._downloads, s3)
        self._services = Services(settings, self._folder, objects, stager, clock, monotonic, self._updates.put)
        self._deliverer = Deliverer(objects, rules, s3)
        self._deliveries = ThreadPoolExecutor(2, thread_name_prefix="deliver-")
        self._clerk = Clerk(self._services)
        self._resources: dict[PoolId, QuantumResource] = {
            pool: AerDevice(device, self._clerk.host) for pool, device in settings.devices.items()
        }
        self._attempts: dict[AttemptId, Attempt] = {}
        self._closed = False
        self.manifest = Manifest(
            "quantum", VERSION, settings.emulated, limits.KINDS, limits.ENFORCED, dict(limits.MISSING)
        )
        self._recover()
        self._clerk.start()

    # Adapter --------------------------------------------------------------------------------------------------

    def start(self, order: StartOrder) -> None:
        if order.attempt_id in self._attempts:
            return
        resource = self._resources.get(order.pool)
        limits.check(order.request, resource.target() if resource is not None else None, order.pool)
        assert resource is not None, "checked"
        record = Record(order)
        try:
            self._folder.write_record(record)
        except OSError as fault:
            raise BackendError(FailureReason.BACKEND, f"the adapter's folder: {fault}") from fault
        self._take(record, resource)

    def poll(self) -> Sequence[Update]:
        if self._clerk.failed is not None:
            raise RuntimeError("the clerk of the quantum adapter has failed") from self._clerk.failed
        out = []
        while not self._updates.empty():
            update = self._updates.get_nowait()
            if update.kind in _AFTER or update.attempt_id in self._attempts:
                out.append(update)
        return out

    def stop(self, attempt_id: AttemptId) -> None:
        self._clerk.call(partial(self._clerk.stop, attempt_id))

    def save(self, attempt_id: AttemptId) -> None:
        """As `stop`: a circuit keeps nothing but the elements that are done, and those are told as they end."""
        self.stop(attempt_id)

    def forget(self, attempt_id: AttemptId) -> None:
        attempt = self._attempts.pop(attempt_id, None)
        if attempt is None:
            return
        attempt.forgotten = True
        self._clerk.call(partial(self._clerk.forget, attempt))

    def knows(self, attempt_id: AttemptId) -> bool:
        return attempt_id in self._attempts

    def close(self) -> None:
        """End what runs; the next adapter in this folder begins it again."""
        if self._closed:
            return
        self._closed = True
        self._clerk.close()
        self._deliveries.shutdown(wait=True, cancel_futures=True)
        self._downloads.close()
        os.close(self._held)

    # Optional protocols ---------------------------------------------------------------------------------------

    def read_logs(self, attempt_id: AttemptId, offset: int, limit: int) -> bytes:
        attempt = self._attempts.get(attempt_id)
        return attempt.log.read(offset, limit) if attempt is not None else b""

    def deliver(self, attempt_id: AttemptId, outputs: Sequence[OutputFile]) -> None:
        self._deliveries.submit(self._deliver, attempt_id, tuple(outputs))

    # Inside ---------------------------------------------------------------------------------------------------

    def _recover(self) -> None:
        """Go on with what an earlier process left; what had come to its end is told again. A pool that has no device any
        more leaves its attempts unknown, so that the agent reports them lost."""
        for record in self._folder.records():
            resource = self._resources.get(record.order.pool)
            if resource is not None:
                self._take(record, resource)
                if record.last is not None:
                    self._updates.put(record.last)

    def _take(self, record: Record, resource: QuantumResource) -> None:
        stage = Stage.WAITING if record.last is None else Stage.ENDED
        attempt = Attempt(record.order, resource, self._services, record, stage=stage)
        self._attempts[record.order.attempt_id] = attempt
        self._clerk.call(partial(self._clerk.add, attempt))

    def _deliver(self, attempt_id: AttemptId, outputs: tuple[OutputFile, ...]) -> None:
        try:
            self._deliverer.deliver(attempt_id, outputs)
        except BackendError as fault:
            update = Update(
                attempt_id, self._clock(), EventKind.DELIVERY_FAILED, reason=fault.reason, detail=fault.detail
            )
        else:
            failpoints.hit("agent.deliver.done")
            update = Update(attempt_id, self._clock(), EventKind.DELIVERED, outputs=outputs)
        self._updates.put(update)
