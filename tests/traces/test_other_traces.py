"""GPU pods, requests to a language model, drawn days; which form a text has; a trace cut and sped up."""

import pytest
from little import GRID, LLM, OPENB, PUBLIC, RULES, SWF, read

from suanwang.model.error import FaultsError
from suanwang.traces import Rules, Shape, draw_day, read_trace, shaped

DAY_US = 86_400_000_000


def test_pods_become_tasks():
    trace = read_trace(read(OPENB), "pods.csv", RULES)
    first, second, third = trace.arrivals
    assert (first.request.resources.cpu, first.request.resources.accelerators) == (12, 1)
    assert first.runs[0].span_us == 590_000_000
    assert (first.tenant, second.tenant) == ("qos-ls", "qos-be")
    assert second.runs[0].outcome == "exit:1"
    assert second.request.resources.accelerator is None
    assert third.request.resources.accelerator == "any"
    notes = {note.code: note.params.get("count") for note in trace.notes}
    assert (notes["never_ran"], notes["card_shares"], notes["models_unknown"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (OPENB + "pod-9,x,1,0,0,,LS,Running,0,10,5\n", ["trace_number"]),
        (OPENB + "pod-9,-5,1,0,0,,LS,Running,0,10,5\n", ["trace_negative"]),
        (OPENB + "pod-9,5,1,0,0,,LS,Running,0,5,10\n", ["trace_backwards"]),
        (OPENB + "pod-9,5\n", ["trace_fields"]),
        ("name,cpu_milli,memory_mib,num_gpu,gpu_milli\np,1,1,1,1\n", ["trace_column"] * 3),
        (LLM + "yesterday,1,1\n", ["trace_instant"]),
        ("runtime\n0.0\n1.0\n", ["trace_format"]),
    ],
)
def test_what_is_wrong_is_said(text, codes):
    with pytest.raises(FaultsError) as caught:
        read_trace(read(text), "a.csv", RULES)
    assert [fault.code for fault in caught.value.faults] == codes


def test_requests_hold_a_card_for_their_tokens():
    trace = read_trace(read(LLM), "llm.csv", RULES)
    assert trace.arrivals[0].at_us == 1_700_158_623_979_960
    assert trace.arrivals[0].runs[0].span_us == 6_000_000, "4000 / 2000 and 100 / 25 seconds"
    assert trace.arrivals[0].request.resources.accelerators == 1


def test_a_name_of_a_form_counts_more_than_the_look():
    with pytest.raises(FaultsError):
        read_trace(read(SWF), "day.swf", RULES, "openb")


def test_origins_are_drawn_from_the_seed_or_given():
    one, two = (read_trace(read(SWF), "day.swf", Rules(GRID, seed)).arrivals for seed in (7, 7))
    assert one == two
    here = read_trace(read(SWF), "day.swf", Rules(GRID, 7, GRID.sites[0].id))
    assert {arrival.request.origin for arrival in here.arrivals} == {GRID.sites[0].id}
    assert "origins_drawn" not in {note.code for note in here.notes}


def test_a_drawn_day_is_a_day_and_the_same_again():
    trace = draw_day(200, RULES)
    assert trace == draw_day(200, RULES)
    assert trace != draw_day(200, Rules(GRID, 8))
    assert trace.arrivals[-1].at_us - trace.arrivals[0].at_us < DAY_US
    assert [one.at_us for one in trace.arrivals] == sorted(one.at_us for one in trace.arrivals)


def test_a_window_a_sample_and_time():
    trace = draw_day(200, RULES)
    first_us = trace.arrivals[0].at_us
    cut = shaped(trace, Shape(from_us=3_600_000_000, for_us=7_200_000_000), 1)
    assert all(3_600_000_000 <= one.at_us - first_us < 10_800_000_000 for one in cut.arrivals)
    some = shaped(trace, Shape(sample=50), 1)
    assert len(some.arrivals) == 50
    assert all(one in trace.arrivals for one in some.arrivals)
    fast = shaped(trace, Shape(speed=10), 1)
    assert fast.arrivals[-1].at_us - first_us == round((trace.arrivals[-1].at_us - first_us) / 10)
    assert sum(one.runs[0].span_us for one in fast.arrivals) * 10 == pytest.approx(
        sum(one.runs[0].span_us for one in trace.arrivals), rel=1e-3
    )
    dense = shaped(trace, Shape(squeeze=10), 1)
    assert [one.runs for one in dense.arrivals] == [one.runs for one in trace.arrivals]
    told = {note.code for made in (cut, some, fast, dense) for note in made.notes}
    assert {"window", "sample", "speed", "squeeze"} <= told


@pytest.mark.parametrize(
    ("name", "tasks"),
    [
        ("openb/openb_pod_list_default.csv", 7255),
        ("azure_llm_2023/AzureLLMInferenceTrace_code.csv", 8819),
        ("dl_cluster_stats/philly_runtime.csv", None),
        ("openb/openb_pod_list_multigpu20.csv", None),
    ],
)
def test_public_traces(name, tasks):
    path = PUBLIC / name
    if not path.is_file():
        pytest.skip(f"the public trace {name} is not beside this repository")
    lines = path.read_text("utf-8").splitlines()
    if tasks is None:
        with pytest.raises(FaultsError):
            read_trace(lines, name, RULES)
    else:
        assert len(read_trace(lines, name, RULES).arrivals) == tasks
