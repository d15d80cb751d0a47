"""GET /v1/scarcity: what the brain last computed, the same for every tenant, with the reason where nothing is scarce."""

import time

import httpx
import pytest

from suanwang.model.scarcity import Improved, RoundGap, ScarceResource, Scarcity, ScarcityState

SLOW = {"name": "slow", "run": "sleep", "tags": {"fake.duration-us": "600000000"}}


@pytest.fixture
def calm(operator, grid):
    """Nothing that other tests of this brain have left waits for what there is too little of."""
    for row in operator.get("/v1/tasks", params={"limit": 200, "phase": "live"}).json()["items"]:
        operator.post(f"/v1/tasks/{row['task_id']}/cancel")


def test_it_says_why_there_are_no_rows_and_how_old_it_is(user, grid, calm):
    task_id = user.post("/v1/tasks", json=SLOW).json()["task_id"]
    try:
        deadline = time.monotonic() + 20
        while user.get(f"/v1/tasks/{task_id}").json()["phase"] != "running":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        grid.here.brain.scarce.make()
        found = Scarcity.model_validate(user.get("/v1/scarcity").json())
        assert found.state is ScarcityState.ENOUGH
        assert found.rows == ()
        assert found.came >= 1
        assert found.candidates >= found.columns > 0
        assert found.age_us >= 0
        with grid.http("other") as other:
            theirs = Scarcity.model_validate(other.get("/v1/scarcity").json())
        assert theirs.model_copy(update={"age_us": found.age_us, "gap": found.gap}) == found
    finally:
        user.post(f"/v1/tasks/{task_id}/cancel")


def test_rows_name_the_resource_and_its_place(user, grid, monkeypatch):
    site = grid.here.brain.index.grid.sites[0].id
    row = {"resource": "link", "id": "a-b:ab", "site": site, "to": site, "free": 1, "whole": 2}
    row |= {"micro_yuan": 3, "whole_micro_yuan": 6}
    shown = Scarcity.model_validate({"state": "scarce", "rows": [row]})
    monkeypatch.setattr(grid.here.brain.scarce, "_latest", shown)
    found = Scarcity.model_validate(user.get("/v1/scarcity").json())
    assert found.rows == shown.rows
    assert found.rows[0].resource is ScarceResource.LINK


def test_the_gap_of_the_last_round_is_there_and_in_the_metrics(user, grid, monkeypatch):
    given = {"made_us": grid.here.brain.clock(), "tasks": 9, "looked_at": 8, "placed": 8, "cost_micro_yuan": 100}
    given |= {"bound_micro_yuan": 75, "gap_ppm": 250_000}
    monkeypatch.setattr(grid.here.brain.quality, "_latest", RoundGap.model_validate(given))
    found = Scarcity.model_validate(user.get("/v1/scarcity").json()).gap
    assert (found.gap_ppm, found.looked_at) == (250_000, 8)
    text = httpx.get(f"{grid.here.url}/metrics").text
    assert "suanwang_round_gap 0.25\n" in text
    assert "suanwang_round_gap_age_seconds " in text
    assert 'suanwang_rounds{kind="planned"}' in text
    monkeypatch.setattr(grid.here.brain.quality, "_latest", None)
    assert "suanwang_round_gap NaN\n" in httpx.get(f"{grid.here.url}/metrics").text


def test_what_the_optimiser_brought_is_in_the_metrics(grid, monkeypatch):
    found = Improved(plans=3, placed=1, saved_micro_yuan=2_500_000, sooner_us=90_000_000, outdated=2)
    monkeypatch.setattr(grid.here.brain.road, "improved", found)
    text = httpx.get(f"{grid.here.url}/metrics").text
    for words in (
        'suanwang_improved{kind="plans"} 3.0',
        'suanwang_improved{kind="placed"} 1.0',
        'suanwang_improved{kind="outdated"} 2.0',
        "suanwang_improved_saved_yuan 2.5",
        "suanwang_improved_sooner_seconds 90.0",
    ):
        assert words in text, words
