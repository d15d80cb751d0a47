"""The published OpenAPI 3.1 document: the framework's, with our errors, our bodies and the access table added."""

import re
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from suanwang.api.access import BY_ROUTE, Scope
from suanwang.api.tes_paths import is_tes
from suanwang.model.event import Heartbeat
from suanwang.model.grid import TenantLimits
from suanwang.model.network import PathsAsk, ReserveAsk
from suanwang.model.service import ServiceAsk
from suanwang.model.task import TaskRequest
from suanwang.model.tes import TesTask
from suanwang.model.view import NewKey, Problem
from suanwang.model.what_if_ask import WhatIfAsk

INPUTS: tuple[type[BaseModel], ...] = (
    TaskRequest,
    Heartbeat,
    NewKey,
    TenantLimits,
    WhatIfAsk,
    PathsAsk,
    ReserveAsk,
    TesTask,
    ServiceAsk,
)
_REF = "#/components/schemas/{model}Input"
# What any route of a kind may answer besides its success; each with the Problem document.
_TITLES = {
    400: "Faults, all of them",
    401: "No key, or a wrong one",
    403: "The key's role does not allow it",
    404: "No such thing, or another tenant's",
    405: "The path does not take this method",
    409: "The state does not allow it",
    413: "Over a stated limit",
    415: "A media type that this route does not take",
    422: "Faults, all of them",
    500: "A fault of ours",
    503: "The store cannot answer now",
}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}


def _content(media: dict[str, Any], description: str) -> dict[str, Any]:
    content = {name: {"schema": schema} for name, schema in media.items()}
    return {"requestBody": {"required": True, "description": description, "content": content}}


def task_body(description: str) -> dict[str, Any]:
    """A task file as JSON or YAML."""
    wrapped = {
        "type": "object",
        "additionalProperties": False,
        "required": ["request"],
        "properties": {
            "request": _ref(TaskRequest),
            "secrets": {
                "type": "object",
                "maxProperties": 100,
                "propertyNames": {"pattern": r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"},
                "additionalProperties": {"type": "string", "maxLength": 32768},
            },
        },
    }
    return _content({"application/json": {"anyOf": [_ref(TaskRequest), wrapped]}}, description)


def workflow_body(description: str) -> dict[str, Any]:
    """A workflow file as JSON or YAML: the tasks in it are checked by their own form."""
    task = {
        "type": "object",
        "description": "A task; `after` is `{other: when}`, a source may be `task:<other>/<path>`.",
    }
    form = {
        "type": "object",
        "required": ["workflow", "tasks"],
        "additionalProperties": False,
        "properties": {
            "workflow": {"type": "string", "minLength": 1, "maxLength": 200},
            "defaults": {"type": "object"},
            "tasks": {"type": "object", "minProperties": 1, "maxProperties": 1000, "additionalProperties": task},
        },
    }
    return _content({"application/json": form}, f"{description} `application/yaml` is taken too.")


def plan_body() -> dict[str, Any]:
    return _content({"application/json": _ref(TaskRequest)}, "A task; `application/yaml` is taken too.")


def json_body(model: type[BaseModel], description: str) -> dict[str, Any]:
    return _content({"application/json": _ref(model)}, description)


def raw_body(description: str, *media: str) -> dict[str, Any]:
    schema = {"type": "string", "format": "binary"}
    return _content(dict.fromkeys(media, schema), description)


def media_answer(media: str, description: str, *, binary: bool = False) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that answers with something else than JSON."""
    schema = {"type": "string", "format": "binary"} if binary else {"type": "string"}
    return {200: {"content": {media: {"schema": schema}}, "description": description}}


def build(app: FastAPI) -> dict[str, Any]:
    """The whole document."""
    document = get_openapi(
        title="Suanwang",
        version=app.version,
        openapi_version="3.1.0",
        summary="Plan, run and bill tasks on a grid of compute sites.",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        routes=app.routes,
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    _add_inputs(schemas)
    document["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer sw_<key id>_<secret>`"}
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _finish(path, method.upper(), operation)
    return document


def _add_inputs(schemas: dict[str, Any]) -> None:
    """Schemas of what goes in stand beside those of what comes out: a size may be written `4 GiB`, but is read 4294967296."""
    inputs: list[tuple[type[BaseModel], Literal["validation"]]] = [(model, "validation") for model in INPUTS]
    _, found = models_json_schema(inputs, ref_template=_REF)
    for name, schema in found["$defs"].items():
        schemas[f"{name}Input"] = schema
    _, found = models_json_schema([(Problem, "serialization")], ref_template="#/components/schemas/{model}")
    for name, schema in found["$defs"].items():
        schemas.setdefault(name, schema)


def _finish(path: str, method: str, operation: dict[str, Any]) -> None:
    row = BY_ROUTE[method, _route(path)]
    responses = operation["responses"]
    responses.pop("422", None)
    statuses = {500, 503}
    if row.scope is not Scope.OPEN:
        statuses |= {401, 403}
        operation["security"] = [{"key": []}]
        operation["description"] = _roles(operation, row.roles)
    if operation.get("parameters") or "requestBody" in operation:
        statuses |= {400 if is_tes(path) else 422}
    parameters = str(operation.get("parameters"))
    names = ("tenant", "ingress", "cut")  # of things that may not be there
    if "{" in path or any(name in parameters for name in names):
        statuses |= {404}
    if method == "POST":
        statuses |= {404, 409}
    if "requestBody" in operation or method in ("POST", "PUT"):
        statuses |= {413, 415}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status in sorted(statuses):
        responses[str(status)] = {"description": _TITLES[status], "content": problem}


def _roles(operation: dict[str, Any], roles: frozenset[Any]) -> str:
    who = ", ".join(sorted(str(role) for role in roles))
    return f"{operation.get('description', '')}\n\nRoles: {who}.".strip()


def _route(path: str) -> str:
    """The route that a documented path stands for: `{path}` is written `{path:path}` in the table."""
    return re.sub(r"\{path\}", "{path:path}", path)
