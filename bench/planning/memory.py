"""How much memory the bulk kernel takes when a full grid has tasks waiting, in a process of its own.

    python -m bench.planning.memory [--servers 924000] [--waiting 1000000]

Tasks arrive until so many were refused. Kept are the state, what runs (by task, to be released), the checker's books,
and the columns of the tasks that wait. Then a batch is decided while they wait, and all that wait are tried once more.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from suanwang.plan.kernel import Reason, State, Tasks, decide, release
from suanwang.plan.kernel.live import Live
from suanwang.plan.kernel.types import I64
from suanwang.verify.batch import BatchChecker

from .ten_million import Run
from .worlds import World, make_world

BATCH = 65_536
BATCHES_MAX = 1_000
CARD_SHARE = Run().card_share  # of the arrivals, as in the run of ten million: the cards fill first
MIB = 2**20


def measured(servers: int, waiting: int) -> dict[str, Any]:
    """Run it in a new process and read what it prints."""
    command = [sys.executable, "-m", __name__, "--servers", str(servers), "--waiting", str(waiting)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def peak_mib() -> float:
    """The most that this process ever held. `ru_maxrss` would begin with what its parent held."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise OSError("no VmHWM in /proc/self/status")


class Full:
    """A world with tasks that run and tasks that wait."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.state, self.live = State(world.fabric, world.classes), Live()
        self.checker = BatchChecker(world.fabric, world.classes)
        with_cards = world.classes.milli > 0
        rate = world.class_rate.copy()
        for part, share in ((with_cards, CARD_SHARE), (~with_cards, 1 - CARD_SHARE)):
            rate[part] *= share / rate[part].sum()
        self.edges = np.cumsum(rate)
        self.edges[-1] = 1.0
        self.draw = np.random.default_rng([1, 104])
        self.arrived = 0
        self.batches: list[Tasks] = []  # of tasks that wait

    def arrivals(self) -> Tasks:
        """The next batch."""
        number = np.arange(self.arrived, self.arrived + BATCH)
        self.arrived += BATCH
        classes = np.searchsorted(self.edges, self.draw.random(BATCH), side="right").astype(np.int32)
        return Tasks(number, classes, np.zeros(BATCH, np.uint8))

    def turn(self, tasks: Tasks) -> Tasks:
        """Decide, keep what is placed; returns what is to wait."""
        rows = decide(self.state, tasks)
        found = self.checker.check(rows)
        assert found is None, found
        self.live.remember(rows)
        refused = rows.reason >= Reason.NO_CANDIDATE
        return Tasks(rows.task[refused], rows.task_class[refused], np.zeros(int(refused.sum()), np.uint8))

    def fill(self, waiting: int) -> None:
        """Until so many wait, and not one more."""
        count = 0
        for _ in range(BATCHES_MAX):
            more = self.turn(self.arrivals())
            room = slice(0, waiting - count)
            self.batches.append(Tasks(more.task[room], more.task_class[room], more.priority[room]))
            count += len(self.batches[-1].task)
            if count == waiting:
                return
        raise AssertionError("the world is too large to fill")

    def end_some(self) -> I64:
        """As many of the tasks as arrive in a batch end: those that arrived from the middle of the time on."""
        ending = self.live.recall(np.arange(self.arrived - self.arrived // 2, self.arrived)[:BATCH])
        back = release(self.state, ending)
        found = self.checker.check(back)
        assert found is None, found
        return back.task


def run(servers: int, waiting: int) -> dict[str, Any]:
    """Figures of this process."""
    full = Full(make_world(1, servers=servers))
    full.fill(waiting)
    tasks = Tasks(*(np.concatenate(parts) for parts in zip(*full.batches, strict=True)))
    full.batches.clear()
    full.end_some()
    began = time.thread_time()
    full.turn(full.arrivals())
    beside = time.thread_time() - began
    began = time.thread_time()
    still = full.turn(tasks)
    again = time.thread_time() - began
    arrays = full.state.arrays
    return {
        "nodes": int(full.world.fabric.node_first[-1]),
        "waiting": len(tasks.task),
        "running": len(full.live),
        "peak_mib": peak_mib(),
        "state_mib": sum(part.nbytes for parts in (arrays.free, arrays.nodes, arrays.memo) for part in parts) / MIB,
        "waiting_mib": sum(part.nbytes for part in tasks) / MIB,
        "decisions_per_core_s_while_they_wait": round(BATCH / beside),
        "all_waiting_tried_again_core_s": again,
        "placed_of_those": len(tasks.task) - len(still.task),
        "oversubscribed": full.checker.oversubscribed(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--servers", type=int, default=924_000)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    asked = parser.parse_args()
    print(json.dumps(run(asked.servers, asked.waiting)))


if __name__ == "__main__":
    main()
