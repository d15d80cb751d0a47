"""The Kubernetes adapter: a site's cluster, by its API server. See docs/guide/kubernetes-site.md."""

import os
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from suanwang import failpoints
from suanwang.agent.adapter import Limit, Manifest, StartOrder, Update
from suanwang.agent.adapters.kubernetes import limits, script
from suanwang.agent.adapters.kubernetes.api import Api, AwayError, RefusedError, ServerVersion
from suanwang.agent.adapters.kubernetes.attempt import Attempt, Services, Stage
from suanwang.agent.adapters.kubernetes.clerk import Clerk
from suanwang.agent.adapters.kubernetes.cluster import Cluster
from suanwang.agent.adapters.kubernetes.folder import Folder, Record
from suanwang.agent.adapters.kubernetes.settings import KubernetesSettings, PoolRoute
from suanwang.agent.adapters.kubernetes.watch import Mirror
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
from suanwang.model.ranges import numbers_left
from suanwang.model.reason import FailureReason

_AFTER = frozenset({EventKind.DELIVERED, EventKind.DELIVERY_FAILED})


class KubernetesAdapter:
    """Adapter, Logs, Saves and Delivers. The clerk's thread and the mirror's speak with the API server; every method here
    returns at once. What was begun outlives this process: a new adapter in the same folder goes on with it.
    """

    def __init__(
        self,
        settings: KubernetesSettings,
        api: Api,
        objects: ObjectStore,
        clock: Callable[[], int],
        monotonic: Callable[[], int],
        data_sets: DataSets,
        rules: TransferRules | None = None,
    ) -> None:
        """`clock` and `monotonic` in microseconds. `api` is closed with the adapter. Raises ConflictError where another
        process has the folder."""
        self._settings = settings
        self._api = api
        self._folder = Folder(settings.folder, settings.user)
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
        records = self._folder.records()
        # Also where the operator's file sends nothing any more: what is there is still ours.
        routes = [*settings.pools.values(), *(one.route for one in records if one.route is not None)]
        namespaces = {route.namespace or api.namespace for route in routes}
        self._mirror = Mirror(api, namespaces, settings.instance, self._changed)
        self._cluster = Cluster(api, self._mirror, settings)
        self._version = self._ask_version()
        self._clerk = Clerk(self._services, self._cluster)
        self._attempts: dict[AttemptId, Attempt] = {}
        self._recover(records)
        self._closed = False
        self._clerk.start()
        self._mirror.start()

    @property
    def manifest(self) -> Manifest:
        missing = limits.missing_limits(self._settings.enforces)
        enforced = frozenset(limit for limit in Limit if limit not in missing)
        return Manifest("kubernetes", self._version.text, False, limits.KINDS, enforced, missing)

    # Adapter --------------------------------------------------------------------------------------------------

    def start(self, order: StartOrder) -> None:
        if order.attempt_id in self._attempts:
            return
        if not self._version.major:
            self._version = self._ask_version()
        left = numbers_left(order.kept.done if order.kept is not None else (), order.request.array)
        limits.check(order.request, self._settings, order.pool, len(left) * order.request.resources.nodes)
        script.work_script(order, "")
        record = Record(order, indexed=self._version.indexed, route=self._route(order))
        try:
            self._folder.write_record(record)
        except OSError as fault:
            raise BackendError(FailureReason.BACKEND, f"the adapter's folder: {fault}") from fault
        self._take(record)

    def poll(self) -> Sequence[Update]:
        if self._clerk.failed is not None:
            raise RuntimeError("the clerk of the Kubernetes adapter has failed") from self._clerk.failed
        out = []
        while not self._updates.empty():
            update = self._updates.get_nowait()
            if update.kind in _AFTER or update.attempt_id in self._attempts:
                out.append(update)
        return out

    def stop(self, attempt_id: AttemptId) -> None:
        self._clerk.call(partial(self._clerk.stop, attempt_id, False))

    def save(self, attempt_id: AttemptId) -> None:
        self._clerk.call(partial(self._clerk.stop, attempt_id, True))

    def forget(self, attempt_id: AttemptId) -> None:
        attempt = self._attempts.pop(attempt_id, None)
        if attempt is None:
            return
        attempt.forgotten = True
        self._clerk.call(partial(self._clerk.forget, attempt))

    def knows(self, attempt_id: AttemptId) -> bool:
        return attempt_id in self._attempts

    def close(self) -> None:
        """Stop watching. What the cluster has it keeps: the next adapter in this folder finds it again."""
        if self._closed:
            return
        self._closed = True
        self._mirror.close()
        self._clerk.close()
        self._deliveries.shutdown(wait=True, cancel_futures=True)
        self._downloads.close()
        self._api.close()
        os.close(self._held)

    # Optional protocols ---------------------------------------------------------------------------------------

    def read_logs(self, attempt_id: AttemptId, offset: int, limit: int) -> bytes:
        attempt = self._attempts.get(attempt_id)
        return attempt.log.read(offset, limit) if attempt is not None else b""

    def deliver(self, attempt_id: AttemptId, outputs: Sequence[OutputFile]) -> None:
        self._deliveries.submit(self._deliver, attempt_id, tuple(outputs))

    # Inside ---------------------------------------------------------------------------------------------------

    def _changed(self, attempt: str) -> None:
        self._clerk.changed(attempt)

    def _ask_version(self) -> ServerVersion:
        try:
            return self._api.version()
        except (AwayError, RefusedError):
            return ServerVersion()

    def _route(self, order: StartOrder) -> PoolRoute:
        """With the namespace that it has now, also where that is the kubeconfig's."""
        route = self._settings.pools.get(order.pool) or PoolRoute()
        return route.model_copy(update={"namespace": route.namespace or self._api.namespace})

    def _recover(self, records: Sequence[Record]) -> None:
        """Go on with what an earlier process left; what had come to its end is told again."""
        for record in records:
            self._take(record)
            if record.last is not None:
                self._updates.put(record.last)

    def _take(self, record: Record) -> None:
        order = record.order
        attempt = Attempt(
            order,
            record.route or self._route(order),
            self._services,
            record,
            stage=Stage.WAITING if record.last is None else Stage.ENDED,
            wall_over=record.wall_over,
            indexed=record.indexed,
        )
        self._attempts[order.attempt_id] = attempt
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
