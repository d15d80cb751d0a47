"""The process beside a brain that projects: `python -m suanwang.runtime.project_main`, told where on its input.

The first line of its input is the address of the store; the end of the input ends it, between two steps. Being killed at
any point does no harm: the mark of how far it came moves with the rows that it wrote, and only from where it stood.

While the log grows it works in pauses (`Pace`): it shares the processors, and on SQLite the right to write, with the road.
"""

import gc
import select
import sys
from typing import Final

from suanwang.runtime.clock import monotonic_s
from suanwang.store import Store

LOOK_S: Final = 0.02
# What is left may take so long to project before the pauses end: well below the five seconds after which a reader is
# told that the tables are behind.
CALM_S: Final = 2.0
# A pause is so many times as long as the step before it.
PAUSE_FACTOR: Final = 1.5


class Pace:
    """How long to rest after a step: while the log grows and what is left is little, and else not at all."""

    def __init__(self) -> None:
        self._row_s = 0.0  # how long a row of the log takes, lately
        self._head = 0

    def rest_s(self, spent_s: float, rows: int, left: int, head: int) -> float:
        """`rows`: projected in the step, which took `spent_s`. `left`: rows that wait. `head`: the last row of the log."""
        grows, self._head = head > self._head, head
        if rows:
            self._row_s = (self._row_s + spent_s / rows) / 2 if self._row_s else spent_s / rows
        if not left:
            return LOOK_S
        return PAUSE_FACTOR * spent_s if grows and left * self._row_s < CALM_S else 0.0


def main() -> None:
    url = sys.stdin.buffer.readline().decode().strip()
    gc.freeze()
    with Store(url, projects_only=True) as store:
        pace, rest_s, before = Pace(), 0.0, store.projected()
        while not _is_over(rest_s):
            began_s = monotonic_s()
            store.project()
            spent_s, after, head = monotonic_s() - began_s, store.projected(), store.last_position()
            rest_s = pace.rest_s(spent_s, after - before, head - after, head)
            before = after


def _is_over(within_s: float) -> bool:
    """Whether the input has come to its end."""
    ready, _, _ = select.select([sys.stdin], [], [], within_s)
    return bool(ready) and not sys.stdin.buffer.read(1)


if __name__ == "__main__":
    main()
