"""Compile the planner's kernels once, into numba's cache, so that nobody's first task waits for it.

    python -m suanwang.runtime.warm

Plays a short simulated history: it passes every kernel, with data, protection, deadlines and holds.
"""

from suanwang.twin.main import play

SEED = 1
TASKS = 60


def main() -> None:
    play(SEED, TASKS)


if __name__ == "__main__":
    main()
