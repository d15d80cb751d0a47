"""From what the cluster and the pod's script say of an end to why. Pure: one table, read from the top."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from suanwang.agent.adapters.kubernetes.api import Object
from suanwang.agent.adapters.kubernetes.script import NOT_AGAIN
from suanwang.agent.beneath import OutsideError
from suanwang.agent.verdict import Verdict, split_status
from suanwang.model.error import BackendError
from suanwang.model.reason import FailureReason

KILLED: Final = 9
# What Kubernetes ends a pod's processes with. A script that is quick writes that down before it falls to the next one.
SENT: Final = frozenset({9, 15})
# Words of a container that waits, after which it will not begin by itself.
NO_IMAGE: Final = frozenset({"ErrImageNeverPull", "InvalidImageName"})
NO_CONTAINER: Final = frozenset({"RunContainerError", "ContainerCannotRun", "StartError"})
# Words after which the node tries again. Whether that may help is in the registry's own words, where they are told; else time
# says it: a registry that is overrun or away, a volume that is slow to come.
PULLED_AGAIN: Final = frozenset({"ErrImagePull", "ImagePullBackOff", "ImageInspectError"})
MADE_AGAIN: Final = frozenset({"CreateContainerConfigError", "CreateContainerError"})
NO_SUCH_IMAGE: Final = (
    "not found", "manifest unknown", "name unknown", "repository does not exist", "unauthorized", "denied", "forbidden",
    "no basic auth credentials", "invalid reference", "no match for platform",
)  # fmt: skip
TRIED_US: Final = 600_000_000  # that a pod is tried again for
# Words of events on a pod that is gone, and of a pod's own status.
OUTSIDE: Final = {
    "Preempted": "the site preempted the pod",
    "Preempting": "the site preempted the pod",
    "TaintManagerEviction": "the node of the pod failed, or was drained",
    "NodeNotReady": "the node of the pod no longer answers",
    "NodeLost": "the node of the pod no longer answers",
    "NodeShutdown": "the node of the pod was shut down",
    "Shutdown": "the node of the pod was shut down",
    "Terminated": "the node of the pod was shut down",
    "Evicted": "the node evicted the pod",
    "DeletionByTaintManager": "the node of the pod failed, or was drained",
}
DEADLINE: Final = "DeadlineExceeded"
NODE_GONE: Final = "NodeNotReady"  # our own word too, where the node itself says so


@dataclass(frozen=True, slots=True)
class Ending:
    """The facts of one pod's end. `told`: the exit status that its script wrote down. `code`: the container's, None where
    the cluster knows none; `word`: the cluster's own word for the end, empty where it has none; `pod`, `job`: whether the
    cluster still has them."""

    told: int | None = None
    code: int | None = None
    word: str = ""
    message: str = ""
    pod: bool = True
    job: bool = True
    stopped: bool = False
    wall_over: bool = False
    early: bool = False  # its work has not been seen at work for as long as it may be


def judge(ending: Ending) -> Verdict:
    """What the agent's own hand did comes first, then the work's own success, then what the cluster did, then the rest."""
    if ending.stopped:
        return Verdict(None)
    # The script ends as the work did, and process 1 of a pod cannot be ended by what it runs.
    if ending.told == 0 or (ending.told is None and ending.code == 0):
        return Verdict(None, exit_code=0)
    if ending.wall_over or (ending.word == DEADLINE and not ending.early):
        return Verdict(FailureReason.WALL_TIME)
    if ending.word == DEADLINE:
        return Verdict(FailureReason.BACKEND, detail="the site ended the pod before the work had had its time")
    code, signal = split_status(ending.told if ending.told is not None else ending.code)
    if ending.word == "OOMKilled":
        return Verdict(FailureReason.OUT_OF_MEMORY, code, signal if code or signal else KILLED)
    if ending.word in OUTSIDE and (ending.told is None or signal in SENT):
        return Verdict(FailureReason.BACKEND, detail=_with(OUTSIDE[ending.word], ending.message))
    if ending.told is not None and (ending.job or signal not in SENT):
        return _own(code, signal)
    if not ending.job:
        return Verdict(FailureReason.LOST, detail="the job was deleted at the site")
    if not ending.pod:
        return Verdict(FailureReason.BACKEND, detail="the pod was deleted at the site")
    if ending.code == NOT_AGAIN:
        return Verdict(FailureReason.LOST, detail="its pod was replaced after it had begun; it was not begun again")
    if ending.code is None:
        return Verdict(
            FailureReason.BACKEND, detail=_with("the pod left no exit status", ending.message or ending.word)
        )
    return _own(code, signal) if signal else _unread(ending)


def _unread(ending: Ending) -> Verdict:
    """The pod's script itself came to no end of its own: the folder, the shell, the image."""
    return Verdict(
        FailureReason.BACKEND, detail=_with(f"the pod ended with {ending.code} before its work began", ending.message)
    )


def _with(text: str, message: str) -> str:
    return f"{text}: {message}"[:500] if message else text


def _own(code: int | None, signal: int | None) -> Verdict:
    if signal is not None:
        return Verdict(FailureReason.SIGNAL, signal=signal)
    return Verdict(FailureReason.EXIT_CODE, exit_code=code)


def tries_again(pod: Object) -> bool:
    """Whether it waits for what has failed once and is tried again."""
    words = {str(((one.get("state") or {}).get("waiting") or {}).get("reason", "")) for one in _statuses(pod)}
    return bool(words & (PULLED_AGAIN | MADE_AGAIN))


def never_begins(pod: Object, tried_us: int = 0) -> Verdict | None:
    """Why a pod that waits will not begin; None where it may. `tried_us`: for how long it has been tried."""
    for one in _statuses(pod):
        waiting = (one.get("state") or {}).get("waiting") or {}
        word, message = str(waiting.get("reason", "")), str(waiting.get("message", ""))
        if word in NO_IMAGE:
            return Verdict(FailureReason.IMAGE_UNKNOWN, detail=_with(f"{word}: image {one.get('image')}", message))
        if word in PULLED_AGAIN and any(said in message.lower() for said in NO_SUCH_IMAGE):
            return Verdict(FailureReason.IMAGE_UNKNOWN, detail=_with(f"{word}: image {one.get('image')}", message))
        if word in NO_CONTAINER or (word in PULLED_AGAIN | MADE_AGAIN and tried_us > TRIED_US):
            return Verdict(FailureReason.BACKEND, detail=_with(word, message))
    return None


def not_created(events: Iterable[Object]) -> Verdict | None:
    """Why the cluster makes no pod for a Job: quota, a policy, a missing priority class. None where nothing says so."""
    for event in events:
        if event.get("reason") == "FailedCreate":
            return refused(str(event.get("message", "")))
    return None


def refused(message: str) -> Verdict:
    what = "the namespace's quota is exceeded" if "exceeded quota" in message else "the cluster does not take it"
    return Verdict(FailureReason.BACKEND, detail=_with(what, message))


def is_over(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def is_at_work(pod: Object) -> bool:
    """Whether its container has begun."""
    return any({"running", "terminated"} & set(one.get("state") or {}) for one in _statuses(pod))


def end_of(pod: Object) -> tuple[int | None, str, str]:
    """Exit code, the cluster's word, and its message, of a pod that is over."""
    status = pod.get("status") or {}
    for condition in status.get("conditions") or []:
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            return None, _disruption(condition), str(condition.get("message", ""))
    for one in _statuses(pod):
        ended = (one.get("state") or {}).get("terminated")
        if ended:
            word = str(status.get("reason") or ended.get("reason") or "")
            return int(ended.get("exitCode", 0)), word, str(status.get("message") or ended.get("message") or "")
    return None, str(status.get("reason", "")), str(status.get("message", ""))


def _disruption(condition: dict[str, Any]) -> str:
    """Servers since 1.26 say on the pod itself why they end it."""
    word = str(condition.get("reason", ""))
    return {"PreemptionByScheduler": "Preempted", "TerminationByKubelet": "Evicted"}.get(word, word)


def word_of(events: Iterable[Object]) -> str:
    """What became of a pod that is gone, by its events: the newest that says it."""
    words = [str(event.get("reason", "")) for event in events]
    return next((word for word in reversed(words) if word in OUTSIDE), "")


def _statuses(pod: Object) -> list[dict[str, Any]]:
    return (pod.get("status") or {}).get("containerStatuses") or []


def of_fault(fault: BackendError | OSError | OutsideError) -> Verdict:
    """What came in the way of an attempt, before its work or after it."""
    if isinstance(fault, BackendError):
        return Verdict(fault.reason, detail=fault.detail)
    return Verdict(FailureReason.BACKEND, detail=str(fault))
