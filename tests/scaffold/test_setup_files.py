"""The files that set the project up: they parse, agree with each other, and say what is missing."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "tools").glob("*.sh"))
TARGETS = {"setup", "demo", "demo-fast", "test", "lint", "bench", "docs", "serve", "soak", "web", "clean", "lock"}


def _name(requirement: str) -> str:
    """The package of a requirement line, normalised as the index does."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]).lower()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_parses(script: Path) -> None:
    subprocess.run(["sh", "-n", str(script)], check=True)


def test_ci_runs_what_a_developer_types() -> None:
    path = ROOT / ".ci" / "run"
    assert os.access(path, os.X_OK)
    lines = path.read_text().splitlines()
    assert "set -euo pipefail" in lines
    assert "make lint" in lines
    assert "make test" in lines
    subprocess.run(["bash", "-n", str(path)], check=True)


def test_every_target_is_there_and_is_explained() -> None:
    text = (ROOT / "Makefile").read_text()
    found = set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))
    assert found >= TARGETS
    phony = set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split())
    assert found == phony


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_targets_set_up_what_they_need_first() -> None:
    for target in ("demo", "serve", "test", "soak"):
        dry = subprocess.run(
            ["make", "--dry-run", "--always-make", target], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        order = [dry.index(step) for step in ("system_packages.sh", "install.sh", "page.sh build")]
        assert order == sorted(order)
        assert dry.index("page.sh build") < dry.rindex(".venv/bin/")


def test_lock_has_every_dependency_with_hashes() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    wanted += [one for extra in project["project"]["optional-dependencies"].values() for one in extra]
    wanted += project["build-system"]["requires"]
    lock = (ROOT / "requirements.lock").read_text()
    locked = set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))
    assert {_name(one) for one in wanted} - locked == set()
    entries = re.split(r"^(?=[a-z0-9-]+==)", lock, flags=re.MULTILINE)[1:]
    assert [entry.split("==")[0] for entry in entries if "--hash=sha256:" not in entry] == []


def _run_system(folder: Path, *hidden: str, uid: str) -> subprocess.CompletedProcess:
    """system_packages.sh on a PATH without some programs, for a user who is (not) root."""
    path = folder / "bin"
    path.mkdir()
    for name in ("sh", "python3", "dpkg-query", "ls", "apt-get", "bwrap", "chromium"):
        found = shutil.which(name)
        if name not in hidden and name != "apt-get" and found:
            (path / name).symlink_to(found)
    (path / "id").write_text(f"#!/bin/sh\necho {uid}\n")
    (path / "apt-get").write_text(f'#!/bin/sh\necho "$@" >> {folder}/apt.log\nexit ${{APT_STATUS:-0}}\n')
    for name in ("id", "apt-get"):
        (path / name).chmod(0o755)
    environment = {"PATH": str(path), **{k: v for k, v in os.environ.items() if k in ("APT_STATUS", "CI")}}
    return subprocess.run(
        ["sh", str(ROOT / "tools" / "system_packages.sh")], env=environment, capture_output=True, text=True, check=False
    )


class TestSystemPackages:
    def test_without_root_it_prints_the_line_and_goes_on(self, tmp_path: Path) -> None:
        done = _run_system(tmp_path, "bwrap", uid="1000")
        assert done.returncode == 0
        assert "sudo apt-get install" in done.stderr
        assert "bubblewrap" in done.stderr
        assert not (tmp_path / "apt.log").exists()

    def test_as_root_it_installs_only_what_is_missing(self, tmp_path: Path) -> None:
        done = _run_system(tmp_path, "bwrap", uid="0")
        assert done.returncode == 0
        update, install = (tmp_path / "apt.log").read_text().splitlines()
        assert update == "-q update"
        assert "bubblewrap" in install

    @pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
    def test_a_failed_install_stops_only_ci(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ci: str, status: int
    ) -> None:
        monkeypatch.setenv("APT_STATUS", "100")
        monkeypatch.setenv("CI", ci)
        done = _run_system(tmp_path, "bwrap", uid="0")
        assert done.returncode == status
        assert "could not install" in done.stderr


def test_an_old_python_is_refused_by_name(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2"\nexit 1\n')
    old.chmod(0o755)
    done = subprocess.run(
        ["sh", str(ROOT / "tools" / "install.sh"), str(old), str(tmp_path / "venv")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "needs Python 3.11" in done.stderr
    assert "3.9.2" in done.stderr
    assert not (tmp_path / "venv").exists()
