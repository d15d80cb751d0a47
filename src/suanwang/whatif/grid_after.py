"""The grid after a change. Nothing is checked here: `read_change.check_change` has said what is wrong before."""

from collections.abc import Mapping
from itertools import count

from suanwang.model.change import Changes, PriceChanges
from suanwang.model.grid import Grid, Link, Pool, PriceBook, SecurityPool, Site
from suanwang.model.ids import LinkId, PriceBookId, SiteId


def grid_after(grid: Grid, changes: Changes) -> Grid:
    """The grid with sites, pools, links and prices changed. The same grid where nothing of it changes."""
    sites = tuple(_site(site, changes) for site in grid.sites) + changes.sites.add
    links = tuple(_link(one, changes) for one in grid.links if one.id not in changes.links.cut) + changes.links.add
    books = {one.id: one for one in grid.price_books} | {one.id: one for one in changes.prices.set}
    sites, books = _repriced(sites, books, changes.prices)
    if changes.prices.network is not None:
        factor = changes.prices.network
        links = tuple(_cheaper_link(one, factor) for one in links)
        sites = tuple(
            site.model_copy(update={"security_pools": tuple(_cheaper_pool(one, factor) for one in site.security_pools)})
            for site in sites
        )
    return grid.model_copy(update={"sites": sites, "links": links, "price_books": tuple(books.values())})


def times(value: int, factor: float) -> int:
    """A whole figure times a factor, rounded to the nearest, halves up."""
    return int(value * factor + 0.5)


def _site(site: Site, changes: Changes) -> Site:
    if site.id in changes.sites.remove:
        return site.model_copy(update={"pools": (), "security_pools": ()})
    factor = changes.sites.scale.get(site.id, 1.0)
    pools = tuple(
        _pool(pool, factor * changes.pools.scale.get(pool.id, 1.0))
        for pool in site.pools
        if pool.id not in changes.pools.remove
    )
    return site if pools == site.pools else site.model_copy(update={"pools": pools})


def _pool(pool: Pool, factor: float) -> Pool:
    return pool if factor == 1.0 else pool.model_copy(update={"nodes": max(1, times(pool.nodes, factor))})


def _link(link: Link, changes: Changes) -> Link:
    factor = changes.links.scale.get(LinkId(link.id))
    return link if factor is None else link.model_copy(update={"capacity_bps": times(link.capacity_bps, factor)})


def _repriced(
    sites: tuple[Site, ...], books: dict[PriceBookId, PriceBook], prices: PriceChanges
) -> tuple[tuple[Site, ...], dict[PriceBookId, PriceBook]]:
    """Each site with the book that its factors make of its own; a book that sites share is copied for those that differ."""
    out: list[Site] = []
    made: dict[tuple[PriceBookId, float], PriceBookId] = {}
    for site in sites:
        factor = _factor(site, prices)
        if factor == 1.0:
            out.append(site)
            continue
        key = (site.price_book, factor)
        if key not in made:
            names = (PriceBookId(f"{site.price_book[:48]}.x{number}") for number in count())
            made[key] = next(name for name in names if name not in books)
            books = books | {made[key]: _book(books[site.price_book], made[key], factor)}
        out.append(site.model_copy(update={"price_book": made[key]}))
    return tuple(out), books


def _factor(site: Site, prices: PriceChanges) -> float:
    factor = 1.0 if prices.all is None else prices.all
    factor *= prices.books.get(site.price_book, 1.0)
    return factor * prices.owners.get(site.owner, 1.0) * prices.sites.get(SiteId(site.id), 1.0)


def _book(book: PriceBook, new_id: PriceBookId, factor: float) -> PriceBook:
    cards: Mapping[str, int] = book.accelerator_hour_micro_yuan
    return book.model_copy(
        update={
            "id": new_id,
            "core_hour_micro_yuan": times(book.core_hour_micro_yuan, factor),
            "gib_hour_micro_yuan": times(book.gib_hour_micro_yuan, factor),
            "accelerator_hour_micro_yuan": {model: times(price, factor) for model, price in cards.items()},
            "node_hour_micro_yuan": times(book.node_hour_micro_yuan, factor),
            "qpu_shot_micro_yuan": times(book.qpu_shot_micro_yuan, factor),
            "qpu_hour_micro_yuan": times(book.qpu_hour_micro_yuan, factor),
            "energy_kwh_micro_yuan": times(book.energy_kwh_micro_yuan, factor),
        }
    )


def _cheaper_link(link: Link, factor: float) -> Link:
    return link.model_copy(
        update={
            "price_micro_yuan_per_gbps_hour": times(link.price_micro_yuan_per_gbps_hour, factor),
            "price_micro_yuan_per_gib": times(link.price_micro_yuan_per_gib, factor),
        }
    )


def _cheaper_pool(pool: SecurityPool, factor: float) -> SecurityPool:
    price = times(pool.price_micro_yuan_per_gbps_hour, factor)
    return pool.model_copy(update={"price_micro_yuan_per_gbps_hour": price})
