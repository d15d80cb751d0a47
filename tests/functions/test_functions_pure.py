"""Functions without a brain: the files between client and site, the words of the decorator, the gate of the site."""

import io
import json
import pickle
import subprocess
import sys
import types
from datetime import timedelta

import cloudpickle
import pytest

import suanwang
from suanwang.functions import answer, prepare
from suanwang.functions.asked import Asked
from suanwang.functions.digest import digest_of
from suanwang.functions.run import MapRun, Run
from suanwang.functions.site import frames
from suanwang.functions.site.frames import BadFileError, ResultWriter, plain, read_items, read_result, write_items
from suanwang.functions.site.gate import here
from suanwang.model.error import (
    FaultsError,
    RaisedError,
    ResultError,
    RunCancelledError,
    RunFailedError,
    SiteUnfitError,
)
from suanwang.model.reason import FailureReason
from suanwang.model.record import Phase
from suanwang.texts import text


def refuse(error):
    return {"kind": "result", "type": type(error).__name__, "message": str(error)}, b""


# -- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 63, 1000])
@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_each_share_of_the_inputs_is_read_alone(monkeypatch, count, chunk):
    monkeypatch.setattr(frames, "BLOCK_BYTES", 64)
    file = io.BytesIO()
    assert write_items(iter(range(count)), pickle.dumps, file) == count
    shares = [list(read_items(file, at, min(chunk, count - at), pickle.loads)) for at in range(0, count, chunk)]
    assert [one for share in shares for one in share] == list(range(count))


def test_inputs_that_are_cut_off_or_too_few_are_no_inputs():
    file = io.BytesIO()
    write_items(range(10), pickle.dumps, file)
    with pytest.raises(BadFileError):
        list(read_items(file, 5, 6, pickle.loads))
    for raw in (b"", file.getvalue()[:-1], file.getvalue()[:30]):
        with pytest.raises(BadFileError):
            list(read_items(io.BytesIO(raw), 0, 1, pickle.loads))


def written(dumps, *values):
    file = io.BytesIO()
    writer = ResultWriter(file, dumps, {"format": "pickle", "python": here(), "site": "s"})
    for one in values:
        writer.value(one, refuse)
    writer.end(refuse)
    return file.getvalue()


def test_one_value_that_cannot_be_packed_takes_no_other_with_it():
    values = [*range(40), io.TextIOWrapper(io.BytesIO()), *range(40, 80)]
    found = list(answer.results(io.BytesIO(written(pickle.dumps, *values)), "task-1", "pickle", "en", 81))
    assert [one for one in found if isinstance(one, int)] == list(range(80))
    error = found[40].error
    assert isinstance(error, ResultError) and error.code == "result_form"
    assert "TextIOWrapper" in str(error)


@pytest.mark.parametrize("cut", [1, 10, 18, 30])
def test_a_result_that_was_cut_off_is_an_error_and_no_shorter_result(cut):
    raw = written(pickle.dumps, 1, 2, 3)
    with pytest.raises(BadFileError):
        list(read_result(io.BytesIO(raw[:-cut])))
    with pytest.raises(ResultError) as caught:
        list(answer.results(io.BytesIO(raw[:-cut]), "task-1", "pickle", "en", 3))
    assert caught.value.code == "result_damaged"


def test_a_result_with_more_or_fewer_values_than_inputs_is_no_result():
    for count in (2, 4):
        with pytest.raises(ResultError) as caught:
            list(answer.results(io.BytesIO(written(pickle.dumps, 1, 2, 3)), "task-1", "pickle", "en", count))
        assert "3 values" in str(caught.value)


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("it was unpickled",)


def test_safety_a_pickle_is_not_opened_where_json_was_asked_for():
    with pytest.raises(ResultError):
        list(answer.results(io.BytesIO(written(cloudpickle.dumps, Bomb())), "task-1", "json", "en", 1))


@pytest.mark.parametrize("value", [{1: "a"}, {"a": {(1, 2): 3}}, {1, 2}, b"bytes", object()])
def test_what_json_does_not_have_is_refused_and_not_turned_into_something_else(value):
    with pytest.raises(TypeError):
        plain([value])


def test_arrays_are_lists_in_json():
    import numpy as np

    assert json.loads(plain([np.arange(3), np.float64(0.5), (1, "算")])) == [[0, 1, 2], 0.5, [1, "算"]]


# -- fields ---------------------------------------------------------------------------------------------------------


def codes(call):
    with pytest.raises(FaultsError) as caught:
        call()
    error = caught.value
    for one in error.faults:
        words = text(f"fault.{one.code}", "en", **{**one.params, "got": one.got, "where": one.where})
        assert any(words in note for note in error.__notes__), "a notebook shows the words of each fault"
    return [(one.where, one.code) for one in error.faults]


def test_the_words_of_the_task_file_and_its_faults():
    asked = Asked().change(cpu=2, memory="1 GiB", latency="metro", outputs=[{"path": "a.csv"}], retries=1)
    request = asked.request(run="true")
    assert (request.resources.cpu, request.resources.memory, request.retries) == (2, 2**30, 1)
    assert codes(lambda: suanwang.task(cpu="four", latency="far")) == [
        ("resources.cpu", "not_whole"),
        ("latency", "latency_form"),
    ]
    assert codes(lambda: suanwang.task(memroy="1 GiB")) == [("resources.memroy", "unknown_field_near")]
    assert codes(lambda: suanwang.task(colour="red")) == [("colour", "unknown_field")]


@pytest.mark.parametrize(
    ("fields", "where", "code"),
    [
        ({"run": "true"}, "run", "function_field"),
        ({"array": 4}, "array", "function_field"),
        ({"results": "xml"}, "results", "function_results"),
        ({"trust": [1]}, "trust", "function_trust_form"),
        ({"cache": "yes"}, "cache", "function_cache"),
        ({"modules": ["json"]}, "modules[0]", "function_module"),
        ({"client": "http://x"}, "client", "function_client"),
        ({"secrets": ["NO_SUCH_SECRET"]}, "secrets", "function_secret"),
        ({"owners": ["own", "acme"]}, "owners", "function_trust"),
        ({"owners": ["third-party"], "trust": "acme"}, "owners", "function_trust"),
    ],
)
def test_what_only_functions_have_is_checked_too(fields, where, code):
    assert codes(lambda: suanwang.task(**fields)) == [(where, code)]


def test_safety_pickled_results_come_from_trusted_owners_alone():
    def owners(**fields):
        return Asked().change(**fields).request(run="true").owners

    assert owners() == ("own",)
    assert owners(trust=["own", "acme"]) == ("own", "acme")
    assert owners(trust=["own", "acme"], owners=["acme"]) == ("acme",)
    assert owners(trust=["third-party"], owners=["acme", "third-party"]) == ("acme", "third-party")
    assert codes(lambda: owners(trust=["third-party"], owners=["own"])) == [("owners", "function_trust")]
    assert owners(results="json") == owners(trust="any") == ()
    assert owners(results="json", owners=["third-party"]) == ("third-party",)


def test_fields_are_changed_by_name_and_taken_away_by_none():
    before = Asked().change(cpu=2, memory="1 GiB", tags={"a": "b"}, secrets={"T": "v"})
    after = before.change(resources={"cpu": 3}, memory=None, tags=None).request(run="true")
    assert (after.resources.cpu, after.resources.memory, after.tags) == (3, 512 * 2**20, {})
    assert after.secrets == ("T",)
    assert "'v'" not in repr(before)


def test_how_an_array_runs_is_nothing_to_a_single_call():
    asked = Asked().change(at_once=2, wall_time=timedelta(minutes=2))
    assert asked.request(run="true").at_once is None
    assert asked.request(run="true").resources.wall_time == 120_000_000
    assert Asked().change(spread={"sites": 2}).request(run="true", array=5).spread.sites == 2
    with prepare.mapped(asked, len, ["abc"], 1, None) as made:
        assert (made.request.array, made.request.at_once) == (3, 2)
    with prepare.mapped(asked, len, ["abc"], 3, 1) as made:
        assert (made.request.array, made.request.at_once) == (1, None)
    assert codes(lambda: suanwang.task(at_once=0)) == [("at_once", "below")]


def test_a_method_and_what_is_no_function_are_refused():
    with pytest.raises((TypeError, RuntimeError)) as caught:

        class Model:
            @suanwang.task
            def fit(self):
                pass

    assert "method" in str(caught.value) + str(caught.value.__cause__)
    for wrong in (3, suanwang.task(len)):
        with pytest.raises(TypeError):
            suanwang.task()(wrong)


def test_inputs_are_shared_out_over_a_bounded_number_of_processes():
    assert [prepare.chunk_of(count, None) for count in (1, 100, 101, 1_000_000)] == [1, 1, 2, 10_000]
    assert prepare.chunk_of(1_000_000, 100) == 100
    for wrong in (0, -1, True, 2.5, 99):
        assert codes_of_chunk(wrong) == ["map_chunk"]
    with pytest.raises(FaultsError) as caught:
        suanwang.task(len).map([])
    assert [one.code for one in caught.value.faults] == ["map_empty"]


def codes_of_chunk(chunk):
    with pytest.raises(FaultsError) as caught:
        prepare.chunk_of(1_000_000, chunk)
    return [one.code for one in caught.value.faults]


def test_a_million_inputs_are_packed_once_and_no_generator_is_kept():
    with prepare.mapped(Asked(), len, [iter(range(1_000_000))], None, None) as made:
        assert (made.request.array, made.shape.chunk, len(made.uploads)) == (100, 10_000, 3)
        assert prepare.shape_of(made.request) == made.shape
        assert made.request.inputs[2].path == ".suanwang/items"
        assert made.request.inputs[2].size == made.uploads[2].size_bytes < 16_000_000
        assert b"".join(made.uploads[2].pieces())[-16:] == frames.MAGIC


def test_safety_of_a_function_only_its_own_lines_travel():
    password = "correct-horse-battery"  # stands beside it, and is nothing to it

    def work(x):
        def inner():
            return x / 0

        return inner()

    with prepare.call(Asked(), work, (1,), {}) as made:
        raw = b"".join(made.uploads[1].pieces())
    assert b"return x / 0" in raw and b"return inner()" in raw
    assert password.encode() not in raw


def test_large_inputs_get_the_disk_that_they_need(monkeypatch):
    monkeypatch.setattr(prepare, "SMALL_BYTES", 1000)
    with prepare.call(Asked(), len, (bytes(10_000),), {}) as made:
        assert made.request.resources.disk > 2**30 + 20_000
    with prepare.call(Asked().change(disk="2 GiB"), len, (bytes(10_000),), {}) as made:
        assert made.request.resources.disk == 2**31


# -- the same call ----------------------------------------------------------------------------------------------------

CALL = """
from dataclasses import dataclass

@dataclass
class Pair:
    first: int
    rest: tuple = ()

def defined(rate):
    def outer(x):
        Pair(x)
        def inner(y):
            return y * rate
        return inner(x)
    return outer
"""
PRINT = """
from suanwang.functions.digest import digest_of
given = ((3, {"a": [1.5]}), {})
print(digest_of(defined(7), given), digest_of(defined(8), given))
"""


def test_a_call_is_the_same_in_another_process_and_another_place_of_the_file():
    def digests(*lines):
        text_of_it = "\n".join([f"import sys; sys.path[:0] = {sys.path!r}", *lines])
        ran = subprocess.run([sys.executable, "-c", text_of_it], capture_output=True, text=True, check=True)
        return ran.stdout.split()

    first, other = digests(CALL, PRINT)
    changed = CALL.replace("rest: tuple = ()", "rest: tuple = (1,)")
    again, _, third, _ = digests("# moved", CALL, PRINT, changed, PRINT)
    assert first == again
    assert len({first, other, third}) == 3


def test_what_a_function_refers_to_is_part_of_what_it_is():
    def by(k):
        return lambda x: x * k

    assert digest_of(by(2), ((1,), {})) == digest_of(by(2), ((1,), {}))
    others = {digest_of(by(2), ((1,), {})), digest_of(by(3), ((1,), {})), digest_of(by(2), ((2,), {}))}
    others.add(digest_of(lambda x: x + 2, ((1,), {})))
    assert len(others) == 4


# -- ends without an answer ----------------------------------------------------------------------------------------------


def ended(phase, **rest):
    usual = {
        "task_id": "task-1",
        "phase": phase,
        "reason": None,
        "detail": "",
        "exit_code": None,
        "refusals": (),
        "site": "s",
    }
    return types.SimpleNamespace(**{**usual, **rest})


@pytest.mark.parametrize(
    ("view", "log", "kind", "code", "words"),
    [
        (ended(Phase.CANCELLED), "", RunCancelledError, "run_cancelled", "cancelled"),
        (ended(Phase.FAILED, reason=FailureReason.OUT_OF_MEMORY), "x", RunFailedError, "run_failed", "more memory"),
        (ended(Phase.EXPIRED, reason=FailureReason.DEADLINE_LOST), "", RunFailedError, "run_failed", "deadline"),
        (
            ended(Phase.FAILED, exit_code=127),
            '[3] suanwang-fault {"code": "absent"}',
            SiteUnfitError,
            "site_absent",
            "no Python",
        ),
        (
            ended(Phase.FAILED, exit_code=78),
            'suanwang-fault {"code": "new"}',
            SiteUnfitError,
            "site_unfit",
            "cannot run",
        ),
        (
            ended(Phase.FAILED, exit_code=78),
            'suanwang-fault {"code": "unpack", "detail": "d"}',
            SiteUnfitError,
            "site_unpack",
            "d",
        ),
        (ended(Phase.FAILED, exit_code=1), 'suanwang-fault {"code": "absent"}', RunFailedError, "run_failed", "absent"),
        (ended(Phase.FAILED, exit_code=78), "suanwang-fault {not json", RunFailedError, "run_failed", "not json"),
    ],
)
def test_each_end_is_an_error_of_its_own_with_words(view, log, kind, code, words):
    error = answer.outcome(view, log, "en")
    assert type(error) is kind
    assert error.code == code
    assert words in str(error)


def test_an_exception_of_a_foreign_type_is_told_as_text_in_json(tmp_path):
    told = {"kind": "raised", "module": "lib", "type": "Odd", "message": "m", "traceback": "at line 3", "args": ["m"]}
    frame = json.dumps(told).encode() + b"\n"
    error = answer._exception(frame, "json", "task-1", {"site": "s", "python": "p"}, "en")
    assert isinstance(error, RaisedError) and error.code == "raised"
    assert (str(error), error.kind, error.traceback) == ("lib.Odd: m", "lib.Odd", "at line 3")
    assert "at line 3" in str(error.__cause__)
    told |= {"module": "builtins", "type": "ValueError"}
    assert repr(answer._exception(json.dumps(told).encode() + b"\n", "json", "t", {}, "en")) == "ValueError('m')"
    for name in ("eval", "SystemExit", "KeyboardInterrupt", "StopIteration"):
        told |= {"type": name, "message": "\x1b[2Jgone", "args": ["\x1b[2J"]}
        error = answer._exception(json.dumps(told).encode() + b"\n", "json", "t", {}, "en")
        assert isinstance(error, RaisedError), "nothing of a site's ends the caller's program"
        assert "\x1b" not in str(error)


@pytest.mark.parametrize("payload", [b"7\n", b"{}\n", b"[" * 100_000, b"\xff"])
def test_whatever_a_site_writes_is_an_error_with_words(payload):
    file = io.BytesIO()
    writer = ResultWriter(file, plain, {"format": "json", "python": here(), "site": "s"})
    writer._frame(frames.RAISED, payload)
    writer.end(refuse)
    file.seek(0)
    with pytest.raises(ResultError) as caught:
        list(answer.results(file, "task-1", "json", "en", 1))
    assert caught.value.code == "result_damaged"


def test_both_kinds_of_handles_have_the_same_verbs():
    from suanwang.functions import AsyncFunction, Function
    from suanwang.functions.run_aio import AsyncMapRun, AsyncRun

    def verbs(kind):
        return {name for one in kind.__mro__[:2] for name in vars(one) if not name.startswith("_")}

    assert verbs(Run) == verbs(AsyncRun)
    assert verbs(MapRun) == verbs(AsyncMapRun)
    assert verbs(Function) - {"client", "aio"} == verbs(AsyncFunction)
