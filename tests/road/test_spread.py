"""An array that is shared out over sites is one task to its owner: it ends, costs and is cancelled as one."""

import pytest
from tests.road.test_giving_way import PRICED
from tests.road.town import TENANT, S, Town

from suanwang.dispatch.spread import ended
from suanwang.model.grid import Tenant
from suanwang.model.ids import TaskId
from suanwang.model.principal import Submission
from suanwang.model.reason import FailureReason
from suanwang.model.record import Phase, TenantSet
from suanwang.model.task import Elements, Output, Resources, Spread, TaskRequest
from suanwang.observe.state import State
from suanwang.twin.checks import Checker
from suanwang.twin.world import compare


def town_of(*sites: str) -> Town:
    town = Town(*sites, book=PRICED)
    town.road.emit(TenantSet(at_us=town.now_us, tenant=Tenant(id=TENANT, name="T", priority_max=100)))
    town.road.commit()
    town.exchange()
    return town


def send(town: Town, outcome: str = "ok", seconds: int = 20, **fields) -> TaskId:
    task_id = town.ids.task_id()
    resources = fields.pop("resources", Resources(cpu=1, memory=1, wall_time=60 * S))
    tags = {"fake.duration-us": str(seconds * S), "fake.outcome": outcome}
    request = TaskRequest(run="true", resources=resources, tags=tags, outputs=(Output(path="out.txt"),), **fields)
    town.road.submit(TENANT, "me", [Submission(request=request)], [task_id])
    return task_id


def parts(town: Town, task_id: TaskId) -> list:
    return [town.task(one) for one in town.task(task_id).parts]


def outputs(town: Town, task_id: TaskId) -> list[str]:
    own = set(town.task(task_id).parts)
    closed = [one for one in town.records("attempt_closed") if one["task_id"] in own and one["succeeded"]]
    return sorted(out["path"] for one in closed for out in one["outputs"])


def ranges(town: Town, task_id: TaskId) -> list[tuple[int, int]]:
    found = [one.request.elements for one in parts(town, task_id)]
    return [(one.first, one.count) for one in found]


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (Spread(sites=3), [(0, 3), (3, 2), (5, 2)]),
        (Spread(sites=2), [(0, 4), (4, 3)]),
        (Spread(per_site_max=3), [(0, 3), (3, 2), (5, 2)]),
        (Spread(per_site_max=7), None),
    ],
)
def test_an_array_is_cut_into_ranges(wish: Spread, expected: list | None) -> None:
    town = town_of("a", "b", "c", "d")
    whole = send(town, array=7, spread=wish, resources=Resources(cpu=1, memory=1, wall_time=60 * S))
    assert (ranges(town, whole) or None) == expected


def test_the_parts_stand_at_sites_of_their_own_and_together_run_every_element_once() -> None:
    town, checker = town_of("a", "b", "c"), Checker()
    whole = send(town, array=7, spread=Spread(sites=3))
    town.plan()
    plans = [one.plan for one in parts(town, whole)]
    assert {one.site for one in plans} == {"a", "b", "c"}
    assert [one.demand.cores for one in plans] == [3, 2, 2]
    for _ in range(30):
        town.round()
        checker.after_step(town.road.state)
        compare(town.road.state, town.log.replay(State(town.index)))
    assert town.task(whole).phase is Phase.SUCCEEDED
    assert outputs(town, whole) == sorted(f"{index}/out.txt" for index in range(7))
    load = town.road.state.tally.alone(TENANT)
    assert (load.live_tasks, load.cores, load.quoted_micro_yuan) == (0, 0, 0)
    assert town.task(whole).attempts == 0, "the whole itself runs nowhere"


def test_an_array_that_no_pool_holds_is_cut_by_itself() -> None:
    town = town_of("a", "b")
    whole = send(town, array=10)
    assert len(town.task(whole).parts) == 10, "a quarter of four cores each"
    assert all(not one.request.apart_from for one in parts(town, whole))
    town.until(whole, Phase.SUCCEEDED)
    assert outputs(town, whole) == sorted(f"{index}/out.txt" for index in range(10))


def test_an_element_that_no_node_holds_is_refused_as_ever() -> None:
    town = town_of("a")
    whole = send(town, array=10, resources=Resources(cpu=64, memory=1, wall_time=60 * S))
    town.plan()
    assert town.task(whole).parts == ()
    assert town.task(whole).phase is Phase.REFUSED


def test_cancelling_the_whole_cancels_what_has_not_ended() -> None:
    town = town_of("a", "b", "c")
    whole = send(town, array=6, spread=Spread(sites=3))
    town.until(town.task(whole).parts[0], Phase.RUNNING)
    town.road.cancel(whole, "me")
    town.until(whole, Phase.CANCELLED)
    assert {one.phase for one in parts(town, whole)} == {Phase.CANCELLED}


def test_a_part_that_fails_does_not_stop_the_others_and_the_whole_says_so() -> None:
    town = town_of("a", "b")
    whole = send(town, array=4, spread=Spread(sites=2), retries=0, outcome="exit:3")
    town.until(whole, Phase.FAILED)
    (end,) = [one for one in town.records("task_ended") if one["task_id"] == whole]
    assert (end["reason"], end["detail"]) == (FailureReason.EXIT_CODE, "0 of 2 parts succeeded")


def test_what_a_lost_site_ran_is_planned_again_elsewhere() -> None:
    town = town_of("a", "b", "c", "d")
    whole = send(town, array=6, spread=Spread(sites=3))
    town.until(town.task(whole).parts[0], Phase.RUNNING)
    lost = town.task(town.task(whole).parts[0]).plan.site
    town.road.lose_site(lost, "operator_failed")
    town.until(whole, Phase.SUCCEEDED)
    assert outputs(town, whole) == sorted(f"{index}/out.txt" for index in range(6))


def test_the_price_limit_is_shared_out_too() -> None:
    town = town_of("a", "b", "c")
    whole = send(town, array=6, spread=Spread(sites=3), price_limit=6_000_001)
    assert [one.request.price_limit for one in parts(town, whole)] == [2_000_000] * 3


def test_a_range_of_an_array_can_be_run_by_itself() -> None:
    town = town_of("a")
    one = send(town, array=100, elements=Elements(first=40, count=3))
    town.plan()
    assert town.task(one).plan.demand.cores == 3
    town.until(one, Phase.SUCCEEDED)
    (closed,) = town.records("attempt_closed")
    assert [out["path"] for out in closed["outputs"]] == ["40/out.txt", "41/out.txt", "42/out.txt"]


def test_a_preempted_part_goes_on_with_its_own_elements() -> None:
    town = town_of("a")
    one = send(town, array=40, elements=Elements(first=10, count=4), preemptible=True, seconds=200)
    town.until(one, Phase.RUNNING)
    for _ in range(12):
        town.round()
    high = send(town, priority=20, resources=Resources(cpu=4, memory=1, wall_time=60 * S))
    town.plan()
    assert town.task(one).phase is Phase.WAITING
    town.until(high, Phase.SUCCEEDED)
    town.until(one, Phase.SUCCEEDED)
    plans = [
        made["plan"]["demand"]["cores"] for made in town.records("plan_committed") if made["plan"]["task_id"] == one
    ]
    assert plans[:2] == [4, 2], "two of four were done"
    paths = sorted(out["path"] for closed in town.records("attempt_closed")[-1:] for out in closed["outputs"])
    assert paths == [f"{index}/out.txt" for index in range(10, 14)]


@pytest.mark.parametrize(
    ("phases", "cancelled", "expected"),
    [
        ((Phase.SUCCEEDED, Phase.RUNNING), False, None),
        ((Phase.SUCCEEDED, Phase.SUCCEEDED), False, Phase.SUCCEEDED),
        ((Phase.SUCCEEDED, Phase.FAILED), False, Phase.FAILED),
        ((Phase.SUCCEEDED, Phase.CANCELLED), True, Phase.CANCELLED),
        ((Phase.SUCCEEDED, Phase.CANCELLED), False, Phase.FAILED),
        ((Phase.REFUSED, Phase.REFUSED), False, Phase.REFUSED),
        ((Phase.EXPIRED, Phase.EXPIRED), False, Phase.EXPIRED),
    ],
)
def test_how_the_whole_ends(phases: tuple[Phase, ...], cancelled: bool, expected: Phase | None) -> None:
    found = ended({TaskId(str(at)): one for at, one in enumerate(phases)}, cancelled, None)
    assert (found and found.phase) == expected
