"""Circuits beside everything else: one adapter for a host that runs commands, and devices for what is a circuit.

The devices come into being with the first circuit, so a host that never sees one pays nothing for them.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from suanwang.agent.adapter import Adapter, Delivers, Logs, Manifest, Saves, StartOrder, Update, Wakes
from suanwang.model.event import OutputFile
from suanwang.model.ids import AttemptId
from suanwang.model.task import CircuitEntry


class Devices(Adapter, Logs, Saves, Delivers, Protocol):
    """What circuits go to."""


class Host(Devices, Wakes, Protocol):
    """What everything else goes to."""


class CircuitsBeside:
    """Adapter, Logs, Saves, Delivers and Wakes. The manifest is the host's own."""

    def __init__(self, host: Host, devices: Callable[[], Devices], *, at_once: bool) -> None:
        """`at_once`: the devices have something to go on with from an earlier process."""
        self._host = host
        self._make = devices
        self._devices: Devices | None = devices() if at_once else None

    @property
    def manifest(self) -> Manifest:
        return self._host.manifest

    def start(self, order: StartOrder) -> None:
        if not isinstance(order.request.run, CircuitEntry):
            self._host.start(order)
            return
        if self._devices is None:
            self._devices = self._make()
        self._devices.start(order)

    def poll(self) -> Sequence[Update]:
        own = self._host.poll()
        return own if self._devices is None else [*own, *self._devices.poll()]

    def stop(self, attempt_id: AttemptId) -> None:
        self._of(attempt_id).stop(attempt_id)

    def save(self, attempt_id: AttemptId) -> None:
        self._of(attempt_id).save(attempt_id)

    def forget(self, attempt_id: AttemptId) -> None:
        self._of(attempt_id).forget(attempt_id)

    def knows(self, attempt_id: AttemptId) -> bool:
        return self._of(attempt_id).knows(attempt_id)

    def read_logs(self, attempt_id: AttemptId, offset: int, limit: int) -> bytes:
        return self._of(attempt_id).read_logs(attempt_id, offset, limit)

    def deliver(self, attempt_id: AttemptId, outputs: Sequence[OutputFile]) -> None:
        self._of(attempt_id).deliver(attempt_id, outputs)

    def next_wake_us(self) -> int | None:
        return self._host.next_wake_us()

    def close(self) -> None:
        if self._devices is not None:
            self._devices.close()
        self._host.close()

    def _of(self, attempt_id: AttemptId) -> Devices:
        """Who has the attempt; the host where nobody does."""
        if self._devices is not None and self._devices.knows(attempt_id):
            return self._devices
        return self._host
