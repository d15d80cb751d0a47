"""A real brain with the local adapter on one site that is its own and one that is not, and a client."""

import os
from collections.abc import Iterator

import pytest
from tests.plan.worlds import general, grid_of, link_of, site_of

import suanwang
from suanwang.grids import dump_grid
from suanwang.model.grid import PriceBook
from suanwang.runtime.app import serving
from suanwang.runtime.settings import Settings


@pytest.fixture(scope="session")
def client(tmp_path_factory) -> Iterator[suanwang.Client]:
    folder = tmp_path_factory.mktemp("functions")
    sites = [
        site_of("here", [general("here", nodes=4, memory=2**36)]),
        site_of("acme", [general("acme", nodes=4, memory=2**36)], owner="acme"),
    ]
    grid = grid_of(sites, [link_of("road", "here", "acme")], books=(PriceBook(id="plain"),))
    (folder / "grid.yaml").write_text(dump_grid(grid), "utf-8")
    before = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("SUANWANG_")}
    with (
        serving(Settings(home=folder / "home", grid=str(folder / "grid.yaml"), port=0)) as here,
        suanwang.Client(here.url, here.key) as found,
    ):
        yield found
    os.environ.update(before)


@pytest.fixture
def task(client):
    """`suanwang.task` with the client of the brain."""

    def decorate(function=None, /, **fields):
        made = suanwang.task(client=client, **{"wall_time": "60 s", **fields})
        return made if function is None else made(function)

    return decorate
