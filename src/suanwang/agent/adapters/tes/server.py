"""The TES server over HTTP. What it answers is believed in form only after a look; whether it answers at all is told apart."""

from collections.abc import Mapping
from typing import Any, Final

import httpx

from suanwang.agent.adapters.tes.settings import TesSettings
from suanwang.model.tes import TesState

PAGE: Final = 256
PAGES_MAX: Final = 1_000  # a server that always has one page more is not asked for ever
DETAIL_CHARS: Final = 500
# Answers that say nothing of the task: the server or the key is at fault, and an operator mends that.
_AWAY: Final = frozenset({401, 403, 408, 425, 429})


class AwayError(Exception):
    """The server did not answer, or not as one that works: nothing is known."""


class RefusedError(Exception):
    """The server answered that it does not take this."""


class TesServer:
    """Every call is one request, or one a page. Raises AwayError. For one thread."""

    def __init__(self, settings: TesSettings) -> None:
        headers = {"Accept": "application/json"}
        if settings.token:
            headers["Authorization"] = f"Bearer {settings.token}"
        self._client = httpx.Client(base_url=settings.base, headers=headers, timeout=settings.timeout_s)

    def close(self) -> None:
        self._client.close()

    def service_info(self) -> dict[str, Any]:
        return self._object("GET", "/service-info")

    def create(self, document: Mapping[str, Any], key: str) -> str:
        """The id of the new task; `key` names it for servers that know idempotency keys. Raises RefusedError."""
        made = self._object("POST", "/tasks", json=document, headers={"Idempotency-Key": key}).get("id")
        if not isinstance(made, str) or not made:
            raise AwayError("the answer to a new task has no id")
        return made

    def state(self, task_id: str) -> TesState | None:
        """None where the server knows no such task."""
        try:
            return state_of(self._object("GET", f"/tasks/{task_id}", params={"view": "MINIMAL"}))
        except _MissingError:
            return None

    def whole(self, task_id: str) -> dict[str, Any]:
        """A task with its logs; empty where the server knows no such task."""
        try:
            return self._object("GET", f"/tasks/{task_id}", params={"view": "FULL"})
        except _MissingError:
            return {}

    def find(self, key: str, value: str) -> list[dict[str, Any]]:
        """Every task with the tag, oldest first, with its tags."""
        out: list[dict[str, Any]] = []
        token = ""
        for _ in range(PAGES_MAX):
            params = {"tag_key": key, "tag_value": value, "view": "BASIC", "page_size": str(PAGE)}
            page = self._object("GET", "/tasks", params=params | ({"page_token": token} if token else {}))
            tasks = page.get("tasks") or []
            if not isinstance(tasks, list):
                raise AwayError("a list of tasks is none")
            # A server of TES 1.0 does not know the filter, and lists everything.
            out += [one for one in tasks if isinstance(one, dict) and (one.get("tags") or {}).get(key) == value]
            token = str(page.get("next_page_token") or "")
            if not token:
                return out[::-1]
        raise AwayError(f"more than {PAGES_MAX} pages of tasks")

    def cancel(self, task_id: str) -> None:
        try:
            self._object("POST", f"/tasks/{task_id}:cancel")
        except (_MissingError, RefusedError):
            return  # it is gone, or has ended: the next look says which

    def _object(self, method: str, path: str, **rest: Any) -> dict[str, Any]:
        try:
            answer = self._client.request(method, path, **rest)
        except (httpx.TransportError, httpx.InvalidURL) as fault:
            raise AwayError(f"{type(fault).__name__}: {fault}") from fault
        if answer.status_code in _AWAY or answer.is_server_error or not (answer.is_success or answer.is_client_error):
            raise AwayError(f"HTTP {answer.status_code}: {answer.text[:DETAIL_CHARS]}")
        if answer.status_code in (404, 410) and path.startswith("/tasks/"):
            raise _MissingError(path)
        if answer.is_client_error:
            raise RefusedError(f"HTTP {answer.status_code}: {answer.text[:DETAIL_CHARS]}")
        try:
            found = answer.json()
        except ValueError as fault:
            raise AwayError("the answer is no JSON") from fault
        if not isinstance(found, dict):
            raise AwayError("the answer is no object")
        return found


class _MissingError(Exception):
    """The server knows no such task."""


def state_of(task: Mapping[str, Any]) -> TesState:
    """A word that TES does not have is UNKNOWN, as a missing one is."""
    try:
        return TesState(task.get("state") or "UNKNOWN")
    except ValueError:
        return TesState.UNKNOWN
