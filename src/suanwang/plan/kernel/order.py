"""Orders: of tasks in a micro-batch, and of candidates under a policy or a guidance."""

import numpy as np

from suanwang.net.jit import kernel
from suanwang.plan.kernel.choose import Order
from suanwang.plan.kernel.types import I32, U8, Classes, Fabric, Guidance, Policy

PRIORITIES = 256


@kernel
def _stable(key: I32, count: int, which: I32, out: I32) -> None:
    """Counting sort of `which` by key, equal keys left in their order."""
    first = np.zeros(count + 1, np.int32)
    for place in which:
        first[key[place] + 1] += 1
    for value in range(count):
        first[value + 1] += first[value]
    for place in which:
        value = key[place]
        out[first[value]] = place
        first[value] += 1


@kernel
def _published(task_class: I32, priority: I32, classes: int, lowest: int, out: I32) -> None:
    arrival = np.arange(task_class.shape[0]).astype(np.int32)
    if lowest == 0:
        _stable(task_class, classes, arrival, out)
        return
    by_class = np.empty_like(arrival)
    _stable(task_class, classes, arrival, by_class)
    _stable(priority, lowest + 1, by_class, out)


def published_order(task_class: I32, priority: U8, classes: int) -> I32:
    """Places of the tasks by (priority, class, arrival): the order in which a batch takes effect."""
    if len(task_class) and (int(task_class.min()) < 0 or int(task_class.max()) >= classes):
        raise ValueError("a task names a class that does not exist")
    out = np.empty(len(task_class), np.int32)
    lowest = int(priority.max()) if len(priority) else 0
    _published(task_class, priority.astype(np.int32), classes, lowest, out)
    return out


def _owner(classes: Classes) -> I32:
    """Class of each candidate, [X]."""
    count = np.diff(classes.cand_first)
    return np.repeat(np.arange(len(count), dtype=np.int32), count)


def policy_order(fabric: Fabric, classes: Classes, policy: Policy) -> Order:
    """Candidates of each class as the policy tries them; no bound on cost, no quotas."""
    order = np.arange(len(classes.cand_pool), dtype=np.int32)
    pool = classes.cand_pool
    if policy == Policy.FIRST_FIT:
        order = np.lexsort((order, pool, _owner(classes))).astype(np.int32)
    elif policy == Policy.CHEAPEST_SITE:
        order = np.lexsort((order, pool, fabric.pool_price[pool], _owner(classes))).astype(np.int32)
    elif policy == Policy.NEAREST_SITE:
        padded = np.append(fabric.route_latency_us, 0)  # route -1 crosses nothing
        order = np.lexsort((order, padded[classes.cand_route], _owner(classes))).astype(np.int32)
    none = np.zeros(len(classes.cand_first), np.int32)
    return Order(order, classes.cand_first[1:].astype(np.int32), none, np.empty(0, np.int32))


def guided_order(classes: Classes, guidance: Guidance) -> Order:
    """Quotas first, then candidates by cost plus bid prices up to the cost of refusing."""
    order = guidance.bid_order.astype(np.int32)
    if len(guidance.quota) != len(classes.cand_pool) or not np.array_equal(_owner(classes)[order], _owner(classes)):
        raise ValueError("the guidance is of other classes")
    if len(np.unique(order)) != len(order):
        raise ValueError("the guidance names a candidate twice")
    owner = _owner(classes)
    bid = guidance.bid_cost[order]
    if (bid[1:] < bid[:-1])[owner[1:] == owner[:-1]].any():
        raise ValueError("the candidates of the guidance do not stand by their bids")
    affordable = bid <= classes.reject_cost[owner]
    ends = classes.cand_first[:-1] + np.bincount(owner[affordable], minlength=len(classes.cpu))
    quoted = guidance.quota[order] > 0
    first = np.concatenate([[0], np.cumsum(np.bincount(owner[quoted], minlength=len(classes.cpu)))])
    return Order(order, ends.astype(np.int32), first.astype(np.int32), order[quoted])
