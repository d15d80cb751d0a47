"""The Ray head's dashboard over HTTP: the Jobs API and the list of nodes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from suanwang.agent.adapters.ray.settings import RaySettings
from suanwang.agent.adapters.remote.http import AwayError, MissingError, RefusedError, ask_object, client_of
from suanwang.agent.readable import readable

__all__ = ["ENDED", "AwayError", "Job", "Node", "RayServer", "RefusedError", "gist"]

ENDED: Final = frozenset({"STOPPED", "SUCCEEDED", "FAILED"})
NODES_MAX: Final = 10_000
GIST_CHARS: Final = 300


@dataclass(frozen=True, slots=True)
class Job:
    """What Ray says of a job. `status`: PENDING, RUNNING, STOPPED, SUCCEEDED, FAILED; `error`: Ray's closed word for why."""

    status: str
    error: str = ""
    message: str = ""
    code: int | None = None  # of the entrypoint


@dataclass(frozen=True, slots=True)
class Node:
    """A node that lives, and all that it has, by Ray's names; memory in bytes."""

    resources: Mapping[str, float]
    labels: Mapping[str, str]
    head: bool


class RayServer:
    """Every call is one request. Raises AwayError. For one thread."""

    def __init__(self, settings: RaySettings, monotonic: Callable[[], int]) -> None:
        """`monotonic` in microseconds."""
        self._monotonic = monotonic
        self._client = client_of(settings.url.rstrip("/"), settings.token, settings.timeout_s)

    def close(self) -> None:
        self._client.close()

    def version(self) -> str:
        return str(self._object("GET", "/api/version").get("ray_version") or "unknown")

    def submit(self, document: Mapping[str, Any]) -> None:
        """Have Ray take a job. Raises RefusedError where it does not; one that is there already is an AwayError of Ray's."""
        self._object("POST", "/api/jobs/", json=document)

    def job(self, name: str) -> Job | None:
        """None where Ray knows no such job."""
        try:
            said = self._object("GET", _path(name))
        except MissingError:
            return None
        code = said.get("driver_exit_code")
        return Job(
            str(said.get("status") or ""),
            str(said.get("error_type") or ""),
            str(said.get("message") or ""),
            code if isinstance(code, int) else None,
        )

    def stop(self, name: str) -> None:
        """Asked for; the next look says what became of it."""
        try:
            self._object("POST", f"{_path(name)}/stop")
        except RefusedError:
            return

    def delete(self, name: str) -> bool:
        """Have Ray forget a job that has ended; True where it is gone."""
        try:
            self._object("DELETE", _path(name))
        except MissingError:
            return True
        except RefusedError:
            return False
        return True

    def nodes(self) -> list[Node]:
        """Those that are alive."""
        said: Any = self._object("GET", "/api/v0/nodes", params={"limit": str(NODES_MAX), "detail": "1"})
        try:
            rows = said["data"]["result"]["result"]
            return [_node(one) for one in rows if one["state"] == "ALIVE"]
        except (KeyError, TypeError, ValueError, AttributeError) as fault:
            raise AwayError("the list of nodes is none") from fault

    def _object(self, method: str, path: str, **rest: Any) -> dict[str, Any]:
        return ask_object(self._client, self._monotonic, method, path, **rest)


def _path(name: str) -> str:
    return f"/api/jobs/{quote(name, safe='')}"


def _node(row: Mapping[str, Any]) -> Node:
    resources = {str(name): float(value) for name, value in row["resources_total"].items()}
    labels = {str(name): str(value) for name, value in (row.get("labels") or {}).items()}
    return Node(resources, labels, bool(row.get("is_head_node")))


def gist(text: str) -> str:
    """Of what Ray says, what a person needs: of a traceback its last line, of other texts their beginning."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    told = lines[-1] if any(line.startswith("Traceback (") for line in lines) else lines[0]
    return readable(told[:GIST_CHARS])
