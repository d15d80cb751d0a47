"""The brain and the agents of the demo, each a process of its own: the commands that an operator types."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

from tools.demo_sites.places import Place
from tools.rigs.slurm import free_run

GRID: Final = Path(__file__).parent / "grid.yaml"
SOURCE: Final = Path(__file__).parents[2] / "src"
WAIT_S: Final = 120.0
STOP_S: Final = 20.0
LOOK_S: Final = 0.1


class DemoError(Exception):
    """Something of the demo did not come; the words say what, and where to look."""


def wait_for(holds: Callable[[], Any], what: str) -> Any:
    """What `holds` gives once it gives something. Raises DemoError."""
    deadline_s = time.monotonic() + WAIT_S
    while not (found := holds()):
        if time.monotonic() > deadline_s:
            raise DemoError(what)
        time.sleep(LOOK_S)
    return found


class Process:
    """One command, whose output goes into a file. It may be killed and started again."""

    def __init__(self, words: list[str], environment: dict[str, str], log: Path) -> None:
        self._words, self._environment, self.log = words, environment, log
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self._words,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the demo, which ends its parts in order
            )

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    def kill(self) -> None:
        """As a crash does."""
        assert self._child is not None
        self._child.kill()
        self._child.wait()

    def stop(self) -> None:
        """Politely, and where that does not help by force."""
        if self._child is None or not self.alive:
            return
        self._child.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(STOP_S)
        if self.alive:
            self.kill()


class Grid:
    """The brain with its NATS server, over one home; and `suanwang` as its operator."""

    def __init__(self, home: Path, lang: str) -> None:
        self.home, self._lang = home / "brain", lang
        self.home.mkdir(mode=0o700)
        self.url = f"http://127.0.0.1:{free_run(1)}"
        serve = ["serve", "--no-agent", "--bus", "nats", "--grid", str(GRID), "--port", self.url.rpartition(":")[2]]
        own = {"SUANWANG_HOME": str(self.home), "SUANWANG_NATS_PORT": "0", "SUANWANG_TRUST_S": "0"}
        self.brain = Process(words(*serve), environment(own), home / "brain.log")

    @property
    def key(self) -> str:
        return str(json.loads((self.home / "credentials.json").read_text())["key"])

    @property
    def nats_pid(self) -> int | None:
        """Of the NATS server over this home; None where none is."""
        with suppress(OSError, ValueError):
            pid = int((self.home / "nats/server.pid").read_text())
            if os.fsencode(self.home) in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        return None

    def operate(self, *arguments: str, out: IO[bytes] | None = None) -> Any:
        """A command of the operator's: what it says as JSON, or with `out` as people see it there."""
        how = ["--lang", self._lang] if out is not None else ["--json"]
        own = {"SUANWANG_URL": self.url, "SUANWANG_KEY": self.key, "SUANWANG_HOME": str(self.home)}
        to = out if out is not None else subprocess.PIPE
        done = subprocess.run(
            words(*arguments, *how),
            env=environment(own),
            stdout=to,
            stderr=subprocess.PIPE,
            timeout=WAIT_S,
            check=False,
        )
        if done.returncode != 0:
            raise DemoError(f"suanwang {' '.join(arguments)}: {done.stderr.decode(errors='replace').strip()}")
        return json.loads(done.stdout) if out is None else None

    def close(self) -> None:
        """The brain ends its NATS server; one that a killed brain has left is ended here."""
        self.brain.stop()
        pid = self.nats_pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            with suppress(DemoError):
                wait_for(lambda: self.nats_pid is None, "end of NATS")


def agent_of(place: Place, grid: Grid, home: Path, token: str) -> Process:
    """`suanwang join` for a site, as somebody types it there; started again it needs no token."""
    join = ["join", "--brain", grid.url, "--adapter", place.adapter, "--name", place.name, "--yes", "--json"]
    join += ["--home", str(home / "sites" / place.name), *place.options()]
    own = {"SUANWANG_JOIN_TOKEN": token, **place.environment}
    return Process(words(*join), environment(own), home / f"{place.name}.log")


def words(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "suanwang.cli", *arguments]


def environment(own: dict[str, str]) -> dict[str, str]:
    """This process's own, without what is set for another brain."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SUANWANG_")}
    return kept | {"PYTHONPATH": str(SOURCE)} | own
