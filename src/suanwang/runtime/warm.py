"""Compile all kernels once, into numba's cache, so that nobody's first task waits for it.

    python -m suanwang.runtime.warm

The planner's by a short simulated history, with data, protection, deadlines and holds; those of the bulk kernel, of the
node policy and of the checker of bulk decisions by a task or two.
"""

from suanwang.plan.kernel import warm as kernel
from suanwang.twin.main import play
from suanwang.verify.batch import BatchChecker

SEED = 1
TASKS = 60


def bulk() -> None:
    """Decide, release, put on a node, check."""
    fabric, classes, rows = kernel.warm_bulk()
    found = BatchChecker(fabric, classes, slots=1).check(rows)
    assert found is None, found
    kernel.warm_nodes()


def main() -> None:
    bulk()
    play(SEED, TASKS)


if __name__ == "__main__":
    main()
