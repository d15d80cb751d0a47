"""Tasks that run with others or apart from them, on the whole road: why they wait, what wakes them, and after a loss."""

import pytest
from tests.road.town import S, Town

from suanwang.dispatch.company import helps, wait_reason
from suanwang.model.ids import TaskId
from suanwang.model.plan import ClauseCount
from suanwang.model.reason import PoolReason, WaitReason
from suanwang.model.record import Phase
from suanwang.model.task import Resources, TaskRequest
from suanwang.plan import PlanAsk
from suanwang.plan import plan as real_plan

SMALL = Resources(cpu=1, memory=1, wall_time=600 * S)
DB, WEB = {"app": "db"}, {"app": "web"}
LONG = {"fake.duration-us": str(300 * S)}


@pytest.fixture
def town() -> Town:
    town = Town("here", "there", "yonder")
    town.exchange()
    return town


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[TaskId]:
    """The tasks that the planner was asked about, in order."""
    seen: list[TaskId] = []

    def counted(snapshot: object, asks: list[PlanAsk], *rest: object) -> object:
        seen.extend(ask.task_id for ask in asks)
        return real_plan(snapshot, asks, *rest)

    monkeypatch.setattr("suanwang.judge.plan_batch", counted)
    return seen


def site(town: Town, task_id: TaskId) -> str | None:
    made = town.task(task_id).plan
    return made and made.site


def reason(town: Town, task_id: TaskId) -> WaitReason:
    assert town.task(task_id).phase is Phase.WAITING
    return town.task(task_id).wait_reason


def test_it_waits_for_whom_it_must_run_with_and_wakes_when_that_one_has_its_place(town: Town, looks: list) -> None:
    web = town.submit(resources=SMALL, together_with=DB)
    town.plan()
    assert reason(town, web) is WaitReason.COMPANY
    (waits,) = town.records("task_waits")
    assert [(one["reason"], one["pools"]) for one in waits["clauses"]] == [("together", 3)]
    town.submit(resources=SMALL, tags=WEB)  # somebody else comes: no reason to look again
    town.plan()
    town.plan()
    assert looks.count(web) == 1
    town.submit(resources=SMALL, tags=DB, sites=("there",))
    town.plan()
    town.plan()
    assert (site(town, web), looks.count(web)) == ("there", 2)


def test_who_keeps_apart_waits_until_a_site_is_left(town: Town, looks: list) -> None:
    spread = [town.submit(resources=SMALL, tags={**WEB, **LONG}, apart_from=WEB) for _ in range(4)]
    town.plan()
    assert [site(town, one) for one in spread] == ["here", "there", "yonder", None]
    assert reason(town, spread[3]) is WaitReason.COMPANY
    town.plan()
    assert looks.count(spread[3]) == 1
    town.road.cancel(spread[1], "me")
    town.plan()
    assert site(town, spread[3]) == "there"


def test_who_is_kept_out_by_others_waits_by_itself_and_the_rest_of_its_kind_goes_on(town: Town) -> None:
    """The tag alone, without a wish of its own: those that keep apart from it stand everywhere."""
    walls = [town.submit(resources=SMALL, apart_from=DB, sites=(one,)) for one in ("here", "there", "yonder")]
    town.plan()
    kept_out = town.submit(resources=SMALL, tags=DB)
    free = town.submit(resources=SMALL)
    town.plan()
    assert reason(town, kept_out) is WaitReason.COMPANY
    assert site(town, free) == "here"
    town.road.cancel(walls[2], "me")
    town.plan()
    assert site(town, kept_out) == "yonder"


def test_after_the_loss_of_their_site_both_are_planned_again_as_they_must(town: Town) -> None:
    db = town.submit(resources=SMALL, tags={**DB, **LONG}, sites=("there", "yonder"))
    web = town.submit(resources=SMALL, tags={**WEB, **LONG}, together_with=DB)
    far = town.submit(resources=SMALL, tags=LONG, apart_from=DB, sites=("there", "yonder"))
    town.plan()
    assert [site(town, one) for one in (db, web, far)] == ["there", "there", "yonder"]
    town.road.dispatch_round()
    town.road.lose_site("there", "heartbeat_lost")
    town.road.commit()
    town.agents.pop("there")
    for _ in range(4):
        town.round()
    assert site(town, db) is None, "the one that keeps apart from it stands at the only site left for it"
    assert reason(town, db) is WaitReason.COMPANY
    assert reason(town, web) is WaitReason.COMPANY
    town.road.cancel(far, "me")
    for _ in range(6):
        town.round()
    assert (site(town, db), site(town, web)) == ("yonder", "yonder")


def test_one_whose_company_moved_before_it_began_is_planned_again(town: Town) -> None:
    later = town.now_us + 100 * S
    db = town.submit(resources=SMALL, tags={**DB, **LONG}, sites=("here", "there"))
    town.plan()
    web = town.submit(resources=SMALL, tags=LONG, together_with=DB, earliest_start=later)
    town.plan()
    assert (site(town, db), site(town, web)) == ("here", "here")
    town.road.cancel(db, "me")
    second = town.submit(resources=SMALL, tags={**DB, **LONG}, sites=("there",))
    town.plan()
    assert (site(town, second), site(town, web)) == ("there", "here")
    town.now_us = later
    town.round()
    town.round()
    assert site(town, web) == "there"
    dropped = [one["reason"] for one in town.records("plan_dropped") if one["task_id"] == web]
    assert dropped == ["parted"]


def asked(tags: dict | None = None, together: dict | None = None, apart: dict | None = None) -> TaskRequest:
    return TaskRequest(run="true", tags=tags or {}, together_with=together or {}, apart_from=apart or {})


@pytest.mark.parametrize(
    ("moved", "waiting", "coming", "leaving"),
    [
        (asked(DB), asked(), False, False),
        (asked(DB), asked(together=DB), True, False),
        (asked(DB), asked(DB, together=DB), True, True),
        (asked(DB), asked(together={**DB, "tier": "1"}), False, False),
        (asked({**DB, "tier": "1"}), asked(together=DB), True, False),
        (asked(DB), asked(apart=DB), False, True),
        (asked(WEB), asked(apart=DB), False, False),
        (asked(apart=DB), asked(DB), False, True),
        (asked(apart={**DB, "tier": "1"}), asked(DB), False, False),
    ],
)
def test_who_helps_whom(moved: TaskRequest, waiting: TaskRequest, coming: bool, leaving: bool) -> None:
    assert (helps(moved, True, waiting), helps(moved, False, waiting)) == (coming, leaving)


@pytest.mark.parametrize(
    ("reasons", "wait"),
    [
        ("together", WaitReason.COMPANY),
        ("site_down together", WaitReason.COMPANY),
        ("kind apart", WaitReason.COMPANY),
        ("together capacity", WaitReason.CAPACITY),
        ("apart bandwidth site_down", WaitReason.SITES_DOWN),
        ("site_down", WaitReason.SITES_DOWN),
        ("kind deadline", WaitReason.CAPACITY),
    ],
)
def test_what_a_task_is_said_to_wait_for(reasons: str, wait: WaitReason) -> None:
    clauses = [ClauseCount(reason=PoolReason(one), pools=1, sites=1) for one in reasons.split()]
    assert wait_reason(tuple(clauses)) is wait


def test_a_brain_that_starts_again_knows_who_stands_where(town: Town) -> None:
    town.submit(resources=SMALL, tags={**DB, **LONG}, sites=("there",))
    town.plan()
    town.road = town.opened()
    web = town.submit(resources=SMALL, together_with=DB)
    away = town.submit(resources=SMALL, apart_from=DB, sites=("there",))
    town.plan()
    assert site(town, web) == "there"
    assert reason(town, away) is WaitReason.COMPANY
