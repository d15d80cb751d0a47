"""The life-cycle table: every promise that can be read off it alone."""

from collections import deque

import pytest

from suanwang.dispatch.lifecycle import LIVE, TABLE, Effect, Signal, may_retry, step
from suanwang.model.reason import NOT_THE_TASKS_FAULT, RETRYABLE, FailureReason
from suanwang.model.record import ENDS, Phase

HOLDS_A_LEASE = {Phase.PLANNED, Phase.STOPPING, *LIVE}


def test_safety_an_end_is_never_left():
    assert not [phase for phase, _ in TABLE if phase in ENDS]


def test_progress_every_phase_reaches_an_end():
    backward: dict[Phase, set[Phase]] = {}
    for (phase, _), transition in TABLE.items():
        backward.setdefault(transition.to, set()).add(phase)
    reached, queue = set(ENDS), deque(ENDS)
    while queue:
        for phase in backward.get(queue.popleft(), set()) - reached:
            reached.add(phase)
            queue.append(phase)
    assert reached == set(Phase)


def test_every_phase_but_the_first_is_entered():
    entered = {transition.to for transition in TABLE.values()}
    assert entered >= set(Phase) - {Phase.WAITING}


@pytest.mark.parametrize(("key", "transition"), TABLE.items(), ids=lambda value: str(value)[:40])
def test_safety_a_lease_is_taken_and_given_back_once(key, transition):
    phase, _ = key
    had, has = phase in HOLDS_A_LEASE, transition.to in HOLDS_A_LEASE
    given_back = Effect.DROP_LEASE in transition.effects or Effect.CLOSE_ATTEMPT in transition.effects
    assert (Effect.TAKE_LEASE in transition.effects) == (not had and has)
    assert given_back == (had and not has)


@pytest.mark.parametrize(("key", "transition"), TABLE.items(), ids=lambda value: str(value)[:40])
def test_safety_a_closed_attempt_is_settled_in_the_same_batch(key, transition):
    assert (Effect.CLOSE_ATTEMPT in transition.effects) == (Effect.SETTLE in transition.effects)


@pytest.mark.parametrize(("key", "transition"), TABLE.items(), ids=lambda value: str(value)[:40])
def test_an_end_is_announced_exactly_where_it_is_entered(key, transition):
    assert (Effect.END in transition.effects) == (transition.to in ENDS)


def test_progress_every_live_phase_can_be_cancelled_and_lost():
    for phase in set(Phase) - ENDS:
        assert step(phase, Signal.CANCEL_ASKED) is not None
    for phase in (*LIVE, Phase.STOPPING):
        assert step(phase, Signal.ATTEMPT_LOST) is not None


def test_a_late_event_has_no_effect():
    assert step(Phase.SUCCEEDED, Signal.FINISHED) is None
    assert step(Phase.WAITING, Signal.RUNNING) is None


@pytest.mark.parametrize("reason", FailureReason)
def test_retries_the_sites_faults_are_free_and_the_tasks_own_are_counted(reason):
    assert may_retry(reason, 0) == (reason in NOT_THE_TASKS_FAULT)
    assert may_retry(reason, 1) == (reason in RETRYABLE)
