"""The CATS view of a grid: what the ingress at one site knows of every service at every site.

How a score is made (the draft leaves it to the operator): compute is the share of the pools' scarcest resource that is
free; communication is how much of the national circle the way leaves, and how much of the way's narrowest link is free,
whichever is less; the score of both is the lesser. Ten is all, nought is none, also where a site does not answer.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from suanwang.model.cats import SCORE_MAX, CatsCategory, CatsInstance, CatsMetric, CatsMetrics
from suanwang.model.grid import Pool, PoolKind
from suanwang.model.ids import SiteId
from suanwang.model.snapshot import Snapshot
from suanwang.model.view import LinkLoad, SiteLoad
from suanwang.net.igp import NO_PATH, Plane, build_plane
from suanwang.net.network import Ints
from suanwang.net.topology import Topology, topology_of_grid

NATIONAL_US: Final = 20_000  # the widest latency circle: a way as long as this scores nothing


def delay_plane(snapshot: Snapshot) -> Plane:
    """The plane on the delay metric over the links that are up."""
    topology = topology_of_grid(snapshot.index.grid)
    up = [link.id not in snapshot.links_down for link in snapshot.index.grid.links]
    return build_plane(topology, np.maximum(1, topology.latency_us), np.repeat(np.array(up, np.bool_), 2))


def cats_metrics(
    snapshot: Snapshot,
    plane: Plane,
    sites: Mapping[SiteId, SiteLoad],
    links: Mapping[str, LinkLoad],
    ingress: SiteId,
    at_us: int,
) -> CatsMetrics:
    """Every instance, seen from `ingress`; `plane` is `delay_plane` of the same grid and links."""
    here = plane.topology.nodes.index(ingress)
    free_bps = _free(plane.topology, links)
    instances: list[CatsInstance] = []
    for there, site in enumerate(snapshot.index.grid.sites):
        load = sites[site.id]
        way = tuple(_way(plane, here, there, free_bps)) if load.live else ()
        by_service: dict[str, list[Pool]] = defaultdict(list)
        for pool in site.pools:
            by_service[service_of(pool)].append(pool)
        instances += (_instance(site.id, load, service, pools, way) for service, pools in by_service.items())
    return CatsMetrics(at_us=at_us, ingress=ingress, instances=tuple(instances))


def service_of(pool: Pool) -> str:
    """What a pool offers, by name."""
    return f"{pool.kind}/{pool.accelerator_model}" if pool.kind is PoolKind.AI else str(pool.kind)


def _free(topology: Topology, links: Mapping[str, LinkLoad]) -> Ints:
    free = topology.capacity_bps.copy()
    for at, name in enumerate(topology.links):
        link, _, way = name.rpartition(":")
        load = links.get(link)
        if load is not None:
            free[at] -= load.used_ab_bps if way == "ab" else load.used_ba_bps
    return np.maximum(0, free)


def _way(plane: Plane, here: int, there: int, free_bps: Ints) -> Iterator[CatsMetric]:
    """Level 0 of the way, and its score; nothing where there is no way."""
    delay_us = int(plane.worst_us[here, there])
    if delay_us >= NO_PATH:
        return
    yield _raw(CatsCategory.COMMUNICATION, "delay", "us", delay_us, "aggregation")
    score = SCORE_MAX * max(0, NATIONAL_US - delay_us) // NATIONAL_US
    if here != there:
        link = _narrowest(plane, here, there, free_bps)
        free, whole = int(free_bps[link]), int(plane.topology.capacity_bps[link])
        yield _raw(CatsCategory.COMMUNICATION, "bandwidth_free", "bps", free, "aggregation")
        score = min(score, SCORE_MAX * free // whole if whole else 0)
    yield _score(1, CatsCategory.COMMUNICATION, score)


def _narrowest(plane: Plane, here: int, there: int, free_bps: Ints) -> int:
    """The link with the least free share along the way; of equal ways the first of the grid file."""
    node, found, least = here, -1, 2.0
    while node != there:
        link = int(plane.hops[plane.first[there, node]])
        share = free_bps[link] / max(1, plane.topology.capacity_bps[link])
        if share < least:
            found, least = link, share
        node = int(plane.topology.target[link])
    return found


def _instance(
    site: SiteId, load: SiteLoad, service: str, pools: list[Pool], way: tuple[CatsMetric, ...]
) -> CatsInstance:
    used = {one.id: one for one in load.pools}
    metrics = list(way)
    free_permille = 0
    for name, unit, whole in _totals(pools):
        held = sum(_held(used[pool.id].used, name) for pool in pools if pool.id in used)
        metrics.append(_raw(CatsCategory.COMPUTE, f"{name}_total", unit, whole, "nominal"))
        metrics.append(_raw(CatsCategory.COMPUTE, f"{name}_free", unit, max(0, whole - held), "direct"))
    if load.live:
        free_permille = max(1000 - (used[pool.id].load_permille if pool.id in used else 0) for pool in pools)
    compute = SCORE_MAX * free_permille // 1000
    reach = next((one.value for one in way if one.level == 1), 0)
    metrics.append(_score(1, CatsCategory.COMPUTE, compute))
    score = min(compute, reach)
    metrics.append(_score(2, CatsCategory.COMPOSED, score))
    return CatsInstance(
        site=site,
        service=service,
        emulated=load.emulated,
        metrics=tuple(sorted(metrics, key=lambda one: one.level)),
        score=score,
    )


def _totals(pools: list[Pool]) -> Iterator[tuple[str, str, int]]:
    """The resources that the pools have, with their unit and amount."""
    yield "nodes", "nodes", sum(pool.nodes for pool in pools)
    for name, unit in (("cores", "cores"), ("memory_bytes", "bytes"), ("accelerators", "accelerators")):
        whole = sum(pool.nodes * int(getattr(pool, f"{name}_per_node")) for pool in pools)
        if whole:
            yield name, unit, whole


def _held(used: object, name: str) -> int:
    return int(getattr(used, name))


def _raw(category: CatsCategory, name: str, unit: str, value: int, source: str) -> CatsMetric:
    return CatsMetric.model_validate(
        {"level": 0, "category": category, "name": name, "unit": unit, "source": source, "value": value}
    )


def _score(level: int, category: CatsCategory, value: int) -> CatsMetric:
    return CatsMetric(
        level=level, category=category, name="score", length_bytes=1, unit="score", source="normalization", value=value
    )
