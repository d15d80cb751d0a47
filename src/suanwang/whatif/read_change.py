"""A changes file to `Changes`, and whether it fits a grid and its tenants: every fault at once, with its line."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic import TypeAdapter

from suanwang.grids.check import check_all
from suanwang.grids.load import OF_ABSENCE
from suanwang.intent.document import Document, Loc, parse
from suanwang.intent.mapping import Found
from suanwang.intent.read import check, raise_found
from suanwang.model.change import Changes
from suanwang.model.grid import Grid, Tenant
from suanwang.model.task import OWN, THIRD_PARTY
from suanwang.model.tenants import path_fault
from suanwang.whatif.day_after import tenants_after
from suanwang.whatif.grid_after import grid_after

CHANGE_BYTES_MAX = 4 * 1024**2
NEAR_MIN = 0.6


def read_change(text: str | bytes, source: str, grid: Grid | None = None, tenants: Iterable[Tenant] = ()) -> Changes:
    """The changes in a YAML or JSON text; with a grid, whether they fit it. Raises FaultsError with every fault."""
    document = parse(text, source, CHANGE_BYTES_MAX)
    changes, found = check(Changes, document)
    if changes is not None and grid is not None:
        found = list(_misfits(changes, grid, tuple(tenants)))
    raise_found(found, document)
    assert changes is not None, "no fault means changes"
    return changes


def check_change(changes: Changes, grid: Grid, tenants: Iterable[Tenant], source: str) -> None:
    """Raises FaultsError where changes that came another way than by a file do not fit."""
    found = list(_misfits(changes, grid, tuple(tenants)))
    raise_found(found, Document(changes.model_dump(mode="json"), source, lambda: None))


def change_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a changes file."""
    schema = TypeAdapter(Changes).json_schema(mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://suanwang.org/schema/what-if.json",
        **schema,
        "title": "Suanwang what-if",
    }


def _misfits(changes: Changes, grid: Grid, tenants: tuple[Tenant, ...]) -> Iterator[Found]:
    named = list(_unknown(changes, grid, tenants))
    yield from named
    if named:
        return
    before = {(one.code, str(one.got)) for one in check_all(grid)}
    after = grid_after(grid, changes)
    for one in check_all(after):
        # A cut that leaves a site alone, or a removal that leaves nothing for someone, is what is asked about.
        if one.code not in OF_ABSENCE and (one.code, str(one.got)) not in before:
            yield Found(one.code, _place(one.loc, changes, grid), one.got, one.params)
    tree = {one.id: one for one in tenants_after(tenants, changes)}
    for at, change in enumerate(changes.tenants):
        fault = path_fault(tree[change.id], tree)
        if fault is not None:
            yield Found(fault.code, ("tenants", at, "parent"), fault.got, fault.params)


def _place(loc: Loc, changes: Changes, grid: Grid) -> Loc:
    """Where in the changes a fault of the grid after comes from, where that can be told."""
    heads = {
        "sites": (len(grid.sites), ("sites", "add")),
        "links": (len(grid.links) - len(changes.links.cut), ("links", "add")),
    }
    if len(loc) > 1 and loc[0] in heads and isinstance(loc[1], int):
        first, place = heads[str(loc[0])]
        if loc[1] >= first:
            return (*place, loc[1] - first, *loc[2:])
    return loc


def _unknown(changes: Changes, grid: Grid, tenants: tuple[Tenant, ...]) -> Iterator[Found]:
    """Every name that the grid or the day does not have."""
    sites = [one.id for one in grid.sites]
    pools = [pool.id for site in grid.sites for pool in site.pools]
    links = [one.id for one in grid.links]
    books = [*(one.id for one in grid.price_books), *(one.id for one in changes.prices.set)]
    owners = sorted({site.owner for site in (*grid.sites, *changes.sites.add)})
    named: list[tuple[str, Sequence[str], Iterable[tuple[Loc, str]]]] = [
        ("site", sites, _listed(("sites", "remove"), changes.sites.remove)),
        ("site", sites, _keyed(("sites", "scale"), changes.sites.scale)),
        ("pool", pools, _listed(("pools", "remove"), changes.pools.remove)),
        ("pool", pools, _keyed(("pools", "scale"), changes.pools.scale)),
        ("link", links, _listed(("links", "cut"), changes.links.cut)),
        ("link", links, _keyed(("links", "scale"), changes.links.scale)),
        ("site", [*sites, *(one.id for one in changes.sites.add)], _keyed(("prices", "sites"), changes.prices.sites)),
        ("owner", owners, _keyed(("prices", "owners"), changes.prices.owners)),
        ("price_book", books, _keyed(("prices", "books"), changes.prices.books)),
        ("owner", [OWN, THIRD_PARTY, *owners], _listed(("policy", "owners"), changes.policy.owners or ())),
        (
            "tenant",
            [one.id for one in tenants],
            ((("tenants", at, "id"), one.id) for at, one in enumerate(changes.tenants)),
        ),
    ]
    for what, known, names in named:
        allowed = set(known)
        for loc, name in names:
            if name not in allowed:
                near = difflib.get_close_matches(name, known, n=3, cutoff=NEAR_MIN) or known[:3]
                yield Found("change_unknown", loc, name, {"what": what, "near": ", ".join(f"`{one}`" for one in near)})


def _listed(head: tuple[str, ...], names: Iterable[str]) -> Iterator[tuple[Loc, str]]:
    return (((*head, at), name) for at, name in enumerate(names))


def _keyed(head: tuple[str, ...], names: Iterable[str]) -> Iterator[tuple[Loc, str]]:
    return (((*head, name), name) for name in names)
