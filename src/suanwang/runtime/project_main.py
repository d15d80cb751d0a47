"""The process beside a brain that projects: `python -m suanwang.runtime.project_main`, told where on its input.

The first line of its input is the address of the store; the end of the input ends it, between two steps. Being killed at
any point does no harm: the mark of how far it came moves with the rows that it wrote, and only from where it stood.
"""

import gc
import select
import sys

from suanwang.store import Store

LOOK_S = 0.02


def main() -> None:
    url = sys.stdin.buffer.readline().decode().strip()
    gc.freeze()
    with Store(url, projects_only=True) as store:
        left = 1
        while not _is_over(0.0 if left else LOOK_S):
            left = store.project()


def _is_over(within_s: float) -> bool:
    """Whether the input has come to its end."""
    ready, _, _ = select.select([sys.stdin], [], [], within_s)
    return bool(ready) and not sys.stdin.buffer.read(1)


if __name__ == "__main__":
    main()
