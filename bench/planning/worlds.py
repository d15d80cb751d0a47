"""Bench worlds by seed: sites, pools, links, classes of tasks and the stream of their arrivals.

The full world has 300 sites in 31 provinces, six kinds of node, 91 backbone links and three paths between any two
provinces. A site holds up to six pools, one a kind. Demand is set kind by kind: at load 1.0 the tasks that would use a
kind by choice ask in sum for all of it, so what is scarce first is a region, a kind or a link, not the whole.

    world = make_world(seed=1, sites=300, servers=30_000, scarce_links=False)
    stream = batch_stream(world, seed=1, load=0.90)  # arrivals without releases: batch problems
    churn = churn_stream(world, seed=1, count=10_000_000, fill=0.97)  # one release each: steady state
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suanwang.plan.kernel.types import I32, I64, Asks, Classes, Fabric, Ground, pool_sums

from . import backbone, demand, mixed
from .backbone import PATHS, Backbone
from .demand import GIB, Prices

LINK_ROOM = 2.5  # of a link, over its flow at load 1.0 if each class spread evenly over its candidates
LINK_ROOM_SCARCE = 0.05
GUARD_ROOM = 1.5  # of a security pool, likewise


class Kind(NamedTuple):
    """A kind of node: its share of all nodes, its shape, and micro-yuan for an hour of a core, a GiB, a card."""

    share: float
    cores: int
    memory_gib: int
    cards: int
    model: int
    core_hour: int
    gib_hour: int
    card_hour: int


KINDS = (
    Kind(0.52, 64, 256, 0, -1, 90_000, 9_000, 0),
    Kind(0.18, 96, 512, 0, -1, 105_000, 9_000, 0),
    Kind(0.10, 96, 1536, 0, -1, 110_000, 8_000, 0),
    Kind(0.07, 128, 1024, 8, 0, 60_000, 6_000, 9_000_000),
    Kind(0.05, 64, 512, 4, 1, 60_000, 6_000, 5_500_000),
    Kind(0.08, 128, 1024, 8, 2, 60_000, 6_000, 7_000_000),
)
PRESENT = (1.0, 0.75, 0.6, 0.6, 0.6, 0.6)  # chance that a site has the kind at all


class World(NamedTuple):
    """What exists and what is asked; the last rows are what the kernel need not know."""

    fabric: Fabric
    classes: Classes
    backbone: Backbone
    site_province: I64  # [sites]
    pool_kind: I64  # [P] index into KINDS
    link_count: int  # the first so many of `fabric.capacity` are directed links; security pools follow
    class_origin: I64  # [C] province
    class_kind: I64  # [C] the kind that the demand of the class is counted on
    class_rate: NDArray[np.float64]  # [C] arrivals expected at load 1.0
    ground: Ground
    asks: Asks


class Stream(NamedTuple):
    """Arrivals in order. With releases: task i is given back just before arrival release_before[i] (n: not within)."""

    task_class: I32  # [n]
    release_before: I64  # [n], or empty: nothing is given back
    release_order: I64  # tasks that are given back, in the order in which that happens


def make_world(
    seed: int,
    sites: int = 300,
    servers: int = 30_000,
    classes: int = 2_000,
    scarce_links: bool = False,
    mix: bool = False,
) -> World:
    """A world; each part draws from a stream of its own, so that more classes do not reshuffle the sites.

    `mix`: security levels, gangs, licences and minutes of quantum machines, and some links that are narrow (`mixed`).
    """
    net_draw, site_draw, class_draw, price_draw, rate_draw, room_draw, mix_draw = (
        np.random.default_rng([seed, part]) for part in range(7)
    )
    net = backbone.build(min(len(backbone.PROVINCES), sites), net_draw)
    site_province, pool_site, pool_kind, count = _pools(net, sites, servers, site_draw)
    prices = _prices(net, site_province[pool_site], pool_kind, price_draw)
    fabric = _fabric(net, pool_site, pool_kind, count, prices)
    kind_weight = np.bincount(pool_kind, fabric.pool_cpu, len(KINDS)).astype(np.float64)
    needs = demand.draw_needs(net, classes, kind_weight, class_draw, levels=mix)
    level = mixed.site_levels(sites, mix_draw) if mix else np.full(sites, 1, np.int64)
    models = np.array([one.model for one in KINDS], np.int64)
    made, asks = demand.make_classes(net, fabric, needs, prices, site_province, pool_kind, level, models)
    rate = demand.rates(fabric, pool_kind, needs, len(KINDS), rate_draw)
    links = len(net.link_ends)
    if mix:
        made = mixed.with_gangs(made, mix_draw)
    fabric = fabric._replace(capacity=_capacity(fabric, made, rate, links, scarce_links, room_draw))
    if mix:
        fabric = mixed.with_narrow_links(fabric, links, mix_draw)
        fabric, made = mixed.with_floating(fabric, made, rate, mix_draw)
    ground = _ground(net, site_province, pool_kind, level)
    return World(fabric, made, net, site_province, pool_kind, links, needs.origin, needs.home, rate, ground, asks)


def _ground(net: Backbone, site_province: I64, pool_kind: I64, level: I64) -> Ground:
    """What the checker and the reasons read: sites in their provinces, links, a security pool a province."""
    provinces, sites = len(net.provinces), len(site_province)
    place = site_province.astype(np.int32)
    return Ground(
        site_place=place,
        site_access_us=np.full(sites, backbone.LOCAL_US, np.int64),
        site_region=place,
        site_level=level.astype(np.int32),
        pool_kind=pool_kind.astype(np.int32),
        pool_lacks=np.zeros(len(pool_kind), np.int64),
        link_from=net.link_ends[:, 0].astype(np.int32),
        link_to=net.link_ends[:, 1].astype(np.int32),
        link_us=net.link_us,
        guard_place=np.arange(provinces, dtype=np.int32),
        guard_functions=np.full(provinces, 1 << demand.GUARD, np.int64),
        guard_us=np.full(provinces, demand.GUARD_US, np.int64),
    )


def _pools(net: Backbone, sites: int, servers: int, draw: np.random.Generator) -> tuple[I64, I64, I64, I64]:
    """Province of each site; site, kind and number of nodes of each pool, in the order of (site, kind)."""
    weight = np.array([one.capacity for one in net.provinces])
    more = draw.choice(len(weight), size=sites - len(weight), p=weight / weight.sum())
    province = np.sort(np.concatenate((np.arange(len(weight)), more)))
    within = np.bincount(province, minlength=len(weight))
    size = draw.lognormal(0.0, 0.6, sites) * (weight / within)[province]
    parts = []
    for kind, one in enumerate(KINDS):
        chance = draw.random(sites)
        here = chance < max(PRESENT[kind], float(chance.min()) + 1e-9)
        share = np.where(here, size, 0.0)
        count = np.floor(share / share.sum() * servers * one.share + 0.5).astype(np.int64)
        parts.append(count)
    table = np.array(parts).T  # [sites, kinds]
    site, kind_of = np.nonzero(table)
    return province.astype(np.int64), site.astype(np.int64), kind_of.astype(np.int64), table[site, kind_of]


def _prices(net: Backbone, province: I64, kind: I64, draw: np.random.Generator) -> Prices:
    level = np.array([one.price for one in net.provinces])[province] * draw.lognormal(0.0, 0.1, len(kind))
    listed = np.array([[one.core_hour, one.gib_hour, one.card_hour] for one in KINDS])[kind]
    core, gib, card = (level[:, None] * listed).astype(np.int64).T
    return Prices(core.copy(), gib.copy(), card.copy())


def _fabric(net: Backbone, site: I64, kind: I64, count: I64, prices: Prices) -> Fabric:
    """The fabric with its shared resources unlimited as yet."""
    table = np.array([[one.cores * 1000, one.memory_gib * GIB, one.cards, one.model] for one in KINDS], np.int32)
    cpu, mem, cards, model = (np.ascontiguousarray(table[kind, part]) for part in range(4))
    node_first = np.concatenate(([0], np.cumsum(count))).astype(np.int32)
    hour = cpu * prices.core // 1000 + mem * prices.gib // GIB + cards * prices.card
    links = len(net.link_ends)
    unlimited = np.full(links + len(net.provinces), 1 << 50, np.int64)
    sums = pool_sums(node_first, cpu, mem, cards)
    shape = (node_first, cpu, mem, cards)
    return Fabric(site.astype(np.int32), model, hour, *sums, *shape, unlimited, *_routes(net, links))


def _routes(net: Backbone, links: int) -> tuple[I32, I32, I64]:
    """Every path, then every path again with the security pool of its first (odd paths: last) province."""
    provinces = len(net.provinces)
    number = np.arange(len(net.path_us))
    near, far = number // PATHS // provinces, number // PATHS % provinces
    guard = links + np.where(number % PATHS == 1, far, near)
    size = np.diff(net.path_first)
    where = np.where(number % PATHS == 1, net.path_first[1:], net.path_first[:-1])
    # Of paths of no links several stand at one place: a stable order of insertion keeps each guard with its path.
    use = np.concatenate((net.path_link, np.insert(net.path_link, where, guard)))
    first = np.concatenate(([0], np.cumsum(np.concatenate((size, size + 1)))))
    never = net.path_us < 0
    latency = np.concatenate((net.path_us, net.path_us + demand.GUARD_US))
    latency[np.concatenate((never, never))] = 1 << 40
    return first.astype(np.int32), use.astype(np.int32), latency


def _capacity(
    fabric: Fabric, made: Classes, rate: NDArray[np.float64], links: int, scarce: bool, draw: np.random.Generator
) -> I64:
    """Mbit/s of links and security pools, in proportion to what would cross them if classes spread evenly."""
    size = np.diff(made.cand_first)
    flow = np.repeat(rate * made.mbps / np.maximum(size, 1), size)
    held = made.cand_route >= 0
    on_route = np.bincount(made.cand_route[held], flow[held], len(fabric.route_latency_us))
    on = np.bincount(fabric.route_use, np.repeat(on_route, np.diff(fabric.route_first)), len(fabric.capacity))
    room = np.full(len(on), GUARD_ROOM)
    room[:links] = LINK_ROOM_SCARCE if scarce else LINK_ROOM
    for part in (slice(0, links), slice(links, None)):
        on[part] = np.maximum(on[part], on[part].mean() / 4)
    wide = on * room * draw.lognormal(0.0, 0.2, len(on))
    return np.maximum(wide, 4.0 * made.mbps.max(initial=1)).astype(np.int64)


def batch_stream(world: World, seed: int, load: float, drift: float = 0.0) -> Stream:
    """Arrivals in random order, none given back. `drift`: each class's rate is off by exp(normal(0, drift))."""
    draw = np.random.default_rng([seed, 100])
    rate = world.class_rate * load * np.exp(drift * draw.standard_normal(len(world.class_rate)))
    count = draw.poisson(rate)
    order = np.repeat(np.arange(len(count), dtype=np.int32), count)
    draw.shuffle(order)
    none = np.empty(0, np.int64)
    return Stream(order, none, none)


def churn_rate(world: World, card_share: float | None = None) -> NDArray[np.float64]:
    """How often each class comes in a stream, f64[C]."""
    rate = world.class_rate.copy()
    with_cards = world.classes.milli > 0
    if card_share is not None:
        rate[with_cards] *= card_share / rate[with_cards].sum()
        rate[~with_cards] *= (1 - card_share) / rate[~with_cards].sum()
    return mixed.gang_rates(world.classes, rate) if (world.classes.nodes > 1).any() else rate


def churn_stream(
    world: World, seed: int, count: int, fill: float = 0.97, card_share: float | None = None, arrays: float = 0.0
) -> Stream:
    """`count` arrivals; what runs at a time asks for `fill` of each kind, once that many have arrived.

    A task lives for between half and one and a half of the time in which its kind is asked for once over, at most half
    of the stream. `card_share`: the share of tasks that ask for cards; None: as the rates say. `arrays`: the share of
    tasks that come as one of an array, so many alike at once.
    """
    draw = np.random.default_rng([seed, 101])
    rate = churn_rate(world, card_share)
    with_cards = world.classes.milli > 0
    edges = np.cumsum(rate) / rate.sum()
    edges[-1] = 1.0
    order = np.searchsorted(edges, draw.random(count), side="right").astype(np.int32)
    if arrays:
        order = mixed.in_arrays(order, arrays, draw)
    before = np.full(count, count, np.int64)
    amount = np.where(with_cards, world.classes.milli, world.classes.cpu).astype(np.float64) * world.classes.nodes
    for kind in range(len(KINDS)):
        mine = np.flatnonzero((world.class_kind == kind)[order])
        if not len(mine):
            continue
        sums = world.fabric.pool_milli if KINDS[kind].cards else world.fabric.pool_cpu
        asked = np.cumsum(amount[order[mine]])
        life = min(fill * float(sums[world.pool_kind == kind].sum()), float(asked[-1]) / 2)
        end = np.searchsorted(asked, asked + life * draw.uniform(0.5, 1.5, len(mine)))
        before[mine] = np.append(mine, count)[end]
    given_back = np.flatnonzero(before < count)
    return Stream(order, before, given_back[np.argsort(before[given_back], kind="stable")])
