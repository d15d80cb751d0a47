"""Rows that sift: none that fits is passed over, and little that does not fit is left to compare."""

import numpy as np

from suanwang.plan.kernel import Fabric
from suanwang.plan.kernel.index import Free
from suanwang.plan.kernel.layout import STEPS, UNITS, Layout, cpu_row, layout_of, mem_row
from suanwang.plan.kernel.state import all_free, indexed
from suanwang.plan.kernel.types import I32, pool_sums

NODES = 200


def fabric(cards: int) -> Fabric:
    """One pool of big nodes."""
    shape = tuple(np.array(of, np.int32) for of in ((0, NODES), (96_000,), (1_572_864,), (cards,)))
    none = np.empty(0, np.int32)
    route = np.zeros(1, np.int32), none, np.empty(0, np.int64)
    return Fabric(
        np.zeros(1, np.int32), none, np.zeros(1, np.int64), *pool_sums(*shape), *shape, np.empty(0, np.int64), *route
    )


def in_row(layout: Layout, free: Free, row: int) -> I32:
    """Nodes of one row of the only pool."""
    index, words = indexed(layout, free), int(layout.words[0])
    bits = index.bits[row * words : (row + 1) * words]
    return np.flatnonzero(np.unpackbits(bits.view(np.uint8), bitorder="little")).astype(np.int32)


def test_a_step_is_at_most_half_of_what_it_begins_with() -> None:
    step = layout_of(fabric(0)).step.tolist()
    edges = [step.index(one) for one in range(STEPS)]
    assert edges[:8] == [0, 1, 2, 3, 4, 6, 8, 12]
    assert step == sorted(step)
    assert all(2 * (above - edge) <= edge for edge, above in zip(edges[2:], [*edges[3:], UNITS], strict=True))


def test_rows_hold_what_fits_and_hardly_more() -> None:
    draw = np.random.default_rng(5)
    for cards in (0, 8):
        layout, free = layout_of(fabric(cards)), all_free(fabric(cards))
        free.cpu[:] = draw.integers(0, 96_001, NODES) * (draw.random(NODES) < 0.5)
        free.mem[:] = np.exp(draw.uniform(0, np.log(1_572_864), NODES)).astype(np.int32)
        for row_of, have, need in ((cpu_row, free.cpu, 1_000), (cpu_row, free.cpu, 96_000), (mem_row, free.mem, 1_024)):
            row = in_row(layout, free, row_of(layout, 0, need))
            assert set(np.flatnonzero(have >= need)) <= set(row)
            assert (have[row] * 1.6 + 600 > need).all()
            assert (have[row] > 0).all()
