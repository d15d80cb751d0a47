"""The CATS view: figures and scores of every service as an ingress sees it, on a grid worked out by hand."""

import pytest

from suanwang.grids import SMALL, random_grid
from suanwang.model.cats import DRAFT, SCORE_MAX, CatsInstance
from suanwang.model.ids import LinkId
from suanwang.model.plan import Demand
from suanwang.model.snapshot import SiteState, Snapshot, index_grid
from suanwang.model.view import LinkLoad, PoolLoad, SiteLoad
from suanwang.net.cats import NATIONAL_US, cats_metrics, delay_plane, service_of

GRID = random_grid(8, 3, SMALL)


def snapshot(down: frozenset[LinkId] = frozenset()) -> Snapshot:
    return Snapshot(1, index_grid(GRID), {site.id: SiteState(True) for site in GRID.sites}, {}, down)


def loads() -> dict[str, SiteLoad]:
    return {site.id: SiteLoad(id=site.id, live=True, emulated=False, load_permille=0, tasks=0) for site in GRID.sites}


def metric(instance: CatsInstance, level: int, name: str, category: str) -> int:
    (found,) = (m for m in instance.metrics if (m.level, m.name, m.category) == (level, name, category))
    return found.value


def test_every_service_of_every_site_is_there_once() -> None:
    found = cats_metrics(snapshot(), delay_plane(snapshot()), loads(), {}, GRID.sites[0].id, 7)
    assert (found.draft, found.at_us, found.ingress) == (DRAFT, 7, GRID.sites[0].id)
    expected = {(site.id, service_of(pool)) for site in GRID.sites for pool in site.pools}
    assert {(one.site, one.service) for one in found.instances} == expected
    assert len(found.instances) == len(expected)


def test_an_idle_instance_at_the_ingress_is_the_best() -> None:
    found = cats_metrics(snapshot(), delay_plane(snapshot()), loads(), {}, GRID.sites[0].id, 7)
    here = next(one for one in found.instances if one.site == GRID.sites[0].id)
    assert here.score == SCORE_MAX == metric(here, 1, "score", "compute")
    assert metric(here, 0, "delay", "communication") == 0


def test_a_used_pool_scores_by_what_is_free() -> None:
    site = next(one for one in GRID.sites if any(pool.cores_per_node for pool in one.pools))
    pool = next(one for one in site.pools if one.cores_per_node)
    used = PoolLoad(id=pool.id, load_permille=750, used=Demand(cores=3))
    full = loads() | {site.id: loads()[site.id].model_copy(update={"pools": (used,)})}
    found = cats_metrics(snapshot(), delay_plane(snapshot()), full, {}, site.id, 7)
    one = next(i for i in found.instances if i.site == site.id and i.service == service_of(pool))
    same = [other for other in site.pools if service_of(other) == service_of(pool)]
    whole = sum(other.nodes * other.cores_per_node for other in same)
    assert metric(one, 0, "cores_free", "compute") == whole - 3
    assert metric(one, 1, "score", "compute") == (2 if len(same) == 1 else SCORE_MAX)


def test_a_way_scores_by_its_delay_and_its_narrowest_link() -> None:
    plane = delay_plane(snapshot())
    ingress = GRID.sites[0].id
    link = next(one for one in GRID.links if one.a == ingress)
    there = plane.topology.nodes.index(link.b)
    idle = cats_metrics(snapshot(), plane, loads(), {}, ingress, 7)
    far = next(one for one in idle.instances if one.site == link.b)
    delay_us = metric(far, 0, "delay", "communication")
    assert delay_us == plane.worst_us[0, there]
    assert metric(far, 1, "score", "communication") == SCORE_MAX * max(0, NATIONAL_US - delay_us) // NATIONAL_US
    if delay_us == link.latency_us:  # the link itself is the shortest way
        busy = LinkLoad(id=link.id, up=True, used_ab_bps=link.capacity_bps * 9 // 10, used_ba_bps=0)
        after = cats_metrics(snapshot(), plane, loads(), {link.id: busy}, ingress, 7)
        now = next(one for one in after.instances if one.site == link.b)
        assert metric(now, 1, "score", "communication") == 1
        assert metric(now, 0, "bandwidth_free", "communication") == link.capacity_bps - busy.used_ab_bps


@pytest.mark.parametrize("case", ["down", "cut off"])
def test_what_does_not_answer_scores_nothing(case: str) -> None:
    site = GRID.sites[3].id
    gone = loads()
    down: frozenset[LinkId] = frozenset()
    if case == "down":
        gone[site] = gone[site].model_copy(update={"live": False})
    else:
        down = frozenset(link.id for link in GRID.links if site in (link.a, link.b))
    found = cats_metrics(snapshot(down), delay_plane(snapshot(down)), gone, {}, GRID.sites[0].id, 7)
    for one in (one for one in found.instances if one.site == site):
        assert one.score == 0 and not [m for m in one.metrics if m.category == "communication"]
