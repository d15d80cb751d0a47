"""A calm day keeps every promise of the twin, is the same again, and wakes nobody without a reason."""

import sys
from collections import Counter
from pathlib import Path

from suanwang.model.ids import TaskId
from suanwang.model.record import RECORDS, AttemptClosed, ChargePosted, Phase
from suanwang.model.trace import Run
from suanwang.observe.moments import Moments
from suanwang.twin.checks import at_the_end
from suanwang.twin.day import Day

sys.path.append(str(Path(__file__).parents[1] / "whatif"))
from days import case


def played(one, checked=False):
    records = []
    day = Day(one.grid, one.seed, one.tenants, one.arrivals, lambda batch, _: records.extend(batch), checked=checked)
    return day, day.run(), records


def test_every_promise_holds_to_the_end_of_a_dense_day():
    _, state, records = played(case(60), checked=True)
    charges = [(one.tenant, one.line.amount_micro_yuan) for one in records if isinstance(one, ChargePosted)]
    effects = Counter(one.task_id for one in records if isinstance(one, AttemptClosed) and one.succeeded)
    at_the_end(state, effects, charges)
    assert state.ended[Phase.SUCCEEDED] == len(effects)


def test_the_same_day_gives_the_same_records():
    one, two = (RECORDS.dump_json(played(case(40))[2]) for _ in range(2))
    assert one == two


def test_the_day_goes_from_event_to_event():
    day, state, _ = played(case(40, squeeze=1.0))
    assert day.steps < 15 * len(state.tasks) + len(day.index.grid.sites), "not one step a second of 24 hours"


def test_tasks_run_as_long_as_the_day_says():
    one = case(30, squeeze=1.0)
    _, _, records = played(one)
    ran = sorted(record.held_end_us - record.held_start_us for record in records if isinstance(record, AttemptClosed))
    said = sorted(run.span_us for arrival in one.arrivals for run in arrival.runs)
    assert ran
    assert all(span in said for span in ran)


def test_each_attempt_has_its_own_run():
    one = case(12, squeeze=1.0)
    first = next(arrival for arrival in one.arrivals if arrival.request.resources.cpu <= 2)
    request = first.request.model_copy(update={"retries": 1})
    twice = type(first)("twice", first.at_us, first.tenant, request, (Run(7_000_000, "exit:1"), Run(11_000_000)))
    records = []
    Day(one.grid, 1, one.tenants, (twice,), lambda batch, _: records.extend(batch)).run()
    closed = [record for record in records if isinstance(record, AttemptClosed)]
    assert [record.held_end_us - record.held_start_us for record in closed] == [7_000_000, 11_000_000]
    assert [record.succeeded for record in closed] == [False, True]


def test_the_next_moment_skips_what_was_dropped_or_moved():
    moments = Moments()
    assert moments.next_us() is None
    moments.set(TaskId("a"), 5)
    moments.set(TaskId("b"), 7)
    moments.set(TaskId("a"), 9)
    assert moments.next_us() == 7
    moments.drop(TaskId("b"))
    assert moments.next_us() == 9
