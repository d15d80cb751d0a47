"""Kill brain or agent with SIGKILL at every failpoint; after a restart nothing is lost and nothing ran twice.

The processes come from a fork server that has everything imported, so that a kill costs milliseconds, not seconds.
"""

import multiprocessing
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import kill_parts
import pytest

from suanwang.failpoints import POINTS

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["kill_parts", "kill_warm"])
DEADLINE_S = 60.0
# Points that only the local adapter passes: tests/agent kills there.
LOCAL_ONLY = {"agent.stage.done", "agent.run.exited", "agent.collect.done"}
# The site is lost only if the agent is away for longer than the heartbeat allows.
NEEDS_SILENCE = {"brain.tick.site_lost"}


class Actors:
    """The two processes; whoever has died by the failpoint is started again, unarmed."""

    def __init__(self, folder: Path, point: str) -> None:
        self.folder = folder
        self.killed = 0
        armed_agent = point.startswith("agent.")
        self.brain = self._start(kill_parts.brain_main, None if armed_agent else point)
        self.agent = self._start(kill_parts.agent_main, point if armed_agent else None)

    def _start(self, main, point):
        process = CONTEXT.Process(target=main, args=(self.folder, point))
        process.start()
        return process

    def tend(self) -> None:
        for name, main in (("brain", kill_parts.brain_main), ("agent", kill_parts.agent_main)):
            process = getattr(self, name)
            if process.exitcode is None:
                continue
            assert process.exitcode == -signal.SIGKILL, f"{name} ended by itself with {process.exitcode}"
            self.killed += 1
            setattr(self, name, self._start(main, None))

    def silence(self, seconds: float) -> None:
        """Take the agent away for a while."""
        self.agent.kill()
        self.agent.join()
        time.sleep(seconds)
        self.agent = self._start(kill_parts.agent_main, None)

    def end(self) -> None:
        (self.folder / "stop").touch()
        for process in (self.brain, self.agent):
            process.join(10)
            if process.is_alive():
                process.kill()
                process.join()


@contextmanager
def acting(folder: Path, point: str) -> Iterator[Actors]:
    actors = Actors(folder, point)
    try:
        yield actors
    finally:
        actors.end()


@pytest.mark.parametrize("point", [point for point in POINTS if point not in LOCAL_ONLY])
def test_safety_nothing_lost_nothing_twice_after_a_kill_at(point, tmp_path):
    with acting(tmp_path, point) as actors:
        if point in NEEDS_SILENCE:
            time.sleep(0.5)
            actors.silence(3.0)
        deadline = time.monotonic() + DEADLINE_S
        while not (tmp_path / "done").exists() or not actors.killed:
            actors.tend()
            assert time.monotonic() < deadline, f"not done in {DEADLINE_S} s; killed {actors.killed} times"
            time.sleep(0.02)
    found = kill_parts.summary(tmp_path)
    assert actors.killed == 1
    assert found["tasks"] == len(kill_parts.WORK)
    assert found["phases"] == {row[0]: row[5] for row in kill_parts.WORK}
    assert all(count <= 1 for count in found["successes"].values())
    assert found["leases"] == 0
    assert found["charged"] == found["billed"]
