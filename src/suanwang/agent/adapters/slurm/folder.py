"""The adapter's folder on the file system that agent and nodes share: its records, and what the job's script says."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from suanwang.agent.adapter import StartOrder, Update
from suanwang.agent.adapters.remote.records import Records, write_whole
from suanwang.agent.adapters.remote.shared import SharedFolder
from suanwang.agent.adapters.slurm.parse import span_us
from suanwang.agent.adapters.slurm.script import STATUS_FILE
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


class Folder(SharedFolder):
    """Besides: records, the cluster's configuration, and what the job's script says."""

    def __init__(self, root: Path, owner: tuple[int, int]) -> None:
        super().__init__(root, owner)
        self._kept = Records(self._records, Record)

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

    # The script ----------------------------------------------------------------------------------------------

    def told(self, attempt_id: AttemptId, index: int) -> Told | None:
        """What the script of an element wrote down; None where it came to none, or to nothing sensible."""
        text = self.read_log(attempt_id, f"{index}/{STATUS_FILE}", 0, STATUS_BYTES_MAX).decode(errors="replace")
        status, *times = text.split() or [""]
        if not status.isdecimal() or int(status) > 255:
            return None
        return Told(int(status), sum(_clock_us(word) for word in times))


def _clock_us(word: str) -> int:
    """`1m2.5s`, as the shell's `times` has it."""
    minutes, m, seconds = word.partition("m")
    return span_us(f"{minutes}:{seconds.rstrip('s')}") if m else 0
