"""Grid files: what is wrong is said with its line, all at once; what is printed loads to the same grid."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suanwang.grids import SMALL, Scale, check_grid, dump_grid, graphml, load_graphml, load_grid, random_grid
from suanwang.grids.china_tables import share_out
from suanwang.grids.stream import Stream
from suanwang.model.error import FaultsError
from suanwang.model.grid import LinkKind, PoolKind, ProtectionFunction, Tier
from suanwang.texts import languages, text

GRAPHML = Path(__file__).parent / "data" / "five-cities.graphml"

GOOD = """\
id: two
name: Two sites
default_origin: a
price_books:
- {id: book, core_hour_micro_yuan: 0.1 yuan, accelerator_hour_micro_yuan: {a100: 15 yuan}}
tenants: [{id: demo, name: Demo}]
sites:
- {id: a, names: {en: A, zh_hant: 甲, zh_hans: 甲}, region: CN-BJ, city: A, latitude: 39.9, longitude: 116.4, tier: hub,
   security_level: 3, energy: {carbon_g_per_kwh: 500, renewable_permille: 200}, price_book: book,
   pools: [{id: a/general, kind: general, nodes: 2, cores_per_node: 8, memory_bytes_per_node: 16 GiB}]}
- {id: b, names: {en: B, zh_hant: 乙, zh_hans: 乙}, region: CN-TJ, city: B, latitude: 39.1, longitude: 117.2, tier: edge,
   security_level: 2, energy: {carbon_g_per_kwh: 500, renewable_permille: 200}, price_book: book}
links:
- {id: a-b, a: a, b: b, kind: otn, length_km: 160, capacity_bps: 400 Gbps, latency_us: 800}
data_sets:
- {id: d, name: D, size_bytes: 1 GiB, replicas: [b], residency: [CN-TJ]}
"""


def faults(text_: str) -> list[tuple[str, str, int | None]]:
    with pytest.raises(FaultsError) as caught:
        load_grid(text_)
    for one in caught.value.faults:
        for lang in languages():
            words = text(f"fault.{one.code}", lang, got=one.got, where=one.where, **one.params)
            assert not words.startswith("fault."), one
            assert not any("{" + name + "}" in words for name in ("site", "field", "kind", "book", "origin", "first"))
    return [(one.code, one.where, one.line) for one in caught.value.faults]


def test_good_grid_loads() -> None:
    grid = load_grid(GOOD)
    assert grid.links[0].capacity_bps == 400 * 10**9
    assert load_grid(dump_grid(grid)) == grid
    assert grid.price_books[0].core_hour_micro_yuan == 100_000


FAULTS = [
    # what is replaced, by what, code, where, line
    ("default_origin: a", "default_origin: c", "unknown_site", "default_origin", 3),
    ("id: b, names", "id: a, names", "duplicate_id", "sites[1].id", 11),
    ("a: a, b: b", "a: a, b: c", "unknown_site", "links[0].b", 14),
    ("a: a, b: b", "a: a, b: a", "link_to_itself", "links[0].b", 14),
    ("price_book: book}", "price_book: other}", "unknown_price_book", "sites[1].price_book", 12),
    ("id: a/general", "id: general", "pool_id_form", "sites[0].pools[0].id", 10),
    ("id: a/general", "id: b/general", "pool_id_form", "sites[0].pools[0].id", 10),
    ("cores_per_node: 8, ", "", "pool_lacks", "sites[0].pools[0].cores_per_node", 10),
    ("nodes: 2,", "nodes: 2, qubits_per_node: 5,", "pool_foreign", "sites[0].pools[0].qubits_per_node", 10),
    ("nodes: 2,", "nodes: 2, gflops_per_node: 5,", "precision_missing", "sites[0].pools[0].precision", 10),
    ("nodes: 2, cores_per_node: 8, memory_bytes_per_node: 16 GiB", "nodes: 10000000, cores_per_node: 8,"
     " memory_bytes_per_node: 1 PiB", "pool_too_large", "sites[0].pools[0].nodes", 10),
    ("kind: general, nodes: 2,", "kind: ai, nodes: 2, accelerator_model: h20, accelerators_per_node: 8,",
     "price_missing", "sites[0].pools[0].accelerator_model", 10),
    ("latency_us: 800", "latency_us: 799", "faster_than_light", "links[0].latency_us", 14),
    ("length_km: 160", "length_km: 90", "shorter_than_straight", "links[0].length_km", 14),
    ("capacity_bps: 400 Gbps", "capacity_bps: 0", "no_capacity", "links[0].capacity_bps", 14),
    ("length_km: 160", "length_km: 160, maintenance: [{start: 2026-03-02T00:00:00Z, end: 2026-03-01T00:00:00Z}]",
     "maintenance_empty", "links[0].maintenance[0].end", 14),
    ("replicas: [b]", "replicas: [z]", "unknown_site", "data_sets[0].replicas[0]", 16),
    ("replicas: [b]", "replicas: [b, b]", "listed_twice", "data_sets[0].replicas[1]", 16),
    ("replicas: [b]", "replicas: [a]", "replica_outside", "data_sets[0].replicas[0]", 16),
    ("size_bytes: 1 GiB,", "size_bytes: 1 GiB, tenant: nobody,", "unknown_tenant", "data_sets[0].tenant", 16),
    ("size_bytes: 1 GiB,", "size_bytes: 1 KiB, content_bytes: 2 KiB, content_seed: 1,", "content_above_size",
     "data_sets[0].content_bytes", 16),
    ("size_bytes: 1 GiB,", "size_bytes: 1 GiB, content_bytes: 2 KiB,", "content_without_seed",
     "data_sets[0].content_bytes", 16),
    ("{id: book,", "{id: book, time_of_use: [{from_hour: 8, to_hour: 8, permille: 900}],", "band_empty",
     "price_books[0].time_of_use[0]", 5),
    ("{id: book,", "{id: book, time_of_use: [{from_hour: 1, to_hour: 8, permille: 900}, {from_hour: 7, to_hour: 9,"
     " permille: 900}],", "bands_overlap", "price_books[0].time_of_use[1]", 5),
    ("latitude: 39.9", "latitude: 99.9", "above", "sites[0].latitude", 8),
    ("latitude: 39.9", "latitude: '39.9'", "not_number", "sites[0].latitude", 8),
    ("tier: hub", "tier: core", "not_one_of", "sites[0].tier", 8),
    ("nodes: 2", "nodes: -2", "below", "sites[0].pools[0].nodes", 10),
    ("16 GiB", "16 Gibibytes", "bytes_form", "sites[0].pools[0].memory_bytes_per_node", 10),
    ("400 Gbps", "9999999 Tbps", "above", "links[0].capacity_bps", 14),
    ("length_km: 160", "lenght_km: 160, length_km: 160", "unknown_field_near", "links[0].lenght_km", 14),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "code", "where", "line"), FAULTS)
def test_fault_with_its_line(old: str, new: str, code: str, where: str, line: int) -> None:
    assert GOOD.count(old) >= 1
    found = faults(GOOD.replace(old, new, 1))
    assert (code, where, line) in found


def test_unreachable_site_and_residency_nowhere() -> None:
    lost = GOOD.replace(
        "links:\n- {id: a-b, a: a, b: b, kind: otn, length_km: 160, capacity_bps: 400 Gbps, latency_us: 800}\n", ""
    )
    assert faults(lost) == [("unreachable_site", "sites[1].id", 11)]
    nowhere = GOOD.replace("residency: [CN-TJ]", "residency: [CN-XZ]")
    assert [one[0] for one in faults(nowhere)] == ["replica_outside", "residency_nowhere"]


def test_all_faults_at_once_across_kinds() -> None:
    """A faulty field of one site does not hide what is wrong elsewhere, nor makes faults of its own."""
    bad = (
        GOOD.replace("latitude: 39.1", "latitude: north")  # site b cannot be read
        .replace("price_book: book,\n   pools", "price_book: other,\n   pools")
        .replace("latency_us: 800", "latency_us: 1")
        .replace("residency: [CN-TJ]", "residency: [CN-TJ], tenant: nobody")
    )
    assert faults(bad) == [
        ("unknown_price_book", "sites[0].price_book", 9),
        ("not_number", "sites[1].latitude", 11),
        ("faster_than_light", "links[0].latency_us", 14),
        ("unknown_tenant", "data_sets[0].tenant", 16),
    ]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**63), edit=st.integers(0, 2**63), word=st.text(max_size=6))
def test_safety_edited_grid_gives_a_value_or_faults(seed: int, edit: int, word: str) -> None:
    """One stretch of a good file replaced by another text: never anything but FaultsError."""
    good = dump_grid(random_grid(3, seed, SMALL))
    draw = Stream(edit, "edit")
    start = draw.between(0, len(good) - 1)
    bad = good[:start] + word + good[start + draw.between(0, 40) :]
    try:
        assert check_grid(load_grid(bad)) == []
    except FaultsError as error:
        assert all(one.code for one in error.faults)  # noqa: PT017 - both ends are right here


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sites=st.integers(2, 60), seed=st.integers(0, 2**63), small=st.booleans())
def test_safety_random_grid_is_whole(sites: int, seed: int, small: bool) -> None:
    scale = SMALL if small else Scale()
    grid = random_grid(sites, seed, scale)
    assert len(grid.sites) == sites
    assert check_grid(grid) == []  # connected, among the rest
    assert {pool.kind for site in grid.sites for pool in site.pools} == set(PoolKind)
    assert {pool.function for pool in grid.sites[0].security_pools} == set(ProtectionFunction)
    assert all(book.time_of_use for book in grid.price_books)
    assert len(grid.data_sets) >= 3
    assert load_grid(dump_grid(grid)) == grid
    assert random_grid(sites, seed, scale) == grid
    if small:
        assert max(pool.nodes for site in grid.sites for pool in site.pools) <= SMALL.nodes_max


def test_random_grid_of_any_size() -> None:
    assert random_grid(40, 1) != random_grid(40, 2)
    large = random_grid(1_500, 7)
    assert check_grid(large) == []
    assert {one.tier for one in large.sites} == set(Tier)
    assert {one.kind for one in large.links} == set(LinkKind)
    with pytest.raises(AssertionError):
        random_grid(1, 1)


def test_random_grid_is_the_same_on_every_machine() -> None:
    """A golden draw: a change of the generator changes every seeded history, and has to be seen."""
    assert [Stream(1, "site", at).between(0, 999) for at in range(5)] == GOLDEN_DRAWS


WRITTEN = st.characters(exclude_categories=("Cc", "Cs"))  # a document with control characters is refused
GOLDEN_DRAWS = [51, 83, 835, 691, 713]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.text(WRITTEN, min_size=1, max_size=120),
    facts=st.lists(st.text(WRITTEN, max_size=40), max_size=3),
    size=st.integers(0, 2**60),
    price=st.integers(0, 10**18),
)
def test_safety_any_value_round_trips(name: str, facts: list[str], size: int, price: int) -> None:
    grid = load_grid(GOOD)
    book = grid.price_books[0].model_copy(update={"gib_hour_micro_yuan": price})
    data_set = grid.data_sets[0].model_copy(update={"size_bytes": size, "name": name})
    notes = grid.notes.model_copy(update={"facts": tuple(facts)})
    changed = grid.model_copy(
        update={"name": name, "notes": notes, "price_books": (book,), "data_sets": (data_set,)},
    )
    assert load_grid(dump_grid(changed)) == changed


def test_graphml() -> None:
    grid = load_graphml(GRAPHML, seed=3)
    assert check_grid(grid) == []
    assert grid == load_graphml(GRAPHML.read_bytes(), seed=3).model_copy(update={"id": grid.id, "name": grid.name})
    by_name = {one.names.en: one for one in grid.sites}
    assert set(by_name) == {"Vienna", "Graz", "Linz", "Between"}  # the piece of one is left out
    assert by_name["Vienna"].tier is Tier.HUB
    middle = by_name["Between"]
    assert middle.latitude == pytest.approx((by_name["Vienna"].latitude + by_name["Linz"].latitude) / 2, abs=1e-3)
    assert len(grid.links) == 4  # the loop is left out
    graz = next(one for one in grid.links if by_name["Graz"].id in (one.a, one.b))
    assert graz.capacity_bps == 10**10
    assert {pool.kind for site in grid.sites for pool in site.pools} == set(PoolKind)
    assert load_graphml(GRAPHML, seed=4) != grid


def test_a_topology_of_too_many_places_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphml, "SITES_MAX", 3)
    with pytest.raises(FaultsError) as caught:
        load_graphml(GRAPHML, seed=3)
    assert [(one.code, one.got, one.params["limit"]) for one in caught.value.faults] == [("graphml_too_many", "4", 3)]


@pytest.mark.parametrize(("text_", "code"), [
    ("", "graphml_syntax"),
    ("<html/>", "graphml_syntax"),
    ("<graphml><graph></graphml>", "graphml_syntax"),
    ("<graphml/>", "graphml_no_nodes"),
    ('<!DOCTYPE g [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><graphml>&b;</graphml>', "graphml_entity"),
    ('<!DOCTYPE g SYSTEM "file:///etc/passwd"><graphml/>', "graphml_entity"),
    ("<graphml>" + "<a>" * 100, "too_deep"),
    ("<graphml><graph>" + "".join(f'<node id="{n}"/>' for n in range(3)) + "</graph></graphml>", "graphml_no_nodes"),
    (b"\xff\xfe\x00", "graphml_syntax"),
    ("x" * (17 * 1024**2), "too_large"),
])  # fmt: skip
def test_hostile_graphml(text_: str | bytes, code: str) -> None:
    with pytest.raises(FaultsError) as caught:
        load_graphml(text_)
    assert [one.code for one in caught.value.faults] == [code]
    assert not text(f"fault.{code}", "zh-hans").startswith("fault.")


@given(total=st.integers(0, 10**7), weights=st.lists(st.integers(0, 50), min_size=1, max_size=40).filter(any))
def test_safety_shares_add_up(total: int, weights: list[int]) -> None:
    shares = share_out(total, weights)
    assert sum(shares) == total
    whole = sum(weights)
    assert all(abs(share - total * weight / whole) < 1 for share, weight in zip(shares, weights, strict=True))
