"""Two hundred simulated histories: safety after every step, progress after healing, the same again from the same seed."""

import pytest

from suanwang.grids.generate import random_grid
from suanwang.twin.checks import BrokenPromiseError, Checker
from suanwang.twin.main import SCALE, play
from suanwang.twin.streams import stream
from suanwang.twin.world import World

SEEDS = 200
TASKS = 200


@pytest.mark.parametrize("seed", range(SEEDS))
def test_safety_and_progress_of_a_history(seed):
    history = play(seed, TASKS)
    assert sum(history.ended.values()) == TASKS
    assert history.ended.get("succeeded", 0) > 0


def test_the_same_seed_gives_the_same_history():
    assert play(7, 50) == play(7, 50)


def test_another_seed_gives_another_history():
    assert play(7, 50).digest != play(8, 50).digest


def test_the_background_optimiser_takes_part():
    """Every promise is checked after each of its steps; here that it has steps at all."""
    drawn = stream(1, "grid")
    sites = drawn.randint(3, 10)
    world = World(random_grid(sites, drawn.randrange(2**31), SCALE), 1, TASKS)
    world.run()
    improved = [batch for batch in world.log.batches if b'"reason":"improved"' in batch]
    assert improved
    assert all(b'"t":"plan_committed"' in batch for batch in improved)


def test_the_seed_is_said_first():
    said: list[str] = []
    play(3, 5, say=said.append)
    assert said[0] == "twin --seed 3 --tasks 5"


def test_a_broken_promise_names_its_seed_and_step(monkeypatch):
    monkeypatch.setattr(Checker, "after_step", _grumble)
    with pytest.raises(BrokenPromiseError, match="seed 5, tasks 20, step 1"):
        play(5, 20)


def _grumble(self, state):
    raise BrokenPromiseError("a promise")


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(SEEDS))
def test_soak(seed):
    history = play(10_000 + seed, 10_000)
    assert sum(history.ended.values()) == 10_000


def test_a_brain_that_forgets_a_lease_is_caught(monkeypatch):
    from suanwang.observe.state import State

    def forgetful(self, lease_id):
        self.version += 1  # the lease stays in the books for ever

    monkeypatch.setattr(State, "drop_lease", forgetful)
    with pytest.raises(BrokenPromiseError):
        play(11, 30)


def test_a_brain_that_forgets_who_keeps_apart_is_caught(monkeypatch):
    monkeypatch.setattr("suanwang.plan.planner.in_company", lambda need, ask, views: need)
    monkeypatch.setattr("suanwang.verify.company_faults", lambda plan, request, by_site: ())
    with pytest.raises(BrokenPromiseError, match="beside"):
        play(11, 200)


def test_a_brain_that_bills_twice_is_caught(monkeypatch):
    from suanwang.twin.world import TwinLog

    honest = TwinLog.append

    def twice(self, records, at_us, secrets=None):
        position = honest(self, records, at_us, secrets)
        self.charges += self.charges[-1:]
        return position

    monkeypatch.setattr(TwinLog, "append", twice)
    with pytest.raises(BrokenPromiseError, match="was billed"):
        play(11, 30)
