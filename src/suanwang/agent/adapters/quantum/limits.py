"""What a device can be asked for, and what it holds a circuit to. Pure."""

from typing import Final

from suanwang.agent.adapter import Limit
from suanwang.agent.adapters.quantum.resource import Target
from suanwang.model.error import BackendError
from suanwang.model.grid import PoolKind
from suanwang.model.reason import FailureReason
from suanwang.model.task import CircuitEntry, TaskRequest

KINDS: Final = frozenset({PoolKind.QUANTUM})
# A circuit is no program: it can name no file, no address and no other process, so walls round it stand by themselves.
ENFORCED: Final = frozenset(Limit) - {Limit.CPU}
MISSING: Final = {Limit.CPU: "a circuit has the threads of its device, whatever cores its task asks for"}


def check(request: TaskRequest, target: Target | None, pool: str) -> None:
    """Raises BackendError where no device here takes it: IMAGE_UNKNOWN, LIMIT_UNSUPPORTED for what is no circuit,
    CIRCUIT_REFUSED for one that the device is too small for, BACKEND for a pool without a device."""
    if request.image != "host":
        raise BackendError(FailureReason.IMAGE_UNKNOWN, f"image {request.image}: a quantum device runs circuits")
    if target is None:
        raise BackendError(FailureReason.BACKEND, f"the operator's file of this site has no device for pool {pool}")
    entry, asked = request.run, request.resources
    if not isinstance(entry, CircuitEntry):
        raise BackendError(FailureReason.LIMIT_UNSUPPORTED, "a quantum device runs circuits, and no commands")
    if asked.qubits > target.qubits:
        _refuse(f"{asked.qubits} qubits; the device has {target.qubits}")
    if not 1 <= asked.shots <= target.shots_max:
        _refuse(f"{asked.shots} shots; the device takes 1 to {target.shots_max}")
    if entry.method not in target.methods:
        _refuse(f"method {entry.method}; the device has {', '.join(target.methods)}")


def _refuse(detail: str) -> None:
    raise BackendError(FailureReason.CIRCUIT_REFUSED, detail)
