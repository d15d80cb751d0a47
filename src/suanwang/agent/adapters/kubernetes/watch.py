"""A mirror of what the server has of this adapter: its Jobs and pods, kept up by a watch for each kind and namespace.

A list, then every change from its version on. A watch that breaks off goes on where it was; where the server no longer has that
version (410), or where it says what cannot be read, the list is taken again. While the server is away the mirror stays as it was, and the pause between two tries grows.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from suanwang.agent.adapters.kubernetes.api import GONE, Api, AwayError, GarbledError, Object, RefusedError, Watch
from suanwang.agent.adapters.kubernetes.manifest import ATTEMPT, INSTANCE

PAUSE_S: Final = 0.2
PAUSE_S_MAX: Final = 30.0


@dataclass(frozen=True, slots=True)
class Kind:
    """What is watched."""

    name: str  # jobs, pods
    base: str  # /apis/batch/v1, /api/v1

    def path(self, namespace: str, name: str = "") -> str:
        return f"{self.base}/namespaces/{namespace}/{self.name}" + (f"/{name}" if name else "")


JOBS: Final = Kind("jobs", "/apis/batch/v1")
PODS: Final = Kind("pods", "/api/v1")


Known = dict[str, dict[str, Object]]  # by attempt, by uid


class _TooOldError(Exception):
    """The server does not have the version any more."""


class Mirror:
    """Runs from `start` to `close`; any thread may ask. `changed` is called on its threads, with the attempt of an object."""

    def __init__(self, api: Api, namespaces: Iterable[str], instance: str, changed: Callable[[str], None]) -> None:
        self._api = api
        self._selector = {"labelSelector": f"{INSTANCE}={instance}"}
        self._changed = changed
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], Known] = {}  # by kind and namespace
        self._sources = [(kind, one) for one in sorted(set(namespaces)) for kind in (JOBS, PODS)]
        self._versions: dict[tuple[str, str], str] = {}  # each is of one thread alone
        self._open: set[Watch] = set()
        self._closed = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=source, name=f"watch-{source[0].name}", daemon=True)
            for source in self._sources
        ]
        self.fault: RefusedError | None = None  # the last thing that the server said no to

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            for watch in self._open:
                watch.break_off()
        for thread in self._threads:
            thread.join()

    @property
    def complete(self) -> bool:
        """Whether every list has been taken once: what is not here is not there."""
        with self._lock:
            return len(self._known) == len(self._sources)

    def all(self, kind: Kind) -> list[Object]:
        with self._lock:
            tables = [known for (name, _), known in self._known.items() if name == kind.name]
            return [one for known in tables for found in known.values() for one in found.values()]

    def of(self, kind: Kind, attempt: str) -> list[Object]:
        """Those of one attempt."""
        with self._lock:
            tables = [known for (name, _), known in self._known.items() if name == kind.name]
            return [one for known in tables for one in known.get(attempt, {}).values()]

    def _run(self, kind: Kind, namespace: str) -> None:
        pause_s, at = 0.0, (kind.name, namespace)
        while not self._closed.wait(pause_s):
            try:
                if not self._versions.get(at):
                    self._versions[at] = self._list(kind, namespace)
                self._versions[at] = self._follow(kind, namespace, self._versions[at])
                pause_s = 0.0
            except _TooOldError:
                self._versions[at], pause_s = "", PAUSE_S
            except AwayError as fault:
                if isinstance(fault, GarbledError):
                    self._versions[at] = ""
                pause_s = min(PAUSE_S_MAX, max(PAUSE_S, pause_s * 2))
            except RefusedError as fault:
                self._versions[at] = ""
                if fault.status != GONE:
                    self.fault = fault
                pause_s = min(PAUSE_S_MAX, max(PAUSE_S, pause_s * 2))

    def _list(self, kind: Kind, namespace: str) -> str:
        items, version = self._api.all_of(kind.path(namespace), self._selector)
        new: Known = {}
        for one in items:
            new.setdefault(attempt_of(one), {})[str(one["metadata"]["uid"])] = one
        with self._lock:
            old = self._known.get((kind.name, namespace), {})
            self._known[kind.name, namespace] = new
        for attempt in {**old, **new}:
            self._changed(attempt)
        return version

    def _follow(self, kind: Kind, namespace: str, version: str) -> str:
        """Until the server ends it; the version that it came to."""
        with self._api.watch(kind.path(namespace), self._selector, version) as watch:
            with self._lock:
                self._open.add(watch)
            try:
                if self._closed.is_set():
                    return version
                for what, one in watch.changes():
                    if what == "ERROR":
                        raise _TooOldError
                    version = self._versions[kind.name, namespace] = str(one["metadata"]["resourceVersion"])
                    if what != "BOOKMARK":
                        self._apply(kind, namespace, what, one)
            finally:
                with self._lock:
                    self._open.discard(watch)
        return version

    def _apply(self, kind: Kind, namespace: str, what: str, one: Object) -> None:
        uid, attempt = str(one["metadata"]["uid"]), attempt_of(one)
        with self._lock:
            known = self._known[kind.name, namespace]
            if what != "DELETED":
                known.setdefault(attempt, {})[uid] = one
            elif attempt in known:
                known[attempt].pop(uid, None)
                if not known[attempt]:
                    del known[attempt]
        self._changed(attempt)


def attempt_of(one: Object) -> str:
    """The attempt that an object is of."""
    return str((one["metadata"].get("labels") or {}).get(ATTEMPT, ""))
