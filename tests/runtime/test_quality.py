"""The gap of the brain's rounds: handed over under the lock, proven without it, and shown where scarcity is."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.runtime.test_scarce import HOUR, REQUEST, USER, given, submit, wake  # noqa: F401  # a fixture

from suanwang.model.principal import Submission
from suanwang.model.task import Preference, Resources
from suanwang.runtime import clock
from suanwang.runtime.app import open_brain
from suanwang.runtime.brain import Brain
from suanwang.runtime.settings import Settings


@pytest.fixture
def brain(given: Settings) -> Iterator[Brain]:  # noqa: F811
    opened = open_brain(given)
    yield opened
    opened.close()


def test_a_round_is_proven_by_the_prices_of_the_last_computation(brain: Brain) -> None:
    wake(brain)
    assert brain.scarcity().gap is None
    submit(brain, REQUEST, 4)  # two fill the cheap pool, two go to the dear one
    blind = brain.quality.make()
    assert blind is not None
    assert (blind.tasks, blind.looked_at, blind.placed, blind.prices_made_us) == (4, 4, 4, None)
    assert blind.gap_ppm > 100_000, "without prices each task counts as if the cheap pool were free for all"
    brain.scarce.make()
    submit(brain, REQUEST, 3)
    found = brain.quality.make()
    assert found is not None
    assert (found.placed, found.prices_made_us, found.gap_ppm) == (3, brain.scarcity().made_us, 0)
    shown = brain.scarcity().gap
    assert shown is not None
    assert (shown.cost_micro_yuan, shown.rounds, shown.proven) == (found.cost_micro_yuan, 2, 2)
    assert shown.age_us >= 0


def test_rounds_that_come_meanwhile_are_counted_and_not_looked_at(brain: Brain) -> None:
    wake(brain)
    submit(brain, REQUEST, 2)
    submit(brain, REQUEST, 1)
    assert brain.quality.make().tasks == 2  # type: ignore[union-attr]
    assert brain.quality.make() is None
    shown = brain.scarcity().gap
    assert shown is not None
    assert (shown.rounds, shown.proven) == (2, 1)


def test_a_round_in_which_another_gave_way_is_not_taken(brain: Brain) -> None:
    wake(brain)
    small = REQUEST.model_copy(update={"preemptible": True, "sites": ("cheap",)})
    submit(brain, small, 2)
    assert brain.quality.make() is not None
    submit(brain, small.model_copy(update={"preemptible": False, "priority": 90}), 1)
    assert sum(task.plan is not None for task in brain.road.state.live.values()) == 2, "one of the first two waits"
    assert brain.quality.make() is None


def test_a_round_of_nothing_to_prove_does_not_hide_the_one_before(brain: Brain) -> None:
    wake(brain)
    submit(brain, REQUEST, 1)
    first = brain.quality.make()
    submit(brain, REQUEST.model_copy(update={"preference": Preference.FASTEST}), 1)
    assert brain.quality.make().looked_at == 0  # type: ignore[union-attr]
    assert brain.scarcity().gap.made_us == first.made_us  # type: ignore[union-attr]


def test_a_running_brain_proves_by_itself_and_can_be_told_not_to(given: Settings) -> None:  # noqa: F811
    off = open_brain(replace(given, scarcity_s=0))
    try:
        wake(off)
        submit(off, REQUEST, 1)
        off.start()
        assert off.quality.make() is None
        assert off.scarcity().gap is None
    finally:
        off.close()
    brain = open_brain(replace(given, home=given.home / "on"))
    try:
        wake(brain)
        brain.start()
        brain.submit(USER, [Submission(request=REQUEST)] * 2)
        deadline_s = clock.monotonic_s() + 30
        while brain.scarcity().gap is None:
            assert clock.monotonic_s() < deadline_s
            clock.pause(0.02)
        assert brain.scarcity().gap.looked_at > 0  # type: ignore[union-attr]
    finally:
        brain.close()


def test_a_fault_in_it_stops_nobody(brain: Brain, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def broken(*_: object) -> None:
        tried.append(1)
        raise ValueError("a fault of the proof")

    monkeypatch.setattr("suanwang.guide.rounds.RoundProver.prove", broken)
    wake(brain)
    brain.start()
    big = REQUEST.model_copy(update={"resources": Resources(cpu=1, memory=1, wall_time=HOUR)})
    brain.submit(USER, [Submission(request=big)])
    deadline_s = clock.monotonic_s() + 20
    while not tried:
        assert clock.monotonic_s() < deadline_s
        clock.pause(0.01)
    assert brain.failed is None
    assert brain.scarcity().gap is None
