"""The stand-in server of web/dev as a process, and where things are."""

import json
import shutil
import subprocess
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "src/suanwang/api/static"
CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
OPERATOR, VIEWER = "sw_demo_secret", "sw_viewer_secret"


def node() -> str | None:
    """Node from PATH, else the one that the Makefile takes from a wheel."""
    carried = ROOT / ".venv/node/node"
    return shutil.which("node") or (str(carried) if carried.exists() else None)


@dataclass(frozen=True)
class Server:
    url: str
    process: subprocess.Popen[str]

    def call(self, path: str, body: Any = None, key: str = OPERATOR) -> Any:
        """One call of the API: the parsed answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/v1{path}", data, {"Authorization": f"Bearer {key}"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
