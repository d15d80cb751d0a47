"""Keeps the projections of large batches close behind the log: here, or in a process beside the brain when there is
much to do, since in this one it would take turns with the road for the interpreter."""

import contextlib
import subprocess
import sys
import threading
from typing import Final

import structlog

from suanwang.model.error import StoreError
from suanwang.store import Store

# Rows of the log that are left after a first step: from so many on a process of its own is worth its start.
BESIDE_FROM: Final = 4

_log = structlog.get_logger("suanwang.projecting")


class Projecting:
    """A thread that follows the store's word that it is behind."""

    def __init__(self, store: Store, url: str) -> None:
        self._store, self._url = store, url
        self._thread = threading.Thread(target=self._loop, name="projecting", daemon=True)
        self._stopping = False
        self._beside: subprocess.Popen[bytes] | None = None
        self._here = ":memory:" in url or url == "sqlite://"  # a store that no other process can open

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End, with the process beside. What is not projected is so at the next start."""
        self._stopping = True
        self._store.is_behind.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self._dismiss()

    def _loop(self) -> None:
        while not self._stopping:
            self._store.is_behind.wait()
            self._store.is_behind.clear()
            if not self._stopping and not self._asked_beside():
                self._project_here()

    def _project_here(self) -> None:
        try:
            while not self._stopping and self._store.project() >= (1 if self._here else BESIDE_FROM):
                if not self._here:
                    self._hire()
                    return
            while not self._stopping and self._store.project():
                pass
        except StoreError as error:
            if not self._stopping:
                _log.error("projecting_broke", exc_info=error)

    def _hire(self) -> None:
        command = [sys.executable, "-m", "suanwang.runtime.project_main"]
        self._beside = subprocess.Popen(command, stdin=subprocess.PIPE)
        assert self._beside.stdin is not None, "it was asked for"
        self._beside.stdin.write(self._url.encode() + b"\n")  # not as an argument: an address may hold a password
        self._asked_beside()

    def _asked_beside(self) -> bool:
        """Wake the process beside. False: there is none, or it has ended."""
        if self._beside is None or self._beside.stdin is None:
            return False
        try:
            self._beside.stdin.write(b".\n")
            self._beside.stdin.flush()
        except OSError:
            _log.warning("projector_ended", code=self._beside.poll())
            self._dismiss()
            self._here = True  # whatever ended it would end the next one
            return False
        return True

    def _dismiss(self) -> None:
        if self._beside is None:
            return
        with contextlib.suppress(OSError):
            if self._beside.stdin is not None:
                self._beside.stdin.close()
        try:
            self._beside.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._beside.kill()
        self._beside = None
