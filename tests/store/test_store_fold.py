"""How a batch is merged before it is written: the rules of `fold.py`, without a database."""

import pytest

from suanwang.model.record import Record
from suanwang.store.fold import Attempt, Fold, clean, fit
from suanwang.store.project import PROJECTORS
from suanwang.store.statements import Statements


class Nothing:
    def find_attempt(self, attempt_id: str) -> Attempt | None:
        return None

    def find_plan(self, task_id: str, lease_id: str) -> str | None:
        return None


@pytest.fixture
def fold() -> Fold:
    return Fold(Nothing())


def test_changes_of_a_new_row_go_into_its_insert(fold):
    fold.add("tasks", "t", {"phase": "waiting", "billed_micro_yuan": 5, "running_us": None})
    fold.change("tasks", "t", {"phase": "planned"})
    fold.grow("tasks", "t", "billed_micro_yuan", 7)
    fold.first("tasks", "t", "running_us", 3)
    fold.first("tasks", "t", "running_us", 4)
    assert fold.added["tasks"] == {"t": {"phase": "planned", "billed_micro_yuan": 12, "running_us": 3}}
    assert not fold.changed["tasks"]


def test_changes_of_an_old_row_become_one_patch(fold):
    fold.change("tasks", "t", {"phase": "planned", "site": "a"})
    fold.change("tasks", "t", {"phase": "running"})
    fold.grow("tasks", "t", "billed_micro_yuan", 7)
    fold.grow("tasks", "t", "billed_micro_yuan", -2)
    fold.first("tasks", "t", "running_us", 3)
    fold.first("tasks", "t", "running_us", 4)
    patch = {"phase": "running", "site": "a", "+billed_micro_yuan": 5, "?running_us": 3}
    assert fold.changed["tasks"] == {"t": patch}


def test_the_last_of_put_and_remove_counts(fold):
    fold.upsert("outbox", ("t", "a", "start"), {"site": "x"})
    fold.remove("outbox", ("t", "a", "start"))
    assert (dict(fold.put["outbox"]), list(fold.gone["outbox"])) == ({}, [("t", "a", "start")])
    fold.upsert("outbox", ("t", "a", "start"), {"site": "y"})
    assert (dict(fold.put["outbox"]), list(fold.gone["outbox"])) == ({("t", "a", "start"): {"site": "y"}}, [])


def test_a_row_is_added_once(fold):
    fold.add("tasks", "t", {})
    with pytest.raises(AssertionError, match="twice"):
        fold.add("tasks", "t", {})


def test_rows_with_the_same_columns_share_a_statement(fold):
    for task in ("a", "b"):
        fold.change("tasks", task, {"site": task, "phase": "running"})
    fold.change("tasks", "c", {"phase": "running", "+billed_micro_yuan": 4})
    made = list(Statements("sqlite").of(fold))
    assert sorted((rows for _, rows, _ in made), key=len) == [
        [("running", 4, "c")],
        [("running", "a", "a"), ("running", "b", "b")],
    ]
    assert all(must_hit for _, _, must_hit in made)
    assert any("billed_micro_yuan=(tasks.billed_micro_yuan + ?)" in sql for sql, _, _ in made)


@pytest.mark.parametrize("number", [None, 0, -(2**63), 2**63 - 1])
def test_what_fits_stays(number):
    assert fit(number) == number


def test_what_does_not_fit_is_cut():
    assert (fit(2**63), fit(-(2**63) - 1)) == (2**63 - 1, -(2**63))
    assert clean("a\x00b") == "a\ufffdb"


def test_every_record_type_is_projected():
    union = Record.__origin__
    assert set(union.__args__) == set(PROJECTORS)
