"""Whether the parts of a grid fit together and make sense. Pure; every check is one small generator in CHECKS."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from suanwang.grids.check_pools import check_pools
from suanwang.grids.geometry import great_circle_km, light_floor_us
from suanwang.intent.document import Loc
from suanwang.intent.mapping import Found, path_text
from suanwang.model.error import Fault
from suanwang.model.grid import Grid, PriceBook
from suanwang.model.ids import SiteId
from suanwang.model.tenants import path_fault

POOL_ID = re.compile(r"[a-z0-9._-]{1,64}/[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
LineOf = Callable[[Loc], int | None]


def check_grid(grid: Grid, line_of: LineOf | None = None) -> list[Fault]:
    """Every fault of `grid`, in the order of the checks; empty: the grid can be used."""
    return [
        Fault(one.code, path_text(one.loc), one.shown(), line_of(one.loc) if line_of else None, one.params)
        for one in check_all(grid)
    ]


def check_all(grid: Grid) -> list[Found]:
    """Every fault with its location as a tuple."""
    return [one for check in CHECKS for one in check(grid)]


def _twice(values: Iterable[tuple[Loc, str]]) -> Iterator[Found]:
    first: dict[str, Loc] = {}
    for loc, value in values:
        if value in first:
            yield Found("duplicate_id", loc, value, {"first": path_text(first[value][:-1])})
        first.setdefault(value, loc)


def _ids(grid: Grid) -> Iterator[Found]:
    yield from _twice(((("sites", at, "id"), one.id) for at, one in enumerate(grid.sites)))
    yield from _twice(((("links", at, "id"), one.id) for at, one in enumerate(grid.links)))
    yield from _twice(((("data_sets", at, "id"), one.id) for at, one in enumerate(grid.data_sets)))
    yield from _twice(((("price_books", at, "id"), one.id) for at, one in enumerate(grid.price_books)))
    yield from _twice(((("tenants", at, "id"), one.id) for at, one in enumerate(grid.tenants)))


def _references(grid: Grid) -> Iterator[Found]:
    sites, books = {one.id for one in grid.sites}, {one.id for one in grid.price_books}
    tenants = {one.id for one in grid.tenants}

    def unknown(loc: Loc, got: str, what: str, known: Iterable[str]) -> Iterator[Found]:
        if got not in set(known):
            yield Found(f"unknown_{what}", loc, got)

    yield from unknown(("default_origin",), grid.default_origin, "site", sites)
    for at, site in enumerate(grid.sites):
        yield from unknown(("sites", at, "price_book"), site.price_book, "price_book", books)
    for at, link in enumerate(grid.links):
        yield from unknown(("links", at, "a"), link.a, "site", sites)
        yield from unknown(("links", at, "b"), link.b, "site", sites)
    for at, data_set in enumerate(grid.data_sets):
        for place, replica in enumerate(data_set.replicas):
            yield from unknown(("data_sets", at, "replicas", place), replica, "site", sites)
        if data_set.tenant is not None:
            yield from unknown(("data_sets", at, "tenant"), data_set.tenant, "tenant", tenants)


def _links(grid: Grid) -> Iterator[Found]:
    sites = {one.id: one for one in grid.sites}
    for at, link in enumerate(grid.links):
        if link.a == link.b:
            yield Found("link_to_itself", ("links", at, "b"), link.b)
        if link.capacity_bps == 0:
            yield Found("no_capacity", ("links", at, "capacity_bps"), "0")
        floor_us = light_floor_us(link.kind, link.length_km)
        if link.latency_us < floor_us:
            yield Found("faster_than_light", ("links", at, "latency_us"), link.latency_us, {"least_us": floor_us})
        a, b = sites.get(link.a), sites.get(link.b)
        if a is None or b is None or link.a == link.b:
            continue
        least_km = int(great_circle_km(a.latitude, a.longitude, b.latitude, b.longitude))
        if link.length_km < least_km:
            yield Found("shorter_than_straight", ("links", at, "length_km"), link.length_km, {"least_km": least_km})
        for place, group in enumerate(link.shared_risk_groups):
            if group in link.shared_risk_groups[:place]:
                yield Found("listed_twice", ("links", at, "shared_risk_groups", place), group)
        for place, window in enumerate(link.maintenance):
            if window.end <= window.start:
                yield Found("maintenance_empty", ("links", at, "maintenance", place, "end"), window.end)


def _reach(grid: Grid) -> Iterator[Found]:
    """Every site can reach the default origin."""
    near: dict[SiteId, list[SiteId]] = {one.id: [] for one in grid.sites}
    for link in grid.links:
        if link.a in near and link.b in near:
            near[link.a].append(link.b)
            near[link.b].append(link.a)
    start = grid.default_origin if grid.default_origin in near else grid.sites[0].id
    seen, edge = {start}, [start]
    while edge:
        fresh = [one for one in near[edge.pop()] if one not in seen]
        seen.update(fresh)
        edge += fresh
    for at, site in enumerate(grid.sites):
        if site.id not in seen:
            yield Found("unreachable_site", ("sites", at, "id"), site.id, {"origin": start})


def _data_sets(grid: Grid) -> Iterator[Found]:
    region_of = {one.id: one.region for one in grid.sites}
    regions = set(region_of.values())
    for at, one in enumerate(grid.data_sets):
        for place, replica in enumerate(one.replicas):
            loc: Loc = ("data_sets", at, "replicas", place)
            if replica in one.replicas[:place]:
                yield Found("listed_twice", loc, replica)
            region = region_of.get(replica)
            if one.residency and region is not None and region not in one.residency:
                yield Found("replica_outside", loc, replica, {"region": region, "residency": ", ".join(one.residency)})
        if one.residency and not regions.intersection(one.residency):
            yield Found("residency_nowhere", ("data_sets", at, "residency"), ", ".join(one.residency))
        if one.content_bytes > one.size_bytes:
            yield Found("content_above_size", ("data_sets", at, "content_bytes"), one.content_bytes)
        if one.content_bytes and one.content_seed is None:
            yield Found("content_without_seed", ("data_sets", at, "content_bytes"), one.content_bytes)


def _bands(grid: Grid) -> Iterator[Found]:
    for at, book in enumerate(grid.price_books):
        for place, band in enumerate(book.time_of_use):
            loc: Loc = ("price_books", at, "time_of_use", place)
            if band.from_hour >= band.to_hour:
                yield Found("band_empty", loc, f"{band.from_hour}-{band.to_hour}")
            elif any(
                band.from_hour < other.to_hour and other.from_hour < band.to_hour for other in book.time_of_use[:place]
            ):
                yield Found("bands_overlap", loc, f"{band.from_hour}-{band.to_hour}")


def _prices(grid: Grid) -> Iterator[Found]:
    books: dict[Any, PriceBook] = {one.id: one for one in grid.price_books}
    for at, site in enumerate(grid.sites):
        book = books.get(site.price_book)
        for place, pool in enumerate(site.pools):
            model = pool.accelerator_model
            if book is not None and model is not None and model not in book.accelerator_hour_micro_yuan:
                loc: Loc = ("sites", at, "pools", place, "accelerator_model")
                yield Found("price_missing", loc, model, {"book": book.id})


def _pool_ids(grid: Grid) -> Iterator[Found]:
    every: list[tuple[Loc, str]] = []
    for at, site in enumerate(grid.sites):
        inside = [("pools", place, str(pool.id)) for place, pool in enumerate(site.pools)]
        inside += [("security_pools", place, str(pool.id)) for place, pool in enumerate(site.security_pools)]
        inside += [("storage_pools", place, str(pool.id)) for place, pool in enumerate(site.storage_pools)]
        for name, place, pool_id in inside:
            loc: Loc = ("sites", at, name, place, "id")
            every.append((loc, pool_id))
            if POOL_ID.fullmatch(pool_id) is None or pool_id.partition("/")[0] != site.id:
                yield Found("pool_id_form", loc, pool_id, {"site": site.id})
    yield from _twice(every)


def _tenants(grid: Grid) -> Iterator[Found]:
    """Every tenant has its parent, and nobody is below itself."""
    known = {one.id: one for one in grid.tenants}
    for at, one in enumerate(grid.tenants):
        fault = path_fault(one, known)
        if fault is not None:
            yield Found(fault.code, ("tenants", at, "parent"), fault.got, fault.params)


CHECKS: tuple[Callable[[Grid], Iterator[Found]], ...] = (
    _ids,
    _pool_ids,
    _references,
    check_pools,
    _prices,
    _bands,
    _links,
    _reach,
    _data_sets,
    _tenants,
)


def counts(grid: Grid) -> Counter[str]:
    """How many of each part, for `grid validate` to print."""
    out = Counter({"sites": len(grid.sites), "links": len(grid.links), "data_sets": len(grid.data_sets)})
    for site in grid.sites:
        out["pools"] += len(site.pools)
        out["security_pools"] += len(site.security_pools)
        out["storage_pools"] += len(site.storage_pools)
    return out
