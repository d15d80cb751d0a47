"""Whether all pods of a gang would stand at the same time, from what nodes and pods say. Pure.

Kubernetes places pod by pod: half a gang can hold what the other half waits for. So nothing of a gang is begun before there
is room for all of it. Others may take the room in between; what then does not stand in time is taken back whole.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from zlib import crc32

from suanwang.agent.adapters.kubernetes.api import Object

_UNITS: Final = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60,
}  # fmt: skip
_SMALL: Final = {"m": 1_000, "u": 1_000_000, "n": 1_000_000_000}
KEEPS_OUT: Final = frozenset({"NoSchedule", "NoExecute"})


def milli(quantity: object) -> int:
    """A quantity as Kubernetes writes it, in thousandths, rounded up: `2` -> 2000, `250m` -> 250, `1Ki` -> 1024000.
    Raises ValueError."""
    text = str(quantity)
    number = text.rstrip("KMGTPEkimun")
    unit = text[len(number) :]
    if "e" in number or "E" in number:
        number, unit = text, ""
    try:
        if unit in _SMALL:
            return -int(-float(number) * 1000 // _SMALL[unit])
        if number.lstrip("+-").isdecimal():
            return int(number) * _UNITS[unit] * 1000
        return -int(-float(number) * _UNITS[unit] * 1000 // 1)
    except (KeyError, ValueError, OverflowError) as fault:
        raise ValueError(f"{text!r} is no quantity") from fault


def pause_us(attempt_id: str, turn: int, shortest_us: int, step_us: int) -> int:
    """Before a gang that was taken back is tried again, after so many submissions: twice as long each time, up to 16 steps, and
    of each attempt another length, so that two that were in each other's way do not come together again."""
    most_us = (1 << min(4, max(0, turn - 1))) * step_us
    return shortest_us + most_us * (crc32(f"{attempt_id}/{turn}".encode()) % 1000) // 1000


def is_ready(node: Object) -> bool:
    """A node that answers and takes work."""
    if (node.get("spec") or {}).get("unschedulable"):
        return False
    conditions = (node.get("status") or {}).get("conditions") or []
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def tolerated(taints: Iterable[Mapping[str, Any]], tolerations: Iterable[Mapping[str, Any]]) -> bool:
    """Whether no taint keeps a pod with these tolerations out."""
    known = list(tolerations)
    return all(any(_tolerates(one, taint) for one in known) for taint in taints if taint.get("effect") in KEEPS_OUT)


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint.get("key"))
    return toleration.get("key") == taint.get("key") and (toleration.get("value") or "") == (taint.get("value") or "")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Pods that are all alike. `held`: of each, by resource, in thousandths. `apart`: each on a node of its own."""

    count: int
    held: Mapping[str, int]
    apart: bool
    selector: Mapping[str, str]
    tolerations: tuple[Mapping[str, Any], ...]


def room(nodes: Iterable[Object], pods: Iterable[Object], wanted: Wanted) -> int:
    """How many of them would stand now, beside the pods that have a node already."""
    used = _used(pods)
    places = 0
    for node in nodes:
        meta, spec = node.get("metadata") or {}, node.get("spec") or {}
        labels = meta.get("labels") or {}
        fits = all(labels.get(key) == value for key, value in wanted.selector.items())
        if not fits or not is_ready(node) or not tolerated(spec.get("taints") or [], wanted.tolerations):
            continue
        has = (node.get("status") or {}).get("allocatable") or {}
        taken = used[str(meta.get("name"))]
        here = min(
            (milli(has.get(name, 0)) - taken[name]) // amount for name, amount in {**wanted.held, "pods": 1000}.items()
        )
        places += min(1, max(0, here)) if wanted.apart else max(0, here)
    return places


def _used(pods: Iterable[Object]) -> defaultdict[str, defaultdict[str, int]]:
    """By node and resource, what its pods have asked for."""
    out: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for pod in pods:
        spec, phase = pod.get("spec") or {}, (pod.get("status") or {}).get("phase")
        node = spec.get("nodeName")
        if not node or phase in ("Succeeded", "Failed"):
            continue
        out[node]["pods"] += 1000
        for name, amount in _asked(spec).items():
            out[node][name] += amount
    return out


def _asked(spec: Mapping[str, Any]) -> dict[str, int]:
    """The sum over a pod's containers, or what its largest first one needs, whichever is more."""
    total: defaultdict[str, int] = defaultdict(int)
    for container in spec.get("containers") or []:
        for name, amount in ((container.get("resources") or {}).get("requests") or {}).items():
            total[name] += milli(amount)
    for container in spec.get("initContainers") or []:
        for name, amount in ((container.get("resources") or {}).get("requests") or {}).items():
            total[name] = max(total[name], milli(amount))
    return total
