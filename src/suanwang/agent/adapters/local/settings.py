"""What the operator decides about work on this host."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from suanwang.agent.adapters.local.gate import Join
from suanwang.model.grid import PoolKind
from suanwang.model.ids import SiteId
from suanwang.model.units import MIB

UID_BASE: Final = 200_000  # above what Debian gives out (59,999) and below the ranges of containers (524,288)
UID_COUNT: Final = 10_000


GRACE_US: Final = 10_000_000  # long enough to write some gigabytes, short enough for whoever waits for the room


class NetworkRule(StrEnum):
    """What a task that asks for the network gets."""

    REFUSE = "refuse"
    HOST = "host"  # the host's own network, loopback and all: for hosts where every tenant is trusted
    JOIN = "join"  # one of its own, that `LocalSettings.join` connects to something


@dataclass(frozen=True, slots=True)
class SiteShare:
    """How much of this host one emulated site may use at once."""

    cores: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """`folder` is the adapter's own and is swept at its start; `locks` is shared by every agent of the host."""

    folder: Path
    name: str = "local"
    locks: Path | None = None  # None: inside `folder`, which is right for one agent a host
    host_cores: int | None = None  # None: all that the host has
    host_memory_bytes: int | None = None
    shares: Mapping[SiteId, SiteShare] = field(default_factory=dict)  # a site that is not here may use the whole host
    network: NetworkRule = NetworkRule.REFUSE
    join: Join | None = None  # with NetworkRule.JOIN
    allow_unsandboxed: bool = False  # where bubblewrap is missing: run as the agent's own user, seeing all it sees
    log_bytes_max: int = 16 * MIB
    uid_base: int = UID_BASE
    uid_count: int = UID_COUNT
    hidden: tuple[Path, ...] = ()  # never shown to a task, though they be below a folder that is
    grace_us: int = GRACE_US  # from SIGTERM to SIGKILL for work with a checkpoint that the grid stops
    active_max: int = 64  # attempts staged, running or collecting at once; the rest wait
    emulated: bool = True  # the host stands in for sites; False: it is the site
    kinds: frozenset[PoolKind] = frozenset({PoolKind.GENERAL, PoolKind.AI, PoolKind.HPC})
