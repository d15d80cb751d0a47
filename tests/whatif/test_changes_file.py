"""The changes file: every fault at once, with its line; the grid after."""

from pathlib import Path

import pytest
from days import GRID, case

from suanwang.grids import china_path, dump_grid, load_grid
from suanwang.model.change import Changes
from suanwang.model.error import FaultsError
from suanwang.whatif import change_schema, check_change, read_change
from suanwang.whatif.grid_after import grid_after

SITE = GRID.sites[0].id
LINK = GRID.links[0].id


def faults(text: str) -> list[tuple[int | None, str, str]]:
    with pytest.raises(FaultsError) as caught:
        read_change(text, "change.yaml", GRID, case(5).tenants)
    return [(fault.line, fault.code, fault.where) for fault in caught.value.faults]


def test_every_fault_of_form_at_once_with_its_line():
    found = faults("sites:\n  remove: 5\nlinks:\n  scale:\n    a: -1\nloud: 2\n")
    assert found == [
        (2, "not_a_list", "sites.remove"),
        (5, "below", "links.scale.a"),
        (6, "unknown_field_near", "loud"),
    ]


def test_every_unknown_name_at_once_with_its_line():
    text = (
        "sites:\n  remove:\n    - nowhere\npools:\n  scale: {nowhere/general: 2}\nlinks:\n  cut: [no-link]\n"
        "prices:\n  owners: {nobody: 0.5}\ntenants:\n  - id: no-tenant\n    cores_max: 5\npolicy: {owners: [nobody]}\n"
    )
    found = faults(text)
    assert [one[0] for one in found] == [3, 5, 7, 9, 11, 13]
    assert {one[1] for one in found} == {"change_unknown"}


def test_near_names_are_given():
    with pytest.raises(FaultsError) as caught:
        read_change(f"sites: {{remove: [{SITE}x]}}", "change.yaml", GRID)
    assert SITE in str(caught.value.faults[0].params["near"])


def test_what_does_not_fit_the_grid_is_found_where_it_stands():
    text = f"links:\n  add:\n    - id: new\n      a: {SITE}\n      b: nowhere\n      kind: otn\n      length_km: 10\n      capacity_bps: 1 Gbps\n      latency_us: 50\n"
    assert (5, "unknown_site", "links.add[0].b") in faults(text)


def test_a_tenant_may_not_stand_below_itself():
    tenant = case(5).arrivals[0].tenant
    assert faults(f"tenants:\n  - id: {tenant}\n    parent: {tenant}\n")[0][1] == "tenant_cycle"


def test_a_cut_that_leaves_a_site_alone_is_no_fault():
    alone = [link.id for link in GRID.links if SITE in (link.a, link.b)]
    check_change(Changes.model_validate({"links": {"cut": alone}}), GRID, (), "changes")


def test_the_same_grid_where_nothing_changes():
    assert grid_after(GRID, Changes()) == GRID


def test_sites_pools_links_and_prices_after():
    pool = GRID.sites[1].pools[0]
    change = Changes.model_validate(
        {
            "sites": {"remove": [SITE]},
            "pools": {"scale": {pool.id: 3}},
            "links": {"scale": {LINK: 0.5}},
            "prices": {"sites": {GRID.sites[1].id: 0.5}, "network": 2},
        }
    )
    after = grid_after(GRID, change)
    sites = {site.id: site for site in after.sites}
    assert sites[SITE].pools == ()
    assert sites[GRID.sites[1].id].pools[0].nodes == 3 * pool.nodes
    link, was = after.links[0], GRID.links[0]
    assert link.capacity_bps == was.capacity_bps // 2
    assert link.price_micro_yuan_per_gib == 2 * was.price_micro_yuan_per_gib
    books = {book.id: book for book in after.price_books}
    old = next(book for book in GRID.price_books if book.id == GRID.sites[1].price_book)
    new = books[sites[GRID.sites[1].id].price_book]
    assert new.core_hour_micro_yuan == int(old.core_hour_micro_yuan * 0.5 + 0.5)
    assert books[old.id] == old, "the other sites of the book pay what they paid"
    assert dump_grid(after)


def test_factors_that_meet_are_multiplied_and_books_are_shared():
    change = Changes.model_validate({"prices": {"all": 2, "sites": {SITE: 0.5}}})
    after = grid_after(GRID, change)
    assert {site.id: site.price_book for site in after.sites}[SITE] == GRID.sites[0].price_book
    assert len(after.price_books) <= 2 * len(GRID.price_books)


def test_the_schema_names_every_part():
    schema = change_schema()
    assert set(schema["properties"]) == set(Changes.model_fields)
    assert schema["$schema"].endswith("2020-12/schema")


def test_the_file_of_the_guide_fits_the_shipped_grid():
    guide = (Path(__file__).parents[2] / "docs" / "guide" / "what-if.md").read_text("utf-8")
    text = guide.split("```yaml\n")[1].split("```")[0]
    grid = load_grid(china_path())
    changes = read_change(text, "guide", grid, grid.tenants)
    for name in Changes.model_fields:
        if name != "earlier":
            assert getattr(changes, name) != getattr(Changes(), name), f"the guide shows {name}"
    for name in ("remove", "scale"):
        assert getattr(changes.sites, name)
        assert getattr(changes.pools, name)
