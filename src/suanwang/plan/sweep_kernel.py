"""Plan many plain tasks in one call: each takes the best pool that has room now, beside what those before it took.

The same decision as `decide` makes where a run can begin at once: static clauses, latency, bandwidth, room, price;
then the best by the preference. What makes it fast is that nothing is made for a task that another one needs too:
static codes, latencies, prices and trees are rows of tables, and a task is a few row numbers.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from suanwang.model.compact import OTHERS
from suanwang.net.calendar import Book, Steps, change_rows, fits
from suanwang.net.jit import inner, lean
from suanwang.net.network import Flags, Ints

# What the kernel stops for.
DONE, NO_POOL, POOL_ROWS, LINE_ROWS, TIGHT = range(5)

Bytes = npt.NDArray[np.uint8]


class Asks(NamedTuple):
    """One row a task: rows of the tables, and its own figures."""

    static: Ints
    near: Ints  # latencies without protection
    through: Ints  # latencies through the protection chain; the same row where there is none
    bound_us: Ints
    tree: Ints  # paths of held bandwidth; -1 where none is held
    amount: Ints  # price of the path to each node; -1 where none is held
    shape: Ints
    wall_us: Ints
    bps: Ints
    stages: Ints  # functions of the chain, + 1: how often a path may cross a link
    green: Ints  # 1: carbon before price
    limit: Ints


class Tables(NamedTuple):
    """What many tasks share."""

    codes: Ints  # [static, pool]
    owner_place: Ints  # [static, pool]
    latency: Ints  # [row, node]
    amount: Ints  # [row, node]
    price: Ints  # [shape, pool]
    carbon: Ints  # [shape, pool]
    demand: Ints  # [shape, figure]


class Trees(NamedTuple):
    """Trees one after the other: label l of tree t is `first[t] + l`; `best[t, node]` is a label or -1."""

    first: Ints
    best: Ints
    parent: Ints
    via: Ints
    latency: Ints  # [tree, node]


class World(NamedTuple):
    """The grid and what is free of it. `peak` and `slack` change as tasks are placed."""

    node: Ints  # of each pool
    capacity: Ints  # [pool, figure]
    rank: Ints
    live: Flags
    peak: Ints  # [pool, figure]: the most held from now on
    slack: Ints  # [line]: the least free from now on
    edges: int  # directed links; security pools stand behind them


class Says(NamedTuple):
    """Codes of the clauses that are judged here."""

    site_down: int
    latency: int
    protection: int
    bandwidth: int
    capacity: int
    price_limit: int
    worse: int
    passed: int
    chosen: int


class Work(NamedTuple):
    """Room for what the kernel works out on the way."""

    room: Ints  # four figures
    order: Ints  # the pools that are shown
    change: Ints  # four figures
    bps: Ints  # one figure


class Found(NamedTuple):
    """What comes out, one row a task."""

    pool: Ints
    price: Ints
    verdicts: Bytes  # [task, pool]
    others: Ints  # [task, 4 * OTHERS]: pools, -1 where there are no more; then prices, latencies, carbon


@lean
def sweep(
    first: int,
    last: int,
    now_us: int,
    asks: Asks,
    tables: Tables,
    trees: Trees,
    world: World,
    pools: Book,
    lines: Book,
    says: Says,
    found: Found,
    work: Work,
) -> tuple[int, int, int]:
    """Place tasks from `first` on, up to `last`. Returns (the first that was not placed, why, the resource that lacks rows)."""
    steps = Steps(pools.at_us, pools.held, pools.offset, pools.rows)
    room, order, change, one_bps = work.room, work.order, work.change, work.bps
    for at in range(first, last):
        if asks.tree[at] >= 0 and not _is_loose(asks.tree[at], asks.bps[at] * asks.stages[at], trees, world):
            return at, TIGHT, -1
        pool = _choose(at, now_us, asks, tables, trees, world, steps, says, found, room, order)
        if pool < 0:
            return at, NO_POOL, -1
        if pools.rows[pool] + 2 > pools.room[pool]:
            return at, POOL_ROWS, pool
        end_us, tree = now_us + asks.wall_us[at], asks.tree[at]
        if tree >= 0:
            label = trees.best[tree, world.node[pool]]
            while label >= 0:
                via = trees.via[trees.first[tree] + label]
                line = via if via >= 0 else world.edges - 2 - via
                if via != -1 and lines.rows[line] + 2 * asks.stages[at] > lines.room[line]:
                    return at, LINE_ROWS, line
                label = trees.parent[trees.first[tree] + label]
            one_bps[0] = asks.bps[at]
            label = trees.best[tree, world.node[pool]]
            while label >= 0:
                via = trees.via[trees.first[tree] + label]
                if via != -1:
                    line = via if via >= 0 else world.edges - 2 - via
                    lines.rows[line] = change_rows(
                        lines.at_us, lines.held, lines.offset[line], lines.rows[line], now_us, end_us, one_bps
                    )
                    lines.holds[line] += 1
                    world.slack[line] -= asks.bps[at]
                label = trees.parent[trees.first[tree] + label]
        for figure in range(4):
            change[figure] = tables.demand[asks.shape[at], figure]
            world.peak[pool, figure] += change[figure]
        pools.rows[pool] = change_rows(
            pools.at_us, pools.held, pools.offset[pool], pools.rows[pool], now_us, end_us, change
        )
        pools.holds[pool] += 1
        found.pool[at] = pool
    return last, DONE, -1


@inner
def _is_loose(tree: int, bps: int, trees: Trees, world: World) -> bool:
    """Whether every link and security pool of a tree has so much free from now on: then what is held by others moves
    no path of it."""
    for label in range(trees.first[tree], trees.first[tree + 1]):
        via = trees.via[label]
        if via != -1 and world.slack[via if via >= 0 else world.edges - 2 - via] < bps:
            return False
    return True


@inner
def _choose(
    at: int,
    now_us: int,
    asks: Asks,
    tables: Tables,
    trees: Trees,
    world: World,
    steps: Steps,
    says: Says,
    found: Found,
    room: Ints,
    order: Ints,
) -> int:
    """The best pool of one task or -1; its verdicts, price and alternatives are written down."""
    far = np.int64(2**62)
    static, near, through, shape, tree = asks.static[at], asks.near[at], asks.through[at], asks.shape[at], asks.tree[at]
    verdicts = found.verdicts
    best, feasible = 0, 0  # how many stand in `order`, and how many of them are feasible
    end_us = now_us + asks.wall_us[at]
    for pool in range(len(world.node)):
        node = world.node[pool]
        code = tables.codes[static, pool]
        if not world.live[pool] and says.site_down < code:
            code = says.site_down
        if code == says.passed and tables.latency[near, node] > asks.bound_us[at]:
            code = says.latency
        if code == says.passed and tables.latency[through, node] > asks.bound_us[at]:
            code = says.protection
        if code != says.passed:
            verdicts[at, pool] = code
            continue
        if (trees.latency[tree, node] if tree >= 0 else tables.latency[through, node]) >= far:
            code = says.bandwidth
        elif not _has_room(pool, now_us, end_us, shape, tables, world, steps, room):
            code = says.capacity
        elif _price(at, pool, asks, tables, world) > asks.limit[at]:
            code = says.price_limit
        else:
            code = says.worse
            feasible += 1
        verdicts[at, pool] = code
        best = _insert(at, pool, code, best, asks, tables, trees, world, says, verdicts, order)
    if feasible == 0:
        return -1
    _write(at, best, asks, tables, trees, world, says, found, order)
    verdicts[at, order[0]] = says.chosen
    return int(order[0])


@inner
def _has_room(
    pool: int, start_us: int, end_us: int, shape: int, tables: Tables, world: World, steps: Steps, room: Ints
) -> bool:
    loose = True
    for figure in range(4):
        room[figure] = world.capacity[pool, figure] - tables.demand[shape, figure]
        loose = loose and world.peak[pool, figure] <= room[figure]
    return loose or fits(steps, pool, start_us, end_us, room)


@inner
def _price(at: int, pool: int, asks: Asks, tables: Tables, world: World) -> int:
    price = tables.price[asks.shape[at], pool]
    if asks.amount[at] >= 0:
        price += tables.amount[asks.amount[at], world.node[pool]]
    return int(price)


@inner
def _late(at: int, pool: int, asks: Asks, tables: Tables, trees: Trees, world: World) -> int:
    node = world.node[pool]
    return int(trees.latency[asks.tree[at], node] if asks.tree[at] >= 0 else tables.latency[asks.through[at], node])


@inner
def _before(
    at: int, one: int, two: int, asks: Asks, tables: Tables, trees: Trees, world: World, says: Says, verdicts: Bytes
) -> bool:
    """Whether pool `one` is shown before pool `two`: feasible ones by the preference, then those that came furthest."""
    code, other = verdicts[at, one], verdicts[at, two]
    if code != other:
        return bool(code > other)
    if code != says.worse:
        return bool(world.rank[one] < world.rank[two])
    static, shape = asks.static[at], asks.shape[at]
    if tables.owner_place[static, one] != tables.owner_place[static, two]:
        return bool(tables.owner_place[static, one] < tables.owner_place[static, two])
    if asks.green[at] and tables.carbon[shape, one] != tables.carbon[shape, two]:
        return bool(tables.carbon[shape, one] < tables.carbon[shape, two])
    price, price_two = _price(at, one, asks, tables, world), _price(at, two, asks, tables, world)
    if price != price_two:
        return bool(price < price_two)
    if not asks.green[at]:
        late, late_two = _late(at, one, asks, tables, trees, world), _late(at, two, asks, tables, trees, world)
        if late != late_two:
            return bool(late < late_two)
    return bool(world.rank[one] < world.rank[two])


@inner
def _insert(
    at: int,
    pool: int,
    code: int,
    count: int,
    asks: Asks,
    tables: Tables,
    trees: Trees,
    world: World,
    says: Says,
    verdicts: Bytes,
    order: Ints,
) -> int:
    """Put a pool into the few that are shown, if it is one of them; returns how many there are."""
    place = count
    while place > 0 and _before(at, pool, order[place - 1], asks, tables, trees, world, says, verdicts):
        place -= 1
    if place == len(order):
        return count
    last = min(count, len(order) - 1)
    for one in range(last, place, -1):
        order[one] = order[one - 1]
    order[place] = pool
    return last + 1


@inner
def _write(
    at: int,
    count: int,
    asks: Asks,
    tables: Tables,
    trees: Trees,
    world: World,
    says: Says,
    found: Found,
    order: Ints,
) -> None:
    far = np.int64(2**62)
    found.price[at] = _price(at, order[0], asks, tables, world)
    for number in range(OTHERS):
        if number + 1 >= count:
            found.others[at, number] = -1
            continue
        pool = order[number + 1]
        code = found.verdicts[at, pool]
        priced = code == says.worse or code == says.price_limit
        late = _late(at, pool, asks, tables, trees, world)
        found.others[at, number] = pool
        found.others[at, OTHERS + number] = _price(at, pool, asks, tables, world) if priced else 0
        found.others[at, 2 * OTHERS + number] = late if late < far else -1
        found.others[at, 3 * OTHERS + number] = tables.carbon[asks.shape[at], pool]
