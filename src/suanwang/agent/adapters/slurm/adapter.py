"""The Slurm adapter: a site's cluster, reached by its own commands. See docs/guide/slurm.md."""

import os
from collections.abc import Callable, Mapping
from functools import partial

from suanwang.agent.adapter import Limit, Manifest, StartOrder
from suanwang.agent.adapters.remote.adapter import RemoteAdapter, Transfers
from suanwang.agent.adapters.slurm import limits, script
from suanwang.agent.adapters.slurm.attempt import Attempt, Services, Stage
from suanwang.agent.adapters.slurm.clerk import Clerk
from suanwang.agent.adapters.slurm.folder import Folder, Record
from suanwang.agent.adapters.slurm.settings import PoolRoute, SlurmSettings
from suanwang.agent.adapters.slurm.tools import AwayError, SlurmTools
from suanwang.agent.objects import ObjectStore
from suanwang.agent.rules import TransferRules
from suanwang.agent.staging import DataSets
from suanwang.model.error import BackendError
from suanwang.model.ids import AttemptId
from suanwang.model.ranges import numbers_left
from suanwang.model.reason import FailureReason
from suanwang.model.task import TaskRequest


class SlurmAdapter(RemoteAdapter[Attempt]):
    """Adapter, Logs, Saves and Delivers. The clerk's thread speaks with Slurm; every method here returns at once.

    What was begun outlives this process: a new adapter in the same folder goes on with it.
    """

    _clerk: Clerk

    def __init__(
        self,
        settings: SlurmSettings,
        objects: ObjectStore,
        clock: Callable[[], int],
        monotonic: Callable[[], int],
        data_sets: DataSets,
        rules: TransferRules | None = None,
        tools: SlurmTools | None = None,
    ) -> None:
        """`clock` and `monotonic` in microseconds.

        Raises FaultsError where Slurm's commands are missing, ConflictError where another process has the folder.
        """
        self._settings = settings
        self._tools = tools or SlurmTools(settings)
        owner = (os.geteuid(), os.getegid()) if settings.user is None else settings.user[1:]
        self._folder = Folder(settings.folder, owner)
        self._folder.prepare()
        transfers = Transfers(objects, rules, monotonic, data_sets)
        super().__init__(settings.folder, transfers, clock)
        self._services = Services(
            settings, self._folder, objects, transfers.stager, clock, monotonic, self._updates.put
        )
        self._config = self._ask_config()
        self._version = self._ask_version()
        path = ":".join((*settings.path, self._tools.folder))
        self._clerk = Clerk(self._services, self._tools, path, self._has_accounting)
        self._recover()
        self._clerk.start()

    @property
    def manifest(self) -> Manifest:
        missing = limits.missing_limits(self._config, self._settings.enforces)
        enforced = frozenset(limit for limit in Limit if limit not in missing)
        return Manifest("slurm", self._version, False, limits.KINDS, enforced, missing)

    # Adapter --------------------------------------------------------------------------------------------------

    def start(self, order: StartOrder) -> None:
        if order.attempt_id in self._attempts:
            return
        if not self._config:
            self._config = self._ask_config()
        self._check(order)
        script.work_script(order, self._folder.here(order.attempt_id), "")
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

    def _forget(self, attempt: Attempt) -> None:
        self._clerk.forget(attempt)

    # Inside ---------------------------------------------------------------------------------------------------

    def _ask_config(self) -> Mapping[str, str]:
        try:
            config = self._tools.config()
        except AwayError:
            return self._folder.kept_config()
        self._folder.keep_config(config)
        return config

    def _ask_version(self) -> str:
        try:
            return self._tools.version()
        except AwayError:
            return "unknown"

    def _has_accounting(self) -> bool:
        return self._config.get("AccountingStorageType", "").endswith("/slurmdbd")

    def _route(self, order: StartOrder) -> PoolRoute | None:
        return self._settings.pools.get(order.pool)

    def _check(self, order: StartOrder) -> None:
        text = self._config.get("MaxArraySize", "")
        most = int(text) if text.isdecimal() else limits.ARRAY_MAX
        missing = limits.missing_limits(self._config, self._settings.enforces)
        limits.check(order.request, self._route(order), order.pool, missing, most, _span(order))

    def _recover(self) -> None:
        """Go on with what an earlier process left; what had come to its end is told again."""
        for record in self._folder.records():
            self._take(record, recovered=True)
            if record.last is not None:
                self._updates.put(record.last)

    def _take(self, record: Record, recovered: bool = False) -> None:
        order = record.order
        attempt = Attempt(
            order,
            self._services,
            record,
            route=self._route(order) or PoolRoute(),
            stage=Stage.WAITING if record.last is None else Stage.ENDED,
            wall_over=record.wall_over,
            recovered=recovered,
        )
        self._attempts[order.attempt_id] = attempt
        self._clerk.call(partial(self._clerk.add, attempt))


def _span(order: StartOrder) -> int:
    """From the first to the last element that is to run, both counted; 0 where it is no array."""
    request: TaskRequest = order.request
    if request.array == 1:
        return 0
    left = numbers_left(order.kept.done if order.kept is not None else (), request.array)
    return left[-1] - left[0] + 1 if left else 0
