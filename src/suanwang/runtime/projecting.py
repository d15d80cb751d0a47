"""Keeps the projections of large batches close behind the log: here, or in a process beside the brain when there is
much to do, since in this one it would take turns with the road for the interpreter."""

import contextlib
import subprocess
import sys
import threading
from typing import Final

import structlog

from suanwang.store import Store

# So many bytes of the log to project are worth the start of a process of its own: some thousand tasks.
BESIDE_BYTES: Final = 512 * 1024
LOOK_S: Final = 0.5  # how often it is looked whether somebody still works, and whether anything is left
AFTER_FAULT_S: Final = 2.0

_log = structlog.get_logger("suanwang.projecting")


class Projecting:
    """A thread that follows the store's word that it is behind."""

    def __init__(self, store: Store, url: str) -> None:
        self._store, self._url = store, url
        self._thread = threading.Thread(target=self._loop, name="projecting", daemon=True)
        self._stop = threading.Event()
        self._beside: subprocess.Popen[bytes] | None = None
        self._here = ":memory:" in url or url == "sqlite://"  # a store that no other process can open

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End, with the process beside. What is not projected is so at the next start."""
        self._stop.set()
        self._store.is_behind.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self._dismiss()

    def _loop(self) -> None:
        while not self._stop.is_set():
            self._store.is_behind.wait(LOOK_S)
            self._store.is_behind.clear()
            try:
                self._look()
            except Exception as error:  # the road goes on without its tables; they are tried again
                if not self._stop.is_set():
                    _log.error("projecting_broke", exc_info=error)
                    self._stop.wait(AFTER_FAULT_S)

    def _look(self) -> None:
        """See to it that somebody works on what is left."""
        if self._stop.is_set() or not self._store.behind():
            return
        if self._beside is not None:
            if self._beside.poll() is None:
                return
            _log.warning("projector_ended", code=self._beside.poll())
            self._dismiss()
            self._here = True  # whatever ended it would end the next one
        if not self._here and self._store.pending_bytes() > BESIDE_BYTES:
            self._hire()
            return
        while not self._stop.is_set() and self._store.project():
            pass

    def _hire(self) -> None:
        command = [sys.executable, "-m", "suanwang.runtime.project_main"]
        try:
            self._beside = subprocess.Popen(command, stdin=subprocess.PIPE)
            assert self._beside.stdin is not None, "it was asked for"
            self._beside.stdin.write(self._url.encode() + b"\n")  # not as an argument: an address may hold a password
            self._beside.stdin.flush()
        except OSError as error:
            _log.warning("projector_not_started", error=str(error))
            self._dismiss()
            self._here = True

    def _dismiss(self) -> None:
        if self._beside is None:
            return
        if self._beside.stdin is not None:
            with contextlib.suppress(OSError):
                self._beside.stdin.close()  # the end of its input ends it
        try:
            self._beside.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._beside.kill()
            self._beside.wait()
        self._beside = None
