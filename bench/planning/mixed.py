"""What a realistic mix adds to a bench world: security levels, gangs, arrays, licences, quantum minutes, narrow links."""

import numpy as np
from numpy.typing import NDArray

from suanwang.plan.kernel.types import I32, I64, WHOLE, Classes, Fabric

LEVEL_SHARES = (0.5, 0.3, 0.2)  # of sites, by security level
GANG_CLASSES = 0.02  # of all classes
GANG_SHARE = 0.01  # of all tasks
GANG_NODES = (2, 8)
ARRAY = (8, 200)  # tasks of one array
NARROW_SHARE = 0.25  # of links
NARROW = 0.02  # of their width
LICENCES, LICENSED = 4, 0.03  # kinds of licence; share of classes that hold one of a kind while they run
QUANTUM, ON_QUANTUM = 2, 0.01  # quantum machines; share of classes that book minutes of one while they run
MINUTES = (1, 10)
FLOATING_ROOM = 0.55  # of what is asked when the cards are full
BARE_LIVE = 0.2  # processors are a fifth full then


def site_levels(sites: int, draw: np.random.Generator) -> I64:
    """Security level of each site."""
    return np.asarray(draw.choice([1, 2, 3], sites, p=LEVEL_SHARES), np.int64)


def with_gangs(classes: Classes, draw: np.random.Generator) -> Classes:
    """Some classes with whole cards become gangs of 2 to 8 nodes; `gang_rates` says how often they come."""
    whole = np.flatnonzero(classes.milli >= WHOLE)
    gang = draw.choice(whole, min(max(1, int(len(classes.cpu) * GANG_CLASSES)), len(whole)), replace=False)
    nodes = classes.nodes.copy()
    nodes[gang] = draw.integers(GANG_NODES[0], GANG_NODES[1] + 1, len(gang))
    times = np.repeat(nodes, np.diff(classes.cand_first)).astype(np.int64)
    return classes._replace(
        nodes=nodes, cand_cost=classes.cand_cost * times, reject_cost=classes.reject_cost * nodes.astype(np.int64)
    )


def gang_rates(classes: Classes, rate: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of all tasks one in a hundred is a gang; the tasks with cards stay as many as they are."""
    gang, carded = classes.nodes > 1, classes.milli > 0
    other = carded & ~gang
    rate, wanted = rate.copy(), min(GANG_SHARE * rate.sum(), rate[carded].sum() / 2)
    rest = rate[carded].sum() - wanted
    rate[gang] *= wanted / max(float(rate[gang].sum()), 1e-9)
    rate[other] *= rest / max(float(rate[other].sum()), 1e-9)
    return rate


def with_narrow_links(fabric: Fabric, links: int, draw: np.random.Generator) -> Fabric:
    """Some links lose most of their width, so that bandwidth binds there."""
    capacity = fabric.capacity.copy()
    narrow = draw.choice(links, max(1, int(links * NARROW_SHARE)), replace=False)
    capacity[narrow] = np.maximum(capacity[narrow] * NARROW, 1).astype(np.int64)
    return fabric._replace(capacity=capacity)


def with_floating(
    fabric: Fabric, classes: Classes, rate: NDArray[np.float64], draw: np.random.Generator
) -> tuple[Fabric, Classes]:
    """Licences and minutes of quantum machines, a little less of each than is asked for when the grid is full."""
    first = len(fabric.capacity)
    count = len(rate)
    wants = np.full(count, -1, np.int64)
    amount = np.ones(count, np.int64)
    chance = draw.random(count)
    licensed = chance < LICENSED
    booked = ~licensed & (chance < LICENSED + ON_QUANTUM)
    wants[licensed] = draw.integers(0, LICENCES, int(licensed.sum()))
    wants[booked] = LICENCES + draw.integers(0, QUANTUM, int(booked.sum()))
    amount[booked] = draw.integers(MINUTES[0], MINUTES[1] + 1, int(booked.sum()))
    some = wants >= 0
    live = np.where(classes.milli > 0, rate, rate * BARE_LIVE) / classes.nodes
    asked = np.bincount(wants[some], (live * amount)[some], LICENCES + QUANTUM)
    room = np.maximum(asked * FLOATING_ROOM, 4 * MINUTES[1]).astype(np.int64)
    made = classes._replace(
        float_first=np.concatenate([[0], np.cumsum(some)]).astype(np.int32),
        float_use=(first + wants[some]).astype(np.int32),
        float_amount=amount[some],
    )
    return fabric._replace(capacity=np.concatenate([fabric.capacity, room])), made


def in_arrays(order: I32, share: float, draw: np.random.Generator) -> I32:
    """Arrivals of which so large a share come as arrays: a run of tasks of the class of the first."""
    out = order.copy()
    mean = sum(ARRAY) / 2
    starts = draw.integers(0, len(order), int(share * len(order) / mean))
    for at, size in zip(starts.tolist(), draw.integers(ARRAY[0], ARRAY[1] + 1, len(starts)).tolist(), strict=True):
        out[at : at + size] = order[at]
    return out
