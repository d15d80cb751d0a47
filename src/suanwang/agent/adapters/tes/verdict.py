"""From what TES says of an end to why. Pure: one table, read from the top."""

from dataclasses import dataclass
from signal import valid_signals
from typing import Final

from suanwang.agent.verdict import Verdict
from suanwang.model.reason import FailureReason
from suanwang.model.tes import TesState

ENDED: Final = frozenset(
    {TesState.COMPLETE, TesState.EXECUTOR_ERROR, TesState.SYSTEM_ERROR, TesState.CANCELED, TesState.PREEMPTED}
)
# As a shell tells of a signal. A program may end with such a number by itself: TES cannot tell the two apart.
_SIGNAL_BASE: Final = 128
_KILLED: Final = 9
_TIMED_OUT: Final = 124
# What a server may say beside the standard (`logs[].metadata.reason`, as a brain of this grid does). Only what the work
# itself came to: what went wrong with the other side's inputs and places is that side's, and is tried again.
_TOLD: Final = {
    one.value: one
    for one in (
        FailureReason.OUT_OF_MEMORY,
        FailureReason.WALL_TIME,
        FailureReason.PROCESS_LIMIT,
        FailureReason.DISK_FULL,
    )
}
_OUTSIDE: Final = {
    TesState.CANCELED: "the task was cancelled at the site",
    TesState.PREEMPTED: "the site preempted the task",
    TesState.COMPLETE: "the site says COMPLETE and has no exit code of the work",
    TesState.EXECUTOR_ERROR: "the site says EXECUTOR_ERROR and has no exit code of the work",
}


@dataclass(frozen=True, slots=True)
class Ending:
    """The facts of one task's end. `state`: None where the server knows it no more. `code`: of the work's own executor."""

    state: TesState | None
    code: int | None = None
    told: str = ""  # the server's own word for the reason
    notes: str = ""  # its system logs
    stopped: bool = False
    wall_over: bool = False
    ran_us: int = 0
    wall_us: int = 0


def judge(ending: Ending) -> Verdict:
    """What the agent's own hand did comes first, then the work's own success, then what the server says, then the code."""
    assert ending.state is None or ending.state in ENDED, "judged after its end"
    if ending.stopped:
        return Verdict(None)
    if ending.state is TesState.COMPLETE and ending.code == 0:
        return Verdict(None, exit_code=0)
    told = _TOLD.get(ending.told)
    late = ending.code in (_TIMED_OUT, _SIGNAL_BASE + _KILLED) and 0 < ending.wall_us <= ending.ran_us
    if ending.wall_over or told is FailureReason.WALL_TIME or (told is None and late):
        return Verdict(FailureReason.WALL_TIME)
    if told is not None:
        signal = _KILLED if told is FailureReason.OUT_OF_MEMORY else None
        return Verdict(told, signal=signal, detail=ending.notes)
    if ending.state is None:
        return Verdict(FailureReason.LOST, detail="the server no longer knows the task")
    if ending.state is TesState.SYSTEM_ERROR:
        return Verdict(FailureReason.BACKEND, detail=ending.notes or "the site says SYSTEM_ERROR and nothing more")
    if ending.state in (TesState.CANCELED, TesState.PREEMPTED) or not ending.code:
        return Verdict(FailureReason.BACKEND, detail=f"{_OUTSIDE[ending.state]} {ending.notes}".strip())
    signal = ending.code - _SIGNAL_BASE
    if signal in {int(one) for one in valid_signals()}:
        return Verdict(FailureReason.SIGNAL, signal=signal)
    return Verdict(FailureReason.EXIT_CODE, exit_code=ending.code)
