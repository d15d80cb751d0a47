"""The price of a demand in every pool of a kind, for a run of one span."""

import numpy as np

from suanwang.net.jit import kernel
from suanwang.net.network import Ints
from suanwang.plan.layout import Tariffs
from suanwang.plan.money import Asked, compute_price


@kernel
def prices(kind: int, start_us: int, end_us: int, asked: Asked, tariffs: Tariffs) -> Ints:
    """Micro-yuan in each pool of a kind, UNSURE as in `compute_price`; 0 in pools of other kinds."""
    out = np.zeros(len(tariffs.kind), np.int64)
    for pool in range(len(tariffs.kind)):
        if tariffs.kind[pool] == kind:
            out[pool] = compute_price(pool, start_us, end_us, asked, tariffs)
    return out
