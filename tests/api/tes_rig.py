"""A brain with the real local agent for TES: one site on this host, a folder for deliveries, images that stand for the host."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from tests.plan.worlds import general, grid_of, site_of

from suanwang.grids import dump_grid
from suanwang.model.grid import PriceBook
from suanwang.runtime.app import Serving, serving
from suanwang.runtime.settings import Settings

ENDS = ("COMPLETE", "EXECUTOR_ERROR", "SYSTEM_ERROR", "CANCELED")
SMALL = {"cpu_cores": 1, "ram_gb": 0.0625, "disk_gb": 0.0625}


@dataclass
class TesGrid:
    here: Serving
    delivered: Path

    @property
    def url(self) -> str:
        return f"{self.here.url}/ga4gh/tes/v1"

    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.here.key}"}, timeout=30)


@contextmanager
def tes_grid(folder: Path, **more) -> Iterator[TesGrid]:
    file = folder / "grid.yaml"
    site = site_of("here", [general("here", memory=2**34, cores=64)])
    file.write_text(dump_grid(grid_of([site], [], books=(PriceBook(id="plain"),))), "utf-8")
    delivered = folder / "delivered"
    delivered.mkdir(mode=0o755)
    settings = {"tes_host_images": ("alpine*", "ubuntu*"), "output_roots": (str(delivered),), "tes_open": True, **more}
    with serving(Settings(home=folder / "home", grid=str(file), port=0, **settings)) as here:
        yield TesGrid(here, delivered)


def executor(*command: str, **more) -> dict:
    return {"image": "alpine", "command": list(command), **more}


def shell(text: str, **more) -> dict:
    return executor("sh", "-c", text, **more)


def task_of(*executors: dict, **more) -> dict:
    return {"executors": list(executors), "resources": SMALL, **more}


def create(client: httpx.Client, document: dict) -> str:
    answer = client.post("/tasks", json=document)
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def look(client: httpx.Client, task_id: str, view: str = "FULL") -> dict:
    answer = client.get(f"/tasks/{task_id}", params={"view": view})
    assert answer.status_code == 200, answer.text
    return answer.json()


def ended(client: httpx.Client, task_id: str, seconds: float = 30.0) -> dict:
    """The whole task once it has ended."""
    deadline = time.monotonic() + seconds
    while (state := look(client, task_id, "MINIMAL")["state"]) not in ENDS:
        assert time.monotonic() < deadline, f"{state} after {seconds} s"
        time.sleep(0.05)
    return look(client, task_id)


def run(client: httpx.Client, document: dict) -> dict:
    return ended(client, create(client, document))
