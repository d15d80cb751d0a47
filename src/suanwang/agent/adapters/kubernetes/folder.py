"""The adapter's folder, on a file system that agent and nodes share, and what is believed of what lies in it.

`records/` and `logs/` are the agent's alone. `attempts/<id>/` belongs to the user that the work runs as, and is all that its
pods see: nothing below it is trusted, and every path in it is walked without following links.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from suanwang.agent import beneath
from suanwang.agent.adapter import StartOrder, Update
from suanwang.agent.adapters.kubernetes.manifest import FOLDER_BELOW
from suanwang.agent.adapters.kubernetes.settings import PoolRoute
from suanwang.agent.progress import read_progress
from suanwang.model.ids import AttemptId

STATUS_BYTES_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Record:
    """What must outlive the agent's process: the order, the submission that counts, and the last word."""

    order: StartOrder
    turn: int = 0  # of submissions; 0: none was tried
    uids: dict[int, str] = field(
        default_factory=dict
    )  # of the Jobs that the server is known to have, by their first parts
    indexed: bool = False  # whether the server knew Indexed Jobs when it was ordered: its parts are in Jobs by that
    # As it was when it was ordered, with its namespace: the operator's file may say something else by now.
    route: PoolRoute | None = None
    began_us: int | None = None  # when it was first seen at work, by the agent's clock
    wall_over: bool = False
    last: Update | None = None


_RECORD: Final = TypeAdapter(Record)


@dataclass(frozen=True, slots=True)
class Told:
    """What the script of a pod wrote down at its end."""

    status: int
    core_us: int
    memory_peak_bytes: int


class Folder:
    """Paths, and reading and writing below them."""

    def __init__(self, root: Path, owner: tuple[int, int]) -> None:
        self.root = root
        self.owner = owner  # of the work
        self._records = root / "records"
        self._logs = root / "logs"
        self._attempts = root / FOLDER_BELOW

    def prepare(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o711)
        for path, mode in (
            (self._records, 0o700),
            (self._logs, 0o700),
            (self._attempts, 0o711),
        ):
            path.mkdir(exist_ok=True)
            path.chmod(mode)

    # Records --------------------------------------------------------------------------------------------------

    def write_record(self, record: Record) -> None:
        """Written whole, and on the disk when this returns."""
        text = _RECORD.dump_json(replace(record, order=replace(record.order, secrets={})))
        _write(self._records, f"{record.order.attempt_id}.json", text, 0o600)

    def records(self) -> list[Record]:
        """What an earlier process left. A file that is none of ours, or of another release, is left alone."""
        out = []
        for path in sorted(self._records.glob("*.json")):
            with suppress(ValidationError):
                out.append(_RECORD.validate_json(path.read_bytes()))
        return out

    def forget(self, attempt_id: AttemptId) -> None:
        """Take away all that is here of an attempt; its record last, so that a crash leaves no folder without one."""
        shutil.rmtree(self._attempts / attempt_id, ignore_errors=True)
        self.log_path(attempt_id).unlink(missing_ok=True)
        (self._records / f"{attempt_id}.json").unlink(missing_ok=True)

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

    def told(self, attempt_id: AttemptId, index: int, rank: int) -> Told | None:
        """What the script of a pod wrote down; None where it came to none, or to nothing sensible."""
        text = self.read_log(attempt_id, f"{index}/run/status-{rank}", 0, STATUS_BYTES_MAX).decode(errors="replace")
        words = text.split()
        if len(words) != 3 or not all(word.isdecimal() and len(word) < 20 for word in words) or int(words[0]) > 255:
            return None
        return Told(int(words[0]), int(words[1]) // 1000, int(words[2]))

    def has_begun(self, attempt_id: AttemptId, index: int, rank: int) -> bool:
        """Whether a pod came to its work."""
        try:
            with self.opened(attempt_id, f"{index}/run/begun-{rank}"):
                return True
        except (OSError, beneath.OutsideError):
            return False

    def progress(self, attempt_id: AttemptId, index: int) -> int | None:
        with suppress(OSError, beneath.OutsideError), self.opened(attempt_id, f"{index}/run") as folder:
            return read_progress(folder, "progress")
        return None


def _write(folder: Path, name: str, content: bytes, mode: int) -> None:
    """In place of what was there, whole."""
    new = folder / f".{name}.new"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    new.chmod(mode)
    new.rename(folder / name)
