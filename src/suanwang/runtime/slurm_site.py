"""Builds the Slurm adapter: the operator's file, checked against the grid, and whom the work runs as."""

import json
import os
import pwd
from collections.abc import Iterator, Sequence
from pathlib import Path

from suanwang.agent.adapter import Limit
from suanwang.agent.adapters.slurm import SlurmAdapter, SlurmFile, SlurmSettings
from suanwang.agent.adapters.slurm.discover import discover
from suanwang.agent.adapters.slurm.settings import TAKEN_OPTIONS
from suanwang.agent.adapters.slurm.tools import AwayError, SlurmTools
from suanwang.agent.objects import ObjectStore
from suanwang.intent.mapping import Found
from suanwang.model.error import BackendError, Fault, FaultsError
from suanwang.model.grid import Grid, PoolKind
from suanwang.model.ids import PoolId
from suanwang.model.joining import Inventory
from suanwang.model.reason import FailureReason
from suanwang.runtime import clock
from suanwang.runtime.hands import transfer_rules
from suanwang.runtime.operator_file import read_operator_file
from suanwang.runtime.settings import Settings

POLL_US_MIN = 100_000


def slurm_adapter(
    settings: Settings, folder: Path, objects: ObjectStore, grid: Grid, sites: tuple[str, ...]
) -> SlurmAdapter:
    """The adapter over the cluster that this host is a client of, for the pools of `sites`.

    Raises FaultsError with everything that is wrong with the operator's file, or where Slurm's commands are missing.
    """
    file = read_slurm_file(settings, grid, sites)
    slurm = SlurmSettings(
        folder=Path(file.folder) if file.folder is not None else folder / "slurm",
        pools=file.pools,
        user=_user(file.user),
        path=file.path,
        enforces=frozenset(file.enforces),
        log_bytes_max=settings.log_bytes_max,
        grace_us=settings.stop_grace_s * 1_000_000,
        poll_us=max(POLL_US_MIN, settings.slurm_poll_s * 1_000_000),
        tools=_tools(),
        conf=os.environ.get("SLURM_CONF"),
    )
    rules = transfer_rules(settings)
    return SlurmAdapter(slurm, objects, clock.now_us, clock.monotonic_us, lambda _: None, rules)


def discover_slurm(enforces: Sequence[str] = ()) -> Inventory:
    """What the cluster has that this host is a client of. Raises FaultsError where Slurm's commands are missing, BackendError
    where the controller does not answer."""
    tools = SlurmTools(SlurmSettings(folder=Path("/"), pools={}, tools=_tools(), conf=os.environ.get("SLURM_CONF")))
    try:
        return discover(tools, frozenset(Limit(one) for one in enforces))
    except AwayError as fault:
        raise BackendError(FailureReason.BACKEND, str(fault)) from fault


def slurm_file_of(
    site: str, inventory: Inventory, user: str | None, folder: str | None, enforces: Sequence[str] = ()
) -> str:
    """The operator's file of a cluster that joins as it was found."""
    lines = [f"folder: {folder}"] if folder else []
    lines += [f"user: {user}"] if user else []
    lines += [f"enforces: {json.dumps(list(enforces))}"] if enforces else []
    lines.append("pools:")
    for pool in inventory.pools:
        gres = f", gres: {json.dumps(pool.resource)}" if pool.resource else ""
        lines.append(f"  {site}/{pool.name}: {{partition: {json.dumps(pool.queue)}{gres}}}")
    return "\n".join(lines) + "\n"


def _tools() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/local/bin:/usr/bin:/bin"


def read_slurm_file(settings: Settings, grid: Grid, sites: tuple[str, ...]) -> SlurmFile:
    """The operator's file. Raises FaultsError with every fault, each with its line."""
    if not settings.slurm_file:
        raise FaultsError([Fault("slurm_file_needed", "slurm_file")], "agent")
    return read_operator_file(
        SlurmFile,
        "slurm_file",
        settings.slurm_file,
        "slurm_file_unread",
        lambda file: [*_misfits(file, grid, sites), *_wrong_user(file)],
    )


def _misfits(file: SlurmFile, grid: Grid, sites: tuple[str, ...]) -> Iterator[Found]:
    """Pools that are not the sites', pools of the sites that are not here, and routes that cannot be."""
    pools = {pool.id: pool for site in grid.sites if site.id in sites for pool in site.pools}
    for name, route in file.pools.items():
        pool = pools.get(name)
        if pool is None:
            yield Found("slurm_pool_unknown", ("pools", name), name, {"known": ", ".join(sorted(pools))})
        elif pool.accelerators_per_node and route.gres is None:
            yield Found("slurm_gres_missing", ("pools", name), name)
        for at, option in enumerate(route.options):
            if option.partition("=")[0] in TAKEN_OPTIONS:
                yield Found("slurm_option_taken", ("pools", name, "options", at), option)
    for name, pool in pools.items():
        if pool.kind is not PoolKind.QUANTUM and PoolId(name) not in file.pools:
            yield Found("slurm_pool_missing", ("pools",), name)


def _wrong_user(file: SlurmFile) -> Iterator[Found]:
    root = os.geteuid() == 0
    if file.user is None:
        if root:
            yield Found("slurm_user_needed", ("user",), "")
        return
    try:
        entry = pwd.getpwnam(file.user)
    except KeyError:
        yield Found("slurm_user_unknown", ("user",), file.user)
        return
    if entry.pw_uid == 0 or (not root and entry.pw_uid != os.geteuid()):
        yield Found("slurm_user_wrong", ("user",), file.user)


def _user(name: str | None) -> tuple[str, int, int] | None:
    """Whom commands and work run as; None where that is the agent's own user."""
    if name is None or os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(name)
    return name, entry.pw_uid, entry.pw_gid
