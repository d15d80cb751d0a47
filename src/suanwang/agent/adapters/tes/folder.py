"""The adapter's folder: records and logs of the agent, and below `attempts/` what goes there and what has come back."""

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from suanwang.agent.adapter import StartOrder, Update
from suanwang.agent.adapters.remote.records import Records
from suanwang.model.ids import AttemptId


@dataclass(frozen=True, slots=True)
class Record:
    """What must outlive the agent's process. `handed_in` is set before the first element is: from then on one whose
    task is not in `tasks` may still be at the server."""

    order: StartOrder
    handed_in: bool = False
    tasks: dict[int, str] = field(default_factory=dict)  # element -> the server's id of its task
    began_us: int | None = None
    wall_over: bool = False
    last: Update | None = None


class Folder:
    def __init__(self, root: Path) -> None:
        self.root = root
        self._records, self._logs, self._attempts = root / "records", root / "logs", root / "attempts"
        self._kept = Records(self._records, Record)

    def prepare(self) -> None:
        for path in (self.root, self._records, self._logs, self._attempts):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o700)

    def write_record(self, record: Record) -> None:
        self._kept.write(record.order.attempt_id, replace(record, order=replace(record.order, secrets={})))

    def records(self) -> list[Record]:
        """What an earlier process left."""
        return self._kept.all()

    def forget(self, attempt_id: AttemptId) -> None:
        """Take away all that is here of an attempt; its record last."""
        shutil.rmtree(self._attempts / attempt_id, ignore_errors=True)
        self.log_path(attempt_id).unlink(missing_ok=True)
        self._kept.forget(attempt_id)

    def log_path(self, attempt_id: AttemptId) -> Path:
        return self._logs / attempt_id

    def fresh(self, attempt_id: AttemptId, name: str) -> Path:
        """An empty folder for one use."""
        path = self._attempts / attempt_id / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    def drop(self, path: Path) -> None:
        shutil.rmtree(path, ignore_errors=True)

    def cargo(self, attempt_id: AttemptId) -> Path:
        """Where the packed inputs lie."""
        (self._attempts / attempt_id).mkdir(parents=True, exist_ok=True)
        return self._attempts / attempt_id / "in.tar.gz"
