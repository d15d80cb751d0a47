"""A service and its parameters become a plain task file; whatever is wrong with them is said at once."""

import itertools
import json

import jsonschema
import pytest

from suanwang.intent.read import read_task
from suanwang.model.error import NotFoundError
from suanwang.model.service import TEXT_MAX, ServiceGroup, Told
from suanwang.services import Service, catalogue, check, document_of, files_of, find, wish_faults
from suanwang.services.formula import names_in, value
from suanwang.services.manifest import Manifest
from suanwang.services.parameters import form_of, schema_of
from suanwang.services.request import checks_of
from suanwang.services.runner import judge

SERVICES = list(catalogue().values())
IDS = [one.id for one in SERVICES]
EACH = pytest.mark.parametrize("service", SERVICES, ids=IDS)


def codes(service: str, **given: object) -> list[tuple[str, str]]:
    return [(one.code, one.where) for one in check(find(service), given)[1]]


def test_every_fault_is_found_at_once_with_its_place_and_the_right_form() -> None:
    found = check(find("heat-plate"), {"cells": 4, "steps": "many", "mode": True, "cels": 8, "zzz": 1})[1]
    assert [(one.code, one.where, one.got) for one in found] == [
        ("unknown_field_near", "parameters.cels", "cels"),
        ("unknown_field", "parameters.zzz", "zzz"),
        ("service_parameter", "parameters.cells", "4"),
        ("service_parameter", "parameters.steps", '"many"'),
        ("service_parameter", "parameters.mode", "true"),
    ]
    assert found[0].params == {"near": "cells"}
    assert found[2].params["form"] == "integer 8 … 1024 (96)"


def test_a_relation_that_does_not_hold_is_a_fault_and_one_about_a_faulty_parameter_is_none() -> None:
    assert codes("erasure-coding", lost=5) == [("service_relation", "parameters.lost")]
    assert codes("erasure-coding", lost=5, parity_shards=5) == []
    assert codes("erasure-coding", lost=-1) == [("service_parameter", "parameters.lost")]


@pytest.mark.parametrize(
    ("got", "fits"),
    [
        (96, 96),
        (96.0, 96),
        (96.5, None),
        (10**400, None),
        (float("inf"), None),
        ("96", None),
        (True, None),
        (1e9, None),
        (None, None),
        ([], None),
    ],
)
def test_a_whole_number_is_one(got: object, fits: object) -> None:
    values, faults = check(find("heat-plate"), {"cells": got})
    assert (values["cells"] if not faults else None) == fits


def test_a_number_too_long_to_write_is_a_fault_like_another() -> None:
    for service, name in (("heat-plate", "cells"), ("verified-transfer", "break_percent")):
        for got in (10**400, -(10**400), 10**5000):
            assert codes(service, **{name: got}) == [("service_parameter", f"parameters.{name}")]


def test_a_choice_is_one_of_its_words() -> None:
    assert codes("ghz-state", noise="device") == []
    assert codes("ghz-state", noise="loud") == [("service_parameter", "parameters.noise")]
    one = next(one for one in find("ghz-state").parameters if one.name == "noise")
    assert form_of(one) == "none | device (none)"


def test_what_a_service_decides_is_not_for_the_caller_to_say() -> None:
    found = wish_faults({"run": "true", "latency": "metro", "resources": {}})
    assert [(one.code, one.where) for one in found] == [
        ("service_field", "task.run"),
        ("service_field", "task.resources"),
    ]


def test_a_service_that_is_not_there_is_told_with_the_nearest() -> None:
    with pytest.raises(NotFoundError) as caught:
        find("heat-plat")
    assert caught.value.code == "service_unknown"
    assert "heat-plate" in caught.value.params["near"]


@EACH
def test_the_task_file_is_one_that_any_user_could_have_written(service: Service) -> None:
    parameters, faults = check(service, {})
    assert faults == []
    document = document_of(service, parameters, {"latency": "national", "tags": {"of": "test"}})
    assert document_of(service, parameters, {"latency": "national", "tags": {"of": "test"}}) == document
    request = read_task(json.dumps(document), service.id)
    assert request.tags["service"] == service.id
    assert request.tags["of"] == "test"
    assert request.latency == "national"
    assert {one.source for one in request.inputs} == set(files_of(service))
    assert all(path.is_file() for path in files_of(service).values())


@EACH
def test_at_both_ends_of_every_range_the_task_file_still_reads(service: Service) -> None:
    """Resources are formulas: none may leave what a task can ask for."""
    for pick in ("minimum", "maximum"):
        for one in service.parameters:
            bound = getattr(one, pick)
            if one.type in ("integer", "number") and bound is not None:
                parameters, faults = check(service, {one.name: bound})
                if all(fault.code == "service_relation" for fault in faults):
                    read_task(json.dumps(document_of(service, parameters, {})), f"{service.id} {one.name}={bound}")
                else:
                    pytest.fail(f"{one.name}={bound}: {faults}")
    for one in service.parameters:
        if one.type == "string" and not one.choices:  # the value is a tag too, where quotes count twice
            parameters, faults = check(service, {one.name: '"' * int(one.maximum or TEXT_MAX)})
            assert faults == []
            read_task(json.dumps(document_of(service, parameters, {})), service.id)


@EACH
def test_no_two_greatest_values_ask_for_more_than_a_task_can(service: Service) -> None:
    greatest = {
        one.name: one.maximum for one in service.parameters if one.type in ("integer", "number") and one.maximum
    }
    for pair in itertools.combinations(greatest, 2):
        parameters, faults = check(service, {name: greatest[name] for name in pair})
        if not faults:
            read_task(json.dumps(document_of(service, parameters, {})), f"{service.id} {pair}")


@EACH
def test_the_schema_says_what_the_check_does(service: Service) -> None:
    schema = schema_of(service)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for given in ({}, service.defaults(), service.manifest.small, {"no_such_parameter": 1}):
        faults = [one for one in check(service, given)[1] if one.code != "service_relation"]
        assert validator.is_valid(given) == (not faults), given


@EACH
def test_its_words_are_in_three_languages_and_its_formulas_speak_of_its_parameters(service: Service) -> None:
    has = service.manifest
    told = [has.name, has.about, *(one.title for one in has.parameters.values()), *(one.says for one in has.expected)]
    for one in told:
        assert isinstance(one, Told)
        assert all(any("\u4e00" <= sign <= "\u9fff" for sign in words) for words in (one.zh_hant, one.zh_hans)), one
        assert one.en.isascii() or "₂" in one.en, one.en
    assert has.about.zh_hant != has.about.zh_hans
    formulas = [*has.resources.values(), has.array, *has.relations]
    formulas += [bound for one in has.expected for bound in (one.at_least, one.at_most)]
    for formula in formulas:
        if isinstance(formula, str):
            assert set(names_in(formula)) <= set(has.parameters), formula
    for one in has.expected:
        assert (one.at_least, one.at_most, one.equals) != (None, None, None), one.figure
    assert "seed" in has.parameters or has.example or not _draws(service)


def _draws(service: Service) -> bool:
    return has_circuit(service) or "default_rng" in service.job.read_text("utf-8")


def has_circuit(service: Service) -> bool:
    return service.manifest.circuit is not None


def test_the_catalogue_fills_every_shelf() -> None:
    assert {one.manifest.group for one in SERVICES} == set(ServiceGroup)
    assert len(SERVICES) >= 40
    names = [(one.manifest.name.en, one.manifest.name.zh_hant, one.manifest.name.zh_hans) for one in SERVICES]
    assert len(set(names)) == len(names)


def test_bounds_may_depend_on_the_parameters() -> None:
    service = find("erasure-coding")
    bound = next(one for one in checks_of(service, service.defaults()) if one["figure"] == "overhead")
    assert bound["at_most"] == pytest.approx(0.4, abs=1e-5)


def test_a_figure_that_is_missing_or_no_number_is_not_as_expected() -> None:
    checks = [{"figure": "a", "at_most": 1}, {"figure": "b", "at_least": 1}, {"figure": "c", "equals": True}]
    got = [one["ok"] for one in judge(checks, {"a": "low", "c": 1})]
    assert got == [False, False, False]
    assert [one["ok"] for one in judge(checks, {"a": 1, "b": 1, "c": True})] == [True, True, True]
    assert [one["ok"] for one in judge(checks, {"a": float("nan"), "b": float("nan"), "c": True})] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("formula", "got"),
    [
        ("2 + 3 * a", 14),
        ("ceil(a / 3)", 2),
        ("a if a > 5 else -a", -4),
        ("1 < a <= 4", True),
        ("max(a, 7) // 2", 3),
        (5, 5),
    ],
)
def test_a_formula_is_arithmetic(formula: str | int, got: object) -> None:
    assert value(formula, {"a": 4}) == got


@pytest.mark.parametrize(
    "text", ["__import__('os')", "a.real", "b + 1", "(lambda: 1)()", "[1][0]", "a @ a", "max(key=a)"]
)
def test_a_formula_is_nothing_else(text: str) -> None:
    with pytest.raises(ValueError, match="no formula"):
        value(text, {"a": 4})


def test_a_manifest_without_anything_expected_is_refused() -> None:
    data = find("heat-plate").manifest.model_dump()
    with pytest.raises(ValueError, match="expected"):
        Manifest.model_validate({**data, "expected": []})
