"""From how an element ended to why. Pure: one table, read from the top."""

from dataclasses import dataclass

from suanwang.agent.verdict import Verdict, split_status
from suanwang.model.reason import FailureReason


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
