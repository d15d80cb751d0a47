"""The NATS server of a brain's own: started, looked after, started again when it dies.

It runs in a session of its own and outlives a brain that is killed, so that agents lose nothing meanwhile; the next brain
of the same home takes it on. A brain that ends as it should ends its server too.
"""

import json
import os
import shutil
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from suanwang.model.error import Fault, FaultsError, StoreError
from suanwang.runtime import clock
from suanwang.runtime.nats_files import configure, remember_port
from suanwang.runtime.settings import Settings

START_S: Final = 15.0
STOP_S: Final = 10.0
LOOK_S: Final = 0.1

_log = structlog.get_logger("suanwang.nats")


def find_server() -> Path:
    """The program, beside this Python or on the path. Raises FaultsError where there is none."""
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise FaultsError([Fault("nats_server_missing", "bus", "nats")], "environment")
    return Path(found)


class NatsServer:
    """One server over `<home>/nats`."""

    def __init__(self, settings: Settings) -> None:
        """Raises FaultsError where the program is missing."""
        self._program = find_server()
        self.folder = settings.home / "nats"
        self.host = settings.host
        self.address = settings.nats_host or settings.host
        self.port = settings.nats_port or remember_port(self.folder, _free_port(settings.host))
        self._config = self.folder / "server.json"
        self._child: int | None = None
        self._stopping = threading.Event()
        self._watch = threading.Thread(target=self._look_after, name="nats-server", daemon=True)

    @property
    def url(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"tls://{host}:{self.port}"

    def start(self) -> None:
        """Until it listens. Raises StoreError where it does not."""
        hosts = tuple(dict.fromkeys((self.address, self.host, "localhost", "127.0.0.1")))
        if configure(self.folder, self.host, self.port, hosts, clock.now_us()):
            self._end_other()
        if self.pid is None:
            self._spawn()
        deadline_s = clock.monotonic_s() + START_S
        while not self._listens():
            if clock.monotonic_s() > deadline_s or self.pid is None:
                self.stop()
                raise StoreError("nats_not_started", log=str(self.folder / "server.log"), port=self.port)
            clock.pause(0.02)
        self._watch.start()

    @property
    def pid(self) -> int | None:
        """Of the server that runs over this folder, whoever started it."""
        if self._child is not None and os.waitpid(self._child, os.WNOHANG)[0] == 0:
            return self._child
        self._child = None
        try:
            pid = int((self.folder / "server.pid").read_text())
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if os.fsencode(self._config) in words else None  # one that has ended has no words

    def leave(self) -> None:
        """Look after it no longer, and let it run on: the next brain of this home takes it over."""
        self._stopping.set()
        if self._watch.is_alive():
            self._watch.join()

    def stop(self) -> None:
        self.leave()
        self._end_other()

    def _spawn(self) -> None:
        (self.folder / "store").mkdir(exist_ok=True, mode=0o700)
        console = str(self.folder / "console.log")
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, console, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        words = [str(self._program), "-c", str(self._config)]
        self._child = os.posix_spawn(self._program, words, os.environ, file_actions=actions, setsid=True)

    def _look_after(self) -> None:
        while not self._stopping.wait(LOOK_S):
            if self.pid is None:
                _log.warning("nats_server_ended", port=self.port)
                self._spawn()
                self._stopping.wait(LOOK_S)

    def _end_other(self) -> None:
        pid = self.pid
        deadline_s = clock.monotonic_s() + STOP_S
        for number in (signal.SIGTERM, signal.SIGKILL):
            if pid is None:
                break
            with suppress(ProcessLookupError):
                os.kill(pid, number)
            while self.pid == pid and clock.monotonic_s() < deadline_s:
                clock.pause(0.02)
            pid = self.pid
            deadline_s = clock.monotonic_s() + STOP_S
        (self.folder / "server.pid").unlink(missing_ok=True)

    def _listens(self) -> bool:
        """A NATS server says who it is as soon as somebody connects."""
        try:
            with socket.create_connection((self.host, self.port), timeout=1) as one:
                one.settimeout(1)
                said = one.recv(64 * 1024)
        except OSError:
            return False
        return said.startswith(b"INFO ") and json.loads(said[5:].split(b"\r\n")[0]).get("server_name") == "suanwang"


def _free_port(host: str) -> int:
    with socket.create_server((host, 0)) as one:
        return int(one.getsockname()[1])
