"""The sites of the reference grid: 4 hubs, N western hubs, 31 provincial sites, X edges, and third parties."""

from collections.abc import Iterable

from suanwang.grids import china_pools as shapes
from suanwang.grids.china_tables import Row, share_out, table
from suanwang.model.grid import (
    EnergyMix,
    Names,
    Pool,
    PoolKind,
    ProtectionFunction,
    SecurityPool,
    Site,
    StorageClass,
    StoragePool,
    Tier,
)
from suanwang.model.ids import PriceBookId, SecurityPoolId, SiteId, StoragePoolId
from suanwang.model.units import PIB, TIB

# A provincial site stands in a suburb of the capital, so that it is not on the very point of the metro edge.
SUBURB_DEGREES = 0.1
BIG_CITY_WEIGHT = 6  # edges of this weight and more have inference cards
NAMES = {
    Tier.PROVINCIAL: ("{} provincial site", "{}省级节点", "{}省級節點"),
    Tier.EDGE: ("{} metro edge", "{}城域边缘", "{}城域邊緣"),
}
GBPS = 10**9
# function: (Gbit/s at a hub, Gbit/s at a provincial site, price in micro-yuan per Gbit/s-hour)
SECURITY = {
    ProtectionFunction.FIREWALL: (800, 200, 600_000),
    ProtectionFunction.IDS: (400, 100, 900_000),
    ProtectionFunction.ENCRYPTION: (400, 100, 1_100_000),
    ProtectionFunction.SCRUBBING: (1_200, 80, 1_500_000),
}


def province_of() -> dict[str, Row]:
    """Each region's row."""
    return {row["region"]: row for row in table("provinces")}


def sites() -> list[Site]:
    """All sites: hubs, western hubs, provincial sites, edges, third parties."""
    return [*_hubs(), *_provincial(), *_edges(), *_partners()]


def _cards() -> dict[str, int]:
    return {row["site"]: int(row["cards"]) for row in table("ai-centres")}


def _hubs() -> Iterable[Site]:
    rows = table("hubs")
    nodes = share_out(shapes.HUB_NODES, [int(row["weight"]) for row in rows])
    hpc = iter(share_out(shapes.HPC_AT_HUBS, [int(row["weight"]) for row in rows if row["tier"] == "hub"]))
    for row, count in zip(rows, nodes, strict=True):
        site, tier = SiteId(row["id"]), Tier(row["tier"])
        pools = [shapes.node_pool(site, "general", PoolKind.GENERAL, shapes.HUB, count)]
        if tier is Tier.HUB:
            pools.append(shapes.node_pool(site, "hpc", PoolKind.HPC, shapes.HPC, next(hpc)))
        yield Site(
            id=site,
            names=Names(en=row["en"], zh_hant=row["zh_hant"], zh_hans=row["zh_hans"]),
            region=row["region"],
            city=row["city"],
            latitude=float(row["latitude"]),
            longitude=float(row["longitude"]),
            tier=tier,
            security_level=5 if tier is Tier.HUB else 4,
            energy=_energy(row, 1_200 if tier is Tier.HUB else 1_150),
            price_book=PriceBookId("west-hub" if tier is Tier.WESTERN or row["region"] == "CN-SC" else "east-hub"),
            pools=(*pools, *_centre(site)),
            security_pools=_security(site, at_hub=True),
            storage_pools=_storage(site, tier),
        )


def _provincial() -> Iterable[Site]:
    rows = table("provinces")
    cities = {row["adcode"]: row for row in table("prefectures")}
    nodes = share_out(shapes.PROVINCIAL_NODES, [int(row["weight"]) for row in rows])
    weights = [int(row["weight"]) if int(row["weight"]) >= shapes.HPC_WEIGHT_MIN else 0 for row in rows]
    hpc = share_out(shapes.HPC_NODES - shapes.HPC_AT_HUBS, weights)
    for row, count, hpc_count in zip(rows, nodes, hpc, strict=True):
        site, city = provincial_id(row["region"]), cities[row["capital"]]
        pools = [shapes.node_pool(site, "general", PoolKind.GENERAL, shapes.PROVINCIAL, count)]
        if hpc_count:
            pools.append(shapes.node_pool(site, "hpc", PoolKind.HPC, shapes.HPC, hpc_count))
        yield Site(
            id=site,
            names=_names(Tier.PROVINCIAL, row),
            region=row["region"],
            city=city["en"],
            latitude=round(float(city["latitude"]) + SUBURB_DEGREES, 4),
            longitude=round(float(city["longitude"]) + SUBURB_DEGREES, 4),
            tier=Tier.PROVINCIAL,
            security_level=4,
            energy=_energy(row, 1_300),
            price_book=PriceBookId(row["area"]),
            pools=(*pools, *_centre(site)),
            security_pools=_security(site, at_hub=False),
            storage_pools=_storage(site, Tier.PROVINCIAL),
        )


def provincial_id(region: str) -> SiteId:
    """`CN-GD` has its site `prov-gd`."""
    return SiteId(f"prov-{region[3:].lower()}")


def edge_id(row: Row) -> SiteId:
    """`edge-gd-shenzhen`."""
    return SiteId(f"edge-{row['region'][3:].lower()}-{row['slug']}")


def _edges() -> Iterable[Site]:
    rows, provinces = table("prefectures"), province_of()
    nodes = share_out(shapes.EDGE_NODES, [int(row["weight"]) for row in rows])
    for row, count in zip(rows, nodes, strict=True):
        site, province, weight = edge_id(row), provinces[row["region"]], int(row["weight"])
        pools = [shapes.node_pool(site, "general", PoolKind.GENERAL, shapes.EDGE, count)]
        if weight >= BIG_CITY_WEIGHT:
            pools.append(shapes.node_pool(site, "ai", PoolKind.AI, shapes.EDGE_AI, weight * 4))
        yield Site(
            id=site,
            names=_names(Tier.EDGE, row),
            region=row["region"],
            city=row["en"],
            latitude=float(row["latitude"]),
            longitude=float(row["longitude"]),
            tier=Tier.EDGE,
            security_level=3 if weight >= 3 else 2,
            energy=_energy(province, 1_450),
            price_book=PriceBookId(province["area"] + "-edge"),
            pools=tuple(pools),
        )


def _partners() -> Iterable[Site]:
    cities, provinces = {row["adcode"]: row for row in table("prefectures")}, province_of()
    for row in table("partners"):
        site, city = SiteId(row["id"]), cities[row["city"]]
        province = provinces[city["region"]]
        kinds = (
            ("general", PoolKind.GENERAL, shapes.PARTNER),
            ("hpc", PoolKind.HPC, shapes.PARTNER_HPC),
            ("ai", PoolKind.AI, shapes.PARTNER_AI),
        )
        pools = [shapes.node_pool(site, n, kind, shape, int(row[n])) for n, kind, shape in kinds if int(row[n])]
        if int(row["qpus"]):
            pools.append(shapes.quantum_pool(site, int(row["qpus"]), int(row["qubits"])))
        yield Site(
            id=site,
            names=Names(en=row["en"], zh_hant=row["zh_hant"], zh_hans=row["zh_hans"]),
            region=city["region"],
            city=city["en"],
            latitude=round(float(city["latitude"]) - SUBURB_DEGREES, 4),
            longitude=round(float(city["longitude"]) + SUBURB_DEGREES, 4),
            tier=Tier.EDGE,
            owner=row["owner"],
            security_level=2,
            energy=_energy(province, 1_350),
            price_book=PriceBookId("partner-" + province["area"]),
            pools=tuple(pools),
        )


def _names(tier: Tier, row: Row) -> Names:
    en, zh_hans, zh_hant = NAMES[tier]
    return Names(
        en=en.format(row["en"]),
        zh_hant=zh_hant.format(row["zh_hant"]),
        zh_hans=zh_hans.format(row["zh_hans"]),
    )


def _energy(row: Row, pue_permille: int) -> EnergyMix:
    return EnergyMix(
        carbon_g_per_kwh=int(row["carbon_g_per_kwh"]),
        renewable_permille=int(row["renewable_permille"]),
        pue_permille=pue_permille,
    )


def _centre(site: SiteId) -> tuple[Pool, ...]:
    """The regional AI centre of a site that has one."""
    cards = _cards().get(site, 0)
    if not cards:
        return ()
    return (shapes.node_pool(site, "ai-centre", PoolKind.AI, shapes.CENTRE, cards // shapes.CENTRE.cards),)


def _security(site: SiteId, at_hub: bool) -> tuple[SecurityPool, ...]:
    return tuple(
        SecurityPool(
            id=SecurityPoolId(f"{site}/{function.value}"),
            function=function,
            capacity_bps=(hub_gbps if at_hub else gbps) * GBPS,
            price_micro_yuan_per_gbps_hour=price * 8 // 10 if at_hub else price,
        )
        for function, (hub_gbps, gbps, price) in SECURITY.items()
    )


def _storage(site: SiteId, tier: Tier) -> tuple[StoragePool, ...]:
    """Hot at hubs and provincial sites, warm everywhere, cold in the west."""
    rows = {
        Tier.HUB: ((StorageClass.HOT, 40 * PIB, 4_000, 300_000), (StorageClass.WARM, 200 * PIB, 1_600, 110_000)),
        Tier.WESTERN: ((StorageClass.WARM, 400 * PIB, 1_600, 80_000), (StorageClass.COLD, 900 * PIB, 400, 30_000)),
        Tier.PROVINCIAL: ((StorageClass.HOT, 512 * TIB, 800, 320_000), (StorageClass.WARM, 20 * PIB, 400, 120_000)),
    }[tier]
    return tuple(
        StoragePool(
            id=StoragePoolId(f"{site}/{kind.value}"),
            storage_class=kind,
            capacity_bytes=size,
            throughput_bps=gbps * GBPS,
            price_micro_yuan_per_gib_month=price,
        )
        for kind, size, gbps, price in rows
    )
