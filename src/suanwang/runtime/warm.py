"""Compile all kernels once, into numba's cache, so that nobody's first task waits for it.

    python -m suanwang.runtime.warm [PART...]

Parts are compiled side by side, a process each, as many at once as there are processors: numba compiles on one. They
share the cache (`net/jit.py` sees to that) and hardly any function.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

SEED = 1
TASKS = 60


def bulk() -> None:
    """Decide, release, check."""
    from suanwang.plan.kernel.warm import warm_bulk
    from suanwang.verify.batch import BatchChecker

    fabric, classes, rows = warm_bulk()
    found = BatchChecker(fabric, classes, slots=1).check(rows)
    assert found is None, found


def nodes() -> None:
    """The node policy."""
    from suanwang.plan.kernel.warm import warm_nodes

    warm_nodes()


def road() -> None:
    """The planner, by a short simulated history with data, protection, deadlines and holds."""
    from suanwang.twin.main import play

    play(SEED, TASKS)


def paths() -> None:
    """The online path engine."""
    from suanwang.net.warm import warm_paths

    warm_paths()


def te() -> None:
    """Traffic engineering."""
    from suanwang.net.warm import warm_te

    warm_te()


# The longest first, so that none is left alone at the end.
PARTS: dict[str, Callable[[], None]] = {one.__name__: one for one in (bulk, road, paths, nodes, te)}


def main(names: Sequence[str]) -> int:
    """Do the named parts here; without names, all of them in processes of their own. Returns the exit status."""
    if names:
        for name in names:
            PARTS[name]()
        return 0
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        return max(pool.map(_apart, PARTS))


def _apart(part: str) -> int:
    return subprocess.run([sys.executable, "-m", __spec__.name, part], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
