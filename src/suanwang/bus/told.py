"""Errors on their way from the brain to an agent: a code, a status, what it is about."""

import json
from collections.abc import Mapping
from typing import Any, Final

from suanwang.model.error import (
    ConflictError,
    NotAllowedError,
    NotFoundError,
    NotKnownError,
    SuanwangError,
    UnreachableError,
)

_BY_STATUS: Final[Mapping[int, type[SuanwangError]]] = {
    401: NotKnownError,
    403: NotAllowedError,
    404: NotFoundError,
    409: ConflictError,
}


def error_of(status: int, problem: Mapping[str, Any]) -> SuanwangError:
    """The error that a status and a problem document stand for. What the brain cannot do now counts as unreachable."""
    kind = _BY_STATUS.get(status, UnreachableError)
    return kind(problem.get("code"), status=status, detail=problem.get("detail", ""))


def problem_of(error: SuanwangError) -> tuple[int, bytes]:
    """An error as its status and its document."""
    detail = ", ".join(f"{name}: {value}" for name, value in error.params.items())
    return error.status, json.dumps({"code": error.code, "detail": detail}).encode()
