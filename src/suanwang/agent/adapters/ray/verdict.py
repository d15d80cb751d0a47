"""From what Ray and the runner say of an end to why. Pure: one table, read from the top."""

from dataclasses import dataclass
from typing import Final

from suanwang.agent.adapters.ray.server import ENDED, Job, gist
from suanwang.agent.verdict import Verdict, split_status
from suanwang.model.reason import FailureReason

KILLED: Final = 9
# What Ray ends a job's processes with. Beside STOPPED it is Ray's doing and not the work's own end.
SENT: Final = frozenset({9, 15})
NOBODY_WAITS: Final = 97  # of the runner
BEGUN_BEFORE: Final = 98
# Ray's closed words for why a job failed, where it says nothing of the work.
_ERRORS: Final = {
    "RUNTIME_ENV_SETUP_FAILURE": "Ray could not make the pool's runtime_env",
    "JOB_SUPERVISOR_ACTOR_START_TIMEOUT": "Ray found no place for the job in the time that it gives to jobs that wait",
    "JOB_SUPERVISOR_ACTOR_START_FAILURE": "Ray could not start the job",
    "JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE": "Ray can put the job on no node",
    "JOB_SUPERVISOR_ACTOR_UNKNOWN_FAILURE": "Ray lost sight of the job",
    "JOB_SUPERVISOR_ACTOR_DIED": "the job's node failed, or Ray ended the job there for its memory",
    "JOB_ENTRYPOINT_COMMAND_START_ERROR": "the node could not start the job's command",
}
_NOT_BEGUN: Final = "the node could not run the job's runner: do all nodes have the shared folder, and a Python?"


@dataclass(frozen=True, slots=True)
class Told:
    """What the runner wrote down. `cause`: what it ended the work for; the status is a shell's."""

    status: int
    cause: str = ""
    wall_us: int = 0
    core_us: int = 0
    memory_peak_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Ending:
    """The facts of one element's end. `job`: None where Ray knows it no more, or did not have to be asked; `told`: None where
    the runner came to no end of its own."""

    job: Job | None
    told: Told | None = None
    stopped: bool = False
    wall_over: bool = False


def judge(ending: Ending) -> Verdict:
    """What the agent's own hand did comes first, then the work's own success, then limits, then what Ray did, then the rest."""
    job, told = ending.job, ending.told
    assert told is not None or job is None or job.status in ENDED, "judged after its end"
    if ending.stopped:
        return Verdict(None)
    if told is not None and told.status == 0 and not told.cause:
        return Verdict(None, exit_code=0)
    if ending.wall_over or (told is not None and told.cause == "wall_time"):
        return Verdict(FailureReason.WALL_TIME)
    if told is not None and told.cause == "memory":
        return Verdict(FailureReason.OUT_OF_MEMORY, signal=KILLED)
    code, signal = split_status(told.status if told is not None else None)
    if job is not None and job.status == "STOPPED" and (told is None or signal in SENT):
        return Verdict(FailureReason.BACKEND, detail="the job was stopped at the site")
    if told is not None:
        return _own(code, signal)
    if job is None:
        return Verdict(FailureReason.LOST, detail="Ray no longer knows the job, and it left no exit status")
    return Verdict(FailureReason.BACKEND, detail=_by_ray(job))


def _own(code: int | None, signal: int | None) -> Verdict:
    if signal is not None:
        return Verdict(FailureReason.SIGNAL, signal=signal)
    return Verdict(FailureReason.EXIT_CODE, exit_code=code)


def _by_ray(job: Job) -> str:
    if job.error in _ERRORS:
        return f"{_ERRORS[job.error]}: {gist(job.message)}"
    if job.code == BEGUN_BEFORE:
        return "the job had begun before, and its end was not seen"
    if job.code == NOBODY_WAITS:
        return "the node did not find the agent's licence: do agent and nodes see the same shared folder?"
    if job.status == "SUCCEEDED":
        return "Ray says SUCCEEDED, and the shared folder has no exit status: do agent and nodes see the same folder?"
    last = job.message.rstrip().splitlines()[-1:] or [""]
    return f"{_NOT_BEGUN} {gist(last[0])}".rstrip()
