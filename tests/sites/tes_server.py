"""A TES server for tests: a second brain in a process of its own, whose sandbox is this host. It may be killed and started again."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from tests.plan.worlds import general, grid_of, site_of

from suanwang.grids import dump_grid
from suanwang.model.grid import PriceBook

IMAGE = "alpine"
TES = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
]
START_S = 120.0


class TesBrain:
    """One server, at one address for all its lives."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o755)
        self.folder, self.storage = folder, folder / "shared"
        self.storage.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        grid = folder / "grid.yaml"
        book = PriceBook(id="plain", core_hour_micro_yuan=3_600_000)
        site = site_of("there", [general("there", memory=2**34, cores=8)])
        grid.write_text(dump_grid(grid_of([site], [], books=(book,))), "utf-8")
        self.process: subprocess.Popen[bytes] | None = None
        self.key = ""
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        home = self.folder / "home"
        settings = {
            "SUANWANG_HOME": str(home),
            "SUANWANG_GRID": str(self.folder / "grid.yaml"),
            "SUANWANG_PORT": str(self.port),
            "SUANWANG_TES_HOST_IMAGES": f"{IMAGE}*",
            "SUANWANG_OUTPUT_ROOTS": str(self.storage),
        }
        source = str(Path(__file__).parents[2] / "src")
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "suanwang.cli", "serve"],
                env={**os.environ, **settings, "PYTHONPATH": source},
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self.process.poll() is None, (self.folder / "server.log").read_text()[-2000:]
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.1)
        self.key = self.key or json.loads((home / "credentials.json").read_text())["key"]

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/ga4gh/tes/v1/service-info", timeout=5).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        assert self.process is not None
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()

    def ask(self, method: str, path: str, **rest) -> dict:
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = httpx.request(method, f"{self.url}/ga4gh/tes/v1{path}", headers=headers, timeout=20, **rest)
        answer.raise_for_status()
        found = json.loads(answer.content)
        assert isinstance(found, dict)
        return found

    def tasks(self, attempt: str) -> list[dict]:
        params = {"tag_key": "suanwang-attempt", "tag_value": attempt, "view": "BASIC"}
        return self.ask("GET", "/tasks", params=params)["tasks"]
