"""Which adapter an agent works with, by its name."""

from pathlib import Path
from typing import Final

from suanwang.agent.adapter import Adapter
from suanwang.agent.adapters.local.discover import discover as discover_local
from suanwang.agent.objects import ObjectStore
from suanwang.model.error import Fault, FaultsError
from suanwang.model.grid import Grid
from suanwang.model.joining import Inventory
from suanwang.runtime.hands import local_adapter
from suanwang.runtime.kubernetes_site import discover_kubernetes, kubernetes_adapter
from suanwang.runtime.network_loop import lab_join
from suanwang.runtime.quantum_site import QuantumWish, discover_quantum, quantum_adapter, with_circuits
from suanwang.runtime.ray_site import RayWish, discover_ray, ray_adapter
from suanwang.runtime.settings import Settings
from suanwang.runtime.slurm_site import discover_slurm, slurm_adapter
from suanwang.runtime.tes_site import TesWish, discover_tes, tes_adapter

ADAPTERS: Final = ("local", "slurm", "kubernetes", "quantum", "tes", "ray")


def adapter_faults(settings: Settings) -> list[Fault]:
    """What is wrong with the choice."""
    if settings.adapter not in ADAPTERS:
        return [Fault("adapter_unknown", "adapter", settings.adapter, params={"known": ", ".join(ADAPTERS)})]
    if settings.lab and settings.adapter != "local":
        return [Fault("adapter_lab", "adapter", settings.adapter)]
    return []


def discover(
    settings: Settings,
    folder: Path,
    enforces: tuple[str, ...] = (),
    tes: TesWish | None = None,
    ray: RayWish | None = None,
    quantum: QuantumWish | None = None,
) -> Inventory:
    """What the backend of the chosen adapter has: here an adapter plugs in what it can find out by itself. `enforces`: limits that
    the site keeps by means that its backend does not tell of. `tes`, `ray`, `quantum`: what the operator says of a TES server, of a
    Ray cluster, of a quantum device.

    Raises FaultsError where the adapter cannot tell, or its backend is not here; BackendError where it does not answer.
    """
    if settings.adapter == "slurm":
        return discover_slurm(enforces)
    if settings.adapter == "kubernetes":
        return discover_kubernetes(settings, enforces)
    if settings.adapter == "local":
        return discover_local(folder / "work", settings.host_cores or None, network=settings.task_network)
    if settings.adapter == "tes":
        return discover_tes(tes or TesWish(), enforces)
    if settings.adapter == "ray":
        return discover_ray(ray or RayWish(), enforces)
    if settings.adapter == "quantum":
        return discover_quantum(quantum or QuantumWish())
    raise FaultsError([Fault("join_adapter", "adapter", settings.adapter)], "join")


def make_adapter(
    settings: Settings, folder: Path, objects: ObjectStore, grid: Grid, sites: tuple[str, ...], emulated: bool = True
) -> Adapter:
    """The adapter that the settings name. Not `emulated`: with `local` this host is the site. Raises FaultsError where it cannot be."""
    if settings.adapter == "slurm":
        return slurm_adapter(settings, folder, objects, grid, sites)
    if settings.adapter == "kubernetes":
        return kubernetes_adapter(settings, folder, objects, grid, sites)
    if settings.adapter == "quantum":
        return quantum_adapter(settings, folder, objects, grid, sites)
    if settings.adapter == "tes":
        return tes_adapter(settings, folder, objects, grid, sites)
    if settings.adapter == "ray":
        return ray_adapter(settings, folder, objects, grid, sites)
    join = lab_join(settings.lab, None) if settings.lab else None
    data_sets = {one.id: one for one in grid.data_sets}
    host = local_adapter(settings, folder, objects, data_sets, join, emulated)
    if not emulated:
        return host
    return with_circuits(host, settings, folder, objects, grid, data_sets)
