"""The adapter's folder: what must outlive the agent's process, and what a circuit is given and gives.

`records/` and `logs/` are of the agent, `attempts/<id>/inputs` holds what was staged, `attempts/<id>/<element>/` the circuit
that the device is handed and what comes back.
"""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from suanwang.agent import beneath
from suanwang.agent.adapter import StartOrder, Update
from suanwang.agent.adapters.remote.records import Records
from suanwang.model.error import BackendError
from suanwang.model.ids import AttemptId
from suanwang.model.reason import FailureReason
from suanwang.model.task import CircuitEntry
from suanwang.qasm import CIRCUIT_BYTES_MAX

LOG_BYTES_PER_LOOK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Record:
    """`began_us` is when the attempt was first at work, by the agent's clock; `last` its last word."""

    order: StartOrder
    began_us: int | None = None
    last: Update | None = None


class Folder:
    def __init__(self, root: Path) -> None:
        self.root = root
        self._records = root / "records"
        self._kept = Records(self._records, Record)
        self._logs = root / "logs"
        self._attempts = root / "attempts"

    def prepare(self) -> None:
        for path in (self.root, self._records, self._logs, self._attempts):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o700)

    # Records --------------------------------------------------------------------------------------------------

    def write_record(self, record: Record) -> None:
        """Written whole, and on the disk when this returns, without what is secret."""
        kept = replace(record, order=replace(record.order, secrets={}))
        self._kept.write(record.order.attempt_id, kept)

    def records(self) -> list[Record]:
        """What an earlier process left."""
        return self._kept.all()

    def forget(self, attempt_id: AttemptId) -> None:
        """Take away all that is here of an attempt; its record last, so that a crash leaves no folder without one."""
        shutil.rmtree(self._attempts / attempt_id, ignore_errors=True)
        self.log_path(attempt_id).unlink(missing_ok=True)
        self._kept.forget(attempt_id)

    # An attempt's own -----------------------------------------------------------------------------------------

    def log_path(self, attempt_id: AttemptId) -> Path:
        return self._logs / attempt_id

    def start_anew(self, attempt_id: AttemptId) -> Path:
        """An empty folder for its inputs."""
        shutil.rmtree(self._attempts / attempt_id, ignore_errors=True)
        inputs = self._attempts / attempt_id / "inputs"
        inputs.mkdir(parents=True)
        return inputs

    def element(self, attempt_id: AttemptId, index: int) -> Path:
        return self._attempts / attempt_id / str(index)

    def hand_over(self, attempt_id: AttemptId, index: int, entry: CircuitEntry) -> Path:
        """The folder of an element, with its circuit in it. Raises BackendError where its file is none of the inputs."""
        here = self.element(attempt_id, index)
        shutil.rmtree(here, ignore_errors=True)
        (here / "task").mkdir(parents=True)
        text = entry.circuit.encode() if entry.circuit is not None else self._staged(attempt_id, entry.file or "")
        (here / "circuit.qasm").write_bytes(text)
        return here

    def _staged(self, attempt_id: AttemptId, path: str) -> bytes:
        """What was staged comes from a user, and is walked without following links."""
        try:
            with beneath.opened_folder(self._attempts / attempt_id / "inputs") as root:
                descriptor = beneath.open_file(root, path)
                with os.fdopen(descriptor, "rb") as stream:
                    text = stream.read(CIRCUIT_BYTES_MAX + 1)
        except (OSError, beneath.OutsideError) as fault:
            raise BackendError(FailureReason.INPUT_MISSING, f"the circuit {path}: {fault}") from fault
        if len(text) > CIRCUIT_BYTES_MAX:
            raise BackendError(FailureReason.CIRCUIT_REFUSED, f"{path} is over {CIRCUIT_BYTES_MAX} bytes")
        return text

    def take_result(self, attempt_id: AttemptId, index: int, entry: CircuitEntry) -> Path:
        """Where the outputs of an element are, the counts under the name that was asked for. Raises OSError."""
        here = self.element(attempt_id, index)
        target = here / "task" / entry.result
        target.parent.mkdir(parents=True, exist_ok=True)
        (here / "result").rename(target)
        return here / "task"

    def read_log(self, attempt_id: AttemptId, index: int, offset: int) -> bytes:
        """The next part of what the device said of an element."""
        try:
            with (self.element(attempt_id, index) / "log").open("rb") as stream:
                stream.seek(offset)
                return stream.read(LOG_BYTES_PER_LOOK)
        except OSError:
            return b""
