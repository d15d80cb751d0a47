"""Puts one element into its place: control group, walls, environment, and hands it to its watcher."""

import os
import select
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from suanwang.agent import beneath, command
from suanwang.agent.adapter import StartOrder
from suanwang.agent.adapters.local import sandbox, seccomp
from suanwang.agent.adapters.local.cgroups import PERIOD_US, GroupLimits, Groups
from suanwang.agent.adapters.local.disk import Disk, owner_of
from suanwang.agent.adapters.local.element import Element, Result, Watch
from suanwang.agent.adapters.local.gate import Gate
from suanwang.agent.adapters.local.host import HostFacts
from suanwang.agent.adapters.local.settings import LocalSettings
from suanwang.agent.logfile import LogFile, LogStream
from suanwang.model.error import BackendError
from suanwang.model.event import Usage
from suanwang.model.reason import FailureReason
from suanwang.model.task import PythonEntry, TaskRequest
from suanwang.model.units import MIB

MEMORY_BYTES_MIN: Final = 16 * MIB  # less than this the sandbox itself cannot start in
SANDBOX_PROCESSES: Final = 2  # bubblewrap outside and inside
UNPRIVILEGED_UID: Final = 60_000  # the number shown inside where the agent cannot have other users


class Place:
    """Where the elements of one attempt run."""

    def __init__(self, order: StartOrder, settings: LocalSettings, facts: HostFacts, groups: Groups | None) -> None:
        self._order = order
        self._settings = settings
        self._facts = facts
        self._groups = groups

    def limits(self, cores: int) -> GroupLimits:
        """What the control group holds one element to: what it asked for, and no more than the host's share."""
        asked, share = self._order.request.resources, self._settings.shares.get(self._order.site)
        host_bytes = self._settings.host_memory_bytes or self._facts.memory_bytes
        most = host_bytes if share is None else min(share.memory_bytes, host_bytes)
        return GroupLimits(
            cpu_us=cores * PERIOD_US,
            memory_bytes=max(MEMORY_BYTES_MIN, min(asked.memory * asked.nodes, most)),
            processes=asked.processes + SANDBOX_PROCESSES,
        )

    def run(
        self,
        index: int,
        cores: int,
        disk: Disk,
        uid: int | None,
        log: LogFile,
        monotonic: Callable[[], int],
        stopped: Callable[[], bool],
        parting_us: Callable[[], int | None],
        on_sample: Callable[[int, int | None, Usage | None], None],
    ) -> Result:
        """Run one element to its end. Raises OSError, BackendError where it cannot be begun."""
        request, limits = self._order.request, self.limits(cores)
        wall_us, grace_us = request.resources.wall_time, self._settings.grace_us
        watch = Watch(monotonic, stopped, wall_us, parting_us, grace_us, partial(on_sample, index))
        stream = LogStream(log, self._order.secrets.values(), f"[{index}] " if request.array > 1 else "")
        with ExitStack() as stack:
            group = None
            if self._groups is not None:
                group = self._groups.make(f"{self._order.attempt_id}-{index}", limits)
                stack.callback(group.remove, pause)
            self._write_run_files(disk, uid)
            element = Element(group, disk, stream, watch)
            if self._facts.bwrap is None:
                return self._run_bare(element, index, cores, disk)
            return self._run_walled(element, stack, index, cores, disk, uid, limits)

    def _write_run_files(self, disk: Disk, uid: int | None) -> None:
        """The progress file, the task's; the script, ours, for it to read."""
        progress = disk.folder / "run" / "progress"
        progress.touch()
        if uid is not None:
            os.chown(progress, uid, uid)
        run = self._order.request.run
        if isinstance(run, PythonEntry) and run.script is not None:
            (disk.folder / "run" / "script.py").write_text(run.script, encoding="utf-8")

    def _run_bare(self, element: Element, index: int, cores: int, disk: Disk) -> Result:
        home, run = str(disk.folder / "task"), str(disk.folder / "run")
        environment = command.environment_of(self._order, index, cores, sandbox.python_path(), home, run)
        environment["TMPDIR"] = str(disk.folder / "tmp")
        return element.run(command.command_of(self._order, run), (), None, home, environment)

    def _run_walled(
        self,
        element: Element,
        stack: ExitStack,
        index: int,
        cores: int,
        disk: Disk,
        uid: int | None,
        limits: GroupLimits,
    ) -> Result:
        assert self._facts.bwrap is not None, "asked only where bubblewrap works"
        shown = UNPRIVILEGED_UID if uid is None else uid
        etc = disk.folder.parent / "etc"
        sandbox.write_etc(etc, shown)
        environment = command.environment_of(self._order, index, cores, sandbox.python_path())
        filter_ = seccomp.program(os.uname().machine)
        gate = self._gate(stack)
        read_status, write_status = os.pipe()
        walls = sandbox.Walls(
            disk=disk.folder,
            etc=etc,
            uid=shown,
            drop_to=uid,
            setpriv=self._facts.setpriv or "",
            network=self._order.request.resources.network and gate is None,
            shared_memory_bytes=limits.memory_bytes,
            environment_fd=_memory_file(stack, "environment", command.environment_script(environment)),
            status_fd=write_status,
            seccomp_fd=None if filter_ is None else _memory_file(stack, "seccomp", filter_),
            hidden=self._settings.hidden,
            gate_fds=None if gate is None else gate.inherited,
            mounts=_mounts(self._order.request, disk, owner_of(uid)),
        )
        python = [folder for folder in sandbox.python_folders() if _is_shown(folder, self._settings.hidden)]
        walled = sandbox.options(walls, python)
        inner = sandbox.inner_command(walls, command.command_of(self._order))
        fds = [fd for fd in (walls.environment_fd, write_status, walls.seccomp_fd) if fd is not None]
        fds += gate.inherited if gate is not None else ()
        return element.run([self._facts.bwrap, *walled, "--", *inner], fds, (read_status, write_status), "/", {}, gate)

    def _gate(self, stack: ExitStack) -> Gate | None:
        """For a task that asked for a network where each has one of its own."""
        join = self._settings.join
        if not self._order.request.resources.network or join is None:
            return None
        gate = Gate(self._order.task_id, self._order.site, join)
        stack.callback(gate.close)
        return gate


def _mounts(request: TaskRequest, disk: Disk, owner: tuple[int, int]) -> tuple[tuple[str, str], ...]:
    """The folders that are shown at absolute paths, made where no input has. Those above come first, so that one inside
    another is not hidden by it."""
    wanted = sorted(request.mounts, key=lambda one: one.path.count("/"))
    try:
        with beneath.opened_folder(disk.folder / "task") as task:
            for one in wanted:
                with beneath.parent_of(task, f"{one.folder}/x", owner):
                    pass
    except beneath.OutsideError as fault:
        raise BackendError(FailureReason.INPUT_FORBIDDEN, f"a mount: {fault}") from fault
    return tuple((one.path, one.folder) for one in wanted)


def _is_shown(folder: Path, hidden: tuple[Path, ...]) -> bool:
    return not any(folder.is_relative_to(secret) for secret in hidden)


def _memory_file(stack: ExitStack, name: str, content: bytes) -> int:
    """A file without a place on any disk, open at its start: what is in it is in no command line."""
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
    stack.callback(os.close, descriptor)
    with os.fdopen(os.dup(descriptor), "wb") as stream:
        stream.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def pause(seconds: float) -> None:
    """Wait a moment for the kernel to let go of a killed group."""
    select.select([], [], [], seconds)
