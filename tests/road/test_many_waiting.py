"""Blocked tasks wait on a reason and wake on what may cure it; nobody looks through all that waits."""

import pytest
from tests.plan.worlds import general, site_of
from tests.road.town import NOW, TENANT, S, Town

from suanwang import judge
from suanwang.dispatch.kinds import Places, key_of
from suanwang.dispatch.waits import BOOKED_MAX, Waits
from suanwang.model.event import Heartbeat
from suanwang.model.grid import Tenant
from suanwang.model.ids import AgentId, PoolId, SiteId, TaskId, TenantId
from suanwang.model.principal import Submission
from suanwang.model.reason import WaitReason
from suanwang.model.record import LinkChanged, Phase, TenantSet
from suanwang.model.task import Resources, TaskRequest
from suanwang.plan import plan


@pytest.fixture
def town() -> Town:
    return Town("here", "there")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[list[TaskId]]:
    """The tasks of each call of the planner."""
    seen: list[list[TaskId]] = []

    def watched(view, asks, *rest):
        seen.append([one.task_id for one in asks])
        return plan(view, asks, *rest)

    monkeypatch.setattr(judge, "plan_batch", watched)
    return seen


def beat(town: Town, site: str) -> None:
    name, sites = AgentId(f"agent-{site}"), (SiteId(site),)
    town.road.exchange(Heartbeat(agent=name, adapter="fake", emulated=True, sites=sites))


def test_a_kind_that_found_no_room_is_not_looked_at_again_for_nothing(town: Town, looks: list) -> None:
    tasks = [town.submit() for _ in range(5)]
    for _ in range(5):
        town.plan()
        town.now_us += S
    assert looks == [tasks], "once when they came"
    later = town.submit()
    town.plan()
    assert looks == [tasks], "one that needs the same has the same answer"
    assert town.task(later).wait_reason is WaitReason.QUEUED


def test_a_woken_kind_is_looked_at_one_first(town: Town, looks: list) -> None:
    tasks = [town.submit() for _ in range(5)]
    town.plan()
    for _ in range(3):
        town.road.waits._anything = True  # as a link that came up
        town.plan()
    assert looks[1:] == [tasks[:1]] * 3


def test_progress_all_of_a_woken_kind_are_planned_by_and_by(town: Town, looks: list) -> None:
    tasks = [town.submit() for _ in range(5)]
    town.plan()
    for site in ("here", "there"):
        beat(town, site)
    for _ in range(6):
        town.plan()
    assert [len(one) for one in looks[1:]] == [1, 2, 2]
    assert {town.task(one).phase for one in tasks} == {Phase.PLANNED}


def test_only_kinds_that_the_site_could_serve_wake(town: Town, looks: list) -> None:
    here, there = town.submit(sites=(SiteId("here"),)), town.submit(sites=(SiteId("there"),))
    town.plan()
    beat(town, "there")
    town.plan()
    assert looks[1:] == [[there]]
    assert (town.task(here).phase, town.task(there).phase) == (Phase.WAITING, Phase.PLANNED)


def test_a_link_that_comes_back_wakes_all(town: Town, looks: list) -> None:
    tasks = [town.submit(sites=(SiteId(one),)) for one in ("here", "there")]
    town.plan()
    town.road.emit(LinkChanged(at_us=town.now_us, link="here-there", up=True, principal="me"))
    town.plan()
    assert looks[1:] == [tasks]


def test_a_task_that_must_wait_on_writes_nothing(town: Town, looks: list) -> None:
    task_id = town.submit()
    for _ in range(5):
        town.road.waits._anything = True  # as a link that came up
        town.plan()
        town.now_us += S
    assert len(looks) == 5
    assert [one["reason"] for one in town.records("task_waits")] == [WaitReason.SITES_DOWN]
    town.exchange()
    town.plan()
    assert town.task(task_id).phase is Phase.PLANNED
    assert not town.road.waits.is_ready()


def test_after_a_start_what_waits_is_looked_at_again(town: Town) -> None:
    task_id = town.submit()
    town.plan()
    again = Waits(town.road.state)
    assert [one.task_id for one in again.take(9)] == [task_id]


def test_a_flood_keeps_a_few_places_in_the_calendar_and_the_rest_waits(town: Town) -> None:
    town.exchange()
    tasks = [town.submit() for _ in range(BOOKED_MAX + 10)]
    for _ in range(3):
        town.plan()
    planned = [one for one in tasks if town.task(one).phase is Phase.PLANNED]
    assert planned == tasks[: BOOKED_MAX + 2], "two that begin now, then the places of one tenant"
    assert town.task(tasks[BOOKED_MAX + 2]).wait_reason is WaitReason.CAPACITY
    for one in tasks:
        town.until(one, Phase.SUCCEEDED)


def test_a_large_task_keeps_its_place_while_small_ones_come(town: Town) -> None:
    town.exchange()
    small = Resources(cpu=1, memory=1, wall_time=60 * S)
    for _ in range(8):
        town.submit(resources=small)
    large = town.submit(sites=(SiteId("here"),))
    town.plan()
    start_us = town.task(large).plan.start_us
    for _ in range(20):
        town.submit(resources=small)
    town.plan()
    assert town.task(large).plan.start_us <= start_us


def test_safety_only_pools_that_certainly_cannot_serve_are_left_out(town: Town) -> None:
    index = town.index
    places = Places(index)
    pools = {PoolId("here/general"), PoolId("there/general")}
    rows = [
        (Resources(cpu=4, memory=1), pools),
        (Resources(cpu=5, memory=1), set()),
        (Resources(cpu=1, accelerators=1, accelerator="any"), set()),
        (Resources(cpu=1, memory=2**31), set()),
    ]
    for resources, expected in rows:
        assert places.of(TaskRequest(run="true", resources=resources)) == expected
    assert places.of(TaskRequest(run="true", sites=("there",), resources=rows[0][0])) == {PoolId("there/general")}
    assert site_of("x", [general("x")]).pools, "the towns' own maker of pools"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("array", 2),
        ("latency", 5_000),
        ("bandwidth", 10),
        ("sites", ("here",)),
        ("deadline", NOW + 900 * S),
        ("price_limit", 5),
        ("origin", "there"),
        ("security_level", 2),
    ],
)
def test_safety_what_changes_the_answer_makes_another_kind(town: Town, field: str, value: object) -> None:
    one, two = town.submit(), town.submit(**{field: value})
    assert key_of(town.task(one), False) != key_of(town.task(two), False)


def test_names_and_words_make_no_other_kind(town: Town) -> None:
    one, two = town.submit(name="a", tags={"x": "1"}), town.submit(name="b", environment={"A": "1"}, priority=20)
    assert key_of(town.task(one), False) == key_of(town.task(two), False)


class TestQuota:
    """A parent of two, the one may borrow from the other; the town has eight cores."""

    def town(self, **limits: int) -> Town:
        town = Town("here", "there", tenant=Tenant(id=TENANT, name="T", parent=None))
        family = (
            Tenant(id=TENANT, name="T", parent="top", cores_max=4, cores_borrowed_max=4),
            Tenant(id="sister", name="S", parent="top", cores_max=4, **limits),
        )
        for one in (Tenant(id="top", name="Top"), *family):
            town.road.emit(TenantSet(at_us=town.now_us, tenant=one))
        town.road.commit()
        town.exchange()
        return town

    def submit(self, town: Town, tenant: str, **fields: object) -> TaskId:
        task_id = town.ids.task_id()
        request = TaskRequest(
            run="true",
            resources=Resources(cpu=4, memory=1, wall_time=60 * S),
            tags={"fake.duration-us": str(10 * S)},
            **fields,
        )
        town.road.submit(TenantId(tenant), "me", [Submission(request=request)], [task_id])
        return task_id

    def test_it_borrows_what_its_sister_leaves(self) -> None:
        town = self.town()
        tasks = [self.submit(town, TENANT) for _ in range(2)]
        town.plan()
        assert [town.task(one).borrowed for one in tasks] == [False, True]

    def test_what_the_sister_keeps_is_not_borrowed_and_the_task_says_so(self) -> None:
        town = self.town(cores_lent_max=3)
        first, second = (self.submit(town, TENANT) for _ in range(2))
        town.plan()
        assert town.task(first).phase is Phase.PLANNED
        assert (town.task(second).phase, town.task(second).wait_reason) == (Phase.WAITING, WaitReason.QUOTA)
        town.until(second, Phase.SUCCEEDED)
        assert town.records("attempt_opened")[1]["at_us"] >= town.records("attempt_closed")[0]["at_us"]

    def test_a_lender_is_never_kept_from_its_own(self) -> None:
        town = self.town()
        tasks = [self.submit(town, TENANT) for _ in range(2)]
        town.plan()
        mine = self.submit(town, "sister")
        town.plan()
        assert town.task(mine).plan is not None
        assert not town.task(mine).borrowed
        assert all(town.task(one).plan is not None for one in tasks)

    def test_a_new_limit_wakes_who_waits_for_it(self) -> None:
        town = self.town(cores_lent_max=0)
        tasks = [self.submit(town, TENANT) for _ in range(2)]
        town.plan()
        assert town.task(tasks[1]).wait_reason is WaitReason.QUOTA
        town.road.emit(TenantSet(at_us=town.now_us, tenant=Tenant(id=TENANT, name="T", parent="top", cores_max=8)))
        town.plan()
        assert town.task(tasks[1]).phase is Phase.PLANNED


def test_tasks_that_leave_leave_nothing_behind() -> None:
    town = Town("here")
    town.exchange()
    big = town.submit(sites=("here",), tags={"fake.duration-us": str(55 * S)})
    town.until(big, Phase.RUNNING)
    waits = town.road.waits
    for number in range(20):
        task_id = town.submit(deadline=town.now_us + 70 * S + number)
        town.road.plan_round()
        town.road.cancel(task_id, "me")
    assert not any(waits._aside.values())
    assert not waits.line.kinds
    later = [town.submit(sites=("here",)) for _ in range(BOOKED_MAX + 1)]
    town.plan()
    for _ in range(20):
        waits._freed["here/general"] = None
        town.now_us += 1_000
        town.road.plan_round()
    assert [len(one) for one in waits._full.values()] == [1]
    for one in later:
        town.road.cancel(one, "me")
    assert not waits._full
