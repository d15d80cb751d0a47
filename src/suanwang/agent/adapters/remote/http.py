"""A backend that speaks JSON over HTTP. What it answers is believed in form only after a look; whether it answers at all is told apart."""

import json
from collections.abc import Callable
from typing import Any, Final

import httpx

DETAIL_CHARS: Final = 500
ANSWER_BYTES_MAX: Final = 64 << 20  # unpacked; what is larger is no answer to any question of ours
# Answers that say nothing of what was asked about: the server or the key is at fault, and an operator mends that.
AWAY: Final = frozenset({401, 403, 408, 425, 429})
ANSWER_TIMES: Final = 3  # a whole answer may take that many times as long as any part of it
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


def ask(client: httpx.Client, monotonic: Callable[[], int], method: str, path: str, **rest: Any) -> Any:
    """The JSON of one answer, whose texts are Unicode. `monotonic` in microseconds. Raises AwayError, RefusedError."""
    ends_us = monotonic() + int(ANSWER_TIMES * 1_000_000 * (client.timeout.read or 0))
    try:
        with client.stream(method, path, **rest) as answer:
            body = _body(answer, lambda: monotonic() > ends_us)
    except (httpx.RequestError, httpx.InvalidURL, UnicodeError) as fault:
        raise AwayError(f"{type(fault).__name__}: {fault}") from fault
    said = f"HTTP {answer.status_code}: {body[: 4 * DETAIL_CHARS].decode('utf-8', 'replace')[:DETAIL_CHARS]}"
    if answer.status_code in AWAY or answer.is_server_error or not (answer.is_success or answer.is_client_error):
        raise AwayError(said)
    if answer.status_code in _MISSING:
        raise MissingError(said)
    if answer.is_client_error:
        raise RefusedError(said)
    try:
        found = json.loads(body)
        # JSON can spell halves of characters, which nothing here could write down or send on.
        if b"\\ud" in body.lower():
            found = json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
        return found
    except (ValueError, RecursionError) as fault:
        raise AwayError("the answer is no JSON") from fault


def _body(answer: httpx.Response, is_late: Callable[[], bool]) -> bytes:
    """Read as it comes, so that a server can neither fill this machine's memory nor keep us for ever."""
    body = bytearray()
    for part in answer.iter_bytes():
        body += part
        if len(body) > ANSWER_BYTES_MAX:
            raise AwayError(f"the answer is larger than {ANSWER_BYTES_MAX} bytes")
        if is_late():
            raise AwayError("the answer does not come to its end")
    return bytes(body)


def ask_object(
    client: httpx.Client, monotonic: Callable[[], int], method: str, path: str, **rest: Any
) -> dict[str, Any]:
    """The same, where it is an object."""
    found = ask(client, monotonic, method, path, **rest)
    if not isinstance(found, dict):
        raise AwayError("the answer is no object")
    return found
