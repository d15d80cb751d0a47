"""The panorama as a pure function: load is what is held at the instant, and the scarcest resource counts."""

import pytest

from suanwang.grids import SMALL, china_path, load_grid, random_grid
from suanwang.model.event import Event, EventKind
from suanwang.model.grid import Pool, PoolKind
from suanwang.model.plan import Demand, Hold
from suanwang.model.record import EventApplied, Phase, TaskAdmitted, TaskEnded
from suanwang.model.snapshot import SiteState, Snapshot, index_grid
from suanwang.observe.panorama import Counts, difference, load_permille, panorama, phase_changes

INDEX = index_grid(random_grid(6, 3, SMALL))
GENERAL = next(pool for pool, _ in INDEX.pools.values() if pool.kind is PoolKind.GENERAL)
SITE = INDEX.pools[GENERAL.id][1]
LINK = INDEX.grid.links[0].id


def hold(resource, key, start_us=10, end_us=20, **rest):
    return Hold(resource=resource, key=key, start_us=start_us, end_us=end_us, **rest)


def snapshot(*holds, down=frozenset(), dark=frozenset()):
    sites = {SITE.id: SiteState(live=True, emulated=True)}
    return Snapshot(1, INDEX, sites, {"lease-1": tuple(holds)}, frozenset(down), frozenset(dark))


def picture(found, at_us=15, counts=None):
    return panorama(found, counts or Counts(), (), (), at_us, 7)


@pytest.mark.parametrize(("at_us", "cores"), [(9, 0), (10, 3), (19, 3), (20, 0)])
def test_a_hold_counts_from_its_start_to_before_its_end(at_us, cores):
    found = picture(snapshot(hold("pool", GENERAL.id, demand=Demand(cores=3))), at_us)
    site = next(one for one in found.sites if one.id == SITE.id)
    assert sum(pool.used.cores for pool in site.pools) == cores


@pytest.mark.parametrize(
    ("used", "permille"),
    [
        (Demand(), 0),
        (Demand(cores=1), 1),
        (Demand(cores=500, memory_bytes=10), 500),
        (Demand(cores=10, memory_bytes=900), 900),
        (Demand(nodes=1), 100),
    ],
)
def test_the_scarcest_resource_is_the_load_and_little_is_not_nothing(used, permille):
    pool = Pool(id="s/p", kind=PoolKind.GENERAL, nodes=10, cores_per_node=100, memory_bytes_per_node=100)
    assert load_permille(pool, used) == permille


def test_security_pools_are_listed_where_they_are_out_or_in_use():
    one, two, three = INDEX.security_order[:3]
    held = (hold("protection", one, bps=5), hold("protection", three, bps=2))
    before, after = picture(snapshot(*held, dark={two, three})), picture(snapshot(*held))
    found = {(pool.id, pool.up, pool.used_bps) for pool in before.security_pools}
    assert found == {(one, True, 5), (two, False, 0), (three, False, 2)}
    news = difference(before, after)
    assert {(pool.id, pool.up, pool.used_bps) for pool in news.security_pools} == {(two, True, 0), (three, True, 2)}


def test_links_are_listed_where_they_are_down_or_in_use_each_way_apart():
    other = INDEX.grid.links[1].id
    found = picture(snapshot(hold("link", f"{LINK}:ab", bps=5), hold("link", f"{LINK}:ba", bps=2), down={other}))
    assert {(one.id, one.up, one.used_ab_bps, one.used_ba_bps) for one in found.links} == {
        (LINK, True, 5, 2),
        (other, False, 0, 0),
    }


def test_a_site_that_is_not_live_has_its_cause_and_totals_count_the_rest():
    dead = next(site.id for site in INDEX.grid.sites if site.id != SITE.id)
    found = picture(snapshot(), counts=Counts(causes={dead: "heartbeat_lost", SITE.id: "joined"}))
    causes = {one.id: one.cause for one in found.sites}
    assert (causes[dead], causes[SITE.id]) == ("heartbeat_lost", None)
    assert (found.totals.live_sites, found.totals.emulated_sites, found.totals.sites) == (1, 1, 6)


def test_own_and_third_party_capacity_add_up_to_the_grid():
    totals = picture(snapshot()).totals
    nodes = sum(pool.nodes for pool, _ in INDEX.pools.values() if pool.kind in (PoolKind.GENERAL, PoolKind.HPC))
    assert totals.servers + totals.third_party_servers == nodes
    assert 0 <= totals.renewable_permille <= 1000


def test_the_reference_grid_shows_its_public_figures():
    index = index_grid(load_grid(china_path()))
    totals = picture(Snapshot(1, index, {}, {}, frozenset())).totals
    own_ai = [pool for pool, site in index.pools.values() if site.owner == "own" and pool.kind is PoolKind.AI]
    assert totals.servers == 924_000
    assert totals.general_gflops + totals.hpc_gflops == 8_000_000_000
    assert totals.ai_gflops == sum(pool.nodes * pool.gflops_per_node for pool in own_ai) > 0
    assert totals.third_party_gflops == 3_300_000_000


def test_the_difference_has_what_changed_and_what_fell_silent():
    before = picture(snapshot(hold("link", f"{LINK}:ab", bps=5), hold("pool", GENERAL.id, demand=Demand(cores=1))))
    after = picture(snapshot())
    news = difference(before, after)
    assert [one.id for one in news.sites] == [SITE.id]
    assert [(one.id, one.up, one.used_ab_bps) for one in news.links] == [(LINK, True, 0)]
    assert difference(after, after) is None


def test_changes_of_phase_are_told_by_effective_records_alone():
    def event(kind, effective):
        told = Event(agent="a", sequence=1, site=SITE.id, attempt_id="att-1", fence=1, at_us=3, kind=kind)
        return EventApplied(at_us=4, event=told, effective=effective)

    records = [
        TaskAdmitted(at_us=1, task_id="task-1"),
        event(EventKind.RUNNING, True),
        event(EventKind.COLLECTING, False),
        event(EventKind.PROGRESS, True),
        TaskEnded(at_us=9, task_id="task-1", phase=Phase.SUCCEEDED),
    ]
    found = [(one.at_us, one.phase, one.task_id, one.attempt_id) for one in phase_changes(records)]
    assert found == [(4, Phase.RUNNING, None, "att-1"), (9, Phase.SUCCEEDED, "task-1", None)]
