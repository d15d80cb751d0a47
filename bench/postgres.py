"""A PostgreSQL server of one's own, for a bench or a test: on a unix socket, gone afterwards."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

STARTS_WITHIN_S = 30


def find_postgres() -> Path | None:
    """The folder of the newest server's programs, or None where none is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return found[-1].parent if found else None


def _as_postgres() -> list[str]:
    """PostgreSQL does not run as root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


@contextmanager
def postgres_server(*, durable: bool) -> Iterator[str]:
    """Run a server; gives its socket's folder. `durable`: with fsync, as one that keeps anything is run."""
    programs = find_postgres()
    assert programs is not None, "a PostgreSQL server is installed"
    folder = Path(tempfile.mkdtemp(prefix="swpg", dir="/tmp"))  # short: a socket's path has 107 bytes at most
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
    data = folder / "data"
    locale = ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"]
    make = [*_as_postgres(), str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
    subprocess.run([*make, *locale, "--no-sync"], check=True, capture_output=True, cwd="/")
    options = ["-c", "listen_addresses=", "-c", "shared_buffers=64MB"]
    options += [] if durable else ["-c", "fsync=off", "-c", "full_page_writes=off"]
    run = [*_as_postgres(), str(programs / "postgres"), "-D", str(data), "-k", str(folder), *options]
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
