"""The adapter's folder on the file system that agent and nodes share: its records, and what the runner says."""

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from suanwang.agent.adapter import StartOrder, Update
from suanwang.agent.adapters.ray.job import STATUS_FILE
from suanwang.agent.adapters.ray.verdict import Told
from suanwang.agent.adapters.remote.records import Records
from suanwang.agent.adapters.remote.shared import SharedFolder
from suanwang.model.ids import AttemptId
from suanwang.model.ranges import Ranges

STATUS_BYTES_MAX: Final = 512
FIGURE_MAX: Final = 2**62


@dataclass(frozen=True, slots=True)
class Record:
    """What must outlive the agent's process. `handed_in` is set before the first element is, and `taken` has those that Ray is
    known to have or to have had: one that is not in it may be handed in again, by the same name."""

    order: StartOrder
    handed_in: bool = False
    taken: Ranges = ()
    began_us: int | None = None  # when it was first seen at work, by the agent's clock
    wall_over: bool = False
    last: Update | None = None


class Folder(SharedFolder):
    """Besides: records, and what the runner wrote down."""

    def __init__(self, root: Path, owner: tuple[int, int]) -> None:
        super().__init__(root, owner)
        self._kept = Records(self._records, Record)

    def write_record(self, record: Record) -> None:
        """Written whole, and on the disk when this returns, without what is secret."""
        self._kept.write(record.order.attempt_id, replace(record, order=replace(record.order, secrets={})))

    def records(self) -> list[Record]:
        """What an earlier process left."""
        return self._kept.all()

    def told(self, attempt_id: AttemptId, index: int) -> Told | None:
        """What the runner of an element wrote down; None where it came to none, or to nothing sensible. The work could have
        written the file itself, so it is worth what the work's own exit status is."""
        text = self.read_log(attempt_id, f"{index}/{STATUS_FILE}", 0, STATUS_BYTES_MAX)
        with suppress(ValueError, KeyError, TypeError):
            said = json.loads(text)
            figures = [int(said[name]) for name in ("code", "wall_us", "core_us", "memory_peak_bytes")]
            if 0 <= figures[0] <= 255 and all(0 <= one <= FIGURE_MAX for one in figures):
                return Told(figures[0], str(said.get("cause") or ""), *figures[1:])
        return None
