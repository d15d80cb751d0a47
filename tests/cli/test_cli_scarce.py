"""`suanwang grid scarce`: rows for people, one document for programs, and words where there are no rows."""

import pytest

from suanwang.cli.exits import Exit
from suanwang.cli.show import scarce
from suanwang.cli.words import t
from suanwang.model.scarcity import RoundGap, ScarceResource, Scarcity, ScarcityState


@pytest.fixture
def shown(grid, monkeypatch):
    """Let the brain have computed this."""
    here = grid.here.brain

    def let(**given) -> Scarcity:
        found = Scarcity.model_validate({"made_us": here.clock(), "every_s": 60} | given)
        monkeypatch.setattr(here.scarce, "_latest", found)
        return found

    return let


def rows(grid) -> list[dict]:
    site, other = grid.here.brain.index.grid.sites[:2]
    both = {"micro_yuan": 1_500_000, "whole_micro_yuan": 9_000_000, "site": site.id}
    return [
        both | {"resource": "card", "id": f"{site.id}/ai", "model": "card-a", "free": 0, "whole": 6},
        both | {"resource": "memory", "id": f"{site.id}/general", "free": 2**30, "whole": 2**33},
        both | {"resource": "link", "id": "x:ab", "to": other.id, "free": 10**9, "whole": 10**10},
        both | {"resource": "security", "id": f"{site.id}/wall", "free": 0, "whole": 10**9},
    ]


def test_rows_say_what_where_and_how_much(sw, shown, grid):
    shown(state="scarce", waiting=7, came=2, placed=3, classes=2, hold_us=7_200_000_000, unread=4, rows=rows(grid))
    ran = sw("grid", "scarce")
    assert ran.exit == Exit.OK
    for words in (
        "Scarce now",
        "Card card-a",
        "1 GiB / 8 GiB",
        "1 Gbps / 10 Gbps",
        "→",
        "¥1.5",
        "¥9",
        "2 h on average",
    ):
        assert words in ran.out, words
    assert "7 waiting tasks" in ran.out
    assert "4 more" in ran.out


def test_no_rows_are_told_with_the_reason(sw, grid, shown, monkeypatch):
    shown(state="idle")
    monkeypatch.setattr(grid.here.brain.quality, "_latest", None)  # no round of an earlier test
    ran = sw("grid", "scarce")
    assert ran.out.strip() == t("scarcity_state.idle")


GAP = {"tasks": 64, "looked_at": 60, "placed": 59, "cost_micro_yuan": 9_000_000, "bound_micro_yuan": 8_888_000}


def test_the_last_line_says_how_far_from_the_best_it_may_be(sw, grid, shown, monkeypatch):
    shown(state="enough")
    now_us = grid.here.brain.clock()
    given = GAP | {"made_us": now_us - 3_000_000, "gap_ppm": 12_401}
    monkeypatch.setattr(grid.here.brain.quality, "_latest", RoundGap.model_validate(given))
    ran = " ".join(sw("grid", "scarce").out.split())
    assert "at most 1.25 % of the ¥9.00 that 60 of its 64 tasks cost" in ran  # rounded up
    assert "Proven with prices" not in ran
    given |= {"prices_made_us": now_us - 60_000_000, "prices_age_us": 57_000_000}
    monkeypatch.setattr(grid.here.brain.quality, "_latest", RoundGap.model_validate(given))
    assert "Proven with prices that were 57 s old." in " ".join(sw("grid", "scarce").out.split())
    given |= {"looked_at": 0}
    monkeypatch.setattr(grid.here.brain.quality, "_latest", RoundGap.model_validate(given))
    assert "nothing to prove" in " ".join(sw("grid", "scarce").out.split())


@pytest.mark.parametrize(("ppm", "words"), [(0, "0.00 %"), (1, "0.01 %"), (12_400, "1.24 %"), (1_000_000, "100.00 %")])
def test_a_gap_is_rounded_up(ppm, words):
    assert scarce.percent(ppm) == words


def test_json_is_the_answer_of_the_brain(sw, shown, grid):
    found = shown(state="scarce", rows=rows(grid))
    read = Scarcity.model_validate(sw("grid", "scarce", "--json").json)
    assert read.model_copy(update={"age_us": 0, "gap": None}) == found


@pytest.mark.parametrize("key", [f"scarcity_state.{one}" for one in ScarcityState])
def test_every_state_has_words(key):
    assert t(key) != key


@pytest.mark.parametrize("resource", ScarceResource)
def test_every_resource_has_words_and_an_amount(resource, grid):
    row = Scarcity.model_validate({"state": "scarce", "rows": rows(grid)}).rows[0]
    assert scarce._amount(row.model_copy(update={"resource": resource}), 0)
    assert t(f"scarce_resource.{resource.value}") != f"scarce_resource.{resource.value}"
