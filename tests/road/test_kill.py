"""Kill brain or agent with SIGKILL at every failpoint; after a restart nothing is lost and nothing ran twice.

The processes come from a fork server that has everything imported, so that a kill costs milliseconds, not seconds.
"""

import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from pathlib import Path

import kill_parts
import pytest

from suanwang.failpoints import POINTS

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["kill_parts", "kill_warm"])
HERE = Path(__file__).parent
DEADLINE_S = 60.0
# Points that only the local adapter passes: real commands in the sandbox.
LOCAL_ONLY = ("agent.stage.done", "agent.run.exited", "agent.collect.done", "agent.deliver.done")
# The site is lost only if the agent is away for longer than the heartbeat allows.
NEEDS_SILENCE = {"brain.tick.site_lost"}


@pytest.fixture(scope="module", autouse=True)
def fork_server() -> None:
    """Started with this folder on its path: it does not have the path of who starts it, and what it cannot import it
    leaves out without a word."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]))
        forkserver.ensure_running()


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

    def silence(self) -> None:
        """Take the agent away until the brain has noticed, and died of it."""
        wait_for(lambda: (self.folder / "heard").exists(), "the brain has heard its agent")
        self.agent.kill()
        self.agent.join()
        wait_for(lambda: self.brain.exitcode is not None, "the brain has lost the site")
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


def wait_for(holds, what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.02)


def play(folder: Path, point: str) -> None:
    """Kill at the point, let everything end, and look at what is left."""
    with acting(folder, point) as actors:
        if point in NEEDS_SILENCE:
            actors.silence()

        def is_over() -> bool:
            actors.tend()
            return (folder / "done").exists() and actors.killed > 0

        wait_for(is_over, "all ended after one kill")
    found, work = kill_parts.summary(folder), kill_parts.work_of(folder)
    assert actors.killed == 1
    assert found["tasks"] == len(work)
    assert found["phases"] == {row[0]: row[5] for row in work}
    assert all(count <= 1 for count in found["successes"].values())
    assert found["leases"] == 0
    assert found["charged"] == found["billed"]


@pytest.mark.parametrize("point", [point for point in POINTS if point not in LOCAL_ONLY])
def test_safety_nothing_lost_nothing_twice_after_a_kill_at(point, tmp_path):
    play(tmp_path, point)


@pytest.mark.sandbox
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("bwrap") is None, reason="needs root and bubblewrap")
@pytest.mark.parametrize("point", LOCAL_ONLY)
def test_safety_nothing_lost_nothing_twice_in_the_sandbox_after_a_kill_at(point, tmp_path):
    (tmp_path / "local").touch()
    (tmp_path / "delivered").mkdir()
    play(tmp_path, point)
    assert [file.read_bytes() for file in (tmp_path / "delivered").rglob("out.txt")] == [b"content"]


def test_a_process_begins_with_all_that_it_needs():
    """Else each of those below would spend seconds on imports."""
    process = CONTEXT.Process(target=kill_parts.has_begun_warm)
    process.start()
    process.join(DEADLINE_S)
    assert process.exitcode == 0


def test_there_are_at_least_25_points():
    assert len(POINTS) >= 25
