"""What this host can do, found once at the start. Nothing is assumed from its name or version: it is tried."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from suanwang.agent.adapter import Limit
from suanwang.agent.adapters.local.cgroups import CONTROLLERS, GroupLimits, Groups, GroupsV1, GroupsV2

PROBE_TRIES: Final = 3
PROBE_TIMEOUT_S: Final = 10


@dataclass(frozen=True, slots=True)
class HostFacts:
    """The probe's findings; a test may state others. Paths are None where the tool is missing or does not work."""

    root: bool
    cores: int
    memory_bytes: int
    bwrap: str | None
    setpriv: str | None
    groups: Groups | None
    loop: bool  # a disk image can be made and mounted
    why: Mapping[str, str]  # bwrap, groups, loop: why not

    @property
    def missing(self) -> dict[Limit, str]:
        """Limit by limit, why it cannot be enforced here. Wall time and log size always can."""
        out: dict[Limit, str] = {}
        if self.bwrap is None:
            out |= dict.fromkeys((Limit.FILES, Limit.NETWORK), self.why.get("bwrap", "no bubblewrap"))
        if not self.root:
            out[Limit.USER] = "the agent does not run as root, so work runs as the agent's user"
        elif self.setpriv is None or self.bwrap is None:
            out[Limit.USER] = "setpriv or bubblewrap is missing"
        if self.groups is None:
            reason = self.why.get("groups", "no control groups")
            out |= dict.fromkeys((Limit.CPU, Limit.MEMORY, Limit.PROCESSES), reason)
        if not self.loop:
            out[Limit.DISK] = self.why.get("loop", "no loop devices")
        return out


def probe(name: str, folder: Path, cgroup_root: Path = Path("/sys/fs/cgroup")) -> HostFacts:
    """Look at this host. `name` is the adapter's, `folder` where it may write; both for trying things out."""
    root = os.geteuid() == 0
    why: dict[str, str] = {}
    bwrap = _bwrap(why)
    groups = find_groups(name, why, cgroup_root, Path("/proc/self"))
    return HostFacts(
        root=root,
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        bwrap=bwrap,
        setpriv=shutil.which("setpriv", path="/usr/bin:/bin"),
        groups=groups,
        loop=_loop(folder, root, why),
        why=why,
    )


def _works(*command: str) -> str | None:
    """None where the command succeeds, else its complaint."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=PROBE_TIMEOUT_S,
            check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        return str(fault)
    return None if done.returncode == 0 else done.stderr.decode(errors="replace").strip()[:200] or "failed"


def _bwrap(why: dict[str, str]) -> str | None:
    found = shutil.which("bwrap", path="/usr/bin:/bin:/usr/local/bin")
    if found is None:
        why["bwrap"] = "bubblewrap is not installed"
        return None
    command = (found, "--ro-bind", "/", "/", "--unshare-pid", "--unshare-net", "--proc", "/proc", "true")
    # A mount below that goes away meanwhile (the disk of somebody's task) breaks a bind of all: that says nothing of this host.
    for _ in range(PROBE_TRIES):
        tried = _works(*command)
        if tried is None:
            break
    if tried is not None:
        why["bwrap"] = f"bubblewrap does not work here: {tried}"
    return found if tried is None else None


def _loop(folder: Path, root: bool, why: dict[str, str]) -> bool:
    if not root:
        why["loop"] = "disk images need root to be mounted; the folder's size is only watched"
        return False
    from suanwang.agent.adapters.local.disk import LoopDisk

    try:
        disk = LoopDisk(folder / "probe", 16 * 1024 * 1024, (0, 0))
        disk.destroy()
    except OSError as fault:
        why["loop"] = f"a disk image cannot be mounted here: {fault}; the folder's size is only watched"
        return False
    return True


def find_groups(name: str, why: dict[str, str], cgroup_root: Path, proc: Path) -> Groups | None:
    """The adapter's own groups, version 2 where all controllers are there, else version 1; None and why."""
    mine = _own_groups(proc)
    if (cgroup_root / "cgroup.controllers").exists():
        groups = _v2(cgroup_root, mine.get("", "/"), name, why)
    else:
        groups = _v1(cgroup_root, mine, name, why)
    if groups is not None:
        try:
            trial = groups.make("probe", GroupLimits(cpu_us=100_000, memory_bytes=64 * 1024 * 1024, processes=16))
            trial.remove(lambda seconds: None)
        except OSError as fault:
            why["groups"] = f"control groups cannot be made here: {fault}"
            return None
    return groups


def _own_groups(proc: Path) -> dict[str, str]:
    """Controller to this process's own group; the unified tree has the empty name."""
    out: dict[str, str] = {}
    for line in (proc / "cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        out |= dict.fromkeys(names.split(","), path)
    return out


def _below(tree: Path, own: str) -> Path:
    # Inside a container the path of /proc/self/cgroup may be the outer one, which is not visible here.
    nested = tree / own.strip("/")
    return nested if nested.is_dir() else tree


def _v1(cgroup_root: Path, mine: dict[str, str], name: str, why: dict[str, str]) -> Groups | None:
    trees = {c: cgroup_root / c for c in CONTROLLERS}
    absent = [c for c, tree in trees.items() if not tree.is_dir()]
    if absent:
        why["groups"] = f"no control group controller {', '.join(absent)}"
        return None
    bases = {c: _below(tree, mine.get(c, "/")) / f"suanwang-{name}" for c, tree in trees.items()}
    try:
        for base in bases.values():
            base.mkdir(exist_ok=True)
    except OSError as fault:
        why["groups"] = f"control groups cannot be made here: {fault.strerror}"
        return None
    return GroupsV1(bases)


def _v2(tree: Path, own: str, name: str, why: dict[str, str]) -> Groups | None:
    parent = _below(tree, own)
    wanted = {"cpu", "memory", "pids"}
    absent = wanted - set((parent / "cgroup.controllers").read_text().split())
    if absent:
        why["groups"] = f"no control group controller {', '.join(sorted(absent))}; run the service with Delegate=yes"
        return None
    try:
        _hand_down(parent, wanted)
        base = parent / f"suanwang-{name}"
        base.mkdir(exist_ok=True)
        _hand_down(base, wanted)
    except OSError as fault:
        why["groups"] = f"control groups cannot be made here: {fault.strerror}; run the service with Delegate=yes"
        return None
    return GroupsV2(base)


def _hand_down(folder: Path, wanted: set[str]) -> None:
    """Let the groups below `folder` use the controllers. A group with processes may not: then we step aside."""
    order = " ".join(f"+{controller}" for controller in sorted(wanted))
    try:
        (folder / "cgroup.subtree_control").write_text(order)
    except OSError:
        aside = folder / "suanwang-agent"
        aside.mkdir(exist_ok=True)
        (aside / "cgroup.procs").write_text(str(os.getpid()))
        (folder / "cgroup.subtree_control").write_text(order)
