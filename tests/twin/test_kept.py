"""What the planner keeps from one task to the next, and what it does not look for, changes no decision."""

import pytest

from suanwang.plan import scene, standby, weigh
from suanwang.twin.main import play


@pytest.mark.parametrize("seed", [11, 81, 93])
def test_a_history_is_the_same_when_everything_is_worked_out_anew(seed, monkeypatch):
    kept = play(seed, 40)
    monkeypatch.setattr(scene.Kept, "get", lambda self, key: None)  # paths, and all that is kept with them; codes
    monkeypatch.setattr(weigh.Best, "may_change", lambda self, *start: True)
    monkeypatch.setattr(standby.Elsewhere, "has_any", lambda self, near: True)
    monkeypatch.setattr(standby, "_never_changes", lambda scene, need: False)
    assert play(seed, 40) == kept


def test_second_places_that_are_not_looked_for_would_be_missed(monkeypatch):
    """The histories above have tasks whose place depends on it."""
    kept = play(11, 40)
    monkeypatch.setattr(standby.Elsewhere, "has_any", lambda self, near: False)
    assert play(11, 40) != kept
