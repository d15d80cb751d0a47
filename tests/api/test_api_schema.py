"""The published OpenAPI document is whole and true: schemathesis calls every operation with what it allows and does not."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from suanwang.api.access import ACCESS, Scope
from suanwang.model.principal import Role

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    unsupported_method,
]
ENDLESS = "/v1/panorama/stream"


@schemathesis.serializer("application/x-ndjson", "application/vnd.apache.arrow.stream")
def raw_bytes(_, value):
    """What is no JSON goes as it was drawn."""
    data = getattr(value, "data", value)
    return data if isinstance(data, bytes) else str(data).encode("utf-8", "surrogatepass")


@pytest.fixture(scope="session")
def document(grid):
    with grid.http("nobody") as client:
        return client.get("/v1/openapi.json").json()


@pytest.fixture(scope="session")
def api(grid):
    return schemathesis.openapi.from_url(f"{grid.here.url}/v1/openapi.json")


def end_what_ifs(grid):
    """What a drawn body set playing would go on beside every later test of the session."""
    with grid.http("operator") as client:
        for run in client.get("/v1/what-if").json()["items"]:
            client.delete(f"/v1/what-if/{run['run_id']}").raise_for_status()
        assert all(run["state"] != "running" for run in client.get("/v1/what-if").json()["items"])


CALLED = [row for row in ACCESS if row.path != ENDLESS]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "wrong"])
@pytest.mark.parametrize("row", CALLED, ids=lambda row: f"{row.method} {row.path}")
def test_no_request_makes_a_server_error_and_answers_are_as_published(api, grid, row, mode):
    operation = api[row.path.replace(":path", "")][row.method]
    role = "operator" if Role.OPERATOR in row.roles else "agent"
    headers = {"Authorization": f"Bearer {grid.keys[role]}"}

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
    def every_case(case):
        case.call_and_validate(headers=headers, checks=CHECKS, timeout=20)

    try:
        every_case()
    except Unsatisfiable:
        pytest.skip("the operation takes nothing that could be wrong")
    finally:
        if row.path == "/v1/what-if":
            end_what_ifs(grid)


def test_the_document_is_valid_openapi_31(document):
    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"] == "3.1.0"


def test_every_row_of_the_access_table_is_published_with_its_refusals(document):
    for row in ACCESS:
        path = row.path.replace(":path", "")
        operation = document["paths"][path][row.method.lower()]
        codes = set(operation["responses"])
        assert operation["summary"]
        assert any(code.startswith("2") for code in codes)
        if row.scope is Scope.OPEN:
            assert "security" not in operation
        else:
            assert operation["security"] == [{"key": []}]
            assert {"401", "403"} <= codes
        if "requestBody" in operation:
            assert {"413", "415", "400" if path.startswith("/ga4gh/") else "422"} <= codes  # as TES has it


def test_every_refusal_is_a_problem_document(document):
    for operations in document["paths"].values():
        for operation in operations.values():
            for code, response in operation["responses"].items():
                if code.startswith(("4", "5")):
                    assert set(response["content"]) == {"application/problem+json"}


def test_a_size_goes_in_with_a_unit_and_comes_out_as_a_number(document):
    schemas = document["components"]["schemas"]
    assert "anyOf" in schemas["ResourcesInput"]["properties"]["memory"]
    assert schemas["Resources"]["properties"]["memory"]["type"] == "integer"


def test_the_schemas_of_task_and_grid_are_published(grid):
    with grid.http("user") as client:
        task = client.get("/v1/schema/task").json()
        assert task["$schema"].endswith("2020-12/schema")
        assert client.get("/v1/grid/schema").json()["title"] == "Grid"
