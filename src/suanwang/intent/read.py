"""Documents to typed values, with every fault at once. The entry of the road: `read_task`."""

import copy
import json
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from suanwang.intent.document import TASK_BYTES_MAX, Document, Loc, parse
from suanwang.intent.mapping import FAULTS_MAX, Found, faults_of, path_text
from suanwang.intent.relations import relations
from suanwang.model.error import Fault, FaultsError
from suanwang.model.task import TaskRequest

ModelT = TypeVar("ModelT", bound=BaseModel)

BULK_BYTES_MAX = 256 * 1024**2  # of one NDJSON body; a bulk submit streams larger ones in parts


def read_task(text: str | bytes, source: str = "task", now_us: int | None = None) -> TaskRequest:
    """The task in a YAML or JSON text. `now_us` (since 1970 UTC) also refuses a deadline in the past.

    Raises FaultsError with every fault of the text, the fields and the relations between fields.
    """
    document = parse(text, source, TASK_BYTES_MAX)
    request, found = check_task(document, now_us)
    raise_found(found, document)
    assert request is not None, "no fault means a request"
    return request


def check_task(document: Document, now_us: int | None) -> tuple[TaskRequest | None, list[Found]]:
    """The task of a document, and every fault of its fields and of the relations between them. With faults, no task that
    may be used."""
    request, found = check(TaskRequest, document)
    if request is None:
        request = _without(TaskRequest, document, found)
    if request is not None:
        wrong = {one.loc[0] for one in found if one.loc}
        found += [one for one in relations(request, now_us) if not wrong.intersection(_heads(one))]
    return request, found


def read_tasks_ndjson(text: str | bytes, source: str = "tasks", now_us: int | None = None) -> list[TaskRequest]:
    """One task a line, as JSON; blank lines are skipped. Raises FaultsError; `where` starts with `[row]` from 0."""
    requests: list[TaskRequest] = []
    faults: list[Fault] = []
    for row, (line, raw) in enumerate(_rows(text, source)):
        try:
            requests.append(read_task(raw, source, now_us))
        except FaultsError as error:
            for one in error.faults[: FAULTS_MAX - len(faults)]:
                where = f"[{row}].{one.where}" if one.where else f"[{row}]"
                faults.append(Fault(one.code, where, one.got, line, one.params))
    if faults:
        raise FaultsError(faults, source)
    return requests


def _rows(text: str | bytes, source: str) -> Iterator[tuple[int, bytes]]:
    if len(text) > BULK_BYTES_MAX:
        raise FaultsError([Fault("too_large", "", f"{len(text)} B", None, {"limit": "256 MiB"})], source)
    raw = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    for line, one in enumerate(raw.split(b"\n"), start=1):
        if one.strip():
            yield line, one


def validate(model_type: type[ModelT], document: Document) -> ModelT:
    """The document as a value of `model_type`. Raises FaultsError with every fault of its fields."""
    value, found = check(model_type, document)
    raise_found(found, document)
    assert value is not None, "no fault means a value"
    return value


def check(model_type: type[ModelT], document: Document) -> tuple[ModelT | None, list[Found]]:
    """The value, or None with what was found. Strict: `"4"` is no number and `true` is no 1."""
    if not isinstance(document.data, dict):
        return None, [Found("not_a_mapping", (), document.data)]
    try:
        # Through JSON, since pydantic's strict mode takes lists for tuples and texts for enums only there.
        return model_type.model_validate_json(json.dumps(document.data), strict=True), []
    except ValidationError as error:
        return None, faults_of(error, model_type, document.data)


def raise_found(found: list[Found], document: Document) -> None:
    """Raise what was found, in the order of the lines; nothing found, nothing raised."""
    if not found:
        return
    faults = [
        Fault(one.code, path_text(one.loc), one.shown(), document.line_of(one.loc), one.params)
        for one in found[:FAULTS_MAX]
    ]
    faults.sort(key=lambda fault: fault.line or 0)
    if len(found) > FAULTS_MAX:
        faults.append(Fault("more_faults", "", "", None, {"count": len(found) - FAULTS_MAX}))
    raise FaultsError(faults, document.source)


def _heads(one: Found) -> set[str | int]:
    return {one.loc[0], *one.fields} if one.loc else set(one.fields)


def _without(model_type: type[ModelT], document: Document, found: list[Found]) -> ModelT | None:
    """The value with every faulty field left out, so that relations between the others are still checked."""
    if not isinstance(document.data, dict):
        return None
    data = copy.copy(document.data)
    for one in found:
        if one.loc:
            data.pop(one.loc[0], None)
    for name, info in model_type.model_fields.items():
        if info.is_required() and name not in data:
            data[name] = "true"  # of a task only `run` is required; the command of a stand-in is never run
    try:
        return model_type.model_validate_json(json.dumps(data), strict=True)
    except ValidationError:
        return None


def task_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a task file."""
    schema = TypeAdapter(TaskRequest).json_schema(mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://suanwang.org/schema/task.json",
        **schema,
        "title": "Suanwang task",
    }


__all__ = ["Loc", "check", "check_task", "raise_found", "read_task", "read_tasks_ndjson", "task_schema", "validate"]
