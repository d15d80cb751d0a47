"""Make the compiled parts ready before the first batch waits for them."""

import numpy as np

from suanwang.plan.kernel.decide import decide, release
from suanwang.plan.kernel.live import Live
from suanwang.plan.kernel.state import State
from suanwang.plan.kernel.types import I32, I64, Classes, Fabric, Tasks, no_floating, pool_sums


def _i32(*of: int) -> I32:
    return np.array(of, np.int32)


def _i64(*of: int) -> I64:
    return np.array(of, np.int64)


def warm() -> None:
    """Place and release two shares of a card: loads the compiled kernels, or compiles them the first time."""
    shape = _i32(0, 4), _i32(8), _i32(8), _i32(2)
    route = _i32(0, 1), _i32(0), _i64(5)
    fabric = Fabric(_i32(0), _i32(0), _i64(1), *pool_sums(*shape), *shape, _i64(9), *route)
    needs = _i32(1), _i32(1), _i32(1), _i32(500), _i64(1), _i32(1), _i64(9), _i64(9)
    candidates = _i32(0, 1), _i32(0), _i32(0), _i64(1)
    state, live = State(fabric, Classes(*needs, *candidates, *no_floating(1))), Live()
    live.remember(decide(state, Tasks(_i64(0, 1), _i32(0, 0), np.zeros(2, np.uint8))))
    release(state, live.recall(_i64(0, 1)))
