"""The API server of one cluster, over HTTP: the one place where it is spoken with.

Two kinds of fault: `AwayError`, nothing is known of what became of the request; `RefusedError`, the server has said no.
"""

import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

Object = dict[str, Any]  # as the server writes it

TIMEOUT_S: Final = 10.0
LIST_AT_ONCE: Final = 500
WATCH_S: Final = 240  # after which the server ends a watch, and it is begun again where it ended
WATCH_READ_S: Final = WATCH_S + 30.0
BUSY: Final = frozenset({408, 429, 500, 502, 503, 504})  # "later": the request may or may not have got through
GONE: Final = 410
MISSING: Final = 404
EXISTS: Final = 409


class AwayError(Exception):
    """No answer, or one that says nothing: nothing is known of what became of the request. `unreached`: it was the
    connection; else what the server said concerns this request, and it may take others."""

    def __init__(self, message: str, *, unreached: bool = False) -> None:
        super().__init__(message)
        self.unreached = unreached


class GarbledError(AwayError):
    """A watch said what is no change: going on from the same version would bring the same again."""


class RefusedError(Exception):
    """The server said no. `reason` is its word for it, such as Forbidden, AlreadyExists, Invalid."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class Connection:
    """How one API server is reached, as a kubeconfig says it. `token_file` is read again for each request: tokens that
    are given to a pod change."""

    server: str
    verify: ssl.SSLContext | bool = True
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    token_file: str | None = None
    namespace: str = "default"
    timeout_s: float = TIMEOUT_S


@dataclass(frozen=True, slots=True)
class ServerVersion:
    """Of the server; 0.0 where it is not known."""

    text: str = "unknown"
    major: int = 0
    minor: int = 0

    @property
    def indexed(self) -> bool:
        """Whether a Job has Indexed completions and can be begun later: both stable since 1.24."""
        return (self.major, self.minor) >= (1, 24)


def read_version(found: Mapping[str, Any]) -> ServerVersion:
    """`GET /version`: a provider may write the minor as `24+`, and a build may leave it empty beside gitVersion."""
    text = str(found.get("gitVersion") or "unknown")
    words = text.removeprefix("v").split(".")
    major = _number(found.get("major")) or _number(words[0])
    minor = _number(found.get("minor")) or (_number(words[1]) if len(words) > 1 else 0)
    return ServerVersion(text, major, minor)


def _number(text: object) -> int:
    digits = "".join(ch for ch in str(text or "") if ch.isdecimal())
    return int(digits) if digits else 0


class Api:
    """Requests of one adapter. Safe to use from several threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._client = httpx.Client(
            base_url=connection.server,
            verify=connection.verify,
            headers={"Accept": "application/json", **connection.headers},
            timeout=connection.timeout_s,
            trust_env=False,
        )

    @property
    def namespace(self) -> str:
        """The one that the kubeconfig names."""
        return self._connection.namespace

    def close(self) -> None:
        self._client.close()

    def version(self) -> ServerVersion:
        return read_version(self.request("GET", "/version"))

    def request(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        params: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        """One request. Raises AwayError, RefusedError."""
        headers = self._own_headers()
        content = None
        if body is not None:
            content, headers["Content-Type"] = json.dumps(body).encode(), content_type
        try:
            answer = self._client.request(method, path, params=dict(params or {}), content=content, headers=headers)
        except (httpx.HTTPError, OSError) as fault:
            raise AwayError(f"{method} {path}: {type(fault).__name__}", unreached=True) from fault
        return _read(answer, f"{method} {path}")

    def all_of(self, path: str, params: Mapping[str, str] | None = None) -> tuple[list[Object], str]:
        """A whole list, in parts, and the version of the cluster that it is of."""
        out: list[Object] = []
        more = {**(params or {}), "limit": str(LIST_AT_ONCE)}
        while True:
            found = self.request("GET", path, params=more)
            out += found.get("items") or []
            meta = found.get("metadata") or {}
            if not meta.get("continue"):
                return out, str(meta.get("resourceVersion", ""))
            more["continue"] = str(meta["continue"])

    @contextmanager
    def watch(self, path: str, params: Mapping[str, str], version: str) -> Iterator["Watch"]:
        """What happens from a version on. Raises AwayError, RefusedError; 410 where the version is too old."""
        asked = {
            **params,
            "watch": "1",
            "resourceVersion": version,
            "timeoutSeconds": str(WATCH_S),
            "allowWatchBookmarks": "true",
        }
        timeout = httpx.Timeout(self._connection.timeout_s, read=WATCH_READ_S)
        try:
            with self._client.stream("GET", path, params=asked, headers=self._own_headers(), timeout=timeout) as answer:
                if answer.status_code != httpx.codes.OK:
                    answer.read()
                    _read(answer, f"watch {path}")
                yield Watch(answer)
        except (httpx.HTTPError, httpx.StreamError, OSError) as fault:
            raise AwayError(f"watch {path}: {type(fault).__name__}") from fault

    def _own_headers(self) -> dict[str, str]:
        path = self._connection.token_file
        if path is None:
            return {}
        try:
            with open(path, encoding="utf-8") as stream:
                return {"Authorization": f"Bearer {stream.read().strip()}"}
        except OSError as fault:
            raise AwayError(f"{path}: {fault.strerror}", unreached=True) from fault


class Watch:
    """An open watch."""

    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer

    def changes(self) -> Iterator[tuple[str, Object]]:
        """(type, object), until the server ends it. Types are ADDED, MODIFIED, DELETED, BOOKMARK and ERROR."""
        for line in self._lines():
            if line.strip():
                try:
                    found = json.loads(line)
                    yield str(found["type"]), found["object"]
                except (ValueError, KeyError, TypeError) as fault:
                    raise GarbledError("the watch said what is no change") from fault

    def _lines(self) -> Iterator[bytes]:
        """Cut at line feeds alone: JSON may hold what Unicode calls an end of a line, and work writes texts of pods. What
        no line feed ends was broken off."""
        rest = b""
        for piece in self._answer.iter_bytes():
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines

    def break_off(self) -> None:
        """End it from another thread: `changes` ends, or raises."""
        stream = self._answer.extensions.get("network_stream")
        with suppress(OSError, AttributeError):
            found = stream.get_extra_info("socket") if stream is not None else None
            if found is not None:
                found.shutdown(socket.SHUT_RDWR)


def _read(answer: httpx.Response, what: str) -> Object:
    try:
        found = answer.json()
    except ValueError as fault:
        raise AwayError(f"{what}: {answer.status_code}, and no JSON") from fault
    if answer.is_success and isinstance(found, dict):
        return found
    said = found if isinstance(found, dict) else {}
    if answer.status_code in BUSY:
        raise AwayError(f"{what}: {answer.status_code} {said.get('message', '')}"[:300])
    raise RefusedError(answer.status_code, str(said.get("reason", "")), str(said.get("message", ""))[:500])
