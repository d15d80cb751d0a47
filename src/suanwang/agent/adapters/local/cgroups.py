"""Control groups of both versions behind one small face: limits in, figures out, kill and remove.

Version 1 has one tree a controller, version 2 one tree in all. Figures are of the whole group, so a process that
forks away is still counted and still killed.
"""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

PERIOD_US: Final = 100_000  # the kernel's own default period of the CPU quota
CONTROLLERS: Final = ("cpu", "cpuacct", "memory", "pids")
KILL_ROUNDS: Final = 200


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """`cpu_us` is CPU time per `PERIOD_US`; `processes` counts threads too, as the kernel does."""

    cpu_us: int
    memory_bytes: int
    processes: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Read at one moment. `memory_bytes` is the working set: charged memory less the file cache it could drop."""

    core_us: int = 0
    memory_bytes: int = 0
    memory_peak_bytes: int = 0
    processes: int = 0
    memory_kills: int = 0  # processes killed for want of memory
    process_refusals: int = 0  # forks refused by the process limit


class Group(Protocol):
    """One control group, made with its limits set."""

    @property
    def entry_files(self) -> list[Path]:
        """A process that writes its number into each of these is in the group."""

    def figures(self) -> Figures: ...

    def kill(self) -> None:
        """SIGKILL to every process, those forked meanwhile too."""

    def remove(self, pause: Callable[[float], object]) -> bool:
        """Kill what is left and take the group away; `pause` waits some seconds between tries. True when gone."""


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _number(path: Path) -> int:
    text = _read(path).strip()
    return int(text) if text.isdigit() else 0


def _field(path: Path, name: str) -> int:
    """One line of a flat keyed file (`memory.stat`, `cpu.stat`, ...); 0 where it is not there."""
    for line in _read(path).splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def _processes(folder: Path) -> list[int]:
    return [int(line) for line in _read(folder / "cgroup.procs").split()]


def _kill_all(folder: Path) -> None:
    for _ in range(KILL_ROUNDS):
        pids = _processes(folder)
        if not pids:
            return
        for pid in pids:
            if pid > 0:  # 0 is a process of another pid namespace, which is none of ours
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _remove(folders: list[Path], kill: Callable[[], None], pause: Callable[[float], object]) -> bool:
    for attempt in range(100):
        left = []
        for folder in folders:
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                left.append(folder)
        if not left:
            return True
        kill()
        pause(0.002 if attempt < 50 else 0.05)
    return False


class GroupV1:
    """One folder in each controller's tree."""

    def __init__(self, bases: dict[str, Path], name: str, limits: GroupLimits) -> None:
        self._at = {controller: bases[controller] / name for controller in CONTROLLERS}
        for folder in self._at.values():
            folder.mkdir(parents=True, exist_ok=True)
        self._limits = limits
        self._set()

    def _set(self) -> None:
        cpu, memory, pids = self._at["cpu"], self._at["memory"], self._at["pids"]
        (cpu / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (cpu / "cpu.cfs_quota_us").write_text(str(self._limits.cpu_us))
        (memory / "memory.limit_in_bytes").write_text(str(self._limits.memory_bytes))
        swap = memory / "memory.memsw.limit_in_bytes"
        if swap.exists():  # memory and swap together: none of it may go to swap
            swap.write_text(str(self._limits.memory_bytes))
        (pids / "pids.max").write_text(str(self._limits.processes))

    @property
    def entry_files(self) -> list[Path]:
        return [folder / "cgroup.procs" for folder in dict.fromkeys(self._at.values())]

    def figures(self) -> Figures:
        memory, pids = self._at["memory"], self._at["pids"]
        used = _number(memory / "memory.usage_in_bytes") - _field(memory / "memory.stat", "total_inactive_file")
        return Figures(
            core_us=_number(self._at["cpuacct"] / "cpuacct.usage") // 1000,
            memory_bytes=max(0, used),
            memory_peak_bytes=_number(memory / "memory.max_usage_in_bytes"),
            processes=_number(pids / "pids.current"),
            memory_kills=_field(memory / "memory.oom_control", "oom_kill"),
            process_refusals=_field(pids / "pids.events", "max"),
        )

    def kill(self) -> None:
        _kill_all(self._at["pids"])

    def remove(self, pause: Callable[[float], object]) -> bool:
        return _remove(list(dict.fromkeys(self._at.values())), self.kill, pause)


class GroupV2:
    """One folder in the unified tree."""

    def __init__(self, base: Path, name: str, limits: GroupLimits) -> None:
        self._at = base / name
        self._at.mkdir(parents=True, exist_ok=True)
        (self._at / "cpu.max").write_text(f"{limits.cpu_us} {PERIOD_US}")
        (self._at / "memory.max").write_text(str(limits.memory_bytes))
        for name_of_file, value in (("memory.swap.max", "0"), ("memory.oom.group", "1")):
            if (self._at / name_of_file).exists():  # not in every kernel that has the rest
                (self._at / name_of_file).write_text(value)
        (self._at / "pids.max").write_text(str(limits.processes))

    @property
    def entry_files(self) -> list[Path]:
        return [self._at / "cgroup.procs"]

    def figures(self) -> Figures:
        at = self._at
        charged = _number(at / "memory.current")
        return Figures(
            core_us=_field(at / "cpu.stat", "usage_usec"),
            memory_bytes=max(0, charged - _field(at / "memory.stat", "inactive_file")),
            memory_peak_bytes=_number(at / "memory.peak") or charged,
            processes=_number(at / "pids.current"),
            memory_kills=_field(at / "memory.events", "oom_kill"),
            process_refusals=_field(at / "pids.events", "max"),
        )

    def kill(self) -> None:
        switch = self._at / "cgroup.kill"
        if switch.exists():
            switch.write_text("1")
        else:
            _kill_all(self._at)

    def remove(self, pause: Callable[[float], object]) -> bool:
        return _remove([self._at], self.kill, pause)


class Groups(Protocol):
    """Makes groups below the adapter's own, and clears what an earlier process left there."""

    @property
    def version(self) -> int: ...

    def make(self, name: str, limits: GroupLimits) -> Group: ...

    def sweep(self, pause: Callable[[float], object]) -> None: ...

    def close(self) -> None:
        """Take the adapter's own folder away; it is empty after a sweep."""


class GroupsV1:
    """`bases`: for each controller of CONTROLLERS the adapter's own folder in its tree."""

    version = 1

    def __init__(self, bases: dict[str, Path]) -> None:
        self._bases = bases

    def make(self, name: str, limits: GroupLimits) -> Group:
        return GroupV1(self._bases, name, limits)

    def sweep(self, pause: Callable[[float], object]) -> None:
        for base in dict.fromkeys(self._bases.values()):
            _sweep(base, pause)

    def close(self) -> None:
        for base in dict.fromkeys(self._bases.values()):
            with suppress(OSError):
                base.rmdir()


class GroupsV2:
    """`base`: the adapter's own folder in the unified tree, with its controllers handed down."""

    version = 2

    def __init__(self, base: Path) -> None:
        self._base = base

    def make(self, name: str, limits: GroupLimits) -> Group:
        return GroupV2(self._base, name, limits)

    def sweep(self, pause: Callable[[float], object]) -> None:
        _sweep(self._base, pause)

    def close(self) -> None:
        with suppress(OSError):
            self._base.rmdir()


def _sweep(base: Path, pause: Callable[[float], object]) -> None:
    for folder in [entry for entry in base.iterdir() if entry.is_dir()] if base.is_dir() else []:
        _remove([folder], lambda at=folder: _kill_all(at), pause)  # type: ignore[misc]
