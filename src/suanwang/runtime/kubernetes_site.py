"""Builds the Kubernetes adapter: the operator's file, checked against the grid, and the way to the API server."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from suanwang.agent.adapter import Limit
from suanwang.agent.adapters.kubernetes import Api, KubernetesAdapter, KubernetesFile, KubernetesSettings
from suanwang.agent.adapters.kubernetes.api import AwayError, RefusedError
from suanwang.agent.adapters.kubernetes.discover import discover
from suanwang.agent.objects import ObjectStore
from suanwang.intent.document import parse
from suanwang.intent.mapping import Found
from suanwang.intent.read import check, raise_found
from suanwang.model.error import BackendError, Fault, FaultsError
from suanwang.model.grid import Grid, PoolKind
from suanwang.model.ids import PoolId
from suanwang.model.joining import Inventory
from suanwang.model.reason import FailureReason
from suanwang.runtime import clock
from suanwang.runtime.hands import transfer_rules
from suanwang.runtime.ids import new_secret
from suanwang.runtime.kubeconfig import connect
from suanwang.runtime.private import write_private
from suanwang.runtime.settings import Settings

FILE_BYTES_MAX: Final = 1024**2


def kubernetes_adapter(
    settings: Settings, folder: Path, objects: ObjectStore, grid: Grid, sites: tuple[str, ...]
) -> KubernetesAdapter:
    """The adapter over the cluster that the operator's file or the kubeconfig names, for the pools of `sites`.

    Raises FaultsError with everything that is wrong with the operator's file, or with the kubeconfig.
    """
    file = read_kubernetes_file(settings, grid, sites)
    api = Api(connect(file.kubeconfig or settings.kubeconfig, file.context))
    kubernetes = KubernetesSettings(
        folder=Path(file.folder),
        volume=file.volume,
        pools=file.pools,
        instance=_instance(folder),
        user=(file.user, file.group if file.group is not None else file.user),
        images=file.images,
        path=file.path,
        enforces=frozenset(file.enforces),
        log_bytes_max=settings.log_bytes_max,
        grace_us=settings.stop_grace_s * 1_000_000,
    )
    rules = transfer_rules(settings)
    return KubernetesAdapter(kubernetes, api, objects, clock.now_us, clock.monotonic_us, lambda _: None, rules)


def _instance(folder: Path) -> str:
    """What tells this agent's jobs from those of others: made once, and kept where the agent keeps its journal."""
    path = folder / "kubernetes-instance"
    if not path.exists():
        write_private(path, "i" + "".join(ch for ch in new_secret().lower() if ch.isalnum())[:24])
    return path.read_text().strip()


def discover_kubernetes(settings: Settings, enforces: Sequence[str] = ()) -> Inventory:
    """What the cluster has. Raises FaultsError for a kubeconfig that cannot be used, BackendError where the server does not
    answer or does not let us look."""
    api = Api(connect(settings.kubeconfig))
    try:
        return discover(api, frozenset(Limit(one) for one in enforces))
    except (AwayError, RefusedError) as fault:
        raise BackendError(FailureReason.BACKEND, str(fault)) from fault
    finally:
        api.close()


def kubernetes_file_of(
    site: str, inventory: Inventory, user: int, folder: str, image: str, kubeconfig: str, enforces: Sequence[str] = ()
) -> str:
    """The operator's file of a cluster that joins as it was found, with a folder that its nodes have under the same name."""
    lines = [f"folder: {json.dumps(folder)}", f"volume: {{host_path: {json.dumps(folder)}}}", f"user: {user}"]
    lines += [f"kubeconfig: {json.dumps(kubeconfig)}"] if kubeconfig else []
    lines += [f"enforces: {json.dumps(list(enforces))}"] if enforces else []
    lines.append("pools:")
    for pool in inventory.pools:
        key, _, value = pool.queue.partition("=")
        words = [f"image: {json.dumps(image)}"]
        words += [f"node_selector: {{{json.dumps(key)}: {json.dumps(value)}}}"] if key else []
        if pool.resource:
            words.append(f"resource: {json.dumps(pool.resource)}")
            words.append(f"tolerations: [{{key: {json.dumps(pool.resource)}, operator: Exists}}]")
        lines.append(f"  {site}/{pool.name}: {{{', '.join(words)}}}")
    return "\n".join(lines) + "\n"


def read_kubernetes_file(settings: Settings, grid: Grid, sites: tuple[str, ...]) -> KubernetesFile:
    """The operator's file. Raises FaultsError with every fault, each with its line."""
    if not settings.kubernetes_file:
        raise FaultsError([Fault("kubernetes_file_needed", "kubernetes_file")], "agent")
    try:
        text = Path(settings.kubernetes_file).read_bytes()
    except OSError as error:
        got, why = settings.kubernetes_file, {"detail": error.strerror or ""}
        raise FaultsError([Fault("kubernetes_file_unread", "kubernetes_file", got, params=why)], "agent") from error
    document = parse(text, settings.kubernetes_file, FILE_BYTES_MAX)
    file, found = check(KubernetesFile, document)
    if file is not None:
        found = list(_misfits(file, grid, sites))
    raise_found(found, document)
    assert file is not None, "no fault means a file"
    return file


def _misfits(file: KubernetesFile, grid: Grid, sites: tuple[str, ...]) -> Iterator[Found]:
    """Pools that are not the sites', pools of the sites that are not here, and routes that cannot be."""
    if file.volume.kinds != 1:
        yield Found("kubernetes_volume", ("volume",), str(file.volume.kinds))
    if os.geteuid() not in (0, file.user):
        yield Found("kubernetes_user_wrong", ("user",), str(file.user), {"own": str(os.geteuid())})
    pools = {pool.id: pool for site in grid.sites if site.id in sites for pool in site.pools}
    for name, route in file.pools.items():
        pool = pools.get(name)
        if pool is None:
            yield Found("kubernetes_pool_unknown", ("pools", name), name, {"known": ", ".join(sorted(pools))})
        elif pool.accelerators_per_node and route.resource is None:
            yield Found("kubernetes_resource_missing", ("pools", name), name)
    for name, pool in pools.items():
        if pool.kind is not PoolKind.QUANTUM and PoolId(name) not in file.pools:
            yield Found("kubernetes_pool_missing", ("pools",), name)
