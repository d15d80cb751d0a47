"""The process beside a brain that projects: `python -m suanwang.runtime.project_main`, told what to do on its input.

The first line is the address of the store, each line after it a word that there is more; the end of the input ends it.
Being killed at any point does no harm: the mark of how far it came moves with the rows that it wrote.
"""

import gc
import sys

from suanwang.store import Store


def main() -> None:
    url = sys.stdin.readline().strip()
    gc.freeze()
    with Store(url, projects_only=True) as store:
        for _ in sys.stdin:
            while store.project():
                pass


if __name__ == "__main__":
    main()
