"""Make the compiled parts ready before the first batch waits for them."""

import numpy as np

from suanwang.plan.kernel import fragmentation
from suanwang.plan.kernel.decide import decide, release
from suanwang.plan.kernel.live import Live
from suanwang.plan.kernel.state import State
from suanwang.plan.kernel.types import I32, I64, Classes, Decisions, Fabric, Tasks, no_floating, pool_sums


def _i32(*of: int) -> I32:
    return np.array(of, np.int32)


def _i64(*of: int) -> I64:
    return np.array(of, np.int64)


def warm() -> None:
    """Load the compiled kernels, or compile them the first time."""
    warm_bulk()
    warm_nodes()


def warm_bulk() -> tuple[Fabric, Classes, Decisions]:
    """Place and release two shares of a card; returns the rows of the placement with what they refer to."""
    shape = _i32(0, 4), _i32(8), _i32(8), _i32(2)
    route = _i32(0, 1), _i32(0), _i64(5)
    fabric = Fabric(_i32(0), _i32(0), _i64(1), *pool_sums(*shape), *shape, _i64(9), *route)
    needs = _i32(1), _i32(1), _i32(1), _i32(500), _i64(1), _i32(1), _i64(9), _i64(9)
    candidates = _i32(0, 1), _i32(0), _i32(0), _i64(1)
    state, live = State(fabric, Classes(*needs, *candidates, *no_floating(1))), Live(2)  # it grows
    rows = decide(state, Tasks(_i64(0, 1), _i32(0, 0), np.zeros(2, np.uint8)))
    live.remember(rows)
    release(state, live.recall(_i64(0, 1)))
    return fabric, state.classes, rows


def warm_nodes() -> None:
    """Put a share of a card on a node by the node policy, and take it away."""
    needs = fragmentation.Needs(_i64(1), _i64(1), _i64(1), _i64(500), _i64(-1))
    policy = fragmentation.NodePolicy.LEAST_LOSS
    nodes = fragmentation.make_nodes(_i64(8), _i64(8), _i64(2), _i64(0))
    pool = fragmentation.make_pool(nodes, needs, fragmentation.make_expected(needs, [1], 1, policy))
    node, mask = fragmentation.place(pool, policy, _i32(0))
    fragmentation.release(pool, 0, int(node[0]), int(mask[0]))
