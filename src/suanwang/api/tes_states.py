"""The phases of our tasks as states of TES, both ways: of one task, and as a filter of a list.

PREEMPTED is never told: a task that gave way is planned again by itself, and clients would take it for an end. Neither are
PAUSED and UNKNOWN. CANCELING is told of a cancelled task whose site has not answered yet; TES 1.0 has no word for it.
"""

from typing import Final

from suanwang.model.reason import FailureReason
from suanwang.model.record import Phase
from suanwang.model.tes import TesState
from suanwang.store.listing import Standing
from suanwang.store.rows import TaskRow

# Ends that an executor brought about; what else goes wrong is the system's. A full disk is the system's in TES.
EXECUTORS: Final = frozenset(
    {
        FailureReason.EXIT_CODE,
        FailureReason.SIGNAL,
        FailureReason.OUT_OF_MEMORY,
        FailureReason.WALL_TIME,
        FailureReason.PROCESS_LIMIT,
    }
)
_BY_PHASE: Final = {
    Phase.WAITING: TesState.QUEUED,
    Phase.PLANNED: TesState.QUEUED,
    Phase.DISPATCHED: TesState.INITIALIZING,
    Phase.STAGING: TesState.INITIALIZING,
    Phase.RUNNING: TesState.RUNNING,
    Phase.COLLECTING: TesState.RUNNING,
    Phase.DELIVERING: TesState.RUNNING,
    Phase.SUCCEEDED: TesState.COMPLETE,
    Phase.CANCELLED: TesState.CANCELED,
    Phase.REFUSED: TesState.SYSTEM_ERROR,
    Phase.EXPIRED: TesState.SYSTEM_ERROR,
}


def state_of(row: TaskRow, old: bool = False) -> TesState:
    """The state of a task; `old`: in the words of TES 1.0."""
    if row.phase is Phase.STOPPING:  # without a cancel the grid stops it, and plans it again
        if row.cancel_us is None:
            return TesState.RUNNING
        return TesState.CANCELED if old else TesState.CANCELING
    if row.phase is Phase.FAILED:
        return TesState.EXECUTOR_ERROR if row.reason in EXECUTORS else TesState.SYSTEM_ERROR
    return _BY_PHASE[row.phase]


def standings_of(state: TesState) -> tuple[Standing, ...]:
    """What of our tasks is in a state; nothing for one that is never told."""
    plain = frozenset(phase for phase, told in _BY_PHASE.items() if told is state)
    out = [Standing(plain)] if plain else []
    stopping, failed = frozenset({Phase.STOPPING}), frozenset({Phase.FAILED})
    reasons = frozenset(one.value for one in EXECUTORS)
    if state in (TesState.RUNNING, TesState.CANCELING):
        out.append(Standing(stopping, cancelling=state is TesState.CANCELING))
    if state in (TesState.EXECUTOR_ERROR, TesState.SYSTEM_ERROR):
        out.append(Standing(failed, reasons, others=state is TesState.SYSTEM_ERROR))
    return tuple(out)
