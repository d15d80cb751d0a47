"""Bodies that are documents: a task as JSON or YAML, alone or with its secrets beside it; small JSON values."""

import json
import re
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel, ValidationError

from suanwang.api.inputs import check_json
from suanwang.api.problem import MediaTypeError, faults_of
from suanwang.intent.document import parse
from suanwang.intent.read import read_task
from suanwang.model.error import Fault, FaultsError
from suanwang.model.principal import Submission
from suanwang.model.task import TaskRequest

ModelT = TypeVar("ModelT", bound=BaseModel)
JSON, YAML = "application/json", "application/yaml"
TASK_MEDIA = frozenset({JSON, YAML, "application/x-yaml", "text/yaml", "text/plain"})
SECRET_CHARS_MAX = 32 * 1024  # an environment variable's own limit
SECRETS_MAX = 100
_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")


def answer(value: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A value as JSON. It is one of ours, so it is not checked a second time on its way out."""
    return Response(value.model_dump_json(), status, {"Cache-Control": "no-store", **(headers or {})}, JSON)


def check_media(request: Request, allowed: frozenset[str]) -> str:
    """The media type of the body, which must be one of these; none given counts as JSON."""
    media = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if media not in allowed:
        raise MediaTypeError(got=media[:80], allowed=", ".join(sorted(allowed)))
    return media


def read_json(request: Request, raw: bytes, model: type[ModelT]) -> ModelT:
    """A small JSON body as a value. Raises FaultsError with every fault."""
    check_media(request, frozenset({JSON}))
    check_json(raw)
    try:
        return model.model_validate_json(raw, strict=True)
    except ValidationError as error:
        raise faults_of(error, "body") from None


def read_request(request: Request, raw: bytes) -> TaskRequest:
    """A task alone."""
    check_media(request, TASK_MEDIA)
    check_json(raw, "")
    return read_task(raw, "body")


def read_submission(request: Request, raw: bytes, idempotency_key: str | None) -> Submission:
    """A task, or `{"request": task, "secrets": {name: value}}`."""
    check_media(request, TASK_MEDIA)
    check_json(raw, "")
    if b'"request"' in raw:
        data = parse(raw, "body").data
        if isinstance(data, dict) and "request" in data and "run" not in data:
            return _wrapped(data, idempotency_key)
    return Submission(request=read_task(raw, "body"), idempotency_key=idempotency_key)


def _wrapped(data: dict[str, Any], idempotency_key: str | None) -> Submission:
    faults = _strange(data)
    secrets = data.get("secrets") or {}
    faults += _secret_faults(secrets)
    try:
        found = read_task(json.dumps(data["request"]), "body")
    except FaultsError as error:
        faults += [
            Fault(one.code, f"request.{one.where}".rstrip("."), one.got, None, one.params) for one in error.faults
        ]
    if faults:
        raise FaultsError(faults, "body")
    return Submission(request=found, secrets=secrets, idempotency_key=idempotency_key)


def unwrapped(raw: bytes, mark: str) -> tuple[bytes, dict[str, str], str]:
    """A document that has the field `mark`, or `{"request": document, "secrets": {name: value}}`: the document, the secrets,
    and what stands before the places of its fields. Raises FaultsError for the wrapping alone."""
    if b'"request"' not in raw:
        return raw, {}, ""
    data = parse(raw, "body").data
    if not isinstance(data, dict) or "request" not in data or mark in data:
        return raw, {}, ""
    secrets = data.get("secrets") or {}
    faults = [*_strange(data), *_secret_faults(secrets)]
    if faults:
        raise FaultsError(faults, "body")
    return json.dumps(data["request"]).encode(), secrets, "request."


def _strange(data: dict[str, Any]) -> list[Fault]:
    return [
        Fault("unknown_field", str(name)[:80], str(name)[:80], None, {"known": "request, secrets"})
        for name in data
        if name not in ("request", "secrets")
    ]


def _secret_faults(secrets: Any) -> list[Fault]:
    """Faults name the secret and never show its value."""
    if not isinstance(secrets, dict):
        return [Fault("not_a_mapping", "secrets", type(secrets).__name__)]
    if len(secrets) > SECRETS_MAX:
        return [Fault("too_long", "secrets", str(len(secrets)), None, {"limit": SECRETS_MAX})]
    faults = []
    for name, value in secrets.items():
        if not _NAME.match(str(name)):
            faults.append(Fault("env_name_form", "secrets", str(name)[:80]))
        elif not isinstance(value, str):
            faults.append(Fault("not_text", f"secrets.{name}", type(value).__name__))
        elif len(value) > SECRET_CHARS_MAX:
            got = f"{len(value)} characters"
            faults.append(Fault("too_long", f"secrets.{name}", got, None, {"limit": SECRET_CHARS_MAX}))
    return faults
