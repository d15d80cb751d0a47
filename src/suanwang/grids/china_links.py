"""The links of the reference grid: a meshed backbone, two ways out of every edge, two satellite links."""

from collections.abc import Iterable, Mapping

from suanwang.grids.china_sites import edge_id, provincial_id
from suanwang.grids.china_tables import table
from suanwang.grids.geometry import fibre_km, fibre_latency_us, great_circle_km, light_floor_us
from suanwang.model.grid import Link, LinkKind, Site, Tier
from suanwang.model.ids import LinkId, SiteId

ROUTE_FACTOR_PERMILLE = 1_400
GBPS = 10**9
# (micro-yuan per Gbit/s-hour and km, per Gbit/s-hour fixed, per GiB and km, per GiB fixed)
PRICES = {LinkKind.OTN: (1_500, 400_000, 12, 4_000), LinkKind.IP: (2_000, 300_000, 16, 5_000)}
GEOSTATIONARY_KM = 72_600  # up and down at a low elevation
LEO_KM = 3_200  # two hops of 1,250 km of height and the way between
SATELLITES = (  # a, b, length, Gbit/s, processing in us
    ("hub-jingjinji", "edge-xz-ngari", GEOSTATIONARY_KM, 2, 20_000),
    ("hub-greaterbay", "edge-hi-sanya", LEO_KM, 5, 10_000),
)
Sites = Mapping[SiteId, Site]


def links(sites: Iterable[Site]) -> list[Link]:
    """Every link, each pair of sites at most once."""
    by_id = {one.id: one for one in sites}
    return [*_trunks(by_id), *_access(by_id), *_partners(by_id), *_satellites(by_id)]


def _between(a: Site, b: Site) -> float:
    return great_circle_km(a.latitude, a.longitude, b.latitude, b.longitude)


def _fibre(a: Site, b: Site, kind: LinkKind, gbps: int, groups: tuple[str, ...]) -> Link:
    length_km = fibre_km(_between(a, b), ROUTE_FACTOR_PERMILLE)
    per_km, fixed, gib_per_km, gib_fixed = PRICES[kind]
    return Link(
        id=LinkId(f"{a.id}_{b.id}"),
        a=a.id,
        b=b.id,
        kind=kind,
        length_km=length_km,
        capacity_bps=gbps * GBPS,
        latency_us=fibre_latency_us(length_km),
        price_micro_yuan_per_gbps_hour=fixed + per_km * length_km,
        price_micro_yuan_per_gib=gib_fixed + gib_per_km * length_km,
        shared_risk_groups=groups,
    )


def _trunks(sites: Sites) -> Iterable[Link]:
    """The backbone as in the table: waves of 200 or 400 Gbit/s on OTN, n x 100 Gbit/s on IP."""
    for row in table("trunks"):
        a, b = sites[SiteId(row["a"])], sites[SiteId(row["b"])]
        groups = (f"conduit-{row['conduit']}",) if row["conduit"] else ()
        yield _fibre(a, b, LinkKind(row["kind"]), int(row["waves"]) * int(row["wave_gbps"]), groups)


def _access(sites: Sites) -> Iterable[Link]:
    """Every edge to its provincial site and to its nearest neighbour: an edge, or where none is as near a hub."""
    edges = [(sites[edge_id(row)], int(row["weight"])) for row in table("prefectures")]
    anchors = [one for one in sites.values() if one.tier in (Tier.HUB, Tier.WESTERN)]
    near_sites = [one for one, _ in edges] + anchors
    linked: set[frozenset[SiteId]] = set()
    for edge, weight in edges:
        gbps = 400 if weight >= 6 else 200 if weight >= 3 else 100
        duct = (f"duct-{edge.id.removeprefix('edge-')}",)
        upper = sites[provincial_id(edge.region)]
        yield _fibre(edge, upper, LinkKind.IP, gbps, duct)
        near = min((one for one in near_sites if one is not edge), key=lambda one: (_between(edge, one), one.id))
        pair = frozenset((edge.id, near.id))
        if pair not in linked:
            linked.add(pair)
            yield _fibre(edge, near, LinkKind.IP, min(gbps, 100), ())


def _partners(sites: Sites) -> Iterable[Link]:
    """Every third party to the metro edge of its city, and by another duct to the provincial site."""
    edge_of = {row["adcode"]: sites[edge_id(row)] for row in table("prefectures")}
    for row in table("partners"):
        site, edge = sites[SiteId(row["id"])], edge_of[row["city"]]
        yield _fibre(site, edge, LinkKind.IP, 100, (f"duct-{edge.id.removeprefix('edge-')}",))
        yield _fibre(site, sites[provincial_id(edge.region)], LinkKind.IP, 100, ())


def _satellites(sites: Sites) -> Iterable[Link]:
    for a, b, length_km, gbps, processing_us in SATELLITES:
        yield Link(
            id=LinkId(f"sat_{b}"),
            a=sites[SiteId(a)].id,
            b=sites[SiteId(b)].id,
            kind=LinkKind.SATELLITE,
            length_km=length_km,
            capacity_bps=gbps * GBPS,
            latency_us=light_floor_us(LinkKind.SATELLITE, length_km) + processing_us,
            price_micro_yuan_per_gbps_hour=2_500_000_000,
            price_micro_yuan_per_gib=3_000_000,
        )
