"""Small random grids, leases and tasks for the property tests: few values, so that ties and tight fits are common."""

from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from suanwang.model.grid import (
    DataSet,
    EnergyMix,
    Grid,
    Link,
    LinkKind,
    Maintenance,
    Names,
    Pool,
    PoolKind,
    PriceBook,
    ProtectionFunction,
    SecurityPool,
    Site,
    Tier,
    TimeOfUse,
)
from suanwang.model.ids import TaskId, TenantId
from suanwang.model.placements import Placements
from suanwang.model.plan import Demand, Hold
from suanwang.model.snapshot import SiteState, Snapshot, index_grid
from suanwang.model.task import Input, Preference, Resources, TaskRequest
from suanwang.plan import PlanAsk

NOW = 1_700_000_000_000_000  # 2023-11-15 06:13:20 in UTC+8
S = 1_000_000
HOUR = 3_600 * S
MIB = 2**20
REGIONS = ("CN-A", "CN-B", "SG")
FIREWALL, IDS = ProtectionFunction.FIREWALL, ProtectionFunction.IDS


class Ids:
    """Ids in order, the same every time."""

    def __init__(self) -> None:
        self.made = 0

    def plan_id(self) -> str:
        self.made += 1
        return f"plan-{self.made:026d}"

    def lease_id(self) -> str:
        return f"lease-{self.made:026d}"


@dataclass
class World:
    snapshot: Snapshot
    request: TaskRequest
    excluded: frozenset = field(default_factory=frozenset)
    others: tuple = ()  # (site, request) of the tenant's live tasks

    @property
    def ask(self) -> PlanAsk:
        return PlanAsk(TaskId("task-1"), TenantId("t"), self.request, 1, None, self.excluded)


def site_of(name: str, pools=(), security=(), region="CN-A", level=3, book="plain", carbon=500, owner="own") -> Site:
    return Site(
        id=name,
        names=Names(en=name, zh_hant=name, zh_hans=name),
        region=region,
        city=name,
        latitude=30,
        longitude=110,
        tier=Tier.EDGE,
        owner=owner,
        security_level=level,
        energy=EnergyMix(carbon_g_per_kwh=carbon, renewable_permille=0, pue_permille=1_200),
        price_book=book,
        pools=tuple(pools),
        security_pools=tuple(security),
    )


def general(site: str, nodes=1, cores=4, memory=8 * MIB, name="general") -> Pool:
    return Pool(
        id=f"{site}/{name}",
        kind=PoolKind.GENERAL,
        nodes=nodes,
        cores_per_node=cores,
        memory_bytes_per_node=memory,
        power_w_per_node=300,
    )


def link_of(name: str, a: str, b: str, capacity=10**9, latency=1_000, price=1_000, gib=100, closed=()) -> Link:
    return Link(
        id=name,
        a=a,
        b=b,
        kind=LinkKind.OTN,
        length_km=10,
        capacity_bps=capacity,
        latency_us=latency,
        price_micro_yuan_per_gbps_hour=price,
        price_micro_yuan_per_gib=gib,
        maintenance=tuple(Maintenance(start=start, end=end) for start, end in closed),
    )


BOOKS = (
    PriceBook(
        id="plain",
        core_hour_micro_yuan=100_001,
        gib_hour_micro_yuan=7_777_777,
        accelerator_hour_micro_yuan={"card-a": 5_000_001, "card-b": 3_000_000},
        node_hour_micro_yuan=900_001,
        qpu_shot_micro_yuan=11,
        qpu_hour_micro_yuan=700_003,
        energy_kwh_micro_yuan=600_003,
    ),
    PriceBook(
        id="bands",
        core_hour_micro_yuan=130_003,
        gib_hour_micro_yuan=5_555_555,
        accelerator_hour_micro_yuan={"card-a": 4_000_003},
        node_hour_micro_yuan=800_001,
        qpu_shot_micro_yuan=12,
        qpu_hour_micro_yuan=400_001,
        energy_kwh_micro_yuan=300_001,
        time_of_use=(
            TimeOfUse(from_hour=0, to_hour=7, permille=333),
            TimeOfUse(from_hour=9, to_hour=12, permille=1_501),
        ),
    ),
    PriceBook(id="free"),
)


def grid_of(sites, links, data=(), origin=None, books=BOOKS) -> Grid:
    return Grid(
        id="world",
        name="world",
        default_origin=origin or sites[0].id,
        price_books=books,
        sites=tuple(sites),
        links=tuple(links),
        data_sets=tuple(data),
    )


def snapshot_of(grid: Grid, leases=None, down=(), links_down=(), security_down=()) -> Snapshot:
    states = {site.id: SiteState(live=site.id not in down, emulated=site.id.endswith("1")) for site in grid.sites}
    return Snapshot(7, index_grid(grid), states, leases or {}, frozenset(links_down), frozenset(security_down))


def beside(snapshot: Snapshot, others) -> Snapshot:
    """The same with these live tasks of tenant t, as (site, request), and two of another tenant that matter to none."""
    placements = Placements()
    for number, (site, request) in enumerate(others):
        placements.place(TaskId(f"other-{number}"), TenantId("t"), site, request)
    for number, site in enumerate(snapshot.index.sites):
        foreign = TaskRequest(run="true", tags={"app": "db"}, apart_from={"app": "web"})
        placements.place(TaskId(f"foreign-{number}"), TenantId("u"), site, foreign)
    return replace(snapshot, placements=placements)


# -- strategies ------------------------------------------------------------------------------------------------------

few = st.sampled_from


@st.composite
def pools(draw, site: str):
    out = []
    for number in range(draw(few((0, 1, 2, 2)))):
        kind = draw(few((PoolKind.GENERAL, PoolKind.GENERAL, PoolKind.AI, PoolKind.HPC, PoolKind.QUANTUM)))
        quantum = kind is PoolKind.QUANTUM
        out.append(
            Pool(
                id=f"{site}/p{number}",
                kind=kind,
                nodes=draw(few((1, 2, 3))),
                cores_per_node=0 if quantum else draw(few((2, 4))),
                memory_bytes_per_node=0 if quantum else draw(few((4 * MIB, 8 * MIB + 1))),
                accelerator_model=draw(few(("card-a", "card-b"))) if kind is PoolKind.AI else None,
                accelerators_per_node=2 if kind is PoolKind.AI else 0,
                qubits_per_node=8 if quantum else 0,
                power_w_per_node=draw(few((0, 301, 7_000))),
            )
        )
    return out


@st.composite
def security(draw, site: str):
    return [
        SecurityPool(
            id=f"{site}/s{number}",
            function=draw(few((FIREWALL, IDS))),
            capacity_bps=draw(few((2 * 10**7, 10**8, 10**9))),
            price_micro_yuan_per_gbps_hour=draw(few((0, 3_001, 900_000))),
        )
        for number in range(draw(few((0, 0, 1, 2))))
    ]


@st.composite
def links(draw, names: list[str]):
    ends = [(names[at], names[draw(st.integers(0, at - 1))]) for at in range(1, len(names))]
    for _ in range(draw(st.integers(0, 2))):
        a, b = draw(few(names)), draw(few(names))
        if a != b:
            ends.append((a, b))
    return [
        link_of(
            f"l{at}",
            a,
            b,
            draw(few((10**7, 10**8, 10**9, 2 * 10**9, 2 * 10**11))),
            draw(few((0, 1, 700, 4_000, 30_000))),
            draw(few((0, 1, 1_000_003, 5_000_000))),
            draw(few((0, 1, 1_000, 77_777))),
            draw(windows()),
        )
        for at, (a, b) in enumerate(ends)
    ]


@st.composite
def windows(draw):
    """The planned maintenance of a link: mostly none."""
    if draw(few((True, True, True, True, False))):
        return ()
    start, end = sorted((draw(moments()), draw(moments())))
    return ((start, end),) if start < end else ()


@st.composite
def data_sets(draw, names: list[str]):
    return [
        DataSet(
            id=f"d{number}",
            name="data",
            size_bytes=draw(few((0, 1, 12_500_000, 12_500_001, 2**30, 45 * 10**9))),
            replicas=tuple(draw(st.lists(few(names), min_size=1, max_size=2, unique=True))),
            residency=draw(few(((), (), (), ("CN",), ("SG", "CN-B")))),
        )
        for number in range(draw(st.integers(0, 2)))
    ]


@st.composite
def grids(draw):
    names = [f"n{at}" for at in range(draw(st.integers(2, 4)))]
    made = [
        site_of(
            name,
            draw(pools(name)),
            draw(security(name)),
            draw(few(REGIONS)),
            draw(few((1, 3, 5))),
            draw(few(("plain", "bands", "bands", "free"))),
            draw(few((0, 123, 800))),
            draw(few(("own", "own", "p1", "p2"))),
        )
        for name in names
    ]
    return grid_of(made, draw(links(names)), draw(data_sets(names)), draw(few(names)))


@st.composite
def moments(draw):
    """A moment near something that matters: the start, the end of a transfer, of a run, of a price band."""
    base = draw(few((0, 0, S, 2 * S, 60 * S, HOUR, 2_800 * S, 10 * HOUR)))
    return NOW + base + draw(few((-30_000, -1, 0, 0, 1, 700, 4_000, 500_000)))


@st.composite
def leases(draw, grid: Grid):
    """Leases that together keep within every capacity or not: the planner must stand either."""
    out = {}
    keys = [("pool", pool.id) for site in grid.sites for pool in site.pools]
    keys += [("link", f"{link.id}:{side}") for link in grid.links for side in ("ab", "ba")]
    keys += [("protection", pool.id) for site in grid.sites for pool in site.security_pools]
    for number in range(draw(st.integers(0, 6))):
        resource, key = draw(few(keys))
        start, end = sorted((draw(moments()), draw(moments())))
        demand = None
        if resource == "pool":
            demand = Demand(
                cores=draw(few((0, 1, 3))),
                memory_bytes=draw(few((0, MIB))),
                accelerators=draw(few((0, 1))),
                nodes=draw(few((0, 1))),
            )
        bps = draw(few((10**7, 9 * 10**7, 10**9 - 1, 10**11))) if resource != "pool" else 0
        out[f"lease-{number}"] = (Hold(resource=resource, key=key, demand=demand, bps=bps, start_us=start, end_us=end),)
    return out


@st.composite
def requests(draw, grid: Grid):
    names = [site.id for site in grid.sites]
    kind = draw(few([pool.kind.value for site in grid.sites for pool in site.pools] or ["general"]))
    wall = draw(few((S, 60 * S, HOUR, 3 * HOUR)))
    res = {"wall_time": wall, "memory": draw(few((0, MIB, 3 * MIB + 5))), "cpu": draw(few((1, 2, 3)))}
    res |= {
        "general": {},
        "ai": {"accelerators": 1, "accelerator": draw(few(("any", "card-a")))},
        "hpc": {"nodes": 2},
        "quantum": {"qubits": 5, "shots": 333},
    }[kind]
    picked = draw(st.lists(few([one.id for one in grid.data_sets]), max_size=2)) if grid.data_sets else []
    inputs = [Input(source=f"dataset:{one}", path=f"in{at}") for at, one in enumerate(picked)]
    if draw(few((False, False, True))):
        inputs.append(Input(source="file.bin", path="file", size=draw(few((1, 25_000_000)))))
    deadline = draw(few((None, None, None, NOW + wall, NOW + wall + 2 * S, NOW + 5 * HOUR, NOW + 40 * HOUR)))
    return TaskRequest(
        run="true",
        resources=Resources(**res),
        inputs=tuple(inputs),
        origin=draw(few((None, *names))),
        latency=draw(few((None, None, None, 0, 1, 4_700, 8_000, 40_000))),
        bandwidth=draw(few((0, 1, 10**7, 10**7, 6 * 10**7, 10**9))),
        security_level=draw(few((1, 1, 1, 3))),
        residency=draw(few(((), (), (), ("CN",), ("CN-A", "SG")))),
        protection=tuple(draw(few(((), (), (), (FIREWALL,), (FIREWALL, IDS), (IDS, FIREWALL), (IDS, IDS))))),
        sites=tuple(draw(few(((), (), (), (), (names[0], names[-1]))))),
        owners=draw(few(((), (), (), ("own",), ("own", "third-party"), ("p2", "own"), ("third-party", "p1", "own")))),
        earliest_start=draw(few((None, None, NOW - 5, NOW + 3, NOW + HOUR))),
        deadline=deadline,
        price_limit=draw(few((None,) * 6 + (0, 200_000, 3_000_000))),
        preference=draw(few(tuple(Preference))),
        array=draw(few((1, 1, 2))),
        **draw(company()),
    )


TAGS = ({}, {"app": "db"}, {"app": "web"}, {"app": "db", "tier": "1"}, {"app": "web", "tier": "1"}, {"tier": "2"})


@st.composite
def company(draw):
    """Tags, and whom a task must run with or keep apart from; often nothing."""
    return {
        "tags": draw(few(TAGS)),
        "together_with": draw(few(({}, {}, {}, *TAGS[1:4]))),
        "apart_from": draw(few(({}, {}, *TAGS[1:]))),
    }


@st.composite
def others(draw, grid: Grid):
    """The tenant's live tasks. They may stand as they never would have been planned: the planner must bear it."""
    names = [site.id for site in grid.sites]
    found = draw(st.lists(st.tuples(few(names), company()), max_size=3))
    return tuple((site, TaskRequest(run="true", **given)) for site, given in found)


@st.composite
def worlds(draw):
    grid = draw(grids())
    names = [site.id for site in grid.sites]
    down = draw(st.lists(few(names), max_size=1))
    dead = draw(st.lists(few([link.id for link in grid.links]), max_size=1))
    excluded = frozenset(draw(few(((), (), (), (names[-1],)))))
    walls = [pool.id for site in grid.sites for pool in site.security_pools]
    dark = draw(st.lists(few(walls), max_size=2)) if walls else ()
    snapshot = snapshot_of(grid, draw(leases(grid)), down, dead, dark)
    there = draw(others(grid))
    return World(beside(snapshot, there), draw(requests(grid)), excluded, there)
