"""The batch checker accepts what the kernel decides and finds one changed figure in it, whichever it is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.plan.kernel_worlds import small_classes, small_fabric, small_tasks

from suanwang.plan.kernel import Classes, Decisions, Fabric, Reason, State, decide, release
from suanwang.plan.kernel.types import join, take
from suanwang.verify import batch_clauses, batch_rows
from suanwang.verify.batch import BatchChecker, BatchFault, RowFault

F = BatchFault
seeds = st.integers(0, 2**32)


def history(seed: int) -> tuple[Fabric, Classes, Decisions]:
    """Decisions, the release of some, and more decisions."""
    draw = np.random.default_rng(seed)
    fabric = small_fabric(draw)
    classes = small_classes(draw, fabric)
    state = State(fabric, classes)
    first = decide(state, small_tasks(draw, classes, 40))
    gone = release(state, take(first, (first.reason <= Reason.MEMBER) & (first.task % 3 == 0)))
    return fabric, classes, join([first, gone, decide(state, small_tasks(draw, classes, 40, first=100))])


@settings(max_examples=60, deadline=None)
@given(seed=seeds, cut=st.integers(0, 200))
def test_what_the_kernel_decides_is_sound(seed: int, cut: int) -> None:
    fabric, classes, rows = history(seed)
    checker = BatchChecker(fabric, classes, slots=2)
    starts = np.flatnonzero((rows.reason != Reason.MEMBER) & (rows.reason != Reason.RELEASED_MEMBER))
    at = int(starts[cut % len(starts)])
    assert checker.check(take(rows, slice(0, at))) is None
    assert checker.check(take(rows, slice(at, None))) is None
    assert checker.oversubscribed() == 0
    assert checker.held() == (rows.reason == Reason.PLACED).sum() - (rows.reason == Reason.RELEASED).sum()


COLUMNS = ("task_class", "candidate", "node", "cost", "nodes", "cards", "reason")


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 40), where=st.integers(0, 10_000), column=st.sampled_from(COLUMNS), by=st.integers(1, 9))
def test_one_changed_figure_is_found(seed: int, where: int, column: str, by: int) -> None:
    """Every change but a sound one: another node with room, another refusal. Their release then gives them away."""
    fabric, classes, rows = history(seed)
    live = rows.reason <= Reason.MEMBER
    gone = np.isin(rows.task, rows.task[rows.reason >= Reason.RELEASED]) | ~live
    end = take(rows, ~gone)
    rows = join([rows, end._replace(cost=end.cost * 0, reason=(end.reason + 2).astype(np.uint8))])
    assert BatchChecker(fabric, classes).check(rows) is None
    moved = np.flatnonzero(rows.reason <= Reason.RELEASED_MEMBER)
    if not len(moved):
        return
    changed = getattr(rows, column).copy()
    at = moved[where % len(moved)]
    changed[at] = (int(changed[at]) + by) % 250
    if changed[at] == getattr(rows, column)[at]:
        return
    assert BatchChecker(fabric, classes).check(rows._replace(**{column: changed})) is not None


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 40), where=st.integers(0, 10_000), twice=st.booleans())
def test_a_release_lost_or_repeated_is_found(seed: int, where: int, twice: bool) -> None:
    fabric, classes, rows = history(seed)
    places = np.flatnonzero(rows.reason == Reason.RELEASED)
    if not len(places):
        return
    task = rows.task[places[where % len(places)]]
    mine = (rows.task == task) & (rows.reason >= Reason.RELEASED) & (rows.reason <= Reason.RELEASED_MEMBER)
    again = take(rows, (rows.task == task) & (rows.reason <= Reason.MEMBER))
    checker = BatchChecker(fabric, classes)
    wrong = [rows, take(rows, mine)] if twice else [take(rows, ~mine), again]
    found = checker.check(join(wrong))
    assert found is not None
    assert found.fault == (F.NOT_HELD if twice else F.TWICE) or not twice


def one_world() -> tuple[Fabric, Classes]:
    """A pool of two nodes with two cards, and one without nodes; a link crossed twice by route 0, once by route 1."""
    i32, i64 = (lambda *of: np.array(of, np.int32)), (lambda *of: np.array(of, np.int64))
    fabric = Fabric(
        pool_site=i32(0, 0), pool_model=i32(0, -1), pool_price=i64(1, 1),
        pool_cpu=i64(20, 12), pool_mem=i64(20, 12), pool_milli=i64(4_000, 0), node_first=i32(0, 2, 2),
        shape_cpu=i32(10, 0), shape_mem=i32(10, 0), shape_cards=i32(2, 0), capacity=i64(100, 3),
        route_first=i32(0, 2, 3), route_use=i32(0, 0, 0), route_latency_us=i64(500, 900),
    )  # fmt: skip
    classes = Classes(  # 0: a card; 1: a share; 2: processor; 3: a gang of two; 4: a licence
        cpu=i32(2, 1, 6, 3, 1), mem=i32(2, 1, 6, 3, 1), cards=i32(1, 1, 0, 0, 0), milli=i32(1_000, 600, 0, 0, 0),
        mbps=i64(30, 0, 0, 0, 0), nodes=i32(1, 1, 1, 2, 1), latency_bound_us=i64(800, 800, 800, 800, 800),
        reject_cost=i64(9, 9, 9, 9, 9), cand_first=i32(0, 2, 3, 5, 6, 7), cand_pool=i32(0, 0, 0, 0, 1, 0, 0),
        cand_route=i32(0, 1, -1, -1, -1, -1, -1), cand_cost=i64(5, 6, 5, 5, 6, 5, 5),
        float_first=i32(0, 0, 0, 0, 0, 1), float_use=i32(1), float_amount=i64(2),
    )  # fmt: skip
    return fabric, classes


Row = tuple[int, int, int, int, int, int, int, int]
CARD: Row = (1, 0, 0, 0, 5, 1, 1, 0)  # task, class, candidate, node, cost, nodes, cards, reason
SHARE: Row = (2, 1, 2, 0, 5, 1, 2, 0)
CPU: Row = (3, 2, 3, 1, 5, 1, 0, 0)
BARE: Row = (4, 2, 4, -1, 6, 1, 0, 0)
GANG: tuple[Row, Row] = ((5, 3, 5, 0, 5, 2, 0, 0), (5, 3, 5, 1, 0, 1, 0, 1))
FLOATING: Row = (6, 4, 6, 0, 5, 1, 0, 0)


def with_(row: Row, **parts: int) -> Row:
    return tuple(Decisions(*row)._replace(**parts))  # type: ignore[arg-type]


def gone(row: Row) -> Row:
    return with_(row, cost=0, reason=row[-1] + 2)


def check(*rows: Row) -> RowFault | None:
    types = (np.int64, np.int32, np.int32, np.int32, np.int64, np.uint16, np.uint8, np.uint8)
    columns = [np.array([row[at] for row in rows], kind) for at, kind in enumerate(types)]
    return BatchChecker(*one_world()).check(Decisions(*columns))


def test_a_sound_history() -> None:
    rows = [CARD, SHARE, CPU, BARE, FLOATING]
    assert check(*rows, *(gone(row) for row in rows), *GANG, *(gone(row) for row in GANG), CARD) is None


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([with_(CARD, reason=4)], F.REASON),
        ([with_(CARD, reason=13)], F.REASON),
        ([with_(CARD, task_class=5)], F.CLASS),
        ([with_(CARD, candidate=2)], F.CANDIDATE),
        ([with_(CARD, node=2)], F.NODE),
        ([with_(CARD, node=-1)], F.NODE),
        ([with_(BARE, node=0)], F.NODE),
        ([with_(CARD, candidate=1, cost=6)], F.LATENCY),
        ([with_(CARD, cost=4)], F.COST),
        ([with_(CARD, cards=3)], F.CARDS),
        ([with_(CARD, cards=0)], F.CARDS),
        ([with_(CARD, cards=4)], F.CARDS),
        ([CPU, with_(CPU, task=9)], F.CPU_OVER),
        ([SHARE, with_(SHARE, task=9)], F.CARD_OVER),
        ([CARD, with_(SHARE, cards=1)], F.CARD_OVER),
        ([BARE, with_(BARE, task=8), with_(BARE, task=9)], F.POOL_OVER),
        ([CARD, with_(CARD, task=9, cards=2)], F.SHARED_OVER),  # 2 x 60 of 100
        ([FLOATING, with_(FLOATING, task=9)], F.SHARED_OVER),
        ([GANG[0]], F.GANG),
        ([GANG[0], CARD], F.GANG),
        ([GANG[1]], F.GANG),
        ([GANG[0], with_(GANG[1], node=0)], F.GANG),
        ([GANG[0], with_(GANG[1], task=6)], F.GANG),
        ([GANG[0], (7, 0, -1, -1, 0, 1, 0, 9)], F.GANG),
        ([with_(GANG[0], nodes=1)], F.GANG),
        ([CARD, CARD], F.TWICE),
        ([gone(CARD)], F.NOT_HELD),
        ([CARD, gone(with_(CARD, cards=2))], F.NOT_HELD),
        ([CPU, gone(with_(CPU, node=0))], F.NOT_HELD),
        ([CPU, FLOATING, with_(CPU, task=7, node=0), gone(with_(CPU, node=0))], F.NOT_HELD),
        ([*GANG, gone(GANG[0])], F.GANG),
        ([(7, 0, 0, -1, 0, 1, 0, 9)], F.REFUSED),
    ],
)
def test_each_fault(rows: list[Row], fault: BatchFault) -> None:
    found = check(*rows)
    assert found is not None
    assert found == RowFault(found.row, fault)


def test_memory_is_its_own_figure() -> None:
    fabric, classes = one_world()
    checker = BatchChecker(fabric._replace(shape_mem=np.array([5, 0], np.int32)), classes)
    types = (np.int64, np.int32, np.int32, np.int32, np.int64, np.uint16, np.uint8, np.uint8)
    rows = Decisions(*(np.array([part], kind) for part, kind in zip(CPU, types, strict=True)))
    assert checker.check(rows) == RowFault(0, F.MEMORY_OVER)
    checker.books.mem[0] = 6
    assert checker.oversubscribed() == 1


def test_the_numbers_are_the_planners() -> None:
    """Written twice, so that neither side can change them alone."""
    names = ("PLACED", "MEMBER", "RELEASED", "RELEASED_MEMBER")
    assert [getattr(batch_rows, name) for name in names] == [Reason[name] for name in names]
    refused = [one for one in Reason if one > Reason.RELEASED_MEMBER]
    assert (min(refused), max(refused)) == (batch_rows.REFUSED_FROM, batch_rows.REFUSED_TO)
    for fault in BatchFault:
        if fault:
            where = batch_clauses if fault >= BatchFault.KIND else batch_rows
            assert getattr(where, fault.name) == fault
    assert batch_clauses.LATENCY == BatchFault.LATENCY


def test_tasks_with_any_numbers_find_their_slots() -> None:
    """Numbers that share a home slot, come and go; the table stays what a dictionary is."""
    draw = np.random.default_rng(1)
    table = np.zeros((64, 4), np.int64)
    table[:, 1] = -1
    tasks = [int(one) for one in draw.integers(-(2**63), 2**63 - 1, 20)] + [64 * one for one in range(20)]
    known: dict[int, int] = {}
    for step in range(3_000):
        task = tasks[draw.integers(len(tasks))]
        slot = batch_rows._slot_of(table, task)
        assert (table[slot, 1] != -1) == (task in known)
        if task in known:
            assert table[slot, 1] == known.pop(task)
            batch_rows._remove(table, slot)
        elif len(known) < 32:
            table[slot] = (task, step, 0, 0)
            known[task] = step
