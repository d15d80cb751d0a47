"""service list, show, plan, run, result on the small grid, whose sites run nothing for real."""

import pytest

from suanwang.model.service import ServiceGroup


def test_the_list_has_every_group_and_can_be_narrowed(sw):
    shown = sw("service", "list")
    assert shown.exit == 0
    assert "heat-plate" in shown.out
    assert "HPC simulation" in shown.out
    found = sw("service", "list", "--group", "hpc", "--json").json["services"]
    assert {one["group"] for one in found} == {"hpc"}
    found = sw("service", "list", "--text", "凌星", "--json").json["services"]
    assert [one["id"] for one in found] == ["transit-search"]


def test_a_group_that_is_not_there_is_told_with_those_that_are(sw):
    shown = sw("service", "list", "--group", "cooking")
    assert shown.exit == 2
    assert "astronomy" in shown.err
    assert len(ServiceGroup) == 12


def test_one_service_is_shown_with_its_form_and_what_is_expected(sw):
    shown = sw("service", "show", "heat-plate")
    assert shown.exit == 0
    for words in ("cells", "8 … 1024", "error_max", "numpy", "Expected of the result"):
        assert words in shown.out
    assert sw("service", "show", "ghz-state").out.count("quantum pool") >= 1
    found = sw("service", "show", "erasure-coding", "--json").json
    assert found["parameters_schema"]["properties"]["lost"]["maximum"] == 64
    assert found["relations"] == ["lost <= parity_shards"]


def test_a_bound_that_is_a_formula_is_shown_with_what_it_is_at_the_defaults(sw):
    assert "= images (" in sw("service", "show", "batch-inference").out
    assert "≤ keep (40)" in sw("service", "show", "drug-screen").out


def test_a_text_stays_as_it_was_typed_even_where_it_looks_like_a_number(sw):
    shown = sw("service", "plan", "video-watermark", "-p", "text=2026", "-p", "frames=20", "--json")
    assert shown.exit == 0, shown.err
    assert 'text="2026"' in shown.json["request"]["run"]
    assert "frames=20" in shown.json["request"]["run"]


def test_a_result_is_not_judged_before_the_end(sw):
    task = sw("service", "run", "heat-plate", "--task", 'tags={"fake.duration-us": "3600000000"}', "--json")
    shown = sw("service", "result", task.json["task_id"], "--json")
    assert shown.exit == 4
    assert shown.json["error"]["code"] == "service_not_ended"


def test_a_service_that_is_not_there(sw):
    shown = sw("service", "show", "heat-plat", "--json")
    assert shown.exit == 4
    assert shown.json["error"]["code"] == "service_unknown"
    assert "heat-plate" in shown.json["error"]["text"]


def test_a_plan_has_a_price_and_nothing_is_submitted(sw):
    before = len(sw("list", "--json").json["tasks"])
    shown = sw("service", "plan", "heat-plate", "-p", "cells=64", "--task", "preference=greenest", "--json")
    assert shown.exit == 0
    assert shown.json["plan"]["quote_micro_yuan"] > 0
    assert shown.json["request"]["preference"] == "greenest"
    assert "cells=64" in shown.json["request"]["run"]
    assert len(sw("list", "--json").json["tasks"]) == before
    assert "¥" in sw("service", "plan", "heat-plate").out


def test_every_fault_of_the_parameters_and_of_the_task_is_told_at_once(sw):
    shown = sw(
        "service", "run", "erasure-coding", "-p", "lost=9", "-p", "siz=3", "-p", "seed=x", "--task", "latency=far"
    )
    assert shown.exit == 2
    for words in (
        "parameters.lost",
        "lost <= parity_shards",
        "size_kib",
        "parameters.seed",
        "integer 0",
        "task.latency",
    ):
        assert words in shown.err, words
    found = sw("service", "run", "heat-plate", "--task", "run=true", "--json").json["error"]["faults"]
    assert [(one["code"], one["where"]) for one in found] == [("service_field", "task.run")]


@pytest.mark.parametrize(("given", "words"), [("cells", "name=value"), ("=4", "name=value")])
def test_a_pair_is_one(sw, given, words):
    shown = sw("service", "plan", "heat-plate", "-p", given)
    assert shown.exit == 2
    assert words in shown.err


def test_a_name_is_given_once(sw):
    assert sw("service", "plan", "heat-plate", "-p", "cells=8", "-p", "cells=9").exit == 2


def test_a_task_is_submitted_and_one_without_figures_is_not_as_expected(sw, task_file):
    shown = sw("service", "run", "heat-plate", "--wait", "--task", 'tags={"fake.duration-us": "1000"}', "--json")
    assert shown.exit == 1  # this grid's sites only pretend to work, so no figure came
    assert shown.json["task"]["phase"] == "succeeded"
    assert shown.json["result"]["ok"] is False
    task = shown.json["task"]["task_id"]
    told = sw("service", "result", task)
    assert told.exit == 1
    assert "not as expected" in told.out
    other = sw("submit", str(task_file("run: 'true'\ntags: {fake.duration-us: '1000'}\n")), "--json").json["task_id"]
    assert sw("service", "result", other, "--json").json["error"]["code"] == "task_of_no_service"
