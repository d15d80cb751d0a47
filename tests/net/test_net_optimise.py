"""The optimiser on live ways: demands and lists that pin them, the bound where the program does not end, parts past pools."""

from pathlib import Path

import numpy as np
import pytest
from te_worlds import random_world
from tests.plan.worlds import grid_of, link_of, site_of

from suanwang.guide.mcf import McfBound
from suanwang.livenet import LineBook, StandingWay, matrix_of
from suanwang.model.grid import ProtectionFunction
from suanwang.model.ids import SecurityPoolId, SiteId
from suanwang.model.network import HeldWay, HolderKind, OptimiseAsk
from suanwang.model.plan import ProtectionStep
from suanwang.model.snapshot import index_grid
from suanwang.net.topology import write_demands, write_graph
from suanwang.runtime import network_optimise


def test_a_bound_by_prices_is_below_that_of_the_program(tmp_path: Path, monkeypatch):
    one = random_world(5, nodes=8)
    graph, demands = tmp_path / "x.graph", tmp_path / "x.demands"
    graph.write_text(write_graph(one.topology))
    demands.write_text(write_demands(one.demands))
    exact = network_optimise.optimise_files(graph, demands, OptimiseAsk())
    monkeypatch.setattr(network_optimise, "lp_bound", lambda *_: McfBound(0.0, "dual"))
    weak = network_optimise.optimise_files(graph, demands, OptimiseAsk())
    assert (exact.bound_kind, weak.bound_kind) == ("lp", "dual")
    assert 0 < weak.bound_ppm <= exact.bound_ppm <= exact.after_ppm + 1
    assert exact.faults == weak.faults == ()


def way(links: list[str], ends: str, bps: int = 5, bound_us: int | None = None, latency_us: int = 0) -> HeldWay:
    return HeldWay(
        owner="task-1",
        kind=HolderKind.PATH,
        source=SiteId(ends[0]),
        target=SiteId(ends[-1]),
        links=tuple(links),
        bps=bps,
        start_us=0,
        end_us=10,
        latency_us=latency_us,
        promised_us=bound_us,
    )


@pytest.fixture
def index():
    """a - b - d is quick for the IGP, a - c - d slow."""
    links = [
        link_of("ab", "a", "b", latency=1_000),
        link_of("bd", "b", "d", latency=1_000),
        link_of("ac", "a", "c", latency=2_000),
        link_of("cd", "c", "d", latency=3_000),
    ]
    return index_grid(grid_of([site_of(one) for one in "abcd"], links))


def held(one: HeldWay, steps: tuple[ProtectionStep, ...] = ()) -> StandingWay:
    return StandingWay(one, tuple((link, one.bps) for link in one.links), steps)


def test_a_way_of_the_igp_has_no_list_and_another_is_pinned(index):
    plain, other = way(["ab:ab", "bd:ab"], "ad"), way(["ac:ab", "cd:ab"], "ad")
    over = way(["ab:ab"], "ab").model_copy(update={"end_us": 3})
    nothing = way(["ab:ab"], "ab", bps=0)
    matrix = matrix_of(index, [held(one) for one in (plain, other, over, nothing)], frozenset(), 5)
    assert matrix.demands.q == 2
    assert [[one.segments for one in lists] for lists in matrix.installed.lists] == [[], [(2, 3)]]


def test_a_way_past_a_pool_is_parts_that_share_its_bound(index):
    step = ProtectionStep(function=ProtectionFunction.IDS, security_pool=SecurityPoolId("c/ids"), site=SiteId("c"))
    one = way(["ac:ab", "cd:ab"], "ad", bound_us=10_000, latency_us=5_000)
    matrix = matrix_of(index, [held(one, (step,))], frozenset(), 5)
    ends = list(zip(matrix.demands.source.tolist(), matrix.demands.target.tolist(), strict=True))
    assert ends == [(0, 2), (2, 3)]
    assert matrix.bound_us.tolist() == [4_000, 6_000]


def test_links_that_carry_nothing_are_left_out(index):
    matrix = matrix_of(index, [held(way(["ac:ab", "cd:ab"], "ad"))], frozenset({"ab"}), 5)
    assert matrix.installed.lists == ((),)  # without the quick one it is the IGP's own way
    assert np.flatnonzero(~matrix.plane.usable).tolist() == [0, 1]


def test_a_book_of_lines_has_no_room_on_what_is_down(index):
    book = LineBook(index)
    assert book.room(0, 9, frozenset()).tolist() == [10**9] * 8
    assert book.room(0, 9, frozenset({"bd"})).tolist()[2:4] == [-1, -1]
