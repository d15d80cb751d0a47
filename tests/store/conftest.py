"""The same tests on both engines: `url` is an empty store of each, `open_store` opens and closes it."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from bench.postgres import find_postgres, postgres_server

from suanwang.store import Store

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_folder() -> Iterator[str]:
    """A PostgreSQL server of its own on a unix socket; gives the socket's folder.

    Its language is not "C", so a test sees where text would sort otherwise than in SQLite.
    """
    if find_postgres() is None:
        pytest.skip("no PostgreSQL server under /usr/lib/postgresql")
    with postgres_server(durable=False) as folder:
        yield folder


@pytest.fixture
def new_postgres(postgres_folder: str) -> Callable[[], str]:
    """Makes an empty database; gives its address."""

    def make() -> str:
        name = f"store{next(_numbers)}"
        with psycopg.connect(host=postgres_folder, user="postgres", dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://postgres@/{name}?host={postgres_folder}"

    return make


@pytest.fixture
def new_sqlite(tmp_path: Path) -> Callable[[], str]:
    """The address of a SQLite file that is not there yet."""
    return lambda: f"sqlite:///{tmp_path}/store{next(_numbers)}.db"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def new_url(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Makes addresses of empty stores, of each engine in turn."""
    return request.getfixturevalue(f"new_{request.param}")


@pytest.fixture
def url(new_url: Callable[[], str]) -> str:
    return new_url()


@pytest.fixture
def open_store() -> Iterator[Callable[..., Store]]:
    """Opens stores that the end of the test closes."""
    opened: list[Store] = []

    def make(url: str, **more: bool) -> Store:
        opened.append(Store(url, **more))
        return opened[-1]

    yield make
    for store in opened:
        store.close()
