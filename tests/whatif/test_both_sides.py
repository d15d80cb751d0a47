"""A day twice: what must be equal, what must not get better, and what adds up."""

import pytest
from days import GRID, both, case
from hypothesis import given, settings
from hypothesis import strategies as st

from suanwang.model.change import Changes
from suanwang.model.grid import Tenant
from suanwang.model.ids import TenantId
from suanwang.whatif import play
from suanwang.whatif.measure import LATER


def changes(**given) -> Changes:
    return Changes.model_validate(given)


def test_no_change_gives_the_same_day_exactly():
    found = both(case(), Changes(), checked=True)
    assert found.before == found.after
    assert (found.flows, found.moved) == ((), 0)
    assert all(row.difference == 0 and row.change_permille == 0 for row in found.rows)
    assert all(one.before == one.after for one in found.reasons)
    assert found.before.tasks == 80
    assert found.before.wait_max_us > 0, "the day is dense enough to be worth a look"


def test_the_same_seed_gives_the_same_answer():
    change = changes(load=1.5, policy={"preference": "greenest"})
    one, two = both(case(), change), both(case(), change)
    assert one == two


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_less_capacity_does_not_shorten_the_wait(seed):
    found = both(case(seed=seed), changes(sites={"scale": {site.id: 0.25 for site in GRID.sites}}))
    assert found.after.refused >= found.before.refused
    if found.after.ran == found.before.ran:
        assert found.after.wait_p95_us >= found.before.wait_p95_us
        assert found.after.wait_max_us >= found.before.wait_max_us


def test_less_capacity_is_told_as_longer_waits():
    found = both(case(120), changes(sites={"scale": {site.id: 0.25 for site in GRID.sites}}))
    waits = {(one.kind, one.reason): (one.before, one.after) for one in found.reasons}
    later = [pair for (kind, reason), pair in waits.items() if kind == "waited" and reason in (LATER, "capacity")]
    assert sum(after for _, after in later) > sum(before for before, _ in later)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.5, 1.0, 2.0]), st.sampled_from([0.3, 1.0, 1.7]))
def test_safety_money_is_conserved(seed, load, price):
    found = both(case(30, seed), changes(load=load, prices={"all": price, "network": price}))
    for side in (found.before, found.after):
        assert sum(side.cost_by_tenant.values()) == side.cost_micro_yuan
        assert sum(side.revenue_by_owner.values()) == side.cost_micro_yuan
        assert sum(site.cost_micro_yuan for site in side.sites) == side.cost_micro_yuan
        ended = side.succeeded + side.failed + side.refused + side.expired + side.cancelled + side.unended
        assert ended == side.tasks
        assert sum(slot.arrived for slot in side.slots) == side.tasks


def test_twice_the_price_is_twice_the_cost():
    one = case(30)
    found = both(one, changes(prices={"all": 2.0, "network": 2.0}))
    assert found.after.core_s == found.before.core_s, "the same places, since all got dearer alike"
    assert found.after.cost_micro_yuan == pytest.approx(2 * found.before.cost_micro_yuan, rel=1e-5)


def test_a_cheaper_site_draws_work_or_keeps_it():
    one = case(40, squeeze=1.0)
    busiest = both(one, Changes()).before.sites
    elsewhere = next(site for site in GRID.sites if site.id != busiest[0].site and site.pools)
    found = both(one, changes(prices={"sites": {elsewhere.id: 0.1}}))
    ran = {use.site: use.tasks for use in found.after.sites}
    was = {use.site: use.tasks for use in found.before.sites}
    assert ran.get(elsewhere.id, 0) > was.get(elsewhere.id, 0)
    assert found.after.cost_micro_yuan < found.before.cost_micro_yuan
    assert any(flow.after == elsewhere.id for flow in found.flows)


def test_a_site_without_compute_runs_nothing_and_its_users_still_submit():
    one = case(40)
    site = both(one, Changes()).before.sites[0].site
    found = both(one, changes(sites={"remove": [site]}))
    assert site not in {use.site for use in found.after.sites}
    assert found.after.tasks == found.before.tasks
    assert any(arrival.request.origin == site for arrival in one.arrivals)


def test_a_cut_link_carries_nothing():
    one = case(60, squeeze=1.0)
    link = both(one, Changes()).before.links[0].link
    found = both(one, changes(links={"cut": [link]}))
    assert link not in {use.link for use in found.after.links}


def test_a_quota_makes_tasks_wait_or_be_refused():
    one = case(60)
    tenant = one.arrivals[0].tenant
    found = both(one, changes(tenants=[{"id": tenant, "cores_max": 8}]))
    quota = [row for row in found.reasons if row.reason in ("cores_quota", "quota")]
    assert sum(row.after for row in quota) > sum(row.before for row in quota)


def test_a_policy_is_the_request_of_every_task():
    one = case(20)
    after = one.after(changes(policy={"preference": "fastest", "owners": ["own"]}))
    assert {arrival.request.preference.value for arrival in after.arrivals} == {"fastest"}
    assert {arrival.request.owners for arrival in after.arrivals} == {("own",)}
    assert [arrival.at_us for arrival in after.arrivals] == [arrival.at_us for arrival in one.arrivals]


@pytest.mark.parametrize(("factor", "least", "most"), [(0.5, 20, 60), (1.5, 100, 140), (3.0, 240, 240)])
def test_load_is_so_many_times_the_tasks(factor, least, most):
    one = case(80)
    after = one.after(changes(load=factor)).arrivals
    assert least <= len(after) <= most
    assert len({arrival.key for arrival in after}) == len(after)
    assert [arrival.at_us for arrival in after] == sorted(arrival.at_us for arrival in after)


def test_a_later_day_is_the_same_day_in_other_hours():
    one = case(30)
    found = both(one, changes(later="6 h"))
    assert found.after.core_s == found.before.core_s
    assert found.after.slots[0].at_us - found.before.slots[0].at_us == 6 * 3_600_000_000
    assert [slot.arrived for slot in found.after.slots] == [slot.arrived for slot in found.before.slots]


def test_progress_is_said_up_to_the_number_of_tasks():
    said: list[int] = []
    play(case(250, squeeze=1.0), say=said.append)
    assert said
    assert said == sorted(said)
    assert said[-1] <= 250


def test_tenants_of_a_day_are_those_of_the_grid_and_of_the_trace():
    named = {tenant.id for tenant in case(20).tenants}
    assert {"design", "research", "studio"} <= named
    assert {tenant.id for tenant in GRID.tenants} <= named
    assert Tenant(id=TenantId("design"), name="design", priority_max=100) in case(20).tenants
