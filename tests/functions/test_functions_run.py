"""Functions from end to end: a real brain, the local adapter, real processes in the sandbox."""

import asyncio
import importlib.util
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest
from tests.agent.rigs import SANDBOX

import suanwang
from suanwang.functions import prepare
from suanwang.functions.run import Run
from suanwang.model.error import (
    FaultsError,
    FunctionError,
    RaisedError,
    ResultError,
    RunCancelledError,
    RunFailedError,
    RunRefusedError,
    SiteUnfitError,
)
from suanwang.model.reason import FailureReason
from suanwang.model.record import Phase

pytestmark = SANDBOX


class Point:
    """A class that no site has."""

    def __init__(self, x):
        self.x = x

    def __eq__(self, other):
        return type(other) is type(self) and other.x == self.x


class OddError(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")  # does not survive pickle


# -- one call ---------------------------------------------------------------------------------------------------------


def test_a_call_gives_its_value_from_the_site(task, client):
    scale = 7

    def helper(x):
        return x * scale

    @task
    def work(point, *, more):
        print("working on", point.x)
        return Point(helper(point.x) + more), os.environ.get("SUANWANG_SITE"), os.getpid()

    run = work.submit(Point(3), more=1)
    point, site, pid = run.result(60)
    assert (point, site) == (Point(22), "here")
    assert pid != os.getpid()
    assert run.done() and run.exception() is None and not run.cancel()
    assert "working on 3" in run.log()
    assert run.explain().task.name.endswith("work")
    found = suanwang.attach(run.task_id, client=client)
    assert isinstance(found, Run) and found.result(0)[0].x == 22, "it has ended: no time is needed to see that"
    assert work.local(Point(1), more=0)[0] == Point(7)


def test_a_task_that_calls_itself_does_so_on_the_site(task):
    @task
    def factorial(n):
        return 1 if n < 2 else n * factorial(n - 1)

    assert factorial(6) == 720


def test_a_large_argument_and_a_large_result_travel_whole(task):
    big = os.urandom(6_000_000)
    assert task(lambda raw: raw[::-1])(big) == big[::-1]


def test_what_the_function_raises_is_raised_here_with_its_traceback(task):
    @task
    def divide(x):
        return 1 / x

    run = divide.submit(0)
    with pytest.raises(ZeroDivisionError) as caught:
        run.result(60)
    told = str(caught.value.__cause__)
    assert "return 1 / x" in told and "divide" in told
    assert "work.py" not in told, "the runner's own lines are nobody's business"
    assert isinstance(run.exception(), ZeroDivisionError)
    view = run.view()
    assert (view.phase, view.reason, view.attempts) == (Phase.FAILED, FailureReason.EXIT_CODE, 1)

    @task
    def odd():
        raise OddError(1, 2)

    with pytest.raises(RaisedError, match="1 and 2"):
        odd()


def test_a_failure_is_tried_again_where_that_was_asked_for(task):
    @task(retries=1)
    def second():
        if os.environ["SUANWANG_ATTEMPT_ID"] in seen:
            return "never"
        raise ValueError("again")

    seen = ()
    run = second.submit()
    with pytest.raises(ValueError, match="again"):
        run.result(60)
    assert run.view().attempts == 2


def test_results_as_json_may_come_from_anywhere_and_open_no_pickle(task):
    plain = task(results="json", sites=["acme"])(lambda x: {"x": [x, None, "算"]})
    run = plain.submit(1.5)
    assert run.result(60) == {"x": [1.5, None, "算"]}
    assert run.view().site == "acme"
    with pytest.raises(ResultError) as caught:
        plain.with_(sites=None)(Point(1))
    assert caught.value.code == "result_form"
    with pytest.raises(KeyError) as key:
        task(results="json")(lambda: {}["gone"])()
    assert key.value.args == ("gone",)


def test_safety_a_pickle_of_a_site_that_is_not_trusted_is_never_opened(task, client):
    with pytest.raises(RunRefusedError) as refused:
        task(sites=["acme"])(len)("abc")
    assert refused.value.code == "run_refused"
    trusting = task(sites=["acme"], trust=["own", "acme"])
    run = trusting(lambda: Point(4)).submit()
    assert run.result(60) == Point(4)
    attached = suanwang.attach(run.task_id, client=client)
    with pytest.raises(ResultError) as caught:
        attached.result()
    assert caught.value.code == "result_untrusted" and 'trust=["own", "acme"]' in str(caught.value)
    assert suanwang.attach(run.task_id, client=client, trust=["own", "acme"]).result().x == 4


def test_the_wrong_python_is_told_with_both_versions(task, monkeypatch):
    mine = prepare.here()
    monkeypatch.setattr(prepare, "here", lambda: "cpython-3.99.0")
    for call in (lambda: task(len)("abc"), lambda: list(task(len).map(["a", "b"]))):
        with pytest.raises(SiteUnfitError) as caught:
            call()
        assert caught.value.code == "site_python"
        assert mine in str(caught.value) and "cpython-3.99.0" in str(caught.value)


def test_a_module_of_ones_own_goes_along_where_it_is_named(task, monkeypatch):
    module = types.ModuleType("mytools")
    exec("def twice(x):\n    return 2 * x", module.__dict__)
    monkeypatch.setitem(sys.modules, "mytools", module)
    use = task(lambda x: module.twice(x))
    with pytest.raises(SiteUnfitError) as caught:
        use(3)
    assert caught.value.code == "site_module" and "mytools" in str(caught.value)
    assert use.with_(modules=[module])(3) == 6

    @task
    def later():
        import no_such_package

        return no_such_package

    with pytest.raises(ModuleNotFoundError) as missing:
        later()
    assert any("here" in note and "no_such_package" in note for note in missing.value.__notes__)


def test_files_and_secrets_go_with_a_function_as_with_any_task(task, tmp_path):
    (tmp_path / "in.txt").write_text("from a file")

    @task(
        files=tmp_path,
        inputs=[{"source": "in.txt", "path": "data/in.txt"}],
        outputs=[{"path": "out.txt"}],
        secrets={"WORD": "open sesame"},
    )
    def copy():
        with open("data/in.txt") as source, open("out.txt", "w") as target:
            target.write(source.read().upper())
        return len(os.environ["WORD"])

    run = copy.submit()
    assert run.result(60) == 11
    assert [one.read_text() for one in run.save(tmp_path / "kept")] == ["FROM A FILE"]
    assert not (tmp_path / "kept" / ".suanwang").exists()


CELLS = (
    """
import suanwang
scale = 10

class Found:
    def __init__(self, value):
        self.value = value

def helper(x):
    return Found(x * scale)

@suanwang.task(wall_time="60 s")
def work(x):
    if x > 2:
        raise ValueError(helper(x).value)
    return helper(x)
""",
    """
assert isinstance(work(2), Found)
print([one.value for one in work.map([1, 2])])
""",
    """
work(3)
""",
)
NOTEBOOK = """
import linecache, traceback
for number, cell in enumerate({cells!r}):
    name = f"<cell {{number}}>"
    linecache.cache[name] = (len(cell), None, cell.splitlines(True), name)
    try:
        exec(compile(cell, name, "exec"), globals())
    except ValueError:
        print(traceback.format_exc())
"""


def test_functions_of_the_cells_of_a_notebook_work(client):
    """As a kernel runs them: in `__main__`, each from a text that has no file."""
    environment = {**os.environ, "SUANWANG_URL": client.address.url, "SUANWANG_KEY": client.address.key}
    environment["PYTHONPATH"] = str(Path(suanwang.__file__).parents[1])
    command = [sys.executable, "-c", NOTEBOOK.format(cells=CELLS)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.stdout.startswith("[10, 20]\n"), ran.stderr
    there, _, here = ran.stdout.partition("direct cause")
    assert '"<cell 0>", line 15, in work' in there and "raise ValueError(helper(x).value)" in there
    assert '"<cell 2>", line 2' in here and here.rstrip().endswith("ValueError: 30")


# -- before and beside a call -------------------------------------------------------------------------------------------


def test_a_plan_shows_place_and_price_and_does_nothing(task, client):
    before = [one.task_id for one in client.list()]
    found = task(cpu=2)(len).plan("abc")
    assert found.plan.site == "here"
    assert found.request.resources.cpu == 2
    assert task(len).plan_map([["a"]] * 10, chunk=3).request.array == 4
    assert [one.task_id for one in client.list()] == before


def test_a_call_that_is_broken_off_is_cancelled_and_a_handle_is_not(task, client, monkeypatch):
    slow = task(lambda: __import__("time").sleep(60))
    run = slow.submit()
    with pytest.raises(TimeoutError):
        run.result(0.2)
    assert run.view().phase not in (Phase.CANCELLED, Phase.FAILED)
    assert run.cancel()
    with pytest.raises(RunCancelledError):
        run.result(60)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(client, "wait", interrupted)
        kept = slow.submit()
        with pytest.raises(KeyboardInterrupt) as caught:
            kept.result()
        assert kept.task_id in caught.value.__notes__[0] and ".cancel()" in caught.value.__notes__[0]
        assert not kept.done()
        with pytest.raises(KeyboardInterrupt) as caught:
            slow()
    newest = next(client.list())
    assert newest.task_id != kept.task_id
    assert caught.value.__notes__ == [f"{newest.task_id} has been cancelled."]
    assert client.wait(newest.task_id, timeout_s=60).phase is Phase.CANCELLED
    with task(lambda _: __import__("time").sleep(60)).map([1, 2]) as left:
        pass
    assert client.wait(left.task_id, timeout_s=60).phase is Phase.CANCELLED
    kept.cancel()


def test_with_cache_the_same_call_is_the_same_task_and_a_failure_is_no_answer(task, client, tmp_path):
    (tmp_path / "in").write_text("1")
    made = {"cache": True, "files": tmp_path, "inputs": [{"source": "in", "path": "in"}]}

    def define(k):
        @task(**made)
        def work(x):
            if x < 0:
                raise ValueError(x)
            return x * k + int(open("in").read())

        return work

    first = define(2).submit(5)
    assert first.result(60) == 11
    again = define(2).submit(5)
    assert (again.task_id, again.found, first.found) == (first.task_id, True, False)
    (tmp_path / "in").write_text("2")
    others = [define(2).submit(5), define(3).submit(5), define(2).with_(cpu=2).submit(5)]
    assert others[1].result(60) == 17
    assert len({first.task_id, *(one.task_id for one in others)}) == 4
    bad = define(2).submit(-1)
    assert isinstance(bad.exception(60), ValueError)
    assert define(2).submit(-1).task_id != bad.task_id
    mapped = define(2).map([1, 2])
    assert mapped.results() == [4, 6]
    assert define(2).map([1, 2]).task_id == mapped.task_id
    part = define(2).map([1, -1], chunk=1, return_exceptions=True)
    assert part.results()[0] == 4 and part.wait(60).phase is Phase.SUCCEEDED
    assert define(2).map([1, -1], chunk=1).task_id != part.task_id, "an exception is no answer"


def test_what_is_no_function_has_no_handle(client):
    view = client.submit({"run": "true"})
    with pytest.raises(FunctionError) as caught:
        suanwang.attach(view.task_id, client=client)
    assert caught.value.code == "no_function"


def test_the_brain_that_was_connected_to_is_the_one_that_is_used(client):
    with suanwang.connect(client.address.url, client.address.key):
        assert suanwang.task(len)("abc") == 3
    with pytest.raises(FaultsError):
        suanwang.connect(client.address.url, client.address.key) and suanwang.task(cpu=-1)


# -- map ----------------------------------------------------------------------------------------------------------------


def test_a_map_gives_its_results_in_order_whatever_the_chunks(task, client):
    @task
    def add(x, y):
        return x + y, os.environ["SUANWANG_ARRAY_INDEX"]

    run = add.map(range(50), iter(range(100, 150)), chunk=20)
    found = run.results()
    assert [value for value, _ in found] == [100 + 2 * x for x in range(50)]
    assert [index for _, index in found] == ["0"] * 20 + ["1"] * 20 + ["2"] * 10
    assert len(run) == 50
    assert next(iter(run)) == (100, "0"), "it can be read again"
    assert len(suanwang.attach(run.task_id, client=client).results()) == 50
    assert task(len).map(["abc"]).results() == [3]
    with pytest.raises(ValueError, match="shorter"):
        add.map([1, 2], [1])


def test_results_come_before_the_map_has_ended(task):
    run = task(lambda x: x).map(range(4), chunk=1, at_once=1)
    results = iter(run)
    assert next(results) == 0
    assert run.view().phase is not Phase.SUCCEEDED
    assert list(results) == [1, 2, 3]


def test_an_input_that_raises_takes_no_other_with_it(task):
    @task(retries=1)
    def pick(x):
        tried.append(x)
        if x == 7 or (x == 3 and tried.count(3) == 1):
            raise LookupError(x)
        if x == 8:
            sys.exit(5)
        return x

    tried = []
    found = pick.map(range(10), chunk=5, return_exceptions=True).results()
    assert [one for one in found if isinstance(one, int)] == [0, 1, 2, 3, 4, 5, 6, 9]
    assert isinstance(found[7], LookupError)
    assert isinstance(found[8], RaisedError) and found[8].kind == "SystemExit", "an exit there is none here"
    with pytest.raises(LookupError) as caught:
        pick.map(range(10), chunk=5).results()
    assert "input 7 of 10" in caught.value.__notes__[0]
    assert "pick" in str(caught.value.__cause__)


@pytest.mark.parametrize("at_once", [1, None])
def test_a_process_that_dies_is_told_and_what_was_done_before_it_stands(task, at_once):
    @task
    def fragile(x):
        if x == 2:
            print("about to fall")
            os.kill(os.getpid(), 9)
        return x

    run, seen = fragile.map(range(3), chunk=1, at_once=at_once), []
    with pytest.raises(RunFailedError) as caught:
        seen.extend(run)  # which keeps what came before it raised
    assert caught.value.reason is FailureReason.SIGNAL
    assert "element 2" in str(caught.value)
    assert "about to fall" in str(caught.value)
    assert seen == [0, 1][: len(seen)], "at the same time another may have been at work, and ended with it"
    assert at_once is None or (seen, caught.value.__notes__) == ([0, 1], ["inputs 2 to 2 have no result"])


def test_the_example_of_functions(client):
    path = Path(__file__).parents[2] / "examples/sweep-functions/sweep.py"
    spec = importlib.util.spec_from_file_location("sweep", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["sweep"] = module
    try:
        spec.loader.exec_module(module)
        found = module.sweep((4, 8), 1, module.spectral_gap.with_(client=client))
    finally:
        del sys.modules["sweep"]
    assert set(found) == {4, 8}
    for degree, second in found.items():
        assert abs(second - 2 * (degree - 1) ** 0.5 / degree) < 0.06


# -- asyncio ------------------------------------------------------------------------------------------------------------


def test_the_same_for_asyncio(task):
    @task
    async def slow_square(x):
        import asyncio

        await asyncio.sleep(0.01)
        return x * x

    square = task(lambda x: x * x)

    async def story():
        both = await asyncio.gather(slow_square(3), square.aio(4))
        run = await square.aio.map(range(9), chunk=4)
        found, again = await asyncio.gather(run.results(), run.results())
        assert found == again, "two may read at once"
        assert (await square.aio.plan(3)).plan.site == "here"
        handle = await square.aio.with_(cpu=2).submit("a")
        assert isinstance(await handle.exception(60), TypeError)
        async with await task(lambda _: __import__("time").sleep(60)).aio.map([1]) as left:
            pass
        return both, found, (await left.wait(60)).phase

    assert asyncio.run(story()) == ([9, 16], [x * x for x in range(9)], Phase.CANCELLED)
