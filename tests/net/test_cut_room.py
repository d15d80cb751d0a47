"""What a cut would do: the room for each way is that of the whole book, however it was brought up to date."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.plan.worlds import grid_of, link_of, site_of

from suanwang.livenet import CutLook, LineBook, StandingWay
from suanwang.livenet.held import link_holds
from suanwang.model.network import HeldWay, HolderKind
from suanwang.model.plan import Hold
from suanwang.model.snapshot import GridIndex, Snapshot, index_grid

MBPS = 10**6
NOW = 1_000
# From a to d: one link, two over b, two over c; b and c are joined, and one of the links is closed for a while.
ENDS = ("ad", "ab", "bd", "ac", "cd", "bc")


@pytest.fixture(scope="module")
def index() -> GridIndex:
    links = [
        link_of(ends, *ends, capacity=100 * MBPS, price=1 + at, closed=[(NOW + 40, NOW + 60)] if ends == "cd" else ())
        for at, ends in enumerate(ENDS)
    ]
    return index_grid(grid_of([site_of(one) for one in "abcd"], links))


def way(owner: int, bps: int, start_us: int, end_us: int, bound_us: int | None) -> StandingWay:
    held = HeldWay(
        owner=f"task-{owner}",
        kind=HolderKind.PATH,
        source="a",
        target="d",
        links=("ad:ab",),
        bps=bps,
        start_us=start_us,
        end_us=end_us,
        latency_us=1_000,
        promised_us=bound_us,
    )
    return StandingWay(held, (("ad:ab", bps),))


class Afresh(CutLook):
    """Works the room out line by line, for each way again."""

    def _room(self, start_us: int, end_us: int):
        book = self.book
        room = book.layout.empty_room.copy()
        for line in range(len(room)):
            room[line] -= book.ledger.lines.peak(line, start_us, end_us)[0]
        for link in self.down:
            room[2 * book.layout.link_at[link] :][:2] = -1
        return room


def found_by(look: type[CutLook], index: GridIndex, ways: list[StandingWay], held: list[Hold]):
    snapshot = Snapshot(0, index, {}, {"lease-1": tuple(held)} | {one.way.owner: one.holds() for one in ways})
    book = LineBook(index)
    book.follow(snapshot)
    made = look(book, snapshot, ("ad",), NOW, lambda *_: pytest.fail("there is no reservation"))
    return made.look(ways)


WINDOWS = st.sampled_from([(NOW - 10, NOW + 30), (NOW, NOW + 50), (NOW + 20, NOW + 90), (NOW - 5, NOW + 30)])
WAYS = st.lists(
    st.tuples(st.sampled_from([0, 10, 25, 40]), WINDOWS, st.sampled_from([None, 1_500, 2_500])), max_size=12
)
HELD = st.lists(st.tuples(st.sampled_from(ENDS[1:]), st.sampled_from([10, 50, 90]), WINDOWS), max_size=6)


@settings(max_examples=150, deadline=None)
@given(ways=WAYS, held=HELD)
def test_the_answers_are_those_of_a_room_that_is_worked_out_afresh(index, ways, held) -> None:
    holds = [
        Hold(resource="link", key=f"{ends}:ab", bps=mbps * MBPS, start_us=start, end_us=end)
        for ends, mbps, (start, end) in held
    ]
    standing = [way(at, mbps * MBPS, *window, bound) for at, (mbps, window, bound) in enumerate(ways)]
    assert found_by(CutLook, index, standing, holds) == found_by(Afresh, index, standing, holds)


def test_a_book_that_is_looked_at_often_is_worked_out_once_for_each_window(index, monkeypatch) -> None:
    whole, asked = LineBook.room, []
    monkeypatch.setattr(LineBook, "room", lambda self, *window: asked.append(window[:2]) or whole(self, *window))
    standing = [way(at, 5 * MBPS, NOW - at % 2, NOW + 50 + at % 3, None) for at in range(18)]
    found = found_by(CutLook, index, standing, [])
    assert (found.moved, found.broken) == (18, 0)
    assert sorted(asked) == [(NOW, NOW + 50 + end) for end in range(3)], "what began earlier is looked at from now"


@settings(max_examples=100, deadline=None)
@given(held=HELD, window=WINDOWS)
def test_the_peaks_of_all_lines_are_those_of_each(index, held, window) -> None:
    book = LineBook(index)
    for ends, mbps, (start, end) in held:
        owner = way(0, mbps * MBPS, start, end, None).way
        book.ledger.change(link_holds(owner, [(f"{ends}:ba", owner.bps)]), add=True)
    book.follow(Snapshot(0, index, {}, {}))
    lines = book.ledger.lines
    each = [lines.peak(line, *window)[0] for line in range(len(book.layout.empty_room))]
    assert lines.peaks(*window)[:, 0].tolist() == each
    assert np.array_equal(book.room(*window, frozenset()), book.layout.empty_room - np.array(each))
    assert [book.line(book.name(line)) for line in range(book.links)] == list(range(book.links))
