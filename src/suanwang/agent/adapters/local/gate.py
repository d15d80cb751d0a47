"""Holds a sandbox back until its network is there: bubblewrap has made the namespaces and waits to be let go."""

import json
import os
import select
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from suanwang.model.error import BackendError, SuanwangError
from suanwang.model.ids import SiteId, TaskId
from suanwang.model.reason import FailureReason

INFO_S: Final = 20.0
# (task, site, process whose network namespace it is) -> what takes it away again. Raises SuanwangError.
Join = Callable[[TaskId, SiteId, int], Callable[[], None]]


@dataclass
class Gate:
    """Two pipes of one sandbox: bubblewrap tells of its child by the one, and is let go by the other."""

    task_id: TaskId
    site: SiteId
    join: Join
    leave: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.info_read, self.info_write = os.pipe()
        self.block_read, self.block_write = os.pipe()

    @property
    def inherited(self) -> tuple[int, int]:
        """Bubblewrap's ends."""
        return self.info_write, self.block_read

    def started(self) -> None:
        """The sandbox has its ends; ours alone are left."""
        os.close(self.info_write)
        os.close(self.block_read)
        self.info_write = self.block_read = -1

    def open(self) -> None:
        """Join the sandbox to its network, then let it go. Raises BackendError; it is for the caller to kill it then."""
        pid = self._child()
        if pid is None:
            return  # it did not come to make its namespaces, and says so itself
        try:
            self.leave = self.join(self.task_id, self.site, pid)
        except (SuanwangError, OSError) as error:
            raise BackendError(FailureReason.BACKEND, f"the task's network: {error}") from error
        os.write(self.block_write, b"1")

    def close(self) -> None:
        for descriptor in (self.info_read, self.info_write, self.block_read, self.block_write):
            if descriptor >= 0:
                os.close(descriptor)
        self.leave()

    def _child(self) -> int | None:
        """What bubblewrap wrote: one JSON document, whose end is that of the pipe or its closing brace. None where it ended
        without one. Raises BackendError where nothing comes."""
        text = b""
        events = select.poll()  # not select: an agent may hold more than 1,024 descriptors
        events.register(self.info_read, select.POLLIN)
        while events.poll(INFO_S * 1_000):
            part = os.read(self.info_read, 4096)
            text += part
            try:
                return int(json.loads(text)["child-pid"])
            except (ValueError, KeyError):
                if not part:
                    return None
        raise BackendError(FailureReason.BACKEND, f"the sandbox said nothing within {INFO_S:.0f} s")
