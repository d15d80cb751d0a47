"""From how an element ended to why. Pure: one table, read from the top."""

from dataclasses import dataclass

from suanwang.model.reason import FailureReason

SIGNAL_BASE = 128  # a shell's and bubblewrap's way to say "ended by a signal" in an exit status
SIGNAL_MAX = 64


@dataclass(frozen=True, slots=True)
class Ending:
    """The facts of one element's end. `status` is the exit status of the work, None where it never had one."""

    status: int | None
    stopped: bool = False
    wall_over: bool = False
    memory_kills: int = 0
    disk_full: bool = False
    process_refusals: int = 0
    fault: str = ""  # what the sandbox itself said, where it never came to the work


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` is None for a success, and for one that was stopped."""

    reason: FailureReason | None
    exit_code: int | None = None
    signal: int | None = None
    detail: str = ""


def judge(ending: Ending) -> Verdict:
    """What the agent's own hand did comes first, then what a limit did, then what the work did itself."""
    if ending.stopped:
        return Verdict(None)
    if ending.wall_over:
        return Verdict(FailureReason.WALL_TIME)
    code, signal = split_status(ending.status)
    if code == 0:
        return Verdict(None, exit_code=0)
    if ending.memory_kills:
        return Verdict(FailureReason.OUT_OF_MEMORY, code, signal)
    if ending.disk_full:
        return Verdict(FailureReason.DISK_FULL, code, signal)
    if ending.process_refusals:
        return Verdict(FailureReason.PROCESS_LIMIT, code, signal)
    if ending.status is None:
        return Verdict(FailureReason.BACKEND, detail=ending.fault or "the sandbox was ended from outside")
    if signal is not None:
        return Verdict(FailureReason.SIGNAL, signal=signal)
    return Verdict(FailureReason.EXIT_CODE, exit_code=code)


def split_status(status: int | None) -> tuple[int | None, int | None]:
    """An exit status as (exit code, signal): 129 to 192 are signals, as every shell has it."""
    if status is None:
        return None, None
    if SIGNAL_BASE < status <= SIGNAL_BASE + SIGNAL_MAX:
        return None, status - SIGNAL_BASE
    return status, None
