"""Builds the Ray adapter: the operator's file, checked against the grid, and what a cluster says of itself for joining."""

import json
import os
import pwd
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from suanwang.agent.adapter import Limit
from suanwang.agent.adapters.ray import RayAdapter, RayFile, RaySettings
from suanwang.agent.adapters.ray.discover import discover
from suanwang.agent.adapters.ray.limits import KINDS
from suanwang.agent.adapters.ray.server import AwayError, RayServer, RefusedError
from suanwang.agent.adapters.ray.settings import RUNTIME_ENV, RayPool
from suanwang.agent.objects import ObjectStore
from suanwang.intent.mapping import Found
from suanwang.model.error import BackendError, Fault, FaultsError
from suanwang.model.grid import Grid, Pool
from suanwang.model.ids import PoolId
from suanwang.model.joining import FoundPool, Inventory
from suanwang.model.reason import FailureReason
from suanwang.runtime import clock
from suanwang.runtime.hands import transfer_rules
from suanwang.runtime.operator_file import read_operator_file
from suanwang.runtime.settings import Settings


@dataclass(frozen=True)
class RayWish:
    """Where a cluster that joins is, and how it lets us in."""

    url: str = ""
    token_file: str = ""

    def faults(self, folder: str | None, user: str | None) -> list[Fault]:
        """One fault for each thing that has to be said and was not, or that cannot be."""
        asked = (("--ray-url", self.url), ("--shared-folder", folder))
        faults = [Fault("join_ray_needs", where) for where, got in asked if not got]
        faults += _folder_faults(folder, "--shared-folder") if folder else []
        return [*faults, *_token_faults(self.token_file, "--ray-token-file"), *_user_faults(user, "--user")]


def ray_adapter(
    settings: Settings, folder: Path, objects: ObjectStore, grid: Grid, sites: tuple[str, ...]
) -> RayAdapter:
    """The adapter over the cluster that the operator's file names, for the pools of `sites`. Raises FaultsError."""
    if not settings.ray_file:
        raise FaultsError([Fault("ray_file_needed", "ray_file")], "agent")
    pools = {pool.id: pool for site in grid.sites if site.id in sites for pool in site.pools}
    path = settings.ray_file
    file = read_operator_file(RayFile, "ray_file", path, "ray_file_unread", lambda found: _misfits(found, pools))
    ray = settings_of(file, settings.log_bytes_max, settings.stop_grace_s * 1_000_000)
    rules = transfer_rules(settings)
    return RayAdapter(ray, objects, clock.now_us, clock.monotonic_us, lambda _: None, rules)


def settings_of(file: RayFile, log_bytes_max: int, grace_us: int) -> RaySettings:
    """What the adapter makes of the file. The token is read here, so that no file of ours holds it twice."""
    return RaySettings(
        folder=Path(file.folder),
        url=file.url,
        pools=file.pools,
        user=_user(file.user),
        token=Path(file.token_file).read_text("utf-8").strip() if file.token_file else "",
        python=file.python,
        path=file.path,
        enforces=frozenset(file.enforces),
        log_bytes_max=log_bytes_max,
        grace_us=grace_us,
    )


def discover_ray(wish: RayWish, enforces: Sequence[str]) -> Inventory:
    """What joins. Raises BackendError where the head does not answer as Ray does."""
    token = Path(wish.token_file).read_text("utf-8").strip() if wish.token_file else ""
    server = RayServer(RaySettings(folder=Path("/"), url=wish.url, pools={}, token=token), clock.monotonic_us)
    try:
        return discover(server, [Limit(one) for one in enforces])
    except (AwayError, RefusedError) as fault:
        raise BackendError(FailureReason.BACKEND, f"{wish.url}: {fault}") from fault
    finally:
        server.close()


def ray_file_of(
    site: str, wish: RayWish, inventory: Inventory, folder: str | None, user: str | None, enforces: Sequence[str]
) -> str:
    """The operator's file of a cluster that joins as it was found. JSON, which is YAML too."""
    out: dict[str, object] = {"url": wish.url, "folder": folder or "", "enforces": list(enforces)}
    out |= {"user": user} if user else {}
    out |= {"token_file": str(Path(wish.token_file).absolute())} if wish.token_file else {}
    return json.dumps(out | {"pools": {f"{site}/{one.name}": _route(one) for one in inventory.pools}}, indent=2) + "\n"


def _route(pool: FoundPool) -> dict[str, object]:
    """A node of a type has one of the resource that says so; a thousandth of it is Ray's way to ask for such a node."""
    out: dict[str, object] = {"accelerator": pool.queue} if pool.queue else {}
    return out | ({"resources": {pool.resource: 0.001}} if pool.resource else {})


def _misfits(file: RayFile, pools: Mapping[PoolId, Pool]) -> Iterator[Found]:
    """Pools that are not the sites', pools of the sites that are not here or that Ray has no words for, and what cannot
    be read, reached or made."""
    known = ", ".join(sorted(pools))
    for name, route in file.pools.items():
        if name not in pools:
            yield Found("ray_pool_unknown", ("pools", name), name, {"known": known})
        yield from _odd_environment(name, route)
    for name, pool in pools.items():
        if pool.kind not in KINDS:
            yield Found("ray_pool_kind", ("pools", name), name, {"kind": pool.kind.value})
        elif name not in file.pools:
            yield Found("ray_pool_missing", ("pools",), name)
    checks = (
        ("token_file", _token_faults(file.token_file or "", "token_file")),
        ("folder", _folder_faults(file.folder, "folder")),
        ("user", _user_faults(file.user, "user")),
    )
    for where, faults in checks:
        for one in faults:
            yield Found(one.code, (where,), one.got, one.params)


def _odd_environment(name: PoolId, route: RayPool) -> Iterator[Found]:
    """Ray does nothing about words that it does not know, and takes a folder of its own side alone."""
    for key in route.runtime_env:
        if key not in RUNTIME_ENV:
            known = ", ".join(sorted(RUNTIME_ENV))
            yield Found("ray_environment_unknown", ("pools", name, "runtime_env", key), key, {"known": known})
    place = route.runtime_env.get("working_dir")
    if place is not None and "://" not in str(place):
        yield Found("ray_working_dir", ("pools", name, "runtime_env", "working_dir"), str(place))


def _token_faults(path: str, where: str) -> list[Fault]:
    if path:
        try:
            Path(path).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            detail = getattr(error, "strerror", None) or str(error)
            return [Fault("ray_token_unread", where, path, params={"detail": detail})]
    return []


def _folder_faults(path: str, where: str) -> list[Fault]:
    """The folder itself is ours to make; what it lies in is the shared file system, and has to be there."""
    return [] if Path(path).is_absolute() and Path(path).parent.is_dir() else [Fault("ray_folder_missing", where, path)]


def _user_faults(name: str | None, where: str) -> list[Fault]:
    if name is None:
        return []
    try:
        uid = int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid
    except KeyError:
        return [Fault("ray_user_unknown", where, name)]
    return [Fault("ray_user_wrong", where, name)] if os.geteuid() not in (0, uid) else []


def _user(name: str | None) -> tuple[int, int] | None:
    """Whom the nodes run work as; None where that is the agent's own user. A number is a user of the nodes that this host
    need not know; its group is the number too."""
    if name is None or os.geteuid() != 0:
        return None
    if name.isdecimal():
        return int(name), int(name)
    entry = pwd.getpwnam(name)
    return entry.pw_uid, entry.pw_gid
