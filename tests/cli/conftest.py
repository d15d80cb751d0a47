"""The command line in this process, against the brain of tests/api/served.py."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "api"))

from served import Grid, served

from suanwang.cli.main import run


@dataclass
class Ran:
    """What one command line did."""

    exit: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture(scope="session")
def grid(tmp_path_factory) -> Iterator[Grid]:
    with served(tmp_path_factory.mktemp("brain")) as found:
        yield found


@pytest.fixture
def cli(capsys, monkeypatch, tmp_path):
    """Run a command line without a brain; any home is an empty one."""
    monkeypatch.setenv("SUANWANG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("SUANWANG_URL", "SUANWANG_KEY", "SUANWANG_LANG"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str) -> Ran:
        capsys.readouterr()
        status = run([str(one) for one in arguments])
        out, err = capsys.readouterr()
        return Ran(int(status), out, err)

    return call


@pytest.fixture
def sw(cli, grid, monkeypatch):
    """Run a command line as an operator of the small grid."""
    monkeypatch.setenv("SUANWANG_URL", grid.here.url)
    monkeypatch.setenv("SUANWANG_KEY", grid.keys["operator"])
    return cli


@pytest.fixture
def task_file(tmp_path):
    """Write a task file; its work takes 50 ms on the fake adapter where its text says nothing else."""

    def write(text: str, name: str = "task.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write
