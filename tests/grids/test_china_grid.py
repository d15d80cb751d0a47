"""The reference grid holds what it says: every public figure is summed up here from the file itself."""

import heapq
import time
from collections import Counter

import pytest

from suanwang.grids import check_grid, china_path, dump_grid, load_grid
from suanwang.grids.china import ASSUMPTIONS, FACTS, china_text
from suanwang.grids.china_tables import table
from suanwang.grids.geometry import fibre_km, fibre_latency_us, great_circle_km
from suanwang.model.grid import Grid, LinkKind, PoolKind, ProtectionFunction, Tier
from suanwang.model.ids import SiteId

HUBS = ["hub-jingjinji", "hub-yangtze", "hub-greaterbay", "hub-chengyu"]
WESTERN = ["west-horinger", "west-zhongwei", "west-qingyang", "west-guian"]
LOAD_SECONDS_MAX = 30.0  # a hang is what this finds; how fast it is, bench and guide say
# Farther from their capital than light in fibre goes in 5 ms at the route factor: no link could mend it.
BEYOND_PROVINCIAL_CIRCLE = {
    "edge-hl-dahingganling", "edge-nm-hinggan", "edge-nm-hulunbuir", "edge-nm-tongliao", "edge-xj-hotan",
    "edge-xj-kashgar", "edge-xj-kizilsu", "edge-xj-tumxuk", "edge-xz-ngari",
}  # fmt: skip


@pytest.fixture(scope="module")
def grid() -> Grid:
    return load_grid(china_path())


def latencies_us(grid: Grid, start: str, without: str = "") -> dict[str, int]:
    """Least one-way latency from `start` to every site it reaches, over terrestrial links but `without`."""
    near: dict[str, list[tuple[str, int]]] = {one.id: [] for one in grid.sites}
    for link in grid.links:
        if link.kind is not LinkKind.SATELLITE and link.id != without:
            near[link.a].append((link.b, link.latency_us))
            near[link.b].append((link.a, link.latency_us))
    best: dict[str, int] = {}
    heap = [(0, start)]
    while heap:
        at_us, site = heapq.heappop(heap)
        if site not in best:
            best[site] = at_us
            for other, more_us in near[site]:
                heapq.heappush(heap, (at_us + more_us, other))
    return best


def test_loads_in_time_and_passes_its_checks(grid: Grid) -> None:
    started = time.perf_counter()
    again = load_grid(china_path())
    assert time.perf_counter() - started < LOAD_SECONDS_MAX
    assert again == grid
    assert check_grid(grid) == []


def test_file_is_what_its_tables_make_and_round_trips(grid: Grid) -> None:
    text = china_path().read_text(encoding="utf-8")
    assert text == china_text(), "run python -m suanwang.grids.china"
    assert load_grid(dump_grid(grid)) == grid
    assert grid.notes.facts == FACTS
    assert grid.notes.assumptions == ASSUMPTIONS
    assert text.startswith("# The reference grid")
    assert max(len(line) for line in text.splitlines() if not line.startswith("  - ")) < 600


def test_tiers_are_4_n_31_x(grid: Grid) -> None:
    own = [one for one in grid.sites if one.owner == "own"]
    assert [one.id for one in own if one.tier is Tier.HUB] == HUBS
    assert [one.id for one in own if one.tier is Tier.WESTERN] == WESTERN
    provincial = [one for one in own if one.tier is Tier.PROVINCIAL]
    assert len(provincial) == 31 == len({one.region for one in provincial})
    edges = [one for one in own if one.tier is Tier.EDGE]
    assert len(edges) == 364 == len(table("prefectures"))
    assert {one.region for one in edges} == {one.region for one in provincial}


def test_own_general_compute_is_924000_servers_and_8_eflops(grid: Grid) -> None:
    pools = [
        pool
        for site in grid.sites
        if site.owner == "own"
        for pool in site.pools
        if pool.kind in (PoolKind.GENERAL, PoolKind.HPC)
    ]
    assert sum(pool.nodes for pool in pools) == 924_000
    assert {pool.precision for pool in pools} == {"fp32"}
    assert sum(pool.nodes * pool.gflops_per_node for pool in pools) == 8 * 10**9  # GFLOPS: 8 EFLOPS


def test_third_parties_bring_3_3_eflops_of_all_four_kinds(grid: Grid) -> None:
    pools = [pool for site in grid.sites if site.owner != "own" for pool in site.pools]
    assert {pool.kind for pool in pools} == set(PoolKind)
    assert sum(pool.nodes * pool.gflops_per_node for pool in pools) == 3_300_000_000
    assert sum(pool.kind is PoolKind.QUANTUM for pool in pools) >= 3
    # Kinds that own sites do not have still find a place.
    assert all(site.owner != "own" for site in grid.sites for pool in site.pools if pool.kind is PoolKind.QUANTUM)


def test_eleven_ai_centres_one_the_largest(grid: Grid) -> None:
    centres = {
        site.id: pool.nodes * pool.accelerators_per_node
        for site in grid.sites
        for pool in site.pools
        if pool.id.endswith("/ai-centre")
    }
    assert len(centres) == 11
    first, second = sorted(centres.values(), reverse=True)[:2]
    assert first > second
    assert centres[SiteId("west-horinger")] == first == 20_000
    assert sum(centres.values()) == 88_000
    every = [(pool.nodes * pool.accelerators_per_node, pool.id) for site in grid.sites for pool in site.pools]
    assert max(every)[1] == "west-horinger/ai-centre"


def test_otn_reaches_86_percent_of_hub_and_provincial_sites(grid: Grid) -> None:
    counted = {one.id for one in grid.sites if one.tier in (Tier.HUB, Tier.PROVINCIAL)}
    otn = [link for link in grid.links if link.kind is LinkKind.OTN]
    reached = {end for link in otn for end in (link.a, link.b)}
    assert len(counted) == 35
    assert round(100 * len(counted & reached) / len(counted)) == 86
    assert set(WESTERN) <= reached
    waves = {400: 400 * 10**9, 200: 200 * 10**9}
    assert all(link.capacity_bps % waves[200] == 0 for link in otn)
    assert any(link.capacity_bps % waves[400] for link in otn), "both 200G and 400G waves"


def test_latency_is_great_circle_times_the_route_factor(grid: Grid) -> None:
    sites = {one.id: one for one in grid.sites}
    assert grid.route_factor_permille == 1_400
    for link in grid.links:
        if link.kind is LinkKind.SATELLITE:
            continue
        a, b = sites[link.a], sites[link.b]
        km = fibre_km(great_circle_km(a.latitude, a.longitude, b.latitude, b.longitude), 1_400)
        assert link.length_km == km
        assert link.latency_us == 5 * km == fibre_latency_us(km)


def test_great_circle_of_known_cities() -> None:
    # Beijing - Shanghai, 1,067 km by any atlas; a degree of the equator, 111.19 km; antipodes, half the girth.
    assert great_circle_km(39.905, 116.405, 31.232, 121.473) == pytest.approx(1_067, abs=3)
    assert great_circle_km(0, 0, 0, 1) == pytest.approx(111.195, abs=0.01)
    assert great_circle_km(0, 0, 0, 180) == pytest.approx(20_015, abs=1)


def test_circles(grid: Grid) -> None:
    for hub in HUBS:
        reach_us = latencies_us(grid, hub)
        assert all(reach_us[other] <= 20_000 for other in HUBS)
    beyond = set()
    for site in grid.sites:
        if site.tier is Tier.PROVINCIAL:
            reach_us = latencies_us(grid, site.id)
            inside = [one.id for one in grid.sites if one.tier is Tier.EDGE and one.region == site.region]
            beyond |= {one for one in inside if reach_us[one] > 5_000}
    assert beyond == BEYOND_PROVINCIAL_CIRCLE


def test_every_edge_has_two_ways_out(grid: Grid) -> None:
    ways = Counter(end for link in grid.links for end in (link.a, link.b))
    assert min(ways[one.id] for one in grid.sites) >= 2
    everyone = {one.id for one in grid.sites}
    for link in grid.links:
        if link.kind is LinkKind.OTN:
            assert set(latencies_us(grid, "prov-bj", without=link.id)) == everyone, link.id


def test_shared_risk_groups_and_satellites(grid: Grid) -> None:
    groups = Counter(group for link in grid.links for group in link.shared_risk_groups)
    assert max(groups.values()) >= 5
    assert sum(count >= 2 for count in groups.values()) >= 12
    satellites = [link for link in grid.links if link.kind is LinkKind.SATELLITE]
    assert len(satellites) == 2
    assert max(link.latency_us for link in satellites) > 240_000  # a geostationary hop


def test_protection_storage_prices_energy(grid: Grid) -> None:
    upper = [one for one in grid.sites if one.tier is not Tier.EDGE]
    for site in upper:
        assert {pool.function for pool in site.security_pools} == set(ProtectionFunction)
        assert site.storage_pools
    books = {book.id: book for book in grid.price_books}
    assert all(book.time_of_use for book in grid.price_books)
    by_id = {one.id: one for one in grid.sites}
    east, west = by_id[SiteId("prov-sh")], by_id[SiteId("west-horinger")]
    assert books[west.price_book].core_hour_micro_yuan < books[east.price_book].core_hour_micro_yuan
    assert books[west.price_book].energy_kwh_micro_yuan < books[east.price_book].energy_kwh_micro_yuan
    for hub in WESTERN:
        assert by_id[SiteId(hub)].energy.carbon_g_per_kwh < east.energy.carbon_g_per_kwh
    assert {one.price_book for one in grid.sites} == set(books), "no book that nobody uses"


def test_data_sets_and_tenants(grid: Grid) -> None:
    assert {"demo", "render-studio", "uni-lab", "hospital"} == {one.id for one in grid.tenants}
    assert any(one.tenant is None for one in grid.data_sets)
    assert {one.tenant for one in grid.data_sets} >= {"render-studio", "uni-lab", "hospital"}
    assert any(one.residency == ("CN-SH",) for one in grid.data_sets)
    assert all(0 < one.content_bytes <= 256 * 1024 and one.content_seed for one in grid.data_sets)


def test_names_in_three_languages(grid: Grid) -> None:
    names = {one.id: one.names for one in grid.sites}
    assert names[SiteId("edge-gd-guangzhou")].zh_hant == "廣州城域邊緣"
    assert names[SiteId("edge-gd-guangzhou")].zh_hans == "广州城域边缘"
    assert names[SiteId("edge-nm-hohhot")].en == "Hohhot metro edge"
    assert names[SiteId("edge-zj-taizhou")].zh_hant == "台州城域邊緣"  # 台 of 台州 is never 臺
    for one in names.values():
        assert one.en.isprintable()
        assert not one.zh_hans.isascii()
