"""Place and path together against the two-step choice (nearest place with room, then the path), on the china grid.

A stream of tasks from random sites: cards of one model, which eleven sites have, bandwidth and a bound on the latency; the oldest leave when `--live` are there.
Each task is first asked of the two-step choice and then, from the same state, of the joint search, which is the one that is
kept. Counted: how often each finds nothing, and by how much the two-step answer is dearer where both find one. The price of
an answer is that of its cards and of its path for one hour. The two-step choice gets no second try at another place, and
with `--tries k` it gets k: the k nearest in turn.

Beside it, from the same state, the search over single links that the planner uses (`net.search`: one tree from the origin,
the places are read off it): its time, and how often it is dearer than the segment lists or cheaper.

    python -m bench.joint [--json] [--tasks 3000] [--live 300 1500 4000] [--tries 1 3]
"""

import argparse
import json
import time
from dataclasses import dataclass

import numpy as np

from suanwang.grids import china_path, load_grid
from suanwang.model.grid import Grid
from suanwang.net.network import Ints, Network
from suanwang.net.paths import Engine, Flow
from suanwang.net.paths.protection import Pools
from suanwang.net.paths.sinks import BPS_PER_GBPS, Sink, price_as_leg
from suanwang.net.paths.strict import network_of
from suanwang.net.search import Rules, search
from suanwang.net.topology import topology_of_grid
from suanwang.net.tree import FAR

MODEL = "ascend-910b"
CARDS = (1, 8, 32)
GBPS = (1, 5, 10, 20)
BOUNDS_US = (5_000, 10_000, 20_000)


@dataclass(frozen=True)
class World:
    """An engine over the grid with one pool of cards a site, and what a card costs there for an hour."""

    engine: Engine
    card_hour: Ints
    network: Network  # the same links for `net.search`


def world_of(grid: Grid) -> World:
    books = {book.id: book.accelerator_hour_micro_yuan for book in grid.price_books}
    rows = [
        (at, sum(pool.nodes * pool.accelerators_per_node for pool in site.pools if pool.accelerator_model == MODEL))
        for at, site in enumerate(grid.sites)
    ]
    table = np.array([row for row in rows if row[1] > 0], np.int64)
    none, zero = np.full(len(table), -1, np.int64), np.zeros(len(table), np.int64)
    pools = Pools(table[:, 0].copy(), table[:, 1].copy(), zero, none)
    card_hour = np.array([books[grid.sites[at].price_book][MODEL] for at in table[:, 0].tolist()], np.int64)
    price = np.repeat(np.array([link.price_micro_yuan_per_gbps_hour for link in grid.links], np.int64), 2)
    engine = Engine(topology_of_grid(grid), price, pools=pools)
    return World(engine, card_hour, network_of(engine.tables, pools.node, pools.price, pools.function))


@dataclass(frozen=True)
class Ask:
    origin: int
    cards: int
    bps: int
    bound_us: int


def asks(world: World, count: int, seed: int) -> list[Ask]:
    draw = np.random.default_rng(seed)
    n = world.engine.tables.n
    columns = (
        draw.integers(0, n, count),
        draw.choice(CARDS, count),
        draw.choice(GBPS, count) * BPS_PER_GBPS,
        draw.choice(BOUNDS_US, count),
    )
    return [Ask(*row) for row in zip(*(one.tolist() for one in columns), strict=True)]


def sinks_of(world: World, ask: Ask) -> list[Sink]:
    return [Sink(at, ask.cards, ask.cards * price) for at, price in enumerate(world.card_hour.tolist())]


def price_of(world: World, ask: Ask, handle: int, pool: int) -> int:
    one = world.engine.reservation(handle)
    assert one is not None
    return ask.cards * int(world.card_hour[pool]) + -(-one.price * ask.bps // BPS_PER_GBPS)


def two_step(world: World, ask: Ask, tries: int) -> tuple[int, int]:
    """The nearest places with room for the cards, by latency; the first of them to which there is a path."""
    engine = world.engine
    m = engine.tables.topology.m
    late = engine.tables.floor_us[ask.origin, engine.pools.node]
    room = engine.free[m:, 0] >= ask.cards
    for pool in [int(one) for one in np.argsort(late, kind="stable") if room[one]][:tries]:
        sink = Sink(pool, ask.cards, ask.cards * int(world.card_hour[pool]))
        handle, _ = engine.request_any(Flow(ask.origin, ask.origin, ask.bps, ask.bound_us), [sink])
        if handle >= 0:
            return handle, pool
    return -1, -1


def least_walk(world: World, ask: Ask) -> int:
    """The least price of cards and of a walk over links that have room, as the planner searches; `FAR` for none. Like the
    lists' price it is for one Gbit/s in one hour."""
    engine, m = world.engine, world.engine.tables.topology.m
    none = np.zeros(len(engine.pools.node), np.bool_)
    room = engine.free[:m, 0] >= ask.bps
    rules = Rules(room, world.network.price_gbps_hour, none, engine.pools.price, (), ask.bound_us)
    costs = search(world.network, ask.origin, rules).node_cost()[engine.pools.node]
    cards = [price_as_leg(ask.cards * price, ask.bps) for price in world.card_hour.tolist()]
    there = (engine.free[m:, 0] >= ask.cards) & (costs < FAR)
    return int(np.where(there, costs + np.array(cards), FAR).min())


def run(grid: Grid, tasks: int, live_most: int, tries: int, seed: int) -> dict[str, float | int]:
    world = world_of(grid)
    engine = world.engine
    live: list[int] = []
    both = failed_two = failed_joint = dearer = 0
    paid_two = paid_joint = 0
    cpu = cpu_walk = 0.0
    walk_cheaper = walk_dearer = walk_only = list_only = 0
    for at, ask in enumerate(asks(world, live_most + tasks, seed)):
        if len(live) >= live_most:
            engine.release(live.pop(0))
        if at < live_most:  # fill first
            kept, _ = engine.request_any(Flow(ask.origin, ask.origin, ask.bps, ask.bound_us), sinks_of(world, ask))
            live += [kept] if kept >= 0 else []
            continue
        handle, pool = two_step(world, ask, tries)
        cost_two = price_of(world, ask, handle, pool) if handle >= 0 else 0
        if handle >= 0:
            engine.release(handle)
        sinks = sinks_of(world, ask)
        start = time.thread_time()
        walk = least_walk(world, ask)
        cpu_walk += time.thread_time() - start
        start = time.thread_time()
        kept, chosen = engine.request_any(Flow(ask.origin, ask.origin, ask.bps, ask.bound_us), sinks)
        cpu += time.thread_time() - start
        failed_two += handle < 0
        failed_joint += kept < 0
        assert kept >= 0 or handle < 0, "what two steps find, one search finds"
        walk_only, list_only = walk_only + (kept < 0 and walk < FAR), list_only + (kept >= 0 and walk >= FAR)
        if kept >= 0:
            live.append(kept)
            there = engine.reservation(kept)
            assert there is not None
            listed = there.price + price_as_leg(ask.cards * int(world.card_hour[chosen]), ask.bps)
            walk_cheaper, walk_dearer = walk_cheaper + (walk < listed), walk_dearer + (listed < walk < FAR)
            if handle >= 0:
                cost = price_of(world, ask, kept, chosen)
                both, dearer = both + 1, dearer + (cost_two > cost)
                paid_two, paid_joint = paid_two + cost_two, paid_joint + cost
    m = engine.tables.topology.m
    used = 1 - engine.free[:m, 0] / engine.capacity[:m]
    return {
        "live": live_most,
        "tries": tries,
        "tasks": tasks,
        "mean_link_used": round(float(used.mean()), 3),
        "links_over_90_percent": round(float((used > 0.9).mean()), 3),
        "failed_two_step": round(failed_two / tasks, 4),
        "failed_joint": round(failed_joint / tasks, 4),
        "two_step_dearer": round(dearer / max(1, both), 4),
        "two_step_paid_over_joint": round(paid_two / max(1, paid_joint), 4),
        "joint_us_cpu": round(cpu / tasks * 1e6, 1),
        "walk_us_cpu": round(cpu_walk / tasks * 1e6, 1),
        "walk_cheaper": round(walk_cheaper / tasks, 4),
        "walk_dearer": round(walk_dearer / tasks, 4),
        "walk_finds_alone": round(walk_only / tasks, 4),
        "lists_find_alone": round(list_only / tasks, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--tasks", type=int, default=3_000)
    parser.add_argument("--live", type=int, nargs="*", default=[300, 1_500, 4_000])
    parser.add_argument("--tries", type=int, nargs="*", default=[1, 3])
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    grid = load_grid(china_path())
    rows = [run(grid, asked.tasks, live, tries, asked.seed) for live in asked.live for tries in asked.tries]
    if asked.json:
        print(json.dumps({"rows": rows}))
        return
    for row in rows:
        print("  ".join(f"{key}={value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
