"""The brain of `served.py`, and clients of its roles."""

import os
from collections.abc import Iterator

import httpx
import pytest
from served import Grid, served


@pytest.fixture(scope="session")
def grid(tmp_path_factory) -> Iterator[Grid]:
    with served(tmp_path_factory.mktemp("brain")) as found:
        yield found


@pytest.fixture
def user(grid) -> Iterator[httpx.Client]:
    with grid.http("user") as client:
        yield client


@pytest.fixture
def operator(grid) -> Iterator[httpx.Client]:
    with grid.http("operator") as client:
        yield client


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch) -> None:
    for name in [one for one in os.environ if one.startswith("SUANWANG_")]:
        monkeypatch.delenv(name)
