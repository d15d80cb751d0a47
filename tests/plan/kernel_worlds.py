"""Small worlds of the bulk kernel by seed: every kind of pool, need and bound, and tight enough that all of them bind."""

import numpy as np

from suanwang.plan.kernel.types import WHOLE, Classes, Fabric, Guidance, Tasks, pool_sums


def small_fabric(draw: np.random.Generator, pools: int = 6, nodes: int = 9) -> Fabric:
    """Pools with and without cards, some without nodes; links of which routes cross some twice; two floating ones."""
    cards = draw.choice([0, 0, 2, 4, 8], pools).astype(np.int32)
    count = draw.integers(0, nodes + 1, pools)
    count[draw.integers(pools)] = 0
    if draw.random() < 0.2:
        count[draw.integers(pools)] = 64 + draw.integers(70)  # more than one word of bits
    first = np.concatenate([[0], np.cumsum(count)]).astype(np.int32)
    cpu = draw.choice([3_000, 16_000, 64_000, 100_000], pools).astype(np.int32)
    mem = draw.choice([20, 4_096, 65_535], pools).astype(np.int32)
    sums = pool_sums(first, cpu, mem, cards)
    bare = count == 0
    lent = draw.random(pools) < 0.2  # only a part of the pool may be used
    parts = [
        np.where(bare, draw.integers(0, 90_000, pools), np.where(lent, one * 2 // 3, one)).astype(np.int64)
        for one in sums
    ]
    links, routes = 5, 8
    uses = [draw.integers(0, links, draw.integers(1, 5)) for _ in range(routes)]
    capacity = np.concatenate([draw.integers(20, 400, links), draw.integers(0, 30, 2)]).astype(np.int64)
    return Fabric(
        pool_site=np.arange(pools, dtype=np.int32) // 2,
        pool_model=np.where(cards > 0, 0, -1).astype(np.int32),
        pool_price=draw.integers(1, 50, pools).astype(np.int64),
        pool_cpu=parts[0],
        pool_mem=parts[1],
        pool_milli=parts[2],
        node_first=first,
        shape_cpu=cpu,
        shape_mem=mem,
        shape_cards=cards,
        capacity=capacity,
        route_first=np.concatenate([[0], np.cumsum([len(one) for one in uses])]).astype(np.int32),
        route_use=np.concatenate(uses).astype(np.int32),
        route_latency_us=draw.integers(100, 9_000, routes).astype(np.int64),
    )


def small_classes(draw: np.random.Generator, fabric: Fabric, classes: int = 12) -> Classes:
    """Needs of every form; candidates by cost."""
    cards = draw.choice([0, 0, 1, 1, 2, 4], classes).astype(np.int32)
    milli = np.where((cards == 1) & (draw.random(classes) < 0.6), draw.integers(1, 999, classes), WHOLE * cards)
    bound = draw.integers(3_000, 9_000, classes).astype(np.int64)
    pools, routes, costs = [], [], []
    for one in range(classes):
        wanted = draw.integers(0, 10)
        pool = draw.integers(0, len(fabric.pool_site), wanted)
        route = draw.integers(-1, len(fabric.route_latency_us), wanted)
        lag = np.append(fabric.route_latency_us, 0)[route]
        pair = np.unique(np.stack([pool, route])[:, lag <= bound[one]], axis=1)
        cost = draw.integers(1, 1_000, pair.shape[1])
        order = np.argsort(cost, kind="stable")
        pools.append(pair[0][order])
        routes.append(pair[1][order])
        costs.append(cost[order])
    floating = [draw.random() < 0.2 for _ in range(classes)]
    return Classes(
        cpu=draw.choice([0, 500, 1_000, 7_300, 16_000], classes).astype(np.int32),
        mem=draw.choice([0, 1, 700, 4_096], classes).astype(np.int32),
        cards=cards,
        milli=milli.astype(np.int32),
        mbps=draw.choice([0, 5, 40], classes).astype(np.int64),
        nodes=draw.choice([1, 1, 1, 2, 5], classes).astype(np.int32),
        latency_bound_us=bound,
        reject_cost=draw.integers(300, 1_500, classes).astype(np.int64),
        cand_first=np.concatenate([[0], np.cumsum([len(one) for one in pools])]).astype(np.int32),
        cand_pool=np.concatenate(pools).astype(np.int32),
        cand_route=np.concatenate(routes).astype(np.int32),
        cand_cost=np.concatenate(costs).astype(np.int64),
        float_first=np.concatenate([[0], np.cumsum(floating)]).astype(np.int32),
        float_use=draw.integers(5, 7, sum(floating)).astype(np.int32),
        float_amount=draw.integers(1, 4, sum(floating)).astype(np.int64),
    )


def small_guidance(draw: np.random.Generator, classes: Classes) -> Guidance:
    """Some quotas, some bid prices."""
    many = len(classes.cand_pool)
    bid = classes.cand_cost + draw.choice([0, 0, 400], many)
    owner = np.repeat(np.arange(len(classes.cpu)), np.diff(classes.cand_first))
    order = np.lexsort((np.arange(many), bid, owner)).astype(np.int32)
    quota = np.where(draw.random(many) < 0.4, draw.integers(1, 6, many), 0)
    return Guidance(7, quota.astype(np.int64), order, bid.astype(np.int64))


def small_tasks(draw: np.random.Generator, classes: Classes, count: int, first: int = 0, priorities: int = 3) -> Tasks:
    """Tasks of every class with numbers from `first`."""
    return Tasks(
        np.arange(first, first + count, dtype=np.int64),
        draw.integers(0, len(classes.cpu), count).astype(np.int32),
        draw.integers(0, priorities, count).astype(np.uint8),
    )
