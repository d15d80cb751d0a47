"""Each error of the model as a problem document; what is not foreseen says nothing of its inside."""

import json
import logging
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from suanwang.api.problem import MediaTypeError, fault_view, response
from suanwang.model.error import (
    BackendError,
    ConflictError,
    Fault,
    FaultsError,
    NotAllowedError,
    NotFoundError,
    NotKnownError,
    StoreError,
    SuanwangError,
    TooLargeError,
    UnreachableError,
)
from suanwang.model.reason import FailureReason

CASES = (  # an error, its status, the code that it carries where none is given
    (SuanwangError(), 500, "internal"),
    (FaultsError([Fault("empty", "")]), 422, "faults"),
    (NotFoundError(), 404, "not_found"),
    (NotAllowedError(role="viewer"), 403, "not_allowed"),
    (NotKnownError(), 401, "not_known"),
    (ConflictError(), 409, "conflict"),
    (TooLargeError(limit="4 MiB"), 413, "too_large"),
    (StoreError(), 503, "store"),
    (UnreachableError(address="http://x", cause="ConnectError"), 503, "unreachable"),
    (BackendError(FailureReason.BACKEND, "gone"), 502, "backend"),
    (MediaTypeError(got="text/html", allowed="application/json"), 415, "media_type"),
)


@pytest.mark.parametrize("lang", ["en", "zh-TW", "zh-CN"])
@pytest.mark.parametrize(("error", "status", "code"), CASES, ids=lambda one: str(one))
def test_each_error_is_a_whole_document_in_each_language(error, status, code, lang):
    answer = response(error, lang)
    document = json.loads(answer.body)
    assert (answer.status_code, document["status"], document["code"]) == (status, status, code)
    assert document["type"] == f"urn:suanwang:error:{code}"
    assert answer.media_type == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert "{" not in document["title"] + document["detail"]
    assert document["title"] != f"error.{code}.title"


def test_the_statuses_that_ask_for_something_say_what():
    assert response(NotKnownError(), None).headers["www-authenticate"].startswith("Bearer")
    assert int(response(StoreError(), None).headers["retry-after"]) > 0
    assert "retry-after" not in response(NotFoundError(), None).headers


def test_a_fault_keeps_its_parameters_and_fills_its_words():
    view = fault_view(Fault("too_long", "name", "x" * 300, 7, {"limit": 200}), "en")
    assert (view.where, view.line, view.params) == ("name", 7, {"limit": 200})
    assert "200" in view.text


def test_a_secret_that_is_too_long_is_a_fault_of_its_own(user):
    body = {"request": {"run": "true", "secrets": ["T"]}, "secrets": {"T": "x" * 40_000}}
    answer = user.post("/v1/tasks", json=body)
    assert [(one["code"], one["where"]) for one in answer.json()["faults"]] == [("too_long", "secrets.T")]
    assert "xxx" not in answer.text


def test_a_brain_that_has_failed_is_503_until_it_is_started_again(user, grid, monkeypatch):
    def failed(*_):
        raise StoreError("brain_failed", cause="OperationalError")

    monkeypatch.setattr(grid.here.brain, "dry_plan", failed)
    answer = user.post("/v1/plan", json={"run": "true"})
    assert (answer.status_code, answer.json()["code"]) == (503, "brain_failed")
    assert answer.headers["retry-after"]


def test_a_fault_of_ours_is_logged_and_told_without_its_inside(user, grid, monkeypatch, caplog):
    def broken(*_):
        raise ZeroDivisionError("the secret inside")

    monkeypatch.setattr(grid.here.brain, "dry_plan", broken)
    with caplog.at_level(logging.ERROR, "suanwang.access"):
        answer = user.post("/v1/plan", json={"run": "true"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "inside" not in answer.text
    assert "content-security-policy" in answer.headers
    assert "ZeroDivisionError" in caplog.text


def test_the_access_log_has_no_query_and_no_key(user, grid, caplog):
    with caplog.at_level(logging.INFO, "suanwang.access"):
        user.get("/v1/tasks", params={"text": "private-words"})
        until_s = time.monotonic() + 10
        while "GET /v1/tasks 200" not in caplog.text:  # it is written when the answer is out
            assert time.monotonic() < until_s
            time.sleep(0.01)
    assert "private-words" not in caplog.text
    assert grid.keys["user"] not in caplog.text


def test_a_refusal_of_the_framework_is_a_problem_too(user):
    """`http` names what has no code of its own."""
    answer = user.request("BREW", "/v1/plan")
    assert answer.status_code == 405
    assert answer.json()["type"].startswith("urn:suanwang:error:")
    assert "http" != answer.json()["code"] == "method"


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("suanwang_http_requests", {"method", "route", "status"}),
        ("suanwang_http_seconds", {"route"}),
        ("suanwang_streams_open", {"kind"}),
        ("suanwang_tasks", {"phase"}),
        ("suanwang_log_position", set()),
        ("suanwang_projections_behind", set()),
        ("suanwang_sites", {"state"}),
        ("suanwang_links_down", set()),
        ("suanwang_security_pools_down", set()),
        ("suanwang_leases", set()),
        ("suanwang_plan_faults", {"kind"}),
        ("suanwang_held_cores", set()),
        ("suanwang_held_accelerators", set()),
    ],
)
def test_each_metric_has_its_labels_and_a_value(user, name, labels):
    user.get("/v1/whoami")
    with user.stream("GET", "/v1/panorama/stream") as answer:
        next(answer.iter_lines())
        families = {one.name: one for one in text_string_to_metric_families(user.get("/metrics").text)}
    samples = families[name].samples
    assert samples
    assert all(set(one.labels) - {"le"} == labels for one in samples)
