"""Builds the TES adapter: the operator's file, checked against the grid, and what a server says of itself for joining."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from suanwang.agent.adapter import Limit
from suanwang.agent.adapters.tes import TesAdapter, TesFile, TesSettings
from suanwang.agent.adapters.tes.discover import discover
from suanwang.agent.adapters.tes.limits import KINDS
from suanwang.agent.adapters.tes.server import AwayError, RefusedError, TesServer
from suanwang.agent.objects import ObjectStore
from suanwang.intent.mapping import Found
from suanwang.model.error import BackendError, Fault, FaultsError
from suanwang.model.grid import Grid, Pool
from suanwang.model.ids import PoolId
from suanwang.model.joining import Inventory
from suanwang.model.reason import FailureReason
from suanwang.runtime import clock
from suanwang.runtime.hands import transfer_rules
from suanwang.runtime.operator_file import read_operator_file
from suanwang.runtime.settings import Settings

POOL: Final = "general"  # of a site that joins


@dataclass(frozen=True)
class TesWish:
    """What TES cannot tell, and the operator says when a server joins. Sizes are of one node."""

    url: str = ""
    image: str = ""
    storage: str = ""
    token_file: str = ""
    images: tuple[str, ...] = ()
    network: bool = False
    nodes: int = 0
    cores: int = 0
    memory_bytes: int = 0

    def missing(self) -> list[Fault]:
        """One fault for each thing that has to be said and was not."""
        given = {
            "--tes-url": self.url,
            "--tes-image": self.image,
            "--tes-storage": self.storage,
            "--nodes": self.nodes,
            "--cores": self.cores,
            "--memory": self.memory_bytes,
        }
        return [Fault("join_tes_needs", where) for where, got in given.items() if not got]


def tes_adapter(
    settings: Settings, folder: Path, objects: ObjectStore, grid: Grid, sites: tuple[str, ...]
) -> TesAdapter:
    """The adapter over the server that the operator's file names, for the pools of `sites`. Raises FaultsError."""
    if not settings.tes_file:
        raise FaultsError([Fault("tes_file_needed", "tes_file")], "agent")
    pools = {pool.id: pool for site in grid.sites if site.id in sites for pool in site.pools}
    file = read_operator_file(
        TesFile, "tes_file", settings.tes_file, "tes_file_unread", lambda found: _misfits(found, pools)
    )
    rules = transfer_rules(settings)
    scope = f"{grid.id}/{'+'.join(sites)}/"
    tes = settings_of(file, folder / "tes", settings.log_bytes_max, scope)
    return TesAdapter(tes, objects, clock.now_us, clock.monotonic_us, lambda _: None, rules)


def settings_of(file: TesFile, folder: Path, log_bytes_max: int, scope: str = "") -> TesSettings:
    """What the adapter makes of the file. The token is read here, so that no file of ours holds it twice."""
    return TesSettings(
        folder=folder,
        url=file.url,
        image=file.image,
        storage=file.storage,
        pools=file.pools,
        token=Path(file.token_file).read_text("utf-8").strip() if file.token_file else "",
        scope=scope,
        images=file.images,
        network=file.network,
        path=file.path,
        enforces=frozenset(file.enforces),
        log_bytes_max=log_bytes_max,
    )


def discover_tes(wish: TesWish, enforces: Sequence[str]) -> Inventory:
    """What joins. Raises FaultsError for what was not said, BackendError where the server does not answer as TES does."""
    faults = [*wish.missing(), *_unread(wish.token_file, "--tes-token-file"), *_unreachable(wish.storage)]
    if faults:
        raise FaultsError(faults, "join")
    file = TesFile.model_validate_json(json.dumps(_file(wish, POOL, enforces)))
    server = TesServer(settings_of(file, Path("/"), 0), clock.monotonic_us)
    try:
        limits = [Limit(one) for one in enforces]
        return discover(server, wish.nodes, wish.cores, wish.memory_bytes, bool(wish.images), wish.network, limits)
    except (AwayError, RefusedError) as fault:
        raise BackendError(FailureReason.BACKEND, f"{wish.url}: {fault}") from fault
    finally:
        server.close()


def tes_file_of(site: str, wish: TesWish, enforces: Sequence[str]) -> str:
    """The operator's file of a server that joins. JSON, which is YAML too."""
    return json.dumps(_file(wish, f"{site}/{POOL}", enforces), indent=2) + "\n"


def _file(wish: TesWish, pool: str, enforces: Sequence[str]) -> dict[str, object]:
    out: dict[str, object] = {
        "url": wish.url,
        "image": wish.image,
        "storage": wish.storage,
        "images": list(wish.images),
        "network": wish.network,
        "enforces": list(enforces),
        "pools": {pool: {}},
    }
    return out | ({"token_file": str(Path(wish.token_file).absolute())} if wish.token_file else {})


def _misfits(file: TesFile, pools: Mapping[PoolId, Pool]) -> Iterator[Found]:
    """Pools that are not the sites', pools of the sites that are not here or that TES has no words for, and what
    cannot be read or reached."""
    known = ", ".join(sorted(pools))
    for name in file.pools:
        if name not in pools:
            yield Found("tes_pool_unknown", ("pools", name), name, {"known": known})
    for name, pool in pools.items():
        if pool.kind not in KINDS:
            yield Found("tes_pool_kind", ("pools", name), name, {"kind": pool.kind.value})
        elif name not in file.pools:
            yield Found("tes_pool_missing", ("pools",), name)
    for one in _unread(file.token_file or "", "token_file"):
        yield Found(one.code, ("token_file",), one.got, one.params)
    for one in _unreachable(file.storage):
        yield Found(one.code, ("storage",), one.got)


def _unread(path: str, where: str) -> list[Fault]:
    if path:
        try:
            Path(path).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            detail = getattr(error, "strerror", None) or str(error)
            return [Fault("tes_token_unread", where, path, params={"detail": detail})]
    return []


def _unreachable(storage: str) -> list[Fault]:
    """A folder has to be there; a bucket is asked when there is something to fetch."""
    if not storage.startswith("file:") or Path(unquote(urlsplit(storage).path)).is_dir():
        return []
    return [Fault("tes_storage_missing", "--tes-storage", storage)]
