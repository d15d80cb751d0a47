"""From what Slurm and the job's script say of an end to why. Pure: one table, read from the top."""

from dataclasses import dataclass
from typing import Final

from suanwang.agent.adapters.slurm.parse import ACTIVE
from suanwang.agent.verdict import Verdict, split_status
from suanwang.model.reason import FailureReason

KILLED: Final = 9
# Slurm's own word for "the script could not be begun": its folder or its log cannot be opened on the node.
NOT_BEGUN: Final = 53
# What Slurm ends a job's processes with. A script that is quick writes that signal down before it falls to the next one:
# beside a state of `OUTSIDE` it is Slurm's doing and not the work's own end.
SENT: Final = frozenset({9, 15})
OUTSIDE: Final = {
    "CANCELLED": "the job was cancelled at the site",
    "NODE_FAIL": "a node of the job failed",
    "BOOT_FAIL": "a node of the job did not boot",
    "PREEMPTED": "the site preempted the job",
    "DEADLINE": "Slurm ended the job at its own deadline",
    "REVOKED": "the job was revoked by the site's federation",
}


@dataclass(frozen=True, slots=True)
class Ending:
    """The facts of one element's end. `state` and `status` (as wait(2) has it) are Slurm's, None and 0 where it knows the
    job no more; `told` is the exit status that the job's script wrote down, None where it came to none."""

    state: str | None
    status: int = 0
    told: int | None = None
    stopped: bool = False
    wall_over: bool = False


def judge(ending: Ending) -> Verdict:
    """What the agent's own hand did comes first, then the work's own success, then what Slurm did, then the rest."""
    assert ending.state not in ACTIVE, "judged after its end"
    if ending.stopped:
        return Verdict(None)
    if ending.told == 0:
        return Verdict(None, exit_code=0)
    if ending.wall_over:
        return Verdict(FailureReason.WALL_TIME)
    code, signal = split_status(ending.told)
    if ending.state == "OUT_OF_MEMORY":
        return Verdict(FailureReason.OUT_OF_MEMORY, code, signal if code or signal else KILLED)
    if ending.state == "TIMEOUT":
        return Verdict(FailureReason.WALL_TIME)
    if ending.state in OUTSIDE and (ending.told is None or signal in SENT):
        return Verdict(FailureReason.BACKEND, detail=OUTSIDE[ending.state])
    if ending.told is not None:
        return _own(code, signal)
    if ending.state is None:
        return Verdict(FailureReason.LOST, detail="Slurm no longer knows the job, and it left no exit status")
    if ending.state == "COMPLETED":
        return Verdict(None, exit_code=0)
    return _by_slurm(ending.status, ending.state)


def _own(code: int | None, signal: int | None) -> Verdict:
    if signal is not None:
        return Verdict(FailureReason.SIGNAL, signal=signal)
    return Verdict(FailureReason.EXIT_CODE, exit_code=code)


def _by_slurm(status: int, state: str) -> Verdict:
    """The script itself came to no end: what Slurm says of it."""
    signal = status & 0x7F
    if signal == NOT_BEGUN:
        return Verdict(FailureReason.BACKEND, detail="the node could not open the job's folder: do all nodes have it?")
    if signal:
        return Verdict(FailureReason.SIGNAL, signal=signal)
    code, signal_told = split_status(status >> 8)
    if code == 0:
        return Verdict(FailureReason.BACKEND, detail=f"Slurm ended the job as {state}")
    return _own(code, signal_told)
