"""What became of a path is told in words: what was seen, and what was done, in every language."""

import pytest
from rich.console import Console

from suanwang.cli.follow import Follower
from suanwang.cli.show.forms import Places
from suanwang.cli.show.paths import path_lines, seen
from suanwang.grids import SMALL, random_grid
from suanwang.model.path_report import PathFault, PathObservation
from suanwang.model.view import PathStep
from suanwang.texts import LANGUAGES, has

GRID = random_grid(4, 1, SMALL)
A, B = GRID.sites[0].id, GRID.sites[1].id


def cause(kind: PathFault, **fields) -> PathObservation:
    return PathObservation(kind=kind, observed_at_us=5, **fields)


def test_every_word_is_there():
    assert all(has(f"path.seen.{one.value}") for one in PathFault)
    assert all(has(f"path.done.{one}") for one in ("repaired", "broken", "restored"))
    assert len(LANGUAGES) == 3


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (cause(PathFault.CUT, avoid=("road",)), "a link of the path is cut: road"),
        (cause(PathFault.DELAY, measured_us=9_500, promised_us=2_000), "the path is slow: 9.50 ms, promised 2.00 ms"),
        (cause(PathFault.LOSS, lost_permille=123), "the path loses 12.3 % of its packets"),
        (cause(PathFault.DOWN, avoid=("x", "y")), "nothing arrives over the path  suspected: x, y"),
    ],
)
def test_what_was_seen(given, words):
    assert seen(given) == words


def test_a_step_is_what_was_seen_and_what_was_done():
    places = Places(GRID)
    step = PathStep(
        at_us=7,
        kind="repaired",
        cause=cause(PathFault.CUT, avoid=("road",)),
        plan_id="plan-2",
        sites=(A, B),
        latency_us=4_000,
    )
    first, second = (one.plain for one in path_lines(step, places))
    assert "cut: road" in first
    assert "runs on over" in second and places.name(B) in second and "4.00 ms" in second
    (only,) = path_lines(PathStep(at_us=7, kind="restored", plan_id="plan-1"), places)
    assert "whole again" in only.plain


def test_the_follower_tells_it_as_it_comes():
    follower = Follower(None, Console(), Places(GRID), "task-1")  # type: ignore[arg-type]
    told = {"t": "path_broken", "at_us": 7, "task_id": "task-1", "plan_id": "plan-1"}
    told["cause"] = cause(PathFault.LOSS, lost_permille=10).model_dump(mode="json")
    lines = [one.plain for one in follower._path("path_broken", told)]
    assert "loses 1.0 %" in lines[0] and "no better path" in lines[1]
    assert follower._path("task_waits", {}) == []
