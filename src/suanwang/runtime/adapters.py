"""Which adapter an agent works with, by its name."""

from pathlib import Path
from typing import Final

from suanwang.agent.adapter import Adapter
from suanwang.agent.objects import ObjectStore
from suanwang.model.error import Fault
from suanwang.model.grid import Grid
from suanwang.runtime.hands import local_adapter
from suanwang.runtime.network_loop import lab_join
from suanwang.runtime.quantum_site import quantum_adapter, with_circuits
from suanwang.runtime.settings import Settings
from suanwang.runtime.slurm_site import slurm_adapter

ADAPTERS: Final = ("local", "slurm", "quantum")


def adapter_faults(settings: Settings) -> list[Fault]:
    """What is wrong with the choice."""
    if settings.adapter not in ADAPTERS:
        return [Fault("adapter_unknown", "adapter", settings.adapter, params={"known": ", ".join(ADAPTERS)})]
    if settings.lab and settings.adapter != "local":
        return [Fault("adapter_lab", "adapter", settings.adapter)]
    return []


def make_adapter(settings: Settings, folder: Path, objects: ObjectStore, grid: Grid, sites: tuple[str, ...]) -> Adapter:
    """The adapter that the settings name. Raises FaultsError where it cannot be."""
    if settings.adapter == "slurm":
        return slurm_adapter(settings, folder, objects, grid, sites)
    if settings.adapter == "quantum":
        return quantum_adapter(settings, folder, objects, grid, sites)
    join = lab_join(settings.lab, None) if settings.lab else None
    data_sets = {one.id: one for one in grid.data_sets}
    host = local_adapter(settings, folder, objects, data_sets, join)
    return with_circuits(host, settings, folder, objects, grid, data_sets)
