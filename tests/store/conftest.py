"""The same tests on both engines: `url` is an empty store of each, `open_store` opens and closes it."""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from suanwang.store import Store

STARTS_WITHIN_S = 30
_numbers = itertools.count(1)


def _as_postgres() -> list[str]:
    """PostgreSQL does not run as root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


@pytest.fixture(scope="session")
def postgres_folder() -> Iterator[str]:
    """A PostgreSQL server of its own on a unix socket; gives the socket's folder.

    Its language is not "C", so a test sees where text would sort otherwise than in SQLite.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        pytest.skip("no PostgreSQL server under /usr/lib/postgresql")
    folder = Path(tempfile.mkdtemp(prefix="swpg", dir="/tmp"))  # short: a socket's path has 107 bytes at most
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
    bin_folder, data = found[-1].parent, folder / "data"
    locale = ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"]
    make = [*_as_postgres(), str(bin_folder / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
    subprocess.run([*make, *locale, "--no-sync"], check=True, capture_output=True, cwd="/")
    options = ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "listen_addresses=", "-c", "shared_buffers=64MB"]
    run = [*_as_postgres(), str(bin_folder / "postgres"), "-D", str(data), "-k", str(folder), *options]
    with (folder / "log").open("wb") as log, subprocess.Popen(run, stdout=log, stderr=log, cwd="/") as server:
        try:
            _wait(folder, server)
            yield str(folder)
        finally:
            server.send_signal(2)  # SIGINT: the fast shutdown
            server.wait(timeout=30)
    shutil.rmtree(folder)


def _wait(folder: Path, server: subprocess.Popen[bytes]) -> None:
    until_s = time.monotonic() + STARTS_WITHIN_S
    while True:
        try:
            psycopg.connect(host=str(folder), user="postgres", dbname="postgres").close()
        except psycopg.OperationalError:
            assert server.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until_s, "PostgreSQL did not start"
            time.sleep(0.05)
        else:
            return


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
