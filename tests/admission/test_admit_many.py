"""Admission of many at once never lets in what would be refused alone, and says nothing of what it is not sure of."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.admission.test_admit import EASY, INDEX, NOW, ROWS, SITE, TENANT, ask

from suanwang.admission.admit import Admitted, Applicant, Standing, admit, plainly_admitted
from suanwang.model.task import Resources, elements_of

PARENT = TENANT.model_copy(update={"id": "p", "live_tasks_max": 4, "cores_max": 40})
ASKS = st.sampled_from([
    ask(), ask(origin=SITE), ask(resources=Resources(cpu=9)), ask(resources=Resources(cpu=9), array=3),
    ask(resources=Resources(accelerators=3)), ask(priority=51), ask(security_level=4), ask(origin="nowhere"),
    ask(deadline=NOW + 1), ask(secrets=("TOKEN",)), ask(owners=("nobody",)),
])  # fmt: skip
STANDINGS = st.builds(
    Standing, st.integers(0, 3), st.sampled_from((0, 20, 60)), st.sampled_from((0, 5)), st.sampled_from((0, 999, 1_000))
)


@pytest.mark.parametrize(("request_", "standing", "reasons"), ROWS)
def test_one_that_is_refused_is_not_plain(request_, standing, reasons):
    (plain,) = plainly_admitted([request_], [(TENANT, standing)], INDEX)
    assert not (plain and reasons)


def test_plain_ones_are_seen_to_be():
    assert plainly_admitted([ask(), ask(origin=SITE, priority=50)], [(TENANT, EASY)], INDEX) == [True, True]


@given(asks=st.lists(ASKS, max_size=6), own=STANDINGS, above=STANDINGS, seed=st.integers(0, 99))
def test_safety_what_is_plain_is_admitted_in_any_order(asks, own, above, seed):
    plain = plainly_admitted(asks, [(TENANT, own), (PARENT, above)], INDEX)
    order = list(zip(asks, plain, strict=True))
    Random(seed).shuffle(order)
    for request, is_plain in order:
        answer = admit(Applicant(request, TENANT, own, INDEX, NOW, frozenset(), ((PARENT, above),)))
        if is_plain:
            assert isinstance(answer, Admitted)
        if isinstance(answer, Admitted):
            own, above = _with(own, request), _with(above, request)


def _with(standing: Standing, request) -> Standing:
    res, count = request.resources, request.resources.nodes * elements_of(request)
    return Standing(
        standing.live_tasks + 1,
        standing.cores + res.cpu * count,
        standing.accelerators + res.accelerators * count,
        standing.spent_micro_yuan,
    )
