"""A grid in figures: tiers, pools by kind, the network, prices."""

from collections import Counter

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from suanwang.cli.show.forms import fit, latency, money
from suanwang.cli.words import name_of, t
from suanwang.model.grid import SERVER_KINDS, Grid, PoolKind, Site, Tier
from suanwang.model.units import show_bps


def whole(grid: Grid) -> list[RenderableType]:
    """The overview."""
    own = [site for site in grid.sites if site.owner == "own"]
    servers = sum(pool.nodes for site in own for pool in site.pools if pool.kind in SERVER_KINDS)
    head = t(
        "cli.grid.head",
        sites=f"{len(grid.sites):,}",
        pools=f"{sum(len(site.pools) for site in grid.sites):,}",
        links=f"{len(grid.links):,}",
        servers=f"{servers:,}",
        general=_flops(own, *SERVER_KINDS),
        ai=_flops(own, PoolKind.AI),
    )
    title = Text.assemble((grid.name, "bold"), f"  {grid.id} v{grid.version}")
    return [Panel(Text(head), title=title, title_align="left", border_style="cyan"), _tiers(grid), _links(grid)]


def _flops(sites: list[Site], *kinds: PoolKind) -> str:
    gflops = sum(pool.nodes * pool.gflops_per_node for site in sites for pool in site.pools if pool.kind in kinds)
    for unit, size in (("EFLOPS", 10**9), ("PFLOPS", 10**6), ("TFLOPS", 10**3)):
        if gflops >= size:
            return f"{gflops / size:.3g} {unit}"
    return f"{gflops} GFLOPS"


def _tiers(grid: Grid) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(t("cli.grid.tier"))
    table.add_column(t("cli.grid.sites"), justify="right")
    for kind in PoolKind:
        table.add_column(t(f"pool_kind.{kind.value}"), justify="right")
    table.add_column(t("cli.grid.third"), justify="right")
    for tier in Tier:
        sites = [site for site in grid.sites if site.tier is tier]
        pools = Counter(pool.kind for site in sites for pool in site.pools)
        third = sum(site.owner != "own" for site in sites)
        counts = [f"{pools[kind]:,}" if pools[kind] else "" for kind in PoolKind]
        table.add_row(t(f"tier.{tier.value}"), f"{len(sites):,}", *counts, f"{third:,}" if third else "")
    return table


def _links(grid: Grid) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(t("cli.grid.links"))
    table.add_column("", justify="right")
    table.add_column(t("cli.grid.capacity"), justify="right")
    table.add_column(t("cli.grid.longest"), justify="right")
    for kind in sorted({link.kind for link in grid.links}):
        links = [link for link in grid.links if link.kind is kind]
        whole_bps = sum(link.capacity_bps for link in links)
        longest = max(link.latency_us for link in links)
        table.add_row(kind.value.upper(), f"{len(links):,}", show_bps(whole_bps), latency(longest))
    return table


def sites(grid: Grid, text: str | None) -> Table:
    """Sites, all or those whose id, name or region holds a text."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for key in ("site", "name", "tier", "owner", "region", "level", "pools", "price"):
        table.add_column(
            t(f"cli.grid.col.{key}"),
            justify="right" if key in ("level", "price") else "left",
            no_wrap=key not in ("name", "tier", "pools"),  # these give way; an id that is cut cannot be copied
        )
    books = {book.id: book for book in grid.price_books}
    for site in grid.sites:
        words = " ".join((site.id, site.region, site.city, site.names.en, site.names.zh_hant, site.names.zh_hans))
        if text and text.lower() not in words.lower():
            continue
        book = books.get(site.price_book)
        table.add_row(
            site.id,
            fit(name_of(site.names), 22),
            t(f"tier.{site.tier.value}"),
            site.owner,
            site.region,
            str(site.security_level),
            ", ".join(sorted({pool.kind.value for pool in site.pools})),
            f"{money(book.core_hour_micro_yuan)}" if book else "",
        )
    return table
