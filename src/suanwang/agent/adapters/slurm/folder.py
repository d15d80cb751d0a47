"""The adapter's folder, on a file system that agent and nodes share, and what is believed of what lies in it.

`records/` and `logs/` are the agent's alone. `licences/` is the agent's, for all to read. `attempts/<id>/` belongs to the
user that the work runs as: nothing below it is trusted, and every path in it is walked without following links.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from suanwang.agent import beneath
from suanwang.agent.adapter import StartOrder, Update
from suanwang.agent.adapters.remote.records import Records, write_whole
from suanwang.agent.adapters.slurm.parse import span_us
from suanwang.agent.adapters.slurm.script import STATUS_FILE
from suanwang.agent.progress import read_progress
from suanwang.model.ids import AttemptId

STATUS_BYTES_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Record:
    """What must outlive the agent's process: the order, the submission that counts, and the last word."""

    order: StartOrder
    turn: int = 0  # of submissions; 0: none was tried
    job_id: int | None = None  # None after a submission: whether it got through is not known
    began_us: int | None = None  # when it was first seen at work, by the agent's clock
    wall_over: bool = False
    last: Update | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What the job's script wrote down at its end."""

    status: int
    core_us: int


class Folder:
    """Paths, and reading and writing below them."""

    def __init__(self, root: Path, owner: tuple[int, int]) -> None:
        self.root = root
        self.owner = owner  # of the work
        self._records = root / "records"
        self._kept = Records(self._records, Record)
        self._logs = root / "logs"
        self._licences = root / "licences"
        self._attempts = root / "attempts"

    def prepare(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o711)
        for path, mode in (
            (self._records, 0o700),
            (self._logs, 0o700),
            (self._licences, 0o711),
            (self._attempts, 0o711),
        ):
            path.mkdir(exist_ok=True)
            path.chmod(mode)

    # The cluster's configuration ------------------------------------------------------------------------------

    def keep_config(self, config: Mapping[str, str]) -> None:
        """As the controller last told it, for a start while it is away."""
        write_whole(self.root, "config.json", json.dumps(dict(config)).encode(), 0o600)

    def kept_config(self) -> dict[str, str]:
        try:
            return {str(k): str(v) for k, v in json.loads((self.root / "config.json").read_bytes()).items()}
        except (OSError, ValueError, AttributeError):
            return {}

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
        self.withdraw(attempt_id)
        shutil.rmtree(self._attempts / attempt_id, ignore_errors=True)
        self.log_path(attempt_id).unlink(missing_ok=True)
        self._kept.forget(attempt_id)

    # Licences -------------------------------------------------------------------------------------------------

    def licence(self, attempt_id: AttemptId) -> Path:
        return self._licences / attempt_id

    def allow(self, attempt_id: AttemptId, turn: int) -> None:
        write_whole(self._licences, attempt_id, f"{turn}\n".encode(), 0o644)

    def withdraw(self, attempt_id: AttemptId) -> None:
        self.licence(attempt_id).unlink(missing_ok=True)

    # The attempt's own ----------------------------------------------------------------------------------------

    def here(self, attempt_id: AttemptId) -> Path:
        return self._attempts / attempt_id

    def log_path(self, attempt_id: AttemptId) -> Path:
        return self._logs / attempt_id

    @contextmanager
    def made(self, attempt_id: AttemptId, *below: str) -> Iterator[int]:
        """A folder of the user's, made where it is missing. Other work of the same user may be at it already, so no link
        is followed. OSError or OutsideError where there is something else."""
        with beneath.opened_folder(self._attempts) as root:
            with beneath.parent_of(root, f"{attempt_id}/_", make_as=self.owner) as (own, _):
                os.fchmod(own, 0o700)
            with beneath.parent_of(root, "/".join((attempt_id, *below, "_")), make_as=self.owner) as (folder, _):
                yield folder

    def start_anew(self, attempt_id: AttemptId) -> None:
        shutil.rmtree(self._attempts / attempt_id, ignore_errors=True)

    def put(self, attempt_id: AttemptId, name: str, content: bytes) -> None:
        """A file for the work to read, in place of what was there."""
        with self.made(attempt_id) as folder:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
            with os.fdopen(beneath.create_file(folder, name, self.owner, 0o600), "wb") as stream:
                stream.write(content)

    @contextmanager
    def opened(self, attempt_id: AttemptId, inner: str) -> Iterator[int]:
        """A folder below the attempt's. OSError or OutsideError where it is none."""
        with (
            beneath.opened_folder(self._attempts) as root,
            beneath.parent_of(root, f"{attempt_id}/{inner}/_") as (folder, _),
        ):
            yield folder

    def read_log(self, attempt_id: AttemptId, name: str, offset: int, limit: int) -> bytes:
        with suppress(OSError, beneath.OutsideError), beneath.opened_folder(self._attempts) as root:
            descriptor = beneath.open_file(root, f"{attempt_id}/{name}")
            try:
                return os.pread(descriptor, limit, offset)
            finally:
                os.close(descriptor)
        return b""

    def told(self, attempt_id: AttemptId, index: int) -> Told | None:
        """What the script of an element wrote down; None where it came to none, or to nothing sensible."""
        text = self.read_log(attempt_id, f"{index}/{STATUS_FILE}", 0, STATUS_BYTES_MAX).decode(errors="replace")
        status, *times = text.split() or [""]
        if not status.isdecimal() or int(status) > 255:
            return None
        return Told(int(status), sum(_clock_us(word) for word in times))

    def has_begun(self, attempt_id: AttemptId, index: int) -> bool:
        """Whether the script of an element came to its work."""
        try:
            with self.opened(attempt_id, f"{index}/run"):
                return True
        except (OSError, beneath.OutsideError):
            return False

    def progress(self, attempt_id: AttemptId, index: int) -> int | None:
        with suppress(OSError, beneath.OutsideError), self.opened(attempt_id, f"{index}/run") as folder:
            return read_progress(folder, "progress")
        return None


def _clock_us(word: str) -> int:
    """`1m2.5s`, as the shell's `times` has it."""
    minutes, m, seconds = word.partition("m")
    return span_us(f"{minutes}:{seconds.rstrip('s')}") if m else 0
