"""The Ray adapter: a site's Ray cluster, reached by the Jobs API of its head. See docs/guide/ray-site.md."""

import os
from collections.abc import Callable
from functools import partial

from suanwang.agent.adapter import Limit, Manifest, StartOrder
from suanwang.agent.adapters.ray import limits
from suanwang.agent.adapters.ray.attempt import Attempt, Services, Stage
from suanwang.agent.adapters.ray.clerk import Clerk
from suanwang.agent.adapters.ray.folder import Folder, Record
from suanwang.agent.adapters.ray.job import work_file
from suanwang.agent.adapters.ray.server import AwayError, RayServer, RefusedError
from suanwang.agent.adapters.ray.settings import RaySettings
from suanwang.agent.adapters.remote.adapter import RemoteAdapter, Transfers
from suanwang.agent.objects import ObjectStore
from suanwang.agent.rules import TransferRules
from suanwang.agent.staging import DataSets
from suanwang.model.error import BackendError
from suanwang.model.ids import AttemptId
from suanwang.model.reason import FailureReason


class RayAdapter(RemoteAdapter[Attempt]):
    """Adapter, Logs, Saves and Delivers. The clerk's thread speaks with Ray; every method here returns at once.

    What was begun outlives this process: a new adapter in the same folder goes on with it.
    """

    _clerk: Clerk

    def __init__(
        self,
        settings: RaySettings,
        objects: ObjectStore,
        clock: Callable[[], int],
        monotonic: Callable[[], int],
        data_sets: DataSets,
        rules: TransferRules | None = None,
        server: RayServer | None = None,
    ) -> None:
        """`clock` and `monotonic` in microseconds. Raises ConflictError where another process has the folder."""
        self._settings = settings
        owner = settings.user or (os.geteuid(), os.getegid())
        self._folder = Folder(settings.folder, owner)
        self._folder.prepare()
        transfers = Transfers(objects, rules, monotonic, data_sets)
        super().__init__(settings.folder, transfers, clock)
        self._server = server or RayServer(settings, monotonic)
        self._services = Services(
            settings, self._folder, objects, transfers.stager, clock, monotonic, self._updates.put
        )
        missing = limits.missing(settings.enforces)
        enforced = frozenset(limit for limit in Limit if limit not in missing)
        self.manifest = Manifest("ray", self._ask_version(), False, limits.KINDS, enforced, missing)
        self._clerk = Clerk(self._services, self._server)
        for record in self._folder.records():
            self._take(record, recovered=True)
            if record.last is not None:
                self._updates.put(record.last)
        self._clerk.start()

    def start(self, order: StartOrder) -> None:
        if order.attempt_id in self._attempts:
            return
        limits.check(order.request, self._settings.pools, order.pool, self._settings.enforces)
        here = self._folder.here(order.attempt_id)
        work_file(order, self._settings, here, here, ())  # what no command can hold is said now
        record = Record(order)
        try:
            self._folder.write_record(record)
        except OSError as fault:
            raise BackendError(FailureReason.BACKEND, f"the adapter's folder: {fault}") from fault
        self._take(record)

    def stop(self, attempt_id: AttemptId) -> None:
        self._clerk.call(partial(self._clerk.stop, attempt_id, False))

    def save(self, attempt_id: AttemptId) -> None:
        self._clerk.call(partial(self._clerk.stop, attempt_id, True))

    def close(self) -> None:
        closed = self._closed
        super().close()
        if not closed:
            self._server.close()

    def _forget(self, attempt: Attempt) -> None:
        self._clerk.forget(attempt)

    def _ask_version(self) -> str:
        try:
            return self._server.version()
        except (AwayError, RefusedError):
            return "unknown"

    def _take(self, record: Record, recovered: bool = False) -> None:
        stage = Stage.WAITING if record.last is None else Stage.ENDED
        attempt = Attempt(
            record.order, self._services, record, stage=stage, wall_over=record.wall_over, recovered=recovered
        )
        self._attempts[record.order.attempt_id] = attempt
        self._clerk.call(partial(self._clerk.add, attempt))
