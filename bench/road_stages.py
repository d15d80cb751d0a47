"""Where the time of the road goes: CPU microseconds of its thread a task, stage by stage, each without the stages in it.

The road of `bench.road` without a projector beside it. What a stage calls of another stage counts there alone.

    python -m bench.road_stages [--tasks 8000] [--store sqlite|postgres] [--profile FILE]
"""

import argparse
import cProfile
import functools
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.road import SEED, a_task, engines, open_road, run_tasks

from suanwang import judge
from suanwang.agent.adapters.fake import FakeAdapter
from suanwang.agent.agent import Agent
from suanwang.agent.journal import Journal
from suanwang.dispatch import reconcile
from suanwang.dispatch.scribe import Scribe
from suanwang.dispatch.waits import Waits
from suanwang.flow import Road
from suanwang.grids import china_path, load_grid
from suanwang.model.ids import AgentId
from suanwang.plan import warm
from suanwang.runtime.clock import now_us
from suanwang.runtime.memory import few_collections
from suanwang.store import Store
from suanwang.twin.streams import stream

# What is timed: an owner and the name of a function of its.
STAGES: tuple[tuple[Any, str], ...] = (
    (Road, "submit"),
    (Road, "plan_round"),
    (Waits, "take"),
    (Waits, "end_round"),
    (judge, "plan_batch"),
    (judge, "_plainly_sound"),
    (Road, "dispatch_round"),
    (Road, "exchange"),
    (reconcile, "reconcile"),
    (Scribe, "commit"),
    (Store, "append"),
    (Agent, "exchange"),
    (Agent, "collect"),
    (Agent, "heartbeat"),
    (Agent, "_acknowledge"),
    (Agent, "_obey"),
    (FakeAdapter, "poll"),
    (FakeAdapter, "start"),
    (Journal, "commit"),
)


class Clock:
    """Thread CPU time by stage, the innermost alone."""

    def __init__(self) -> None:
        self.spent_s: dict[str, float] = defaultdict(float)
        self._open: list[str] = []
        self._since_s = 0.0

    def turn(self, stage: str | None) -> None:
        """A stage begins, or (None) the innermost ends."""
        now_s = time.thread_time()
        if self._open:
            self.spent_s[self._open[-1]] += now_s - self._since_s
        if stage is None:
            self._open.pop()
        else:
            self._open.append(stage)
        self._since_s = now_s

    def watch(self, owner: Any, name: str) -> None:
        """Time a function wherever it is called by that name."""
        inside: Callable[..., Any] = getattr(owner, name)
        stage = f"{owner.__name__.rpartition('.')[2]}.{name}"

        @functools.wraps(inside)
        def timed(*given: Any, **named: Any) -> Any:
            self.turn(stage)
            try:
                return inside(*given, **named)
            finally:
                self.turn(None)

        setattr(owner, name, timed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--tasks", type=int, default=8_000)
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--profile", help="write a profile of cProfile there instead (thread CPU time)")
    arguments = parser.parse_args()
    clock, profile = Clock(), cProfile.Profile(time.thread_time)
    if not arguments.profile:
        for owner, name in STAGES:
            clock.watch(owner, name)
    grid = load_grid(china_path())
    warm()
    few_collections()
    draw = stream(SEED, "bench")
    requests = [a_task(draw, grid) for _ in range(arguments.tasks)]
    with engines(arguments.store) as url, tempfile.TemporaryDirectory() as folder:
        road, store = open_road(grid, url)
        sites = [site.id for site in grid.sites if site.pools]
        journal = Journal(Path(folder) / "journal.db")
        agent = Agent(AgentId("bench"), sites, FakeAdapter(now_us, SEED), journal, now_us)
        clock.spent_s.clear()
        begin_s, wall_s = time.thread_time(), time.perf_counter()
        if arguments.profile:
            profile.runcall(run_tasks, road, agent, requests)
            profile.dump_stats(arguments.profile)
        else:
            run_tasks(road, agent, requests)
        whole_s, wall_s = time.thread_time() - begin_s, time.perf_counter() - wall_s
        agent.close()
        store.close()
    for stage, spent_s in sorted(clock.spent_s.items(), key=lambda one: -one[1]):
        print(f"{stage:>28} {spent_s * 1e6 / arguments.tasks:8.1f}")
    print(
        f"{'all':>28} {whole_s * 1e6 / arguments.tasks:8.1f} us of CPU a task; {arguments.tasks / wall_s:.0f} tasks/s"
    )


if __name__ == "__main__":
    main()
