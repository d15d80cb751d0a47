"""When the first place or its path is lost, the task goes on at its standby place at once, whoever else waits."""

from random import Random

import pytest
from tests.plan.worlds import general, grid_of, link_of, site_of
from tests.road.test_giving_way import PRICED
from tests.road.town import TENANT, S, Town

from suanwang.model.grid import Tenant
from suanwang.model.ids import LinkId, SiteId, TaskId
from suanwang.model.principal import Submission
from suanwang.model.reason import FailureReason
from suanwang.model.record import Phase, TenantSet
from suanwang.model.snapshot import index_grid
from suanwang.model.task import Resources, Standby, TaskRequest
from suanwang.observe.state import State
from suanwang.twin.checks import Checker
from suanwang.twin.world import compare

WALL_S = 600


class Ring(Town):
    """Sites in a ring, each with four cores; the user is at the first."""

    def __init__(self, *names: str) -> None:
        super().__init__(*names, book=PRICED)
        places = [
            site_of(one, [general(one, memory=2**30)], region="CN-B" if one == "far" else "CN-A") for one in names
        ]
        links = [link_of(f"{a}-{b}", a, b, price=900_000) for a, b in zip(names, (*names[1:], names[0]), strict=True)]
        self.index = index_grid(grid_of(places, links, books=(PRICED,)))
        self.road = self.opened_anew()
        self.exchange()

    def opened_anew(self):
        self.log.batches.clear()
        road = self.opened()
        road.emit(TenantSet(at_us=self.now_us, tenant=Tenant(id=TENANT, name="T", priority_max=100)))
        road.commit()
        return road

    def send(self, seconds: int = 60, cpu: int = 4, **fields) -> TaskId:
        task_id = self.ids.task_id()
        resources = Resources(cpu=cpu, memory=1, wall_time=WALL_S * S)
        request = TaskRequest(run="true", resources=resources, tags={"fake.duration-us": str(seconds * S)}, **fields)
        self.road.submit(TENANT, "me", [Submission(request=request)], [task_id])
        return task_id

    def lose(self, site: str) -> None:
        self.road.lose_site(SiteId(site), "operator_failed")
        self.road.commit()


def running(town: Ring, **fields) -> TaskId:
    task_id = town.send(standby=Standby.SITE, **fields)
    town.until(task_id, Phase.RUNNING)
    return task_id


def test_a_lost_site_is_left_for_the_standby_place_at_once() -> None:
    town = Ring("home", "near", "far")
    mine = running(town)
    waiting = [town.send(priority=50) for _ in range(3)]
    town.plan()
    first = town.task(mine).plan
    assert all(
        town.task(one).phase is not Phase.RUNNING or town.task(one).plan.site != first.standby.site for one in waiting
    )
    town.lose(first.site)
    second = town.task(mine).plan
    assert (second.site, second.took_over) == (first.standby.site, True)
    assert second.start_us == town.now_us
    assert second.parent == first.plan_id
    town.until(mine, Phase.SUCCEEDED)
    closed = [one["reason"] for one in town.records("attempt_closed") if one["task_id"] == mine]
    assert closed == [FailureReason.SITE_LOST, None]


def test_what_was_saved_goes_with_it() -> None:
    town = Ring("home", "near", "far")
    mine = running(town, checkpoint="state", checkpoint_every=5 * S)
    for _ in range(12):
        town.round()
    town.lose(town.task(mine).plan.site)
    town.until(mine, Phase.SUCCEEDED)
    closed = [one for one in town.records("attempt_closed") if one["task_id"] == mine]
    assert (closed[1]["held_end_us"] - closed[1]["held_start_us"]) // S <= 51


def test_a_cut_link_of_the_path_is_one_loss_too() -> None:
    town = Ring("home", "near", "next", "far")
    mine = running(town, bandwidth=10**7, sites=("near", "far"))
    first = town.task(mine).plan
    (used, *_) = [one.link for one in first.path.links]
    town.road.set_link(LinkId(used), False, "me")
    town.road.commit()
    second = town.task(mine).plan
    assert (second.site, second.took_over) == (first.standby.site, True)
    assert used not in {one.link for one in second.path.links}
    town.until(mine, Phase.SUCCEEDED)


def test_a_path_is_repaired_before_a_place_is_left() -> None:
    """Where a second way to the same place shares no risk with the way to the standby place, nothing starts anew."""
    town = Ring("home", "near", "next", "far")
    sites = [*town.index.grid.sites, site_of("bridge", [])]
    more = [link_of("home-bridge", "home", "bridge", price=1), link_of("bridge-near", "bridge", "near", price=1)]
    town.index = index_grid(grid_of(sites, [*town.index.grid.links, *more], books=(PRICED,)))
    town.road = town.opened_anew()
    town.exchange()
    mine = running(town, bandwidth=10**7, sites=("near", "far"))
    first = town.task(mine).plan
    (used, *_) = [one.link for one in first.path.links]
    town.road.set_link(LinkId(used), False, "me")
    town.road.commit()
    second = town.task(mine).plan
    assert town.task(mine).phase is Phase.RUNNING
    assert (second.site, second.took_over, second.standby) == (first.site, False, first.standby)
    assert used not in {one.link for one in second.path.links}


def test_a_plan_that_has_not_begun_goes_over_too() -> None:
    town = Ring("home", "near", "far")
    mine = town.send(standby=Standby.REGION, earliest_start=town.now_us + 100 * S)
    town.plan()
    first = town.task(mine).plan
    town.lose(first.site)
    second = town.task(mine).plan
    assert (second.site, second.took_over, second.start_us) == (first.standby.site, True, first.start_us)


def test_the_standby_place_is_billed_for_the_time_that_it_was_held() -> None:
    town = Ring("home", "near", "far")
    mine = running(town)
    plan = town.task(mine).plan
    town.until(mine, Phase.SUCCEEDED)
    charges = [one["line"] for one in town.records("charge_posted") if one["task_id"] == mine]
    cores = {one["item"]: one["quantity"] for one in charges if one["kind"] == "core"}
    assert cores[plan.pool] == cores[plan.standby.pool]
    assert sum(one["amount_micro_yuan"] for one in charges) <= plan.quote_micro_yuan
    owners = {one["line"]["item"]: one["creditor"] for one in town.records("charge_posted")}
    assert set(owners) == {plan.pool, plan.standby.pool}


def test_the_second_place_counts_against_the_quota() -> None:
    town = Ring("home", "near", "far")
    tenant = Tenant(id=TENANT, name="T", cores_max=7)
    town.road.emit(TenantSet(at_us=town.now_us, tenant=tenant))
    mine = town.send(standby=Standby.SITE)
    assert town.task(mine).phase is Phase.REFUSED
    assert town.task(town.send()).phase is Phase.WAITING


@pytest.mark.parametrize("seed", range(8))
def test_safety_nobody_else_can_have_taken_it(seed: int) -> None:
    """Under a crowd: whoever had a standby place that answers is there in the moment of the loss."""
    draw = Random(seed)
    town, checker = Ring("home", "near", "next", "far"), Checker()
    for _ in range(40):
        for _ in range(draw.randrange(3)):
            town.send(
                seconds=draw.choice((5, 30)),
                cpu=draw.choice((1, 2, 4)),
                standby=draw.choice((None, Standby.SITE, Standby.REGION)),
                bandwidth=draw.choice((0, 10**7)),
                priority=draw.choice((0, 10, 50)),
                preemptible=draw.random() < 0.5,
            )
        town.round()
        checker.after_step(town.road.state)
        if draw.random() < 0.15:
            lose_one(town, draw)
            checker.after_step(town.road.state)
            compare(town.road.state, town.log.replay(State(town.index)))
    for task in list(town.road.state.live.values()):
        town.until(task.task_id, Phase.SUCCEEDED, Phase.REFUSED)


def lose_one(town: Ring, draw: Random) -> None:
    site = SiteId(draw.choice(("home", "near", "next", "far")))
    had = {
        one.task_id: one.attempt.plan.standby
        for one in town.road.state.by_site.get(site, {}).values()
        if one.attempt is not None and one.attempt.plan.standby is not None and not one.cancel_asked
    }
    town.lose(site)
    for task_id, place in had.items():
        if town.road.state.sites[place.site].live:
            now = town.task(task_id).plan
            assert now is not None
            assert (now.site, now.start_us) == (place.site, town.now_us)
    town.road.heal_site(site)
    town.road.commit()
