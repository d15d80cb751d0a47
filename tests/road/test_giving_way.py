"""A task of higher rank takes the room of those that said they may be stopped, and this comes to an end."""

from collections import Counter
from random import Random

import pytest
from tests.road.town import TENANT, S, Town

from suanwang import judge
from suanwang.dispatch import preempt
from suanwang.fair.line import URGENT
from suanwang.model.grid import PriceBook, Tenant
from suanwang.model.ids import SiteId, TaskId, TenantId
from suanwang.model.principal import Submission
from suanwang.model.reason import FailureReason
from suanwang.model.record import Phase, TenantSet
from suanwang.model.task import Resources, TaskRequest
from suanwang.twin.checks import Checker

PRICED = PriceBook(id="plain", core_hour_micro_yuan=3_600_000)
OTHER = TenantId("other")


def town_of(*sites: str, tenants: tuple[Tenant, ...] = ()) -> Town:
    town = Town(*sites, book=PRICED)
    for one in tenants or (Tenant(id=TENANT, name="T", priority_max=100), Tenant(id=OTHER, name="O", priority_max=100)):
        town.road.emit(TenantSet(at_us=town.now_us, tenant=one))
    town.road.commit()
    town.exchange()
    return town


def submit(town: Town, tenant: str = TENANT, cpu: int = 4, seconds: int = 30, **fields: object) -> TaskId:
    task_id = town.ids.task_id()
    request = TaskRequest(
        run="true",
        resources=Resources(cpu=cpu, memory=1, wall_time=60 * S),
        tags={"fake.duration-us": str(seconds * S)},
        **fields,
    )
    town.road.submit(TenantId(tenant), "me", [Submission(request=request)], [task_id])
    return task_id


def test_a_higher_task_takes_the_room_and_the_lower_runs_again() -> None:
    town = town_of("here")
    low = submit(town, preemptible=True, priority=10)
    town.until(low, Phase.RUNNING)
    town.now_us += 5 * S
    high = submit(town, priority=20)
    town.plan()
    assert (town.task(low).phase, town.task(high).plan.start_us) == (Phase.WAITING, town.now_us)
    (closed,) = town.records("attempt_closed")
    assert (closed["reason"], closed["succeeded"]) == (FailureReason.PREEMPTED, False)
    assert closed["held_end_us"] > closed["held_start_us"]
    assert town.task(low).billed_micro_yuan == 0, "what is done again is paid once"
    town.until(high, Phase.SUCCEEDED)
    town.until(low, Phase.SUCCEEDED)
    assert (town.task(low).own_failures, town.task(low).attempts) == (0, 2)
    assert (town.task(high).own_failures, town.task(high).attempts) == (0, 1)


# the one that runs                          the one that comes                   gives way
@pytest.mark.parametrize(
    ("runs", "comes", "tenant", "expected"),
    [
        ({"preemptible": True}, {"priority": 20}, TENANT, True),
        ({"preemptible": False}, {"priority": 20}, TENANT, False),
        ({"preemptible": True}, {"priority": 10}, TENANT, False),
        ({"preemptible": True}, {"priority": 9}, TENANT, False),
        ({"preemptible": True}, {"priority": 50}, OTHER, False),
        ({"preemptible": True}, {"priority": URGENT}, OTHER, True),
        ({"preemptible": True, "priority": URGENT}, {"priority": URGENT}, OTHER, False),
        ({"preemptible": True}, {"priority": 20, "sites": ("there",)}, TENANT, False),
    ],
)
def test_who_gives_way(runs: dict, comes: dict, tenant: str, expected: bool) -> None:
    town = town_of("here", "there")
    filler = submit(town, sites=("there",))
    low = submit(town, sites=("here",), **runs)
    town.until(low, Phase.RUNNING)
    assert town.task(filler).phase is Phase.RUNNING
    submit(town, tenant, **comes)
    town.plan()
    assert (town.task(low).phase is Phase.WAITING) == expected


def test_the_least_lost_gives_way_and_no_more_than_needed() -> None:
    town = town_of("here")
    first = submit(town, cpu=2, preemptible=True)
    town.until(first, Phase.RUNNING)
    town.now_us += 10 * S
    second = submit(town, cpu=1, preemptible=True)
    third = submit(town, cpu=1, preemptible=True)
    town.until(third, Phase.RUNNING)
    submit(town, cpu=1, priority=20)
    town.plan()
    assert [town.task(one).phase for one in (first, second, third)] == [Phase.RUNNING, Phase.RUNNING, Phase.WAITING]


def test_a_plan_that_has_not_begun_goes_first() -> None:
    town = town_of("here", "there")
    for site in ("here", "there"):
        submit(town, sites=(SiteId(site),), preemptible=site == "here", priority=5)
    town.until(TaskId(list(town.road.state.tasks)[1]), Phase.RUNNING)
    high = submit(town, priority=20)
    town.plan()
    assert town.task(high).plan.site == "here"


def test_a_lender_takes_back_what_it_lent_at_the_same_priority() -> None:
    family = (
        Tenant(id="top", name="Top"),
        Tenant(id=TENANT, name="T", parent="top", cores_max=4, cores_borrowed_max=4),
        Tenant(id=OTHER, name="O", parent="top", cores_max=4),
    )
    town = town_of("here", "there", tenants=family)
    tasks = [submit(town, preemptible=True) for _ in range(2)]
    town.until(tasks[1], Phase.RUNNING)
    assert [town.task(one).borrowed for one in tasks] == [False, True]
    mine = submit(town, OTHER)
    town.plan()
    assert [town.task(one).phase for one in tasks] == [Phase.RUNNING, Phase.WAITING]
    assert town.task(mine).plan.start_us == town.now_us
    another = submit(town, OTHER)
    town.plan()
    assert town.task(tasks[0]).phase is Phase.RUNNING, "what is its own is not taken back"
    assert town.task(another).phase is Phase.REFUSED, "above its quota, and it may not borrow"


@pytest.mark.parametrize("seed", range(12))
def test_safety_giving_way_is_strict_and_ends(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = Random(seed)
    family = (
        Tenant(id="top", name="Top"),
        Tenant(id=TENANT, name="T", parent="top", cores_max=6, cores_borrowed_max=6, priority_max=100),
        Tenant(id=OTHER, name="O", parent="top", cores_max=6, cores_borrowed_max=6, priority_max=100),
    )
    town = town_of("here", "there", "far", tenants=family)
    ways = preempt.ways

    def watched(claimant, pools, candidates, state, now_us):
        for way in ways(claimant, pools, candidates, state, now_us):
            for one in way.victims:
                assert preempt.rank(one.priority, one.borrowed) < preempt.rank(claimant.priority, False)
                assert one.request.preemptible
            yield way

    monkeypatch.setattr(preempt, "ways", watched)
    tasks: list[TaskId] = []
    for _ in range(12):
        for _ in range(draw.randrange(3)):
            tasks.append(
                submit(
                    town,
                    draw.choice((TENANT, OTHER)),
                    cpu=draw.choice((1, 2, 4)),
                    seconds=draw.choice((5, 20, 50)),
                    priority=draw.choice((0, 10, 50, URGENT)),
                    preemptible=draw.random() < 0.8,
                )
            )
        rounds = settle(town)
        assert rounds <= 60, "without news, giving way comes to an end"
        town.round()
    for one in tasks:
        if town.task(one).phase is not Phase.REFUSED:
            town.until(one, Phase.SUCCEEDED)
    assert not town.road.waits.preemptible


def settle(town: Town) -> int:
    """Rounds of planning at one moment until nothing moves; at each, the ranks that have a plan only rise."""
    before, rounds = started(town), 0
    while town.road.waits.is_ready() and rounds <= 60:
        town.road.plan_round(1)
        after = started(town)
        changed = [rank for rank in sorted({*before, *after}, reverse=True) if before[rank] != after[rank]]
        assert not changed or after[changed[0]] > before[changed[0]]
        before, rounds = after, rounds + 1
    return rounds


def started(town: Town) -> Counter:
    ranks = [preempt.rank(one.priority, one.borrowed) for one in town.road.state.live.values() if one.plan is not None]
    return Counter(ranks)


def test_where_nobody_may_give_way_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    town = town_of("here")
    monkeypatch.setattr(judge.preempt, "ways", lambda *_: pytest.fail("looked"))
    submit(town)
    submit(town, priority=50)
    town.plan()


def test_what_is_being_stopped_already_gives_no_room_before_it_is_gone() -> None:
    town = town_of("here")
    low = submit(town, preemptible=True, priority=10)
    town.until(low, Phase.RUNNING)
    town.road.cancel(low, "me")
    high = submit(town, priority=20)
    town.plan()
    Checker().after_step(town.road.state)
    assert town.task(low).phase is Phase.STOPPING
    assert town.task(high).plan is None or town.task(high).plan.start_us > town.now_us
    town.until(high, Phase.SUCCEEDED)


@pytest.mark.parametrize("first", [{"priority": 5}, {"priority": 10, "tenant": OTHER}])
def test_a_higher_task_has_its_look_though_its_kind_found_no_room(first: dict) -> None:
    town = town_of("here")
    low = submit(town, preemptible=True, priority=10, seconds=50)
    town.until(low, Phase.RUNNING)
    deadline = town.now_us + 70 * S
    before = submit(town, deadline=deadline, **first)
    town.plan()
    assert town.task(before).phase is Phase.WAITING
    high = submit(town, priority=60, deadline=deadline)
    town.plan()
    assert (town.task(low).phase, town.task(high).phase) == (Phase.WAITING, Phase.PLANNED)


def test_who_waits_is_looked_at_when_somebody_lower_takes_room_that_may_be_taken_back() -> None:
    town = town_of("here")
    fills = submit(town, cpu=4, priority=99, seconds=5)
    town.until(fills, Phase.RUNNING)
    deadline = town.now_us + 70 * S
    high = submit(town, cpu=4, priority=50, deadline=deadline)
    town.plan()
    town.until(high, Phase.SUCCEEDED)


@pytest.mark.parametrize("limits", [{"price_limit": 250_000}, {"on_budget": "stop"}])
def test_giving_way_uses_up_neither_a_price_limit_nor_a_consent(limits: dict) -> None:
    town = town_of("here")
    low = submit(town, preemptible=True, priority=10, seconds=50, **limits)
    town.until(low, Phase.RUNNING)
    for _ in range(40):
        town.round()
    high = submit(town, priority=20, seconds=5)
    town.until(high, Phase.SUCCEEDED)
    town.until(low, Phase.SUCCEEDED)


def test_nobody_is_planned_beside_whom_it_displaces() -> None:
    town = town_of("here", "there")
    mate = town.ids.task_id()
    resources = Resources(cpu=4, memory=1, wall_time=60 * S)
    tags = {"fake.duration-us": str(50 * S), "app": "db"}
    request = TaskRequest(run="true", resources=resources, tags=tags, preemptible=True, sites=(SiteId("here"),))
    town.road.submit(TENANT, "me", [Submission(request=request)], [mate])
    town.until(mate, Phase.RUNNING)
    high = submit(town, priority=20, together_with={"app": "db"})
    town.plan()
    assert town.task(mate).phase is Phase.RUNNING
    assert town.task(high).plan is None or town.task(high).plan.start_us > town.now_us


def test_claims_of_one_round_are_few_and_the_others_have_the_next() -> None:
    town = town_of("a", "b", "c", "d")
    lows = [submit(town, preemptible=True, priority=10, seconds=50) for _ in range(4)]
    town.until(lows[-1], Phase.RUNNING)
    highs = [submit(town, priority=20) for _ in range(4)]
    town.plan()
    assert sum(town.task(one).phase is Phase.PLANNED for one in highs) == judge.CLAIMS_MAX
    town.plan()
    assert all(town.task(one).phase is Phase.PLANNED for one in highs)
