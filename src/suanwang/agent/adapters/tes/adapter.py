"""The TES adapter: a site behind another server of GA4GH TES. See docs/guide/tes-site.md."""

from collections.abc import Callable
from functools import partial
from typing import Final

from suanwang.agent.adapter import Limit, Manifest, StartOrder
from suanwang.agent.adapters.remote.adapter import RemoteAdapter, Transfers
from suanwang.agent.adapters.tes import limits
from suanwang.agent.adapters.tes.attempt import Attempt, Services, Stage
from suanwang.agent.adapters.tes.clerk import Clerk
from suanwang.agent.adapters.tes.document import document_of
from suanwang.agent.adapters.tes.folder import Folder, Record
from suanwang.agent.adapters.tes.server import TesServer
from suanwang.agent.adapters.tes.settings import TesSettings
from suanwang.agent.adapters.tes.storage import Storage
from suanwang.agent.objects import ObjectStore
from suanwang.agent.rules import TransferRules
from suanwang.agent.staging import DataSets
from suanwang.model.error import BackendError
from suanwang.model.ids import AttemptId
from suanwang.model.reason import FailureReason

VERSION: Final = "1.1.0"


class TesAdapter(RemoteAdapter[Attempt]):
    """Adapter, Logs, Saves and Delivers. The clerk's thread speaks with the server; every method here returns at once.

    What was begun outlives this process: a new adapter in the same folder goes on with it.
    """

    _clerk: Clerk

    def __init__(
        self,
        settings: TesSettings,
        objects: ObjectStore,
        clock: Callable[[], int],
        monotonic: Callable[[], int],
        data_sets: DataSets,
        rules: TransferRules | None = None,
        server: TesServer | None = None,
    ) -> None:
        """`clock` and `monotonic` in microseconds. Raises ConflictError where another process has the folder."""
        self._settings = settings
        self._folder = Folder(settings.folder)
        self._folder.prepare()
        transfers = Transfers(objects, rules, monotonic, data_sets)
        super().__init__(settings.folder, transfers, clock)
        self._server = server or TesServer(settings, monotonic)
        storage = Storage(settings.storage, transfers.s3)
        services = Services(
            settings, self._folder, storage, objects, transfers.stager, clock, monotonic, self._updates.put
        )
        self._services = services
        self._clerk = Clerk(services, self._server)
        missing = limits.missing(settings.enforces)
        enforced = frozenset(limit for limit in Limit if limit not in missing)
        self.manifest = Manifest("tes", VERSION, False, limits.KINDS, enforced, missing)
        for record in self._folder.records():
            self._take(record)
            if record.last is not None:
                self._updates.put(record.last)
        self._clerk.start()

    def start(self, order: StartOrder) -> None:
        if order.attempt_id in self._attempts:
            return
        limits.check(order.request, order.pool, self._settings)
        document_of(order, 0, self._settings, None, "")  # what no command can hold is said now
        record = Record(order)
        try:
            self._folder.write_record(record)
        except OSError as fault:
            raise BackendError(FailureReason.BACKEND, f"the adapter's folder: {fault}") from fault
        self._take(record)

    def stop(self, attempt_id: AttemptId) -> None:
        self._clerk.call(partial(self._clerk.stop, attempt_id))

    def save(self, attempt_id: AttemptId) -> None:
        """As `stop`: TES gives nothing back before the end but the elements of an array that are done."""
        self.stop(attempt_id)

    def close(self) -> None:
        closed = self._closed
        super().close()
        if not closed:
            self._server.close()

    def _forget(self, attempt: Attempt) -> None:
        self._clerk.forget(attempt)

    def _take(self, record: Record) -> None:
        stage = Stage.WAITING if record.last is None else Stage.ENDED
        attempt = Attempt(record.order, self._services, record, stage, wall_over=record.wall_over)
        self._attempts[record.order.attempt_id] = attempt
        self._clerk.call(partial(self._clerk.add, attempt))
