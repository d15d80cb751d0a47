"""Tasks that must run with others, or keep apart from them, in one batch and beside what stands."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_plan_basics import task
from worlds import NOW, Ids, beside, company, general, grid_of, link_of, site_of, snapshot_of

from suanwang.model.ids import TaskId, TenantId
from suanwang.model.plan import Plan
from suanwang.model.reason import PlanFault, PoolReason
from suanwang.model.snapshot import Snapshot
from suanwang.model.task import TaskRequest
from suanwang.plan import PlanAnswer, PlanAsk, plan
from suanwang.verify import verify

T = TenantId("t")
DB, WEB = {"app": "db"}, {"app": "web"}


def town(*names: str, cores: int = 4) -> Snapshot:
    """Sites in a row, the first the user's and the nearest; nothing costs anything, so the nearest wins."""
    sites = [site_of(one, [general(one, cores=cores)], book="free") for one in names]
    pairs = pairwise(names)
    return snapshot_of(grid_of(sites, [link_of(f"{a}{b}", a, b) for a, b in pairs]))


def answers(view: Snapshot, *tasks: TaskRequest) -> list[PlanAnswer]:
    asks = [PlanAsk(TaskId(f"task-{number}"), T, request) for number, request in enumerate(tasks)]
    return plan(view, asks, NOW, 0, Ids())


def places(view: Snapshot, *tasks: TaskRequest) -> list[str | None]:
    return [one.plan and one.plan.site for one in answers(view, *tasks)]


def test_apart_from_what_stands_there() -> None:
    view = beside(town("a", "b"), [("a", task(tags=DB))])
    assert places(view, task()) == ["a"]
    assert places(view, task(apart_from=DB)) == ["b"]
    assert places(view, task(apart_from={**DB, "tier": "1"})) == ["a"], "it bears one of the two"


def test_apart_goes_both_ways() -> None:
    view = beside(town("a", "b"), [("a", task(apart_from=DB))])
    assert places(view, task(tags=DB), task(tags=WEB)) == ["b", "a"]


def test_together_with_what_stands_there() -> None:
    view = beside(town("a", "b", "c"), [("c", task(tags=DB)), ("b", task(tags=DB))])
    assert places(view, task(), task(together_with=DB)) == ["a", "b"]


def test_with_nobody_there_it_waits_and_says_why() -> None:
    (found,) = answers(town("a", "b"), task(together_with=DB))
    assert found.plan is None
    assert found.ever
    assert [(one.reason, one.pools) for one in found.clauses] == [(PoolReason.TOGETHER, 2)]


def test_another_tenants_tasks_are_nobody() -> None:
    view = beside(town("a", "b"), [])  # a foreign database at each site, which keeps apart from web
    assert places(view, task(apart_from=DB), task(tags=WEB)) == ["a", "a"]
    assert places(view, task(together_with=DB)) == [None]


def test_a_batch_sees_the_tasks_before_it() -> None:
    view = town("a", "b", "c")
    assert places(view, task(tags=DB), task(apart_from=DB), task(tags=DB)) == ["a", "b", "a"]
    assert places(view, task(tags=DB, sites=("c",)), task(together_with=DB), task()) == ["c", "c", "a"]
    assert places(view, task(together_with=DB), task(tags=DB)) == [None, "a"]


def test_a_group_is_spread_until_the_sites_are_used_up() -> None:
    spread = task(tags=WEB, apart_from=WEB)
    found = answers(town("a", "b", "c"), spread, spread, spread, spread)
    assert [one.plan and one.plan.site for one in found] == ["a", "b", "c", None]
    assert [(one.reason, one.pools) for one in found[3].clauses] == [(PoolReason.APART, 3)]


def test_the_first_of_a_group_that_wants_to_be_together_goes_anywhere() -> None:
    group = task(tags=WEB, together_with=WEB)
    assert places(town("a", "b", cores=8), group, group, group) == ["a", "a", "a"]
    far = beside(town("a", "b"), [("b", task(tags=WEB))])
    assert places(far, group) == ["b"]


def test_a_task_is_no_company_for_itself() -> None:
    """Asked again while its own plan still stands: only the others count."""
    view = beside(town("a", "b"), [])
    view.placements.place(TaskId("task-0"), T, "b", task(tags=WEB, apart_from=WEB))
    assert places(view, task(tags=WEB, apart_from=WEB, sites=("b",))) == ["b"]
    assert places(view, task(together_with=WEB, tags=WEB)) == ["a"]


@pytest.mark.parametrize(
    ("request_", "others", "fault"),
    [
        (task(apart_from=DB), [("a", task(tags=DB))], PlanFault.APART),
        (task(tags=DB), [("a", task(apart_from=DB))], PlanFault.APART),
        (task(together_with=DB), [("b", task(tags=DB))], PlanFault.TOGETHER),
        (task(together_with=DB), [], PlanFault.TOGETHER),
        (task(together_with=DB, tags=DB), [("b", task(tags=DB))], PlanFault.TOGETHER),
        (task(together_with=DB, tags=DB), [("b", task(tags=WEB))], None),
        (task(together_with=DB), [("b", task(tags=DB)), ("a", task(tags=DB))], None),
        (task(apart_from=DB), [("b", task(tags=DB))], None),
    ],
)
def test_the_checker_finds_it_by_itself(request_: TaskRequest, others: list, fault: PlanFault | None) -> None:
    view = town("a", "b")
    bare = request_.model_copy(update={"together_with": {}, "apart_from": {}})
    made = answers(view, bare)[0].plan
    assert made is not None and made.site == "a"
    found = {one for one, _ in verify(made, request_, beside(view, others), T)}
    assert found == ({fault} if fault else set())


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(company(), min_size=2, max_size=8), st.integers(2, 3))
def test_safety_a_batch_keeps_its_promises_one_after_another(given_: list[dict], count: int) -> None:
    """Committed in order, each plan passes the checker beside those before it; and nobody stands where he must not."""
    view = beside(town(*"abc"[:count]), [])
    requests = [task(**one) for one in given_]
    made: list[tuple[Plan, TaskRequest]] = []
    for number, (answer, request) in enumerate(zip(answers(view, *requests), requests, strict=True)):
        if answer.plan is None:
            assert answer.ever
            continue
        assert verify(answer.plan, request, view, T) == []
        view = replace(view, leases={**view.leases, f"lease-{number}": answer.plan.holds})
        view.placements.place(answer.plan.task_id, T, answer.plan.site, request)
        made.append((answer.plan, request))
    for one, mine in made:
        for two, other in made:
            if one is not two and mine.apart_from and mine.apart_from.items() <= other.tags.items():
                assert one.site != two.site
