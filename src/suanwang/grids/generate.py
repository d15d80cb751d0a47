"""Grids of any size from a seed: connected, with all four kinds of pool, protection, prices, data sets, tenants."""

from dataclasses import dataclass
from typing import NamedTuple

from suanwang.grids.geometry import fibre_km, fibre_latency_us, great_circle_km
from suanwang.grids.parts import PROTECTION, pool_of, price_books, security_pool, storage_pool, tenants
from suanwang.grids.stream import Stream
from suanwang.model.grid import (
    DataSet,
    EnergyMix,
    Grid,
    Link,
    LinkKind,
    Names,
    Pool,
    PoolKind,
    ProtectionFunction,
    SecurityPool,
    Site,
    Tier,
)
from suanwang.model.ids import DataSetId, LinkId, PriceBookId, SiteId
from suanwang.model.units import GIB, MIB

SITES_MIN, SITES_MAX = 2, 10_000
ROUTE_FACTOR_PERMILLE = 1_400
REGIONS = ("CN-BJ", "CN-SH", "CN-GD", "CN-SC", "CN-NM", "CN-NX", "CN-GS", "CN-GZ", "CN-ZJ", "CN-HB", "CN-XJ", "CN-SN")


@dataclass(frozen=True)
class Scale:
    """How large the drawn numbers are: upper bounds, all inclusive."""

    nodes_max: int = 2_000
    cores_max: int = 128
    gib_per_core: int = 4
    accelerators_max: int = 8
    qubits_max: int = 100
    link_bps: tuple[int, ...] = (10**10, 10**11, 4 * 10**11)  # satellite, edge, backbone are drawn from these
    security_bps: tuple[int, ...] = (10**10, 10**11)
    data_set_bytes: tuple[int, ...] = (10 * GIB, 500 * GIB, 8 * 1024 * GIB)
    data_sets: int = 3  # and one more for every fifty sites


class Place(NamedTuple):
    """Where a site stands, and what it is called."""

    id: SiteId
    name: str
    latitude: float
    longitude: float
    region: str


FULL = Scale()
# Small enough for brute force over every combination, tight enough that capacities bind.
SMALL = Scale(
    nodes_max=3,
    cores_max=8,
    gib_per_core=2,
    accelerators_max=2,
    qubits_max=8,
    link_bps=(10**8, 10**9, 2 * 10**9),
    security_bps=(10**8, 10**9),
    data_set_bytes=(64 * MIB, 1 * GIB, 5 * GIB),
    data_sets=3,
)


def random_grid(sites: int, seed: int, scale: Scale = FULL) -> Grid:
    """A connected grid of `sites` sites, the same for the same arguments on every machine.

    It passes `check_grid`; site 0 is the default origin and has every protection function; every kind of pool is
    there from two sites on. Asserts SITES_MIN <= sites <= SITES_MAX.
    """
    assert SITES_MIN <= sites <= SITES_MAX, f"{SITES_MIN} to {SITES_MAX} sites, not {sites}"
    tiers = _tiers(sites)
    made: list[Site] = []
    for at, tier in enumerate(tiers):
        made.append(site_at(_place(at, tier, seed, made), at, tier, seed, scale))
    return Grid(
        id=f"random-{sites}-{seed % 10**9}",
        name=f"Random grid of {sites} sites, seed {seed}",
        route_factor_permille=ROUTE_FACTOR_PERMILLE,
        default_origin=made[0].id,
        price_books=price_books(),
        tenants=tenants(),
        sites=tuple(made),
        links=tuple(_links(made, seed, scale)),
        data_sets=tuple(data_sets(made, seed, scale)),
    )


def _tiers(sites: int) -> list[Tier]:
    """One hub in twelve sites (four at most), as many western hubs, one provincial site in eight, edges the rest."""
    hubs = max(1, min(4, sites // 12))
    western = min(4, sites // 12)
    provincial = min(sites - hubs - western, max(1, sites // 8))
    edges = sites - hubs - western - provincial
    return [Tier.HUB] * hubs + [Tier.WESTERN] * western + [Tier.PROVINCIAL] * provincial + [Tier.EDGE] * edges


def _place(at: int, tier: Tier, seed: int, before: list[Site]) -> Place:
    """Where site number `at` stands: an edge near its provincial site and in its region, others anywhere."""
    draw = Stream(seed, "place", at)
    name = f"{tier.value.capitalize()} {at}"
    site_id = SiteId(f"{tier.value}-{at}")
    upper = [one for one in before if one.tier is Tier.PROVINCIAL] if tier is Tier.EDGE else []
    if upper:
        parent = draw.pick(upper)
        latitude = parent.latitude + draw.between(-1_500, 1_500) / 1000
        longitude = parent.longitude + draw.between(-1_500, 1_500) / 1000
        return Place(site_id, name, round(latitude, 3), round(longitude, 3), parent.region)
    latitude = draw.between(25_000, 42_000) / 1000
    longitude = draw.between(*((95_000, 106_000) if tier is Tier.WESTERN else (106_000, 121_000))) / 1000
    return Place(site_id, name, latitude, longitude, REGIONS[at % len(REGIONS)])


def site_at(place: Place, at: int, tier: Tier, seed: int, scale: Scale) -> Site:
    """Site number `at` of a grid, at a place; what it has is drawn."""
    draw = Stream(seed, "site", at)
    green = tier is Tier.WESTERN or draw.chance(250)
    return Site(
        id=place.id,
        names=Names(en=place.name, zh_hant=place.name, zh_hans=place.name),
        region=place.region,
        city=place.name,
        latitude=place.latitude,
        longitude=place.longitude,
        tier=tier,
        owner="own" if draw.chance(900) else f"partner-{draw.between(1, 3)}",
        security_level=draw.between(*((3, 5) if tier is not Tier.EDGE else (1, 4))),
        energy=EnergyMix(
            carbon_g_per_kwh=draw.between(80, 300) if green else draw.between(400, 700),
            renewable_permille=draw.between(600, 900) if green else draw.between(100, 500),
            pue_permille=draw.between(1_100, 1_500),
        ),
        price_book=PriceBookId("west" if tier is Tier.WESTERN else "east" if draw.chance(500) else "middle"),
        pools=_pools(at, place.id, seed, scale),
        security_pools=_security_pools(at, place.id, tier, seed, scale),
        storage_pools=(storage_pool(place.id, tier),) if tier is not Tier.EDGE else (),
    )


def _pools(at: int, site_id: SiteId, seed: int, scale: Scale) -> tuple[Pool, ...]:
    """A general pool at almost every site; the other kinds at a third each, and surely at the first two sites."""
    draw = Stream(seed, "pool", at)
    sure = {0: (PoolKind.GENERAL, PoolKind.AI), 1: (PoolKind.HPC, PoolKind.QUANTUM)}.get(at, ())
    odds = {PoolKind.GENERAL: 950, PoolKind.AI: 350, PoolKind.HPC: 300, PoolKind.QUANTUM: 80}
    kinds = [kind for kind, permille in odds.items() if draw.chance(permille) or kind in sure]
    return tuple(pool_of(site_id, kind, draw, scale) for kind in kinds)


def _security_pools(at: int, site_id: SiteId, tier: Tier, seed: int, scale: Scale) -> tuple[SecurityPool, ...]:
    draw = Stream(seed, "security", at)
    count = len(PROTECTION) if at == 0 else draw.between(1, 4) if tier is not Tier.EDGE else int(draw.chance(150))
    functions: tuple[ProtectionFunction, ...] = draw.some(PROTECTION, count)
    return tuple(security_pool(site_id, one, draw.pick(scale.security_bps), draw.between(50, 400)) for one in functions)


def _links(sites: list[Site], seed: int, scale: Scale) -> list[Link]:
    """Each site to its nearest earlier site of the backbone; the backbone also in a ring and with chords."""
    draw = Stream(seed, "link")
    backbone = [one for one in sites if one.tier is not Tier.EDGE]
    pairs: list[tuple[Site, Site]] = []
    for at, site in enumerate(sites[1:], start=1):
        earlier = backbone if site.tier is Tier.EDGE else sites[:at]
        near = sorted(earlier, key=lambda one: (_distance_km(site, one), one.id))
        pairs.append((near[0], site))
        if len(near) > 1 and draw.chance(700 if site.tier is not Tier.EDGE else 500):
            pairs.append((near[1], site))
    if len(backbone) > 3:
        pairs.append((backbone[0], backbone[-1]))
    pairs += [(draw.pick(backbone), draw.pick(sites)) for _ in range(len(sites) // 6)]
    if draw.chance(300):
        pairs.append(pairs[0])  # a second conduit between the same two sites
    return [link_between(at, a, b, draw, scale) for at, (a, b) in enumerate(pairs) if a.id != b.id]


def _distance_km(a: Site, b: Site) -> float:
    return great_circle_km(a.latitude, a.longitude, b.latitude, b.longitude)


def link_between(at: int, a: Site, b: Site, draw: Stream, scale: Scale) -> Link:
    """Link number `at`: its kind from the tiers of its ends, its length from their distance, the rest drawn."""
    length_km = fibre_km(_distance_km(a, b), ROUTE_FACTOR_PERMILLE)
    trunk = Tier.EDGE not in (a.tier, b.tier)
    kind = LinkKind.SATELLITE if draw.chance(20) else LinkKind.OTN if trunk and draw.chance(860) else LinkKind.IP
    rates = sorted(scale.link_bps)
    capacity_bps = rates[0] if kind is LinkKind.SATELLITE else draw.pick(rates[1:] if trunk else rates[:-1])
    extra_us = 25_000 if kind is LinkKind.SATELLITE else 50
    per_gbps_hour = {LinkKind.OTN: 40, LinkKind.IP: 20, LinkKind.SATELLITE: 9_000}[kind]
    return Link(
        id=LinkId(f"link-{at}"),
        a=a.id,
        b=b.id,
        kind=kind,
        length_km=length_km,
        capacity_bps=capacity_bps,
        latency_us=fibre_latency_us(length_km) + extra_us,
        price_micro_yuan_per_gbps_hour=per_gbps_hour * (length_km + draw.between(0, 50)),
        price_micro_yuan_per_gib=length_km * draw.between(2, 9),
        shared_risk_groups=(f"conduit-{draw.between(0, max(1, at))}",) if draw.chance(500) else (),
    )


def data_sets(sites: list[Site], seed: int, scale: Scale) -> list[DataSet]:
    """Public ones, tenants' own, and ones that must stay in the regions of their replicas."""
    out = []
    for at in range(scale.data_sets + len(sites) // 50):
        draw = Stream(seed, "data", at)
        replicas = draw.some(sites, draw.between(1, min(3, len(sites))))
        size_bytes = draw.pick(scale.data_set_bytes)
        out.append(
            DataSet(
                id=DataSetId(f"data-{at}"),
                name=f"Data set {at}",
                size_bytes=size_bytes,
                version=draw.between(1, 9),
                replicas=tuple(one.id for one in replicas),
                residency=tuple(sorted({one.region for one in replicas})) if at % 3 == 2 else (),
                tenant=draw.pick(tenants()).id if at % 3 == 1 else None,
                content_seed=draw.between(1, 10**6),
                content_bytes=draw.between(1, 64) * 1024,
            )
        )
    return out
