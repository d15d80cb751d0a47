"""What must not stand in any file, and how long a file may be."""

import re
import subprocess
from pathlib import Path

import pytest
from source import ROOT

LINES_MAX = 500
# Longer by their nature, with their own limit and the reason.
LONGER = {"web/src/api/types.ts": (600, "the API's types, one to one; a reader looks for a name, not through it")}
TEXT = {".py", ".md", ".yaml", ".yml", ".toml", ".sh", ".ts", ".css", ".html", ".json", ".csv", ".txt", ".mjs", ""}
MADE_BY_TOOLS = {"requirements.lock", "package-lock.json", "bootstrap.lock", "node.lock"}
# Paths of one machine, and hosts of package registries: neither means anything to a reader elsewhere.
FORBIDDEN = re.compile(
    r"/(?:root|home|work)/[a-z0-9_]+/"
    r"|files\.pythonhosted|registry\.npmjs|deb\.debian|proxy\.golang|TODO\b|FIXME\b|XXX\b",
)
HERE = Path(__file__).relative_to(ROOT).as_posix()


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def _texts() -> list[Path]:
    return [path for path in _tracked() if path.suffix in TEXT and path.name not in MADE_BY_TOOLS]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs the repository, not an archive of it")
def test_no_forbidden_words() -> None:
    found = []
    for path in _texts():
        if path.relative_to(ROOT).as_posix() == HERE:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            if match := FORBIDDEN.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number} {match[0]}")
    assert not found


def test_no_file_of_code_is_too_long() -> None:
    found = []
    for folder, endings in (("src", (".py",)), ("tests", (".py",)), ("tools", (".py",)), ("web/src", (".ts", ".tsx"))):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in endings and "node_modules" not in path.parts:
                lines = path.read_text(encoding="utf-8").count("\n")
                name = path.relative_to(ROOT).as_posix()
                if lines > LONGER.get(name, (LINES_MAX, ""))[0]:
                    found.append(f"{name} has {lines} lines; split it by what it does")
    assert not found


def test_no_module_is_called_utils() -> None:
    found = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "src").rglob("*.py")
        if path.stem in ("utils", "util", "helpers", "common", "misc")
    ]
    assert not found


def test_every_stage_says_what_comes_in_and_goes_out() -> None:
    parts = [path.parent for path in (ROOT / "src" / "suanwang").glob("*/__init__.py")]
    assert parts
    missing = [part.name for part in parts if not (part / "README.md").is_file()]
    assert not missing


@pytest.mark.parametrize("word", ["see /work/bob/x", "/home/ann/grid", "TODO later", "registry.npmjs.org"])
def test_the_checker_sees_what_it_must(word: str) -> None:
    assert FORBIDDEN.search(word)
