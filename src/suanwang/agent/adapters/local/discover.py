"""What this host could lend to the grid: its cores and memory, found by trying, and what it cannot lend."""

import os
import re
import shutil
from pathlib import Path
from typing import Final

from suanwang.agent.adapter import Limit
from suanwang.agent.adapters.local.host import probe
from suanwang.agent.needed import lacks_of
from suanwang.model.grid import Ability, PoolKind
from suanwang.model.joining import FoundPool, Inventory
from suanwang.model.units import MIB

# Kept for the host itself and the agent.
KEPT_BYTES_MIN: Final = 512 * MIB
KEPT_PERMILLE: Final = 100
# PCI base classes 0x03 with subclass 0x02 (3D controllers) and 0x12 (processing accelerators).
ACCELERATORS: Final = re.compile(r"^0x(0302|12)")
VENDORS: Final = {"0x10de": "nvidia", "0x1002": "amd", "0x19e5": "huawei", "0x1da3": "habana", "0x8086": "intel"}


def discover(folder: Path, host_cores: int | None, system: Path = Path("/sys"), network: bool = False) -> Inventory:
    """The host as one pool. `folder`: where tasks would work. `system`: where the kernel shows devices. `network`: tasks may
    have the host's."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    facts = probe("join", folder)
    notes = [f"cannot hold a task to its {limit.value}: {why}"[:300] for limit, why in facts.missing.items()]
    notes += [
        f"{count} x {model}: the local adapter does not hand it to tasks" for model, count in cards(system).items()
    ]
    kept = max(KEPT_BYTES_MIN, facts.memory_bytes * KEPT_PERMILLE // 1_000)
    pool = FoundPool(
        name="general",
        kind=PoolKind.GENERAL,
        nodes=1,
        cores_per_node=min(host_cores or facts.cores, facts.cores),
        memory_bytes_per_node=max(MIB, (facts.memory_bytes - kept) // MIB * MIB),
    )
    lacks = {Ability.CIRCUITS, Ability.IMAGES, *lacks_of(facts.missing)} | (set() if network else {Ability.NETWORK})
    pool = pool.model_copy(update={"lacks": tuple(one for one in Ability if one in lacks)})
    enforced = sorted(limit.value for limit in Limit if limit not in facts.missing)
    return Inventory(
        adapter="local",
        version=f"Linux {os.uname().release}"[:80],
        pools=(pool,),
        disk_bytes=shutil.disk_usage(folder).free,
        limits=tuple(enforced),
        notes=tuple(notes),
    )


def cards(system: Path) -> dict[str, int]:
    """Accelerators on the bus, by vendor and device."""
    out: dict[str, int] = {}
    for device in sorted((system / "bus/pci/devices").glob("*")):
        try:
            kind, vendor, model = ((device / name).read_text().strip() for name in ("class", "vendor", "device"))
        except OSError:
            continue
        if ACCELERATORS.match(kind):
            name = f"{VENDORS.get(vendor, vendor.removeprefix('0x'))}-{model.removeprefix('0x')}"
            out[name] = out.get(name, 0) + 1
    return out
