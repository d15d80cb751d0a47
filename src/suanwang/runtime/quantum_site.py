"""Builds the quantum adapter: the operator's file, checked against the grid, and whom circuits run as."""

import importlib.util
import os
import pwd
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from suanwang.agent.adapter import Adapter
from suanwang.agent.adapters.beside import CircuitsBeside, Host
from suanwang.agent.adapters.quantum import Device, DeviceFile, QuantumAdapter, QuantumFile, QuantumSettings
from suanwang.agent.adapters.quantum.limits import ENFORCED, MISSING
from suanwang.agent.objects import ObjectStore
from suanwang.intent.mapping import Found
from suanwang.model.error import Fault, FaultsError
from suanwang.model.grid import Ability, DataSet, Grid, Pool, PoolKind
from suanwang.model.ids import DataSetId, PoolId
from suanwang.model.joining import FoundPool, Inventory
from suanwang.runtime import clock
from suanwang.runtime.hands import stand_ins, transfer_rules
from suanwang.runtime.operator_file import read_operator_file
from suanwang.runtime.settings import Settings

SIMULATOR: Final = ("qiskit", "qiskit_aer")
EXTRA: Final = "suanwang[quantum]"
NOBODY: Final = "nobody"
POOL: Final = "qpu"  # of a site that joins
BYTES_PER_AMPLITUDE: Final = 16  # of a state vector in double precision


def has_simulator() -> bool:
    """Whether the simulator is installed; it is not loaded for that."""
    return all(importlib.util.find_spec(name) is not None for name in SIMULATOR)


def quantum_adapter(
    settings: Settings, folder: Path, objects: ObjectStore, grid: Grid, sites: tuple[str, ...]
) -> QuantumAdapter:
    """The adapter over simulated devices, one for each pool of `sites`.

    Raises FaultsError with everything that is wrong with the operator's file, or where the simulator is not installed.
    """
    if not has_simulator():
        raise FaultsError([Fault("quantum_needs", "adapter", settings.adapter, params={"extra": EXTRA})], "agent")
    pools = {pool.id: pool for site in grid.sites if site.id in sites for pool in site.pools}
    file = read_quantum_file(settings, pools)
    quantum = QuantumSettings(
        folder=folder / "quantum",
        devices={pool: _device(pools[pool], own) for pool, own in file.devices.items()},
        python=(sys.executable,),
        user=_user(file.user),
        log_bytes_max=settings.log_bytes_max,
    )
    return QuantumAdapter(quantum, objects, clock.now_us, clock.monotonic_us, lambda _: None, transfer_rules(settings))


@dataclass(frozen=True)
class QuantumWish:
    """What the person at the site said of its device; 0: as it is by default."""

    processors: int = 0
    qubits: int = 0


def discover_quantum(wish: QuantumWish) -> Inventory:
    """A simulated device: as many qubits as a state vector in its memory holds twice, where nothing else is said. More are
    for circuits that matrices or stabilizers do. Raises FaultsError where the simulator is not installed."""
    if not has_simulator():
        raise FaultsError([Fault("quantum_needs", "adapter", "quantum", params={"extra": EXTRA})], "join")
    held = (DeviceFile().memory // 2 // BYTES_PER_AMPLITUDE).bit_length() - 1
    pool = FoundPool(
        name=POOL,
        kind=PoolKind.QUANTUM,
        nodes=wish.processors or 1,
        qubits_per_node=wish.qubits or held,
        lacks=(Ability.COMMANDS, Ability.IMAGES),
    )
    return Inventory(
        adapter="quantum",
        version=f"qiskit-aer {version('qiskit-aer')}"[:80],
        pools=(pool,),
        limits=tuple(sorted(limit.value for limit in ENFORCED)),
        notes=tuple(f"cannot hold a task to its {limit.value}: {why}" for limit, why in MISSING.items()),
    )


def with_circuits(
    host: Host,
    settings: Settings,
    folder: Path,
    objects: ObjectStore,
    grid: Grid,
    data_sets: Mapping[DataSetId, DataSet],
) -> Adapter:
    """A host that emulates sites, with simulated devices in place of their quantum pools, where the simulator is installed."""
    pools = [pool for site in grid.sites for pool in site.pools if pool.kind is PoolKind.QUANTUM]
    if not pools or not has_simulator():
        return host
    quantum = QuantumSettings(
        folder=folder / "quantum",
        devices={pool.id: _device(pool, DeviceFile()) for pool in pools},
        python=(sys.executable,),
        user=_user(NOBODY),
        log_bytes_max=settings.log_bytes_max,
        emulated=True,
    )

    def make() -> QuantumAdapter:
        rules = transfer_rules(settings)
        return QuantumAdapter(quantum, objects, clock.now_us, clock.monotonic_us, stand_ins(dict(data_sets)), rules)

    records = quantum.folder / "records"
    return CircuitsBeside(host, make, at_once=records.is_dir() and any(records.iterdir()))


def read_quantum_file(settings: Settings, pools: Mapping[PoolId, Pool]) -> QuantumFile:
    """The operator's file, or what stands for it where there is none: every quantum pool with a device of its own size.
    Raises FaultsError with every fault, each with its line."""
    if not settings.quantum_file:
        own = {pool.id: DeviceFile() for pool in pools.values() if pool.kind is PoolKind.QUANTUM}
        faults = [Fault("quantum_no_pool", "--site")] if not own else []
        faults += [Fault(one.code, "--site", str(one.got)) for one in _others(pools)]
        if faults:
            raise FaultsError(faults, "agent")
        return QuantumFile(devices=own)
    return read_operator_file(
        QuantumFile,
        "quantum_file",
        settings.quantum_file,
        "quantum_file_unread",
        lambda file: [*_misfits(file, pools), *_others(pools), *_wrong_user(file)],
    )


def _misfits(file: QuantumFile, pools: Mapping[PoolId, Pool]) -> Iterator[Found]:
    """Devices without a pool, pools without a device, and devices that are smaller than their pool says."""
    known = {name for name, pool in pools.items() if pool.kind is PoolKind.QUANTUM}
    for name, device in file.devices.items():
        if name not in known:
            yield Found("quantum_pool_unknown", ("devices", name), name, {"known": ", ".join(sorted(known))})
        elif device.qubits is not None and device.qubits < pools[name].qubits_per_node:
            promised = pools[name].qubits_per_node
            yield Found("quantum_qubits", ("devices", name, "qubits"), device.qubits, {"promised": promised})
    for name in sorted(known - set(file.devices)):
        yield Found("quantum_pool_missing", ("devices",), name)


def _others(pools: Mapping[PoolId, Pool]) -> Iterator[Found]:
    for name, pool in pools.items():
        if pool.kind is not PoolKind.QUANTUM:
            yield Found("quantum_other_pool", ("devices",), name)


def _wrong_user(file: QuantumFile) -> Iterator[Found]:
    if os.geteuid() != 0:
        return
    try:
        entry = pwd.getpwnam(file.user)
    except KeyError:
        yield Found("quantum_user_unknown", ("user",), file.user)
        return
    if entry.pw_uid == 0:
        yield Found("quantum_user_root", ("user",), file.user)


def _user(name: str) -> tuple[int, int] | None:
    """Whom circuits run as; None where the agent has no other user to give them."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid


def _device(pool: Pool, file: DeviceFile) -> Device:
    return Device(pool.id, min(pool.qubits_per_node, file.qubits or pool.qubits_per_node), pool.nodes, file)
