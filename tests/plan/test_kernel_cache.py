"""Compiled code of sources that have changed is not used: each state of the sources has a cache of its own."""

import importlib
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from suanwang.net import jit

pytestmark = pytest.mark.skipif(not jit.COMPILED, reason="nothing is compiled without numba")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in {
        "net/jit.py": "",
        "plan/calendar.py": "from suanwang.net.jit import kernel",
        "plan/kernel/hold.py": "from suanwang.net.jit import inner",
        "plan/ask.py": "no kernel",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(jit, "__file__", str(tmp_path / "net/jit.py"))
    return tmp_path


def folder(given: str = "") -> Path:
    config = SimpleNamespace(CACHE_DIR=given)
    jit._keep_apart(config)
    return Path(config.CACHE_DIR)


def test_a_changed_kernel_in_any_file_is_another_cache(package: Path) -> None:
    before = folder()
    assert before == folder()
    (package / "plan/ask.py").write_text("still no kernel")
    assert before == folder()
    (package / "plan/kernel/hold.py").write_text("from suanwang.net.jit import inner  # changed")
    assert before != folder()
    assert before.parent == package / "__pycache__"


def test_where_the_user_says_and_only_the_latest_stay(package: Path, tmp_path: Path) -> None:
    root = tmp_path / "mine"
    for number in range(6):
        (package / "plan/calendar.py").write_text(f"from suanwang.net.jit import kernel  # {number}")
        folder(str(root)).mkdir(parents=True)
    assert len(list(root.glob("kernels-*"))) == jit.OTHERS_MAX + 1


def test_processes_that_compile_at_once_keep_each_others_code(tmp_path: Path) -> None:
    """Each saves its own signatures of one function; whoever asks for one later is handed its code and no other's."""
    of_numba = importlib.import_module("numba.core.caching").IndexDataCacheFile
    processes, signatures = 4, 25
    children = []
    for process in range(processes):
        child = os.fork()
        if child == 0:
            index = of_numba(str(tmp_path), "function", "stamp")
            for number in range(signatures):
                index.save((process, number), f"code of {process} {number}")
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * processes
    index = of_numba(str(tmp_path), "function", "stamp")
    kept = {
        (process, number): index.load((process, number)) for process in range(processes) for number in range(signatures)
    }
    assert kept == {key: f"code of {key[0]} {key[1]}" for key in kept}


def test_a_cache_that_is_not_there_has_nothing(tmp_path: Path) -> None:
    of_numba = importlib.import_module("numba.core.caching").IndexDataCacheFile
    assert of_numba(str(tmp_path / "none"), "function", "stamp").load("signature") is None
