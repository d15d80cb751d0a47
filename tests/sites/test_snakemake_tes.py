"""A workflow of two rules, sent by Snakemake through its TES executor, runs on the grid and is complete.

The executor pins another version of py-tes, so Snakemake has a virtual environment of its own, made once in the user's cache. The site's
Python is that one too: each job calls `python -m snakemake` again. Files travel through an S3 store on this machine.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import s3fs
from tests.plan.worlds import general, grid_of, site_of

from suanwang.grids import dump_grid
from suanwang.model.grid import PriceBook

STORAGE = "snakemake-storage-plugin-s3"
PIP_CONF = "[global]\nno-index = true\nfind-links = {wheels}\ndisable-pip-version-check = true\n"
PACKAGES = (
    "snakemake==9.27.1",
    "snakemake-executor-plugin-tes==0.1.3",
    STORAGE,
    "six",  # the executor imports it and does not say so
)
INSTALL_S = 600
RUN_S = 300
BUCKET = "flow"
SNAKEFILE = """
rule all:
    input: "upper.txt"

rule words:
    output: "words.txt"
    resources: mem_mb=1024, disk_mb=512
    shell: "echo one two > {output}"

rule upper:
    input: "words.txt"
    output: "upper.txt"
    resources: mem_mb=1024, disk_mb=512
    shell: "tr a-z A-Z < {input} > {output}"
"""

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
]


def cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "suanwang-tests" / "snakemake-tes-9.27.1"


def pip(home: Path, *words: str) -> None:
    command = [home / "bin" / "python", "-m", "pip", *words, "--quiet"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=INSTALL_S, text=True)
    if done.returncode:
        shutil.rmtree(home, ignore_errors=True)
        pytest.skip(f"Snakemake could not be had from PyPI: {done.stderr.strip()[-300:]}")


@pytest.fixture(scope="session")
def snakemake() -> Path:
    """The folder of the environment; installed the first time."""
    home = cache()
    if not (home / "whole").exists():
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, timeout=INSTALL_S)
        pip(home, "install", *PACKAGES)
        # Each job installs the storage plugin again, into a folder of its own: from here, and from no network.
        pip(home, "download", "--dest", str(home / "wheels"), STORAGE)
        (home / "pip.conf").write_text(PIP_CONF.format(wheels=home / "wheels"))
        (home / "whole").touch()
    # The brain runs by this Python, with the packages of the one that runs the tests behind its own.
    ours = [str(Path(__file__).parents[2] / "src"), *(one for one in sys.path if one.endswith("site-packages"))]
    packages = next((home / "lib").glob("python*")) / "site-packages"
    (packages / "suanwang-tests.pth").write_text("\n".join(ours) + "\n")
    return home


@pytest.fixture
def store() -> Iterator[str]:
    """The address of an S3 store with an empty bucket."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    httpx.put(f"{url}/{BUCKET}")
    yield url
    server.stop()


@pytest.fixture
def brain(snakemake: Path, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """(address, key) of a brain in a process of its own."""
    tmp_path.chmod(0o755)
    file = tmp_path / "grid.yaml"
    site = site_of("here", [general("here", memory=2**34, cores=8)])
    file.write_text(dump_grid(grid_of([site], [], books=(PriceBook(id="plain"),))), "utf-8")
    home = tmp_path / "home"
    settings = {
        "SUANWANG_HOME": str(home),
        "SUANWANG_GRID": str(file),
        "SUANWANG_PORT": "0",
        "SUANWANG_TES_HOST_IMAGES": "snakemake/snakemake:*",
        "SUANWANG_TES_NETWORK": "1",
        "SUANWANG_TASK_NETWORK": "1",
    }
    with (tmp_path / "brain.log").open("wb") as log:
        process = subprocess.Popen(
            [snakemake / "bin" / "python", "-m", "suanwang.cli", "serve"],
            env={**os.environ, **settings}, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            note, deadline = home / "server.json", time.monotonic() + 60
            while not note.exists():
                assert process.poll() is None, (tmp_path / "brain.log").read_text()
                assert time.monotonic() < deadline, "the brain did not come up"
                time.sleep(0.1)
            yield json.loads(note.read_text())["url"], json.loads((home / "credentials.json").read_text())["key"]
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)


def test_a_workflow_of_two_rules_is_complete(
    snakemake: Path, brain: tuple[str, str], store: str, tmp_path: Path
) -> None:
    url, key = brain
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    environment = {
        **os.environ,
        "PATH": f"{snakemake / 'bin'}:{os.environ['PATH']}",
        "SNAKEMAKE_TES_TOKEN": key,
        "GITHUB_WORKSPACE": str(tmp_path),  # the executor reads it when a job fails
        "SNAKEMAKE_STORAGE_S3_ENDPOINT_URL": store,
        "SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "test",
        "SNAKEMAKE_STORAGE_S3_SECRET_KEY": "test",
    }
    command = [snakemake / "bin" / "snakemake", "--executor", "tes", "--tes-url", f"{url}/tes", "--jobs", "1"]
    command += ["--seconds-between-status-checks", "1", "--default-storage-provider", "s3"]
    command += ["--default-storage-prefix", f"s3://{BUCKET}/run", "--storage-s3-endpoint-url", store]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=RUN_S, check=False
    )
    with httpx.Client(base_url=f"{url}/ga4gh/tes/v1", headers={"Authorization": f"Bearer {key}"}) as client:
        tasks = client.get("/tasks", params={"view": "FULL"}).json()["tasks"]
    said = [log["logs"] for one in tasks for log in one["logs"]]
    assert done.returncode == 0, f"{done.stderr[-3000:]}\n{said}"
    assert [one["state"] for one in tasks] == ["COMPLETE", "COMPLETE"]
    files = s3fs.S3FileSystem(key="test", secret="test", endpoint_url=store, skip_instance_cache=True)
    assert files.cat(f"{BUCKET}/run/upper.txt") == b"ONE TWO\n"
