"""`suanwang twin`: play one history from one seed and say what became of it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from suanwang.grids.generate import SMALL, random_grid
from suanwang.model.units import US_PER_S
from suanwang.twin.checks import BrokenPromiseError
from suanwang.twin.streams import stream
from suanwang.twin.world import START_US, World

# Tight enough that tasks crowd each other, roomy enough that most run at once.
SCALE = replace(SMALL, nodes_max=10)


@dataclass(frozen=True)
class History:
    """What became of one seed."""

    seed: int
    sites: int
    tasks: int
    steps: int
    virtual_s: int
    records: int
    ended: dict[str, int]
    digest: str  # of the whole log: the same seed gives the same digest on every machine


def play(seed: int, tasks: int, sites: int | None = None, say: Callable[[str], None] = lambda _: None) -> History:
    """Play seed `seed`. Raises BrokenPromiseError, naming the seed, where a promise does not hold.

    The seed is said before anything else happens, so that a crash can be repeated.
    """
    say(f"twin --seed {seed} --tasks {tasks}")
    draw = stream(seed, "grid")
    drawn = draw.randint(3, 10)
    grid = random_grid(sites or drawn, draw.randrange(2**31), SCALE)
    world = World(grid, seed, tasks)
    try:
        state = world.run()
    except AssertionError as error:
        raise BrokenPromiseError(f"seed {seed}, tasks {tasks}, step {world.steps}: {error}") from error
    # As they were submitted: a task in parts counts once.
    phases = Counter(task.phase.value for task in state.tasks.values() if task.part_of is None)
    ended = dict(sorted(phases.items()))
    virtual_s = (world.now_us - START_US) // US_PER_S
    return History(
        seed, len(grid.sites), tasks, world.steps, virtual_s, world.log.records, ended, world.log.digest.hexdigest()
    )
