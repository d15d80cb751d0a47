"""What of the user's own goes along with a function, and what is locked while it is packed."""

import linecache
import pickle
import sys
import threading
import types

import pytest

import suanwang
from suanwang.functions import prepare
from suanwang.functions.asked import Asked
from suanwang.model.error import FaultsError

SCRIPT = """
import functools
def task(**_):
    return lambda function: function

@task(
    secrets={"TOKEN": "hunter2"},
)
def work(x):
    @functools.cache
    def inner():
        return x / 0
    return inner()

@task(secrets={"TOKEN": "hunter2"})
async def later(x):
    return x - 1

short = task(secrets={"TOKEN": "hunter2"})(lambda x: x + 1); other = "hunter2"
both = [lambda x: x * 2, lambda y: (lambda z: z * y)], "hunter2"
"""


def sources_of(text, name):
    path = f"/a/script/{abs(hash(text))}.py"
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    made = {}
    exec(compile(text, path, "exec"), made)
    found = made[name] if isinstance(name, str) else name(made)
    with prepare.call(Asked(), found, (1,), {}) as sent:
        sources, _ = pickle.loads(b"".join(sent.uploads[1].pieces()))
    return sources.get(path)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("work", "        return x / 0"),
        ("later", "    return x - 1"),
        ("short", "lambda x: x + 1"),
        (lambda made: made["both"][0][0], "lambda x: x * 2"),
        (lambda made: made["both"][0][1], "lambda y: (lambda z: z * y)"),
        (lambda made: made["both"][0][1](2), "lambda z: z * y"),
    ],
)
def test_safety_the_decorator_of_a_function_stays_here(name, line):
    sent = sources_of(SCRIPT, name)
    assert "hunter2" not in sent
    number = next(at for at, one in enumerate(SCRIPT.splitlines()) if line in one)
    assert sent.splitlines()[number].strip() == line.strip(), "at its place, for tracebacks"


def test_safety_of_a_file_that_is_no_python_any_more_nothing_travels():
    path = "/a/changed.py"
    made = {}
    exec(compile("def work(x):\n    return x\n", path, "exec"), made)
    for text in ("password = 'hunter2'\ndef other(x):\n", "def other(x):\n    return 'hunter2'\n"):
        linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
        assert prepare._sources(made["work"]) == {}


def test_a_module_that_is_not_imported_is_a_fault_and_nothing_stays_locked():
    stray = types.ModuleType("stray")
    with pytest.raises(FaultsError) as caught:
        suanwang.task(modules=[pytest, stray])(len).submit("abc")
    assert [one.code for one in caught.value.faults] == ["function_module"]
    assert "pytest" not in prepare.cloudpickle.list_registry_pickle_by_value()
    in_a_thread(packed)


def test_inputs_that_wait_for_another_thread_which_packs_too_are_packed():
    def inputs():
        for _ in range(3):
            yield in_a_thread(packed)

    with prepare.mapped(Asked(modules=(sys.modules[__name__],)), len, [inputs()], None, None) as made:
        assert made.shape.items == 3


def packed():
    with prepare.call(Asked(), len, ("abc",), {}) as made:
        return made.request.name


def in_a_thread(call):
    """What it gives; a failure where something that is held here keeps it waiting."""
    found = []
    thread = threading.Thread(target=lambda: found.append(call()), daemon=True)
    thread.start()
    thread.join(20)
    assert found, "it waits for what this thread holds"
    return found[0]
