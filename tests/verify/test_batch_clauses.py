"""The static clauses of candidates, from the raw figures: a second opinion in plain Python, and each fault by its name."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.plan.ground_worlds import ROUTES, World, allowed, ground_world
from tests.plan.kernel_worlds import small_tasks

from suanwang.plan.kernel import Asks, Classes, Fabric, Ground, State, decide
from suanwang.verify.batch import BatchChecker, BatchFault
from suanwang.verify.batch_clauses import clause_faults


def everything(world: World) -> tuple[Classes, list[tuple[int, int, int]]]:
    """All pairs of pool and route as candidates of every class."""
    fabric, classes, _, _ = world
    pools = len(fabric.pool_site)
    pairs = [(pool, route) for pool in range(pools) for route in range(-1, ROUTES)]
    many = len(classes.cpu)
    rows = [(one, *pair) for one in range(many) for pair in pairs]
    pool, route = np.array([row[1] for row in rows], np.int32), np.array([row[2] for row in rows], np.int32)
    first = np.arange(many + 1, dtype=np.int32) * len(pairs)
    cost = np.ones(len(rows), np.int64)
    return classes._replace(cand_first=first, cand_pool=pool, cand_route=route, cand_cost=cost), rows


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_says_what_plain_python_says(seed: int) -> None:
    _, world = ground_world(seed, classes=4)
    classes, rows = everything(world)
    faults = clause_faults(world.fabric, classes, world.ground, world.asks)
    late = world.fabric.route_latency_us[classes.cand_route] > np.repeat(classes.latency_bound_us, len(rows) // 4)
    sound = (faults == 0) & ~(late & (classes.cand_route >= 0))  # the bound of a route is checked with each row
    wanted = [allowed(world.fabric, classes, world.ground, world.asks, *row) for row in rows]
    assert sound.tolist() == wanted


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_sound_decisions_pass(seed: int) -> None:
    draw, world = ground_world(seed)
    rows = decide(State(world.fabric, world.classes), small_tasks(draw, world.classes, 60))
    assert BatchChecker(world.fabric, world.classes, ground=world.ground, asks=world.asks).check(rows) is None


def one_way() -> World:
    """Vertices 0 - 1 - 2; a site at 1 and one at 2; a security pool at 1 that offers functions 1 and 2."""
    i32, i64 = (lambda *of: np.array(of, np.int32)), (lambda *of: np.array(of, np.int64))
    fabric = Fabric(
        i32(0, 1), i32(0, 3), i64(1, 1), i64(9, 9), i64(9, 9), i64(9_000, 9_000), i32(0, 0, 0), i32(0, 0), i32(0, 0),
        i32(0, 0), i64(10, 10, 10), i32(0, 1, 4, 6), i32(0, 0, 2, 1, 0, 1), i64(110, 270, 250),
    )  # fmt: skip
    classes = Classes(
        i32(1), i32(1), i32(1), i32(1_000), i64(5), i32(1), i64(300), i64(9), i32(0, 1), i32(1), i32(1), i64(5),
        i32(0, 0), i32(), i64(),
    )  # fmt: skip
    ground = Ground(
        i32(1, 2), i64(10, 10), i32(0, 1), i32(1, 2), i32(0, 1), i64(0, 2), i32(0, 1), i32(1, 2), i64(100, 140), i32(1), i64(6),
        i64(20),
    )  # fmt: skip
    return World(fabric, classes, ground, Asks(i32(0), i64(2), i64(8), i64(5), i32(2), i64(2), i64(0x21)))


@pytest.mark.parametrize(
    ("part", "column", "value", "fault"),
    [
        ("asks", "kinds", 1, BatchFault.KIND),
        ("asks", "models", 7, BatchFault.MODEL),
        ("asks", "abilities", 3, BatchFault.ABILITY),
        ("asks", "level", 3, BatchFault.LEVEL),
        ("asks", "regions", 1, BatchFault.REGION),
        ("asks", "origin", 1, BatchFault.ROUTE),
        ("asks", "functions", 0x3, BatchFault.PROTECTION),
        ("classes", "cand_route", 0, BatchFault.ROUTE),  # ends at the other site
        ("classes", "cand_route", 2, BatchFault.PROTECTION),
        ("classes", "cand_route", -1, BatchFault.ROUTE),  # holds bandwidth on nothing
        ("classes", "latency_bound_us", 260, BatchFault.LATENCY),
    ],
)
def test_each_clause_by_its_name(part: str, column: str, value: int, fault: BatchFault) -> None:
    world = one_way()
    rows = decide(State(world.fabric, world.classes), small_tasks(np.random.default_rng(1), world.classes, 1))
    assert BatchChecker(world.fabric, world.classes, ground=world.ground, asks=world.asks).check(rows) is None
    changed = getattr(world, part)
    changed = changed._replace(**{column: np.full_like(getattr(changed, column), value)})
    wrong = world._replace(**{part: changed})
    found = BatchChecker(wrong.fabric, wrong.classes, ground=wrong.ground, asks=wrong.asks).check(rows)
    assert found == (0, fault)


@pytest.mark.parametrize(("column", "value"), [("link_us", 99), ("link_to", 0), ("link_from", 2)])
def test_a_road_that_is_not_as_the_links_are(column: str, value: int) -> None:
    world = one_way()
    ground = world.ground._replace(**{column: np.full_like(getattr(world.ground, column), value)})
    assert clause_faults(world.fabric, world.classes, ground, world.asks).tolist() == [BatchFault.ROUTE]


def test_a_class_that_holds_no_road_is_as_far_as_the_nearest_way() -> None:
    world = one_way()
    classes = world.classes._replace(mbps=np.zeros(1, np.int64), cand_route=np.full(1, -1, np.int32))
    asks = world.asks._replace(functions=np.zeros(1, np.int64))
    for bound, fault in ((250, 0), (249, BatchFault.LATENCY)):
        late = classes._replace(latency_bound_us=np.full(1, bound, np.int64))
        assert clause_faults(world.fabric, late, world.ground, asks).tolist() == [fault]
    assert clause_faults(world.fabric, classes, world.ground, world.asks).tolist() == [BatchFault.PROTECTION]


def test_ground_and_asks_come_together() -> None:
    world = one_way()
    with pytest.raises(ValueError, match="together"):
        BatchChecker(world.fabric, world.classes, ground=world.ground)
