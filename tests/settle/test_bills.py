"""Bills of many attempts: the rows that one attempt gets alone, to the last figure."""

from hypothesis import given
from hypothesis import strategies as st
from tests.settle.test_settle import NIGHT, grid, plan_of

from suanwang.model.grid import TimeOfUse
from suanwang.model.plan import Demand
from suanwang.model.snapshot import index_grid
from suanwang.model.units import GIB, US_PER_DAY, US_PER_HOUR
from suanwang.settle import Bills, settle_rows

PLAIN = index_grid(grid())
BANDS = index_grid(
    grid((TimeOfUse(from_hour=0, to_hour=8, permille=500), TimeOfUse(from_hour=18, to_hour=22, permille=1500)))
)
KEPT = {id(index): Bills(index) for index in (PLAIN, BANDS)}  # one for all examples, as for all attempts of a brain
DEMANDS = st.sampled_from([
    ("a/g", Demand(cores=3, memory_bytes=5 * GIB)),
    ("a/g", Demand(cores=1, memory_bytes=0)),
    ("a/ai", Demand(cores=8, memory_bytes=GIB, accelerators=2)),
    ("a/h", Demand(nodes=3)),
    ("a/q", Demand(nodes=1)),
])  # fmt: skip


@given(
    place=DEMANDS,
    banded=st.booleans(),
    bps=st.sampled_from((0, 0, 1, 10**9, 7 * 10**11)),
    moved=st.sampled_from((0, 0, 0, 3 * GIB)),
    shots=st.sampled_from((0, 0, 999)),
    begin_us=st.integers(0, US_PER_DAY),
    held_us=st.one_of(st.integers(-1, 2), st.integers(0, 3 * US_PER_DAY), st.just(US_PER_HOUR)),
)
def test_safety_a_bill_among_many_is_the_bill_alone(place, banded, bps, moved, shots, begin_us, held_us):
    index, start_us = BANDS if banded else PLAIN, NIGHT + begin_us
    plan = plan_of(*place, bps, moved)
    alone = settle_rows(plan, index, shots, start_us, start_us + held_us)
    assert KEPT[id(index)].rows(plan, shots, start_us, start_us + held_us) == alone
