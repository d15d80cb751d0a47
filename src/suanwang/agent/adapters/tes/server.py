"""The TES server over HTTP. What it answers is believed in form only after a look; whether it answers at all is told apart."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeGuard
from urllib.parse import quote

from suanwang.agent.adapters.remote.http import AwayError, MissingError, RefusedError, ask_object, client_of
from suanwang.agent.adapters.tes.settings import TesSettings
from suanwang.model.tes import TesState

PAGE: Final = 256
FOUND_MAX: Final = 100_000  # no attempt has so many
ID_CHARS_MAX: Final = 512
TOKEN_CHARS_MAX: Final = 4_096
PAGES_MAX: Final = 1_000  # a server that always has one page more is not asked for ever
__all__ = ["AwayError", "RefusedError", "TesServer", "is_id", "state_of", "tags_of"]


class TesServer:
    """Every call is one request, or one a page. Raises AwayError. For one thread."""

    def __init__(self, settings: TesSettings, monotonic: Callable[[], int]) -> None:
        """`monotonic` in microseconds."""
        self._monotonic = monotonic
        self._client = client_of(settings.base, settings.token, settings.timeout_s)

    def close(self) -> None:
        self._client.close()

    def service_info(self) -> dict[str, Any]:
        return self._object("GET", "/service-info")

    def create(self, document: Mapping[str, Any], key: str) -> str:
        """The id of the new task; `key` names it for servers that know idempotency keys. Raises RefusedError."""
        made = self._object("POST", "/tasks", json=document, headers={"Idempotency-Key": key}).get("id")
        if not is_id(made):
            raise AwayError("the answer to a new task has no id")
        return made

    def state(self, task_id: str) -> TesState | None:
        """None where the server knows no such task."""
        try:
            return state_of(self._seen(_path(task_id), {"view": "MINIMAL"}))
        except MissingError:
            return None

    def whole(self, task_id: str) -> dict[str, Any]:
        """A task with its logs; empty where the server knows no such task."""
        try:
            return self._seen(_path(task_id), {"view": "FULL"})
        except MissingError:
            return {}

    def find(self, key: str, value: str) -> list[dict[str, Any]]:
        """Every task with the tag, oldest first, with its tags."""
        out: list[dict[str, Any]] = []
        token = ""
        for _ in range(PAGES_MAX):
            params = {"tag_key": key, "tag_value": value, "view": "BASIC", "page_size": str(PAGE)}
            try:
                page = self._seen("/tasks", params | ({"page_token": token} if token else {}))
            except MissingError as fault:
                raise AwayError(str(fault)) from fault
            tasks = page.get("tasks") or []
            if not isinstance(tasks, list):
                raise AwayError("a list of tasks is none")
            # A server of TES 1.0 does not know the filter, and lists everything.
            out += [one for one in tasks if isinstance(one, dict) and tags_of(one).get(key) == value]
            if len(out) > FOUND_MAX:
                raise AwayError(f"more than {FOUND_MAX} tasks with one tag")
            token = str(page.get("next_page_token") or "")
            if not token:
                return out[::-1]
            if len(token) > TOKEN_CHARS_MAX:
                raise AwayError("the token of the next page is too long")
        raise AwayError(f"more than {PAGES_MAX} pages of tasks")

    def cancel(self, task_id: str) -> None:
        try:
            self._object("POST", f"{_path(task_id)}:cancel")
        except RefusedError:
            return  # it is gone, or has ended: the next look says which

    def _seen(self, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        """What is only looked at cannot be refused: such an answer says nothing of the task. Raises AwayError, MissingError."""
        try:
            return self._object("GET", path, params=params)
        except MissingError:
            raise
        except RefusedError as fault:
            raise AwayError(str(fault)) from fault

    def _object(self, method: str, path: str, **rest: Any) -> dict[str, Any]:
        return ask_object(self._client, self._monotonic, method, path, **rest)


def is_id(value: object) -> TypeGuard[str]:
    """Whether it can be the id of a task."""
    return isinstance(value, str) and 0 < len(value) <= ID_CHARS_MAX and value.isprintable()


def _path(task_id: str) -> str:
    return f"/tasks/{quote(task_id, safe='')}"


def tags_of(task: Mapping[str, Any]) -> dict[str, Any]:
    found = task.get("tags")
    return found if isinstance(found, dict) else {}


def state_of(task: Mapping[str, Any]) -> TesState:
    """A word that TES does not have is UNKNOWN, as a missing one is."""
    try:
        return TesState(task.get("state") or "UNKNOWN")
    except ValueError:
        return TesState.UNKNOWN
