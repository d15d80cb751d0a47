"""A backend that speaks JSON over HTTP. What it answers is believed in form only after a look; whether it answers at all is told apart."""

from typing import Any, Final

import httpx

DETAIL_CHARS: Final = 500
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
        answer = client.request(method, path, **rest)
    except (httpx.TransportError, httpx.InvalidURL) as fault:
        raise AwayError(f"{type(fault).__name__}: {fault}") from fault
    said = f"HTTP {answer.status_code}: {answer.text[:DETAIL_CHARS]}"
    if answer.status_code in AWAY or answer.is_server_error or not (answer.is_success or answer.is_client_error):
        raise AwayError(said)
    if answer.status_code in _MISSING:
        raise MissingError(said)
    if answer.is_client_error:
        raise RefusedError(said)
    try:
        return answer.json()
    except ValueError as fault:
        raise AwayError("the answer is no JSON") from fault


def ask_object(client: httpx.Client, method: str, path: str, **rest: Any) -> dict[str, Any]:
    """The same, where it is an object."""
    found = ask(client, method, path, **rest)
    if not isinstance(found, dict):
        raise AwayError("the answer is no object")
    return found
