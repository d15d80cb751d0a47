"""The quantum adapter: a site's devices, simulated by qiskit-aer. See docs/guide/quantum.md."""

from collections.abc import Callable
from functools import partial
from typing import Final

from suanwang.agent.adapter import Manifest, StartOrder
from suanwang.agent.adapters.quantum import limits
from suanwang.agent.adapters.quantum.aer import AerDevice
from suanwang.agent.adapters.quantum.attempt import Attempt, Services, Stage
from suanwang.agent.adapters.quantum.clerk import Clerk
from suanwang.agent.adapters.quantum.folder import Folder, Record
from suanwang.agent.adapters.quantum.resource import QuantumResource
from suanwang.agent.adapters.quantum.settings import QuantumSettings
from suanwang.agent.adapters.remote.adapter import RemoteAdapter, Transfers
from suanwang.agent.objects import ObjectStore
from suanwang.agent.rules import TransferRules
from suanwang.agent.staging import DataSets
from suanwang.model.error import BackendError
from suanwang.model.ids import AttemptId, PoolId
from suanwang.model.reason import FailureReason

VERSION: Final = "1"


class QuantumAdapter(RemoteAdapter[Attempt]):
    """Adapter, Logs, Saves and Delivers. Every method returns at once; the clerk's thread does the work.

    A circuit does not outlive this process. A new adapter in the same folder begins it again with the same seed, as the same
    attempt, so that it comes to the same counts.
    """

    _clerk: Clerk

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
        transfers = Transfers(objects, rules, monotonic, data_sets)
        super().__init__(settings.folder, transfers, clock)
        self._services = Services(
            settings, self._folder, objects, transfers.stager, clock, monotonic, self._updates.put
        )
        self._clerk = Clerk(self._services)
        self._resources: dict[PoolId, QuantumResource] = {
            pool: AerDevice(device, self._clerk.host) for pool, device in settings.devices.items()
        }
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

    def stop(self, attempt_id: AttemptId) -> None:
        self._clerk.call(partial(self._clerk.stop, attempt_id))

    def save(self, attempt_id: AttemptId) -> None:
        """As `stop`: a circuit keeps nothing but the elements that are done, and those are told as they end."""
        self.stop(attempt_id)

    def _forget(self, attempt: Attempt) -> None:
        self._clerk.forget(attempt)

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
