"""What runs on the site: the gate that says which Python it met, by real interpreters, and the program behind it."""

import pickle
import shutil
import subprocess
import sys
import threading
import types
from pathlib import Path

import cloudpickle
import pytest

import suanwang
from suanwang.functions import answer, prepare
from suanwang.functions.bundle import runner
from suanwang.functions.site.gate import here
from suanwang.model.error import SiteUnfitError


def folder_with(tmp_path, called):
    folder = tmp_path / ".suanwang"
    folder.mkdir()
    (folder / "runner.pyz").write_bytes(runner())
    (folder / "function").write_bytes(pickle.dumps(({}, cloudpickle.dumps(called))))
    return tmp_path


def run_gate(python, folder, wanted, path="/nowhere"):
    command = [python, ".suanwang/runner.pyz", "call", "pickle", wanted]
    environment = {"PATH": path, "SUANWANG_SITE": "here"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def others():
    """Interpreters of other versions on this machine that start."""
    found = []
    for folder in (Path(sys.base_prefix).parent.glob("*/bin"), [Path("/usr/bin")]):
        for one in folder:
            for name in ("python3", "python2.7"):
                path = one / name
                if path.exists() and f"{sys.version_info[0]}.{sys.version_info[1]}." not in str(one):
                    found.append(str(path))
    return [one for one in found if shutil.which(one)]


@pytest.mark.parametrize("python", [*others()[:4], sys.executable])
def test_a_python_of_another_version_says_both_and_does_nothing(tmp_path, python):
    folder = folder_with(tmp_path, {"function": len, "args": ("abc",), "kwargs": {}})
    asked = subprocess.run([python, "-V"], capture_output=True, text=True, check=False)
    version = (asked.stdout or asked.stderr).split()[-1]
    wanted = "cpython-3.99.1"
    ran = run_gate(python, folder, wanted)
    assert ran.returncode == 78, ran.stderr
    assert answer.site_fault(ran.stderr) == {"code": "python", "here": f"cpython-{version}", "wanted": wanted}
    assert not (folder / ".suanwang" / "result").exists()


def test_a_site_that_has_our_version_under_its_name_uses_it(tmp_path):
    folder = folder_with(tmp_path, {"function": len, "args": ("abc",), "kwargs": {}})
    python = next(iter(others()), None)
    if python is None or run_gate(python, folder, here()).returncode == 0:
        pytest.skip("there is no Python of another minor version on this machine")
    beside = folder / "bin"
    beside.mkdir()
    (beside / f"python{sys.version_info[0]}.{sys.version_info[1]}").symlink_to(sys.executable)
    assert run_gate(python, folder, here(), str(beside)).returncode == 0
    with (folder / ".suanwang" / "result").open("rb") as file:
        assert list(answer.results(file, "task-1", "pickle", "en", 1)) == [3]


def test_a_module_that_the_site_does_not_have_is_told_by_its_name(tmp_path):
    module = types.ModuleType("nowhere_else")
    sys.modules["nowhere_else"] = module
    try:
        exec("def helper(x):\n    return x", module.__dict__)
        folder = folder_with(tmp_path, {"function": module.helper, "args": (1,), "kwargs": {}})
    finally:
        del sys.modules["nowhere_else"]
    ran = run_gate(sys.executable, folder, here())
    fault = answer.site_fault(ran.stderr)
    assert (ran.returncode, fault["code"], fault["module"]) == (78, "module", "nowhere_else")
    view = types.SimpleNamespace(task_id="task-1", site="here")
    error = answer.unfit(fault, view, "en")
    assert isinstance(error, SiteUnfitError) and error.code == "site_module"
    assert "modules=[nowhere_else]" in str(error)


def test_a_site_without_any_python_says_so(tmp_path):
    command = ["/bin/sh", "-c", prepare.LAUNCH, "suanwang", "python3.11", "call", "pickle", here()]
    ran = subprocess.run(command, cwd=tmp_path, env={"PATH": "/nowhere"}, capture_output=True, text=True, check=False)
    assert (ran.returncode, answer.site_fault(ran.stderr)) == (127, {"code": "absent"})


def test_what_cannot_be_pickled_is_told_before_anything_is_sent():
    lock = threading.Lock()
    with pytest.raises(TypeError) as caught:
        suanwang.task(lambda: lock).submit()
    assert "pickled to be sent" in caught.value.__notes__[0]
    with pytest.raises(TypeError) as caught:
        suanwang.task(len).map([1, lock])
    assert "an input" in caught.value.__notes__[0]


def test_the_site_needs_nothing_of_suanwang(tmp_path):
    folder = folder_with(
        tmp_path, {"function": lambda: __import__("sys").modules.get("suanwang"), "args": (), "kwargs": {}}
    )
    command = [sys.executable, "-I", "-S", ".suanwang/runner.pyz", "call", "pickle", here()]
    subprocess.run(command, cwd=folder, env={"SUANWANG_SITE": "here"}, check=True)
    with (folder / ".suanwang" / "result").open("rb") as file:
        assert list(answer.results(file, "task-1", "pickle", "en", 1)) == [None]


def test_a_call_whose_value_cannot_be_sent_has_failed(tmp_path):
    folder = folder_with(tmp_path, {"function": threading.Lock, "args": (), "kwargs": {}})
    assert run_gate(sys.executable, folder, here()).returncode == 1
    with (folder / ".suanwang" / "result").open("rb") as file:
        (found,) = answer.results(file, "task-1", "pickle", "en", 1)
    assert found.error.code == "result_form"


def test_the_runner_is_the_same_bytes_every_time():
    first = runner()
    runner.cache_clear()
    assert runner() == first
