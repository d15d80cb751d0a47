"""The Standard Workload Format: read, written, and made into tasks."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from little import RULES, SWF, read

from suanwang.model.error import FaultsError
from suanwang.traces import read_trace
from suanwang.traces.rules import Rules
from suanwang.traces.swf import FIELDS, BadLine, SwfJob, parse_swf, write_swf


def test_jobs_become_tasks_by_the_table_of_the_guide():
    trace = read_trace(read(SWF), "day.swf", RULES)
    one, wide, last = trace.arrivals
    assert one.at_us == 1_100_000_000_000_000
    assert (one.tenant, one.request.resources.cpu, one.request.resources.nodes) == ("group-1", 4, 1)
    assert one.request.resources.memory == 4 * 2048 * 1024
    assert one.request.resources.wall_time == 200_000_000
    assert (one.runs[0].span_us, one.runs[0].outcome) == (100_000_000, "ok")
    assert (wide.request.resources.nodes, wide.request.resources.cpu) == (3, 27)
    assert wide.runs[0].outcome == "exit:1"
    assert wide.request.resources.wall_time == 50_000_000, "it ran longer than it asked for"
    assert (last.tenant, last.request.resources.wall_time) == ("user-3", 12_000_000)


def test_what_was_left_out_or_made_up_is_told():
    notes = {note.code: note.params.get("count") for note in read_trace(read(SWF), "day.swf", RULES).notes}
    assert notes["never_ran"] == 1
    assert notes["swf_no_size"] == 1
    assert notes["swf_parts"] == 1
    assert notes["gangs"] == 1
    assert notes["overran"] == 1
    assert notes["no_wall_time"] == 1
    assert notes["swf_follows"] == 1
    assert "origins_drawn" in notes
    assert "no_date" not in notes


def test_every_bad_line_is_reported_with_its_number():
    text = SWF + "7 1 2 3\n8 x 0 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n9 -5 0 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n"
    with pytest.raises(FaultsError) as caught:
        read_trace(read(text), "day.swf", RULES)
    found = [(fault.line, fault.code, fault.where) for fault in caught.value.faults]
    assert found == [(10, "trace_fields", ""), (11, "trace_number", "submit_s"), (12, "trace_negative", "submit_s")]


def test_bad_lines_may_be_left_out_and_are_counted():
    trace = read_trace(read(SWF + "7 1 2 3\n"), "day.swf", Rules(RULES.grid, 7, lenient=True))
    assert len(trace.arrivals) == 3
    assert {note.code: note.params for note in trace.notes}["bad_lines"] == {"count": 1, "lines": "10"}


def test_nothing_to_play_is_a_fault():
    with pytest.raises(FaultsError) as caught:
        read_trace(["; Version: 2.2"], "day.swf", RULES)
    assert [fault.code for fault in caught.value.faults] == ["trace_empty"]


WHOLE = st.integers(min_value=-1, max_value=10**6)
JOBS = st.lists(st.builds(SwfJob, *([WHOLE] * len(FIELDS))), max_size=5)


@settings(max_examples=50, deadline=None)
@given(JOBS)
def test_writing_and_reading_gives_the_same_jobs(jobs):
    header: dict[str, str] = {}
    found = list(parse_swf(write_swf(jobs, {"Version": "2.2", "MaxJobs": "5"}).splitlines(), header))
    assert not any(isinstance(one, BadLine) for one in found)
    assert [job for _, job in found] == jobs
    assert header == {"Version": "2.2", "MaxJobs": "5"}
