"""From HTTP answers to values and typed errors, and what may be tried again."""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from suanwang.model.error import (
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

_BY_STATUS: dict[int, type[SuanwangError]] = {
    401: NotKnownError,
    403: NotAllowedError,
    404: NotFoundError,
    409: ConflictError,
    413: TooLargeError,
}
_TRY_AGAIN = frozenset({429, 502, 503, 504})
TRIES = 4
PAUSES_S = (0.2, 0.6, 1.8)  # between tries: a restart of the brain takes about two seconds
RETRY_AFTER_MAX_S = 10.0
assert len(PAUSES_S) == TRIES - 1


def error_of(status: int, body: bytes) -> SuanwangError:
    """The error of an answer that is no success. `params["detail"]` is its text in the reader's language."""
    problem = _problem(body)
    code = str(problem.get("code", ""))
    detail = str(problem.get("detail") or f"HTTP {status}")
    faults = problem.get("faults")
    if isinstance(faults, list) and faults:
        return FaultsError([_fault(one) for one in faults], "")
    kind = _BY_STATUS.get(status)
    if kind is None:
        kind = StoreError if status == 503 and code else SuanwangError
    error = kind(code or None, status=status, detail=detail)
    error.status = status
    return error


def _problem(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _fault(one: Mapping[str, Any]) -> Fault:
    params = {**one.get("params", {}), "text": one.get("text", "")}
    return Fault(str(one["code"]), str(one["where"]), str(one.get("got", "")), one.get("line"), params)


def unreachable(url: str, error: Exception) -> UnreachableError:
    return UnreachableError("unreachable", address=url, cause=type(error).__name__, detail=str(error))


def pause_s(answer: httpx.Response | None, error: Exception | None, attempt: int, *, safe: bool) -> float | None:
    """Seconds to wait before the next try, or None where it shall not be tried again.

    A request that never left (no connection) is always safe to send again; one that may have had its effect only
    where it says so: it changes nothing, or carries an idempotency key.
    """
    if attempt >= len(PAUSES_S):
        return None
    if error is not None:
        return PAUSES_S[attempt] if safe or isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) else None
    if answer is None or answer.status_code not in _TRY_AGAIN or not safe:
        return None
    asked = answer.headers.get("retry-after", "")
    return min(float(asked), RETRY_AFTER_MAX_S) if asked.isdigit() else PAUSES_S[attempt]
