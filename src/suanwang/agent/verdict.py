"""Why an element of an attempt ended, as every adapter says it. Pure."""

from dataclasses import dataclass
from typing import Final

from suanwang.model.reason import FailureReason

SIGNAL_BASE: Final = 128  # a shell's and bubblewrap's way to say "ended by a signal" in an exit status
SIGNAL_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` is None for a success, and for one that was stopped."""

    reason: FailureReason | None
    exit_code: int | None = None
    signal: int | None = None
    detail: str = ""


def split_status(status: int | None) -> tuple[int | None, int | None]:
    """An exit status as (exit code, signal): 129 to 192 are signals, as every shell has it."""
    if status is None:
        return None, None
    if SIGNAL_BASE < status <= SIGNAL_BASE + SIGNAL_MAX:
        return None, status - SIGNAL_BASE
    return status, None
