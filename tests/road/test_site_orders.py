"""What work a site takes: closed to new work, emptied, opened again; and nothing is lost by it."""

from tests.road.test_work_is_kept import SAVED, held_s, run_for, submit, town_of

from suanwang.model.ids import SiteId
from suanwang.model.reason import FailureReason, WaitReason
from suanwang.model.record import Phase
from suanwang.model.snapshot import SiteOrder
from suanwang.observe.state import State
from suanwang.twin.checks import Checker
from suanwang.twin.world import compare


def order(town, site, what):
    changed = town.road.order_site(SiteId(site), what, "key-me")
    town.road.commit()
    Checker().after_step(town.road.state)
    return changed


def test_a_cordoned_site_ends_what_it_runs_and_takes_nothing_new():
    town = town_of("first", "second")
    running = submit(town, **SAVED)
    site = town.until(running, Phase.RUNNING).plan.site
    assert order(town, site, SiteOrder.CORDONED)
    assert not order(town, site, SiteOrder.CORDONED), "it is so already"
    other = submit(town)
    town.plan()
    assert town.task(other).plan.site != site
    town.until(running, Phase.SUCCEEDED)
    assert len(held_s(town, running)) == 1, "it was left alone"


def test_what_is_planned_at_a_site_that_is_closed_is_planned_elsewhere_and_waits_where_there_is_none():
    town = town_of("first", "second")
    later = submit(town, earliest_start=town.now_us + 60_000_000)
    town.plan()
    site = town.task(later).plan.site
    order(town, site, SiteOrder.CORDONED)
    town.plan()
    other = town.task(later).plan.site
    assert other != site
    order(town, other, SiteOrder.CORDONED)
    town.plan()
    assert (town.task(later).phase, town.task(later).wait_reason) == (Phase.WAITING, WaitReason.SITES_DOWN)
    order(town, site, SiteOrder.OPEN)
    town.plan()
    assert town.task(later).plan.site == site, "who waited is woken"


def test_what_a_drained_site_runs_goes_on_elsewhere_from_where_it_was():
    town = town_of("first", "second")
    moved = submit(town, **SAVED)
    site = town.until(moved, Phase.RUNNING).plan.site
    run_for(town, 10)
    order(town, site, SiteOrder.DRAINED)
    assert town.task(moved).phase is Phase.WAITING
    town.until(moved, Phase.SUCCEEDED)
    first, second = [one for one in town.records("attempt_closed") if one["task_id"] == moved]
    assert first["reason"] == FailureReason.DRAINED
    assert town.road.state.by_site.get(site, {}) == {}
    plans = [one["plan"]["site"] for one in town.records("plan_committed") if one["plan"]["task_id"] == moved]
    assert plans[0] == site
    assert plans[-1] != site
    assert held_s(town, moved)[1] <= 22, "what it had done is not done again"
    assert second["reason"] is None


def test_orders_survive_a_restart():
    town = town_of("first", "second")
    order(town, "first", SiteOrder.DRAINED)
    order(town, "second", SiteOrder.CORDONED)
    order(town, "second", SiteOrder.OPEN)
    again = town.log.replay(State(town.index))
    assert compare(town.road.state, again) is None
    assert again.closed == {"first": SiteOrder.DRAINED}
    assert not again.snapshot().sites[SiteId("first")].live
    assert again.sites[SiteId("first")].live, "its agent answers all the same"
