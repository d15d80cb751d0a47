"""A folder on a file system that agent and nodes share, and what is believed of what lies in it.

`records/` and `logs/` are the agent's alone. `licences/` is the agent's, for all to read. `attempts/<id>/` belongs to the
user that the work runs as: nothing below it is trusted, and every path in it is walked without following links.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from suanwang.agent import beneath
from suanwang.agent.adapters.remote.records import write_whole
from suanwang.agent.progress import read_progress
from suanwang.model.ids import AttemptId


class SharedFolder:
    """Paths, and reading and writing below them."""

    def __init__(self, root: Path, owner: tuple[int, int]) -> None:
        self.root = root
        self.owner = owner  # of the work
        self._records = root / "records"
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

    def forget(self, attempt_id: AttemptId) -> None:
        """Take away all that is here of an attempt; its record last, so that a crash leaves no folder without one."""
        self.withdraw(attempt_id)
        shutil.rmtree(self._attempts / attempt_id, ignore_errors=True)
        self.log_path(attempt_id).unlink(missing_ok=True)
        (self._records / f"{attempt_id}.json").unlink(missing_ok=True)

    # Licences -------------------------------------------------------------------------------------------------

    def licence(self, attempt_id: AttemptId) -> Path:
        return self._licences / attempt_id

    def allow(self, attempt_id: AttemptId, word: object) -> None:
        """The work may begin, as far as its script finds its own word there."""
        write_whole(self._licences, attempt_id, f"{word}\n".encode(), 0o644)

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
