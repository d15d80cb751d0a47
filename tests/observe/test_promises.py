"""Measured paths that are out of their promise: when they are told, what is suspected, and that nothing flaps."""

from itertools import pairwise
from typing import Any

import pytest

from suanwang.model.ids import SecurityPoolId, TaskId
from suanwang.model.path_report import PathFault, PathReport
from suanwang.model.wanted import FunctionUse, NetworkReport, PassedPool, ProbedPath, TaskFlow, late_after_us
from suanwang.observe.promises import PAUSE_US, PAUSE_US_MAX, ROUNDS, SUSPECT_US, SUSPECTS_MAX, Promises

S = 1_000_000
NOW = 1_790_000_000 * S
TASK, POOL = TaskId("task-1"), SecurityPoolId("a/fw")
BOUND_US = 20_000


class Round:
    """One task, whose path the test chooses, measured once a second."""

    def __init__(self) -> None:
        self.promises, self.now_us = Promises(), NOW

    def measure(
        self,
        path: str = "p1",
        mean_us: int = 1_000,
        p90_us: int | None = None,
        received: int = 10,
        full: bool = False,
        site: str = "far",
        seconds: int = 1,
        links: tuple[str, ...] = (),
    ) -> PathReport | None:
        self.now_us += seconds * S
        flow = TaskFlow(
            task_id=TASK,
            plan_id=path,
            origin="home",
            site=site,
            links=links or (f"{path}:ab",),
            pools=(PassedPool(function="firewall", security_pool=POOL, site="a", after=1),),
            bandwidth_bps=1,
            latency_us=1,
            promise_us=BOUND_US,
        )
        seen = ProbedPath(
            task_id=TASK,
            plan_id=path,
            sent=10,
            received=received,
            mean_us=mean_us,
            p90_us=p90_us,
            maximum_us=max(mean_us, p90_us or 1),
        )
        report = NetworkReport(
            agent="n",
            at_us=self.now_us,
            measured_at_us=self.now_us,
            interval_us=S,
            functions=(FunctionUse(security_pool=POOL, bandwidth_bps=100 if full else 0, alive=True),),
            paths=(seen,),
        )
        found = self.promises.judge(report, {TASK: flow}, {POOL: 100})
        assert len(found) <= 1
        return found[0] if found else None


BAD: dict[str, Any] = {"received": 0}


def told_s(one: Round, seconds: int, **bad: Any) -> list[int]:
    """The seconds at which something was told."""
    begin_us = one.now_us
    return [(one.now_us - begin_us) // S for _ in range(seconds) if one.measure(**(bad or BAD)) is not None]


@pytest.mark.parametrize(
    ("promise_us", "links", "late_us"),
    [(1_000, 1, 1_300), (20_000, 3, 20_500), (20_000, 8, 21_000), (50_000, 3, 50_500), (90_000, 3, 90_900)],
)
def test_the_tolerance_is_a_hundredth_or_so_much_a_link(promise_us: int, links: int, late_us: int) -> None:
    assert late_after_us(promise_us, links) == late_us


def test_it_is_the_ninth_of_ten_that_is_judged_and_not_the_mean() -> None:
    """Two late packets hide in a mean; one may be the machine's own."""
    one = Round()
    assert told_s(one, 60, mean_us=BOUND_US + 9_000, p90_us=late_after_us(BOUND_US, 1)) == []
    late: dict[str, Any] = {"mean_us": BOUND_US - 9_000, "p90_us": late_after_us(BOUND_US, 1) + 1}
    told = [found for _ in range(ROUNDS) if (found := one.measure(**late)) is not None]
    assert [(found.kind, found.measured_us) for found in told] == [(PathFault.DELAY, late["p90_us"])]


def test_it_must_be_late_twice_on_end() -> None:
    one = Round()
    for _ in range(20):
        assert one.measure(p90_us=90_000) is None
        assert one.measure(p90_us=1_000) is None


def test_what_a_measurement_may_err_is_no_delay() -> None:
    one = Round()
    assert told_s(one, 60, mean_us=late_after_us(BOUND_US, 1)) == []
    assert told_s(one, 2, mean_us=late_after_us(BOUND_US, 1) + 1) == [ROUNDS]


def test_the_pause_before_it_is_told_again_doubles_to_a_limit() -> None:
    one = Round()
    at = told_s(one, 7_200)
    gaps_us = [(after - before) * S for before, after in pairwise(at)]
    assert at[0] == ROUNDS
    assert gaps_us[:4] == [PAUSE_US, 2 * PAUSE_US, 4 * PAUSE_US, 8 * PAUSE_US]
    assert gaps_us[-1] == PAUSE_US_MAX == max(gaps_us)


def test_good_rounds_between_do_not_shorten_the_pause_but_a_long_calm_does() -> None:
    one = Round()
    for _ in range(6):
        told_s(one, 400)
    pause_us = one.promises._past[TASK].pause_us
    assert pause_us > 60 * S
    assert one.measure() is None
    assert told_s(one, 10) == []
    assert one.measure(seconds=2 * PAUSE_US_MAX // S + 400) is None
    assert told_s(one, 8) == [ROUNDS, ROUNDS + PAUSE_US // S]


def test_what_is_worse_is_told_at_once_and_only_once() -> None:
    """A slow path that begins to lose, and then carries nothing."""
    one = Round()
    slow: dict[str, Any] = {"mean_us": 30_000}
    lossy: dict[str, Any] = {"received": 5}
    for kind, seen in ((PathFault.DELAY, slow), (PathFault.LOSS, lossy), (PathFault.DOWN, BAD)):
        found = [told for _ in range(ROUNDS) if (told := one.measure(**seen)) is not None]
        assert [told.kind for told in found] == [kind]
    for seen in (lossy, slow, BAD):
        assert [one.measure(**seen) for _ in range(ROUNDS)] == [None] * ROUNDS


def test_earlier_bad_paths_stay_suspects_for_a_while() -> None:
    one = Round()
    found = {}
    for path in ("p1", "p2", "p3"):
        while path not in found:
            told = one.measure(path, **BAD)
            if told is not None:
                found[path] = set(told.avoid)
    assert found == {"p1": {"p1"}, "p2": {"p1", "p2"}, "p3": {"p1", "p2", "p3"}}
    one.measure("p3", seconds=SUSPECT_US // S)
    again = [told for _ in range(3) if (told := one.measure("p3", **BAD)) is not None]
    assert [set(told.avoid) for told in again] == [{"p3"}]


def test_a_full_pool_is_suspected_without_its_links_and_stays_a_suspect() -> None:
    one = Round()
    assert one.measure(received=9, full=True) is None
    told = one.measure(received=9, full=True)
    assert told is not None and (told.avoid, told.avoid_pools) == ((), (POOL,))
    later = [one.measure("p2", **BAD) for _ in range(10)]
    (told,) = [one for one in later if one is not None]
    assert (told.avoid, told.avoid_pools) == (("p2",), (POOL,))


def test_at_another_place_and_with_a_clock_that_was_put_back_it_begins_anew() -> None:
    one = Round()
    told_s(one, 60)
    assert told_s(one, 2, site="other", **BAD) == [ROUNDS]
    told_s(one, 60, site="other", **BAD)
    one.now_us -= 3_600 * S
    assert told_s(one, 2, site="other", **BAD) == [1]


def test_more_suspects_than_a_report_takes_are_the_newest() -> None:
    one = Round()
    for path in ("p1", "p2"):
        links = tuple(f"{path}-{at}:ab" for at in range(SUSPECTS_MAX - 100))
        told = None
        while told is None:
            told = one.measure(path, links=links, **BAD)
        assert len(told.avoid) == min(SUSPECTS_MAX, len(links) * int(path[1]))
        assert set(told.avoid) >= {one.removesuffix(":ab") for one in links}
