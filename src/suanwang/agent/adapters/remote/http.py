"""A backend that speaks JSON over HTTP. What it answers is believed in form only after a look; whether it answers at all is told apart."""

import json
from typing import Any, Final

import httpx

DETAIL_CHARS: Final = 500
ANSWER_BYTES_MAX: Final = 64 << 20  # unpacked; what is larger is no answer to any question of ours
# Answers that say nothing of what was asked about: the server or the key is at fault, and an operator mends that.
AWAY: Final = frozenset({401, 403, 408, 425, 429})
_MISSING: Final = frozenset({404, 410})


class AwayError(Exception):
    """The server did not answer, or not as one that works: nothing is known."""


class RefusedError(Exception):
    """The server answered that it does not take this."""


class MissingError(RefusedError):
    """The server knows nothing of that name."""


def client_of(base: str, token: str, timeout_s: float) -> httpx.Client:
    """One connection, or some, for one thread; `token`: the bearer's, empty for none."""
    headers = {"Accept": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return httpx.Client(base_url=base, headers=headers, timeout=timeout_s)


def ask(client: httpx.Client, method: str, path: str, **rest: Any) -> Any:
    """The JSON of one answer. Raises AwayError, RefusedError."""
    try:
        with client.stream(method, path, **rest) as answer:
            body = _body(answer)
    except (httpx.RequestError, httpx.InvalidURL) as fault:
        raise AwayError(f"{type(fault).__name__}: {fault}") from fault
    said = f"HTTP {answer.status_code}: {body[: 4 * DETAIL_CHARS].decode('utf-8', 'replace')[:DETAIL_CHARS]}"
    if answer.status_code in AWAY or answer.is_server_error or not (answer.is_success or answer.is_client_error):
        raise AwayError(said)
    if answer.status_code in _MISSING:
        raise MissingError(said)
    if answer.is_client_error:
        raise RefusedError(said)
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as fault:
        raise AwayError("the answer is no JSON") from fault


def _body(answer: httpx.Response) -> bytes:
    """Read as it comes, so that a server cannot fill this machine's memory."""
    body = bytearray()
    for part in answer.iter_bytes():
        body += part
        if len(body) > ANSWER_BYTES_MAX:
            raise AwayError(f"the answer is larger than {ANSWER_BYTES_MAX} bytes")
    return bytes(body)


def ask_object(client: httpx.Client, method: str, path: str, **rest: Any) -> dict[str, Any]:
    """The same, where it is an object."""
    found = ask(client, method, path, **rest)
    if not isinstance(found, dict):
        raise AwayError("the answer is no object")
    return found
