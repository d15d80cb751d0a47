"""What comes from elsewhere: texts and files of sites, tasks of other tenants, and fields that stand for nothing."""

import asyncio
import io
import json
import pickle
import struct
import types

import cloudpickle
import httpx
import pytest

import suanwang
from suanwang.client import Client
from suanwang.client.beside import beside
from suanwang.functions import answer, prepare
from suanwang.functions.answer import Fetched
from suanwang.functions.asked import Asked
from suanwang.functions.function import _stands, _untrusted
from suanwang.functions.run import MapRun, Run
from suanwang.functions.run_aio import AsyncRun
from suanwang.functions.site import frames
from suanwang.functions.site.frames import BadFileError, ResultWriter, plain, read_result, write_items
from suanwang.model.error import FaultsError, ResultError, UnreachableError
from suanwang.model.event import OutputFile
from suanwang.model.record import Phase

ESCAPE = "\x1b]0;owned\x07"


def refuse(error):
    return {"kind": "result", "type": type(error).__name__, "message": str(error)}, b""


def written(form, dumps, *values):
    file = io.BytesIO()
    writer = ResultWriter(file, dumps, {"format": form, "python": ESCAPE, "site": ESCAPE})
    for one in values:
        writer.value(one, refuse)
    writer.end(refuse)
    return file


# -- fields ---------------------------------------------------------------------------------------------------------


def fault_of(call):
    with pytest.raises(FaultsError) as caught:
        call()
    return [(one.where, one.code, one.got) for one in caught.value.faults]


def test_none_is_the_default_of_a_field(monkeypatch):
    monkeypatch.setenv("TOKEN", "v")
    asked = Asked().change(secrets="TOKEN", trust="acme", modules=json, results="json", cache=None)
    assert (dict(asked.secrets), asked.trust, asked.modules) == ({"TOKEN": "v"}, ("acme",), (json,))
    assert asked.change(secrets=None, trust=None, modules=None, results=None) == Asked()
    assert fault_of(lambda: Asked().change(trust=3)) == [("trust", "function_trust_form", "3")]
    assert fault_of(lambda: Asked().change(modules=3)) == [("modules[0]", "function_module", "3")]
    assert fault_of(lambda: Asked().change(secrets=3)) == [("secrets", "function_secret", "3")]


def test_results_of_calls_with_secrets_are_not_kept():
    for first, then in (({"secrets": {"T": "v"}}, {"cache": True}), ({"cache": True}, {"secrets": {"T": "v"}})):
        assert fault_of(lambda a=first, b=then: Asked().change(**a).change(**b)) == [
            ("cache", "function_cache_secrets", "True")
        ]


def test_how_far_an_array_spreads_is_not_held_against_an_invented_one():
    assert Asked().change(spread={"per_site_max": 1}).request(run="true", array=5).spread.per_site_max == 1
    assert fault_of(lambda: Asked().change(spread={"sites": 1})) != []


# -- whose results -----------------------------------------------------------------------------------------------------


def sent(**fields):
    with prepare.mapped(Asked().change(**fields), len, ["abc"], 1, None) as made:
        return made.request


def test_safety_results_of_other_tenants_and_other_programs_are_not_opened():
    client = types.SimpleNamespace(whoami=lambda: types.SimpleNamespace(tenant="lab"))
    request = sent()
    other = tuple(one.model_copy(update={"blake3": "0" * 64}) for one in request.inputs)
    strange = request.model_copy(update={"inputs": other})

    def why(request, tenant, **fields):
        view = types.SimpleNamespace(tenant=tenant)
        found = _untrusted(client, Asked().change(**fields), view, request)
        return None if found is None else found.error("task-1", "en").code

    assert why(request, "lab") is None
    assert why(request, "thief") == "result_tenant"
    assert why(strange, "lab") == "result_runner"
    assert why(request.model_copy(update={"owners": ("acme",)}), "lab") == "result_untrusted"
    assert why(strange, "thief", trust="any") is why(strange, "thief", results="json") is None


def test_safety_cache_takes_neither_for_the_same_call():
    request = sent()
    wanted = request.model_copy(update={"inputs": (), "name": "task"})
    view = types.SimpleNamespace(request=request, tenant="lab", phase=Phase.SUCCEEDED)
    assert _stands(view, wanted, "lab") and not _stands(view, wanted, "other")
    view.request = request.model_copy(update={"inputs": request.inputs[1:]})
    assert not _stands(view, wanted, "lab")


def test_a_command_that_only_looks_like_a_function_is_none():
    request = sent()
    assert prepare.shape_of(request) is not None
    for place, word in ((6, "xml"), (5, "other"), (7, "-1"), (8, "0"), (7, "9" * 40), (7, "4")):
        run = tuple(word if at == place else one for at, one in enumerate(request.run))
        assert prepare.shape_of(request.model_copy(update={"run": run})) is None, word


# -- texts and files -----------------------------------------------------------------------------------------------------


def test_safety_no_text_of_a_site_commands_the_terminal():
    told = {"kind": "raised", "module": ESCAPE, "type": ESCAPE, "message": ESCAPE, "traceback": ESCAPE}
    told |= {"args": [{ESCAPE: ESCAPE}], "module_missing": ESCAPE}
    head = {"site": ESCAPE, "python": ESCAPE}
    raised = answer._exception(json.dumps(told).encode() + b"\n", "json", "t", head, "en")
    unfit = answer._exception(json.dumps({**told, "kind": "result"}).encode() + b"\n", "json", "t", head, "en")
    view = {"task_id": "t", "phase": Phase.FAILED, "reason": None, "detail": ESCAPE, "exit_code": 78, "site": "s"}
    fault = {"code": "module", "module": ESCAPE, "lang": "x", "kind": 1, "task": 2, "self": 3}
    logs = ("suanwang-fault " + json.dumps(fault), ESCAPE)
    ends = [answer.outcome(types.SimpleNamespace(**view, refusals=()), log, "en") for log in logs]
    assert ends[0].code == "site_module"
    for one in (raised, unfit, *ends):
        words = " ".join([str(one), repr(one.__dict__), str(one.__cause__), *getattr(one, "__notes__", ())])
        assert "\x1b" not in words and "\x07" not in words


def test_a_length_beyond_the_file_is_a_damaged_file():
    for length in (2**63, 2**64 - 1, 100):
        raw = frames.RESULT_MAGIC + struct.pack(">cQ", b"V", length)
        with pytest.raises(BadFileError):
            list(read_result(io.BytesIO(raw)))


def test_a_result_longer_than_was_said_is_not_read_to_its_end():
    with Fetched(OutputFile(path="r", size_bytes=10, blake3="0" * 64), "task-1", "en") as local:
        local.write(b"12345678")
        with pytest.raises(ResultError) as caught:
            local.write(b"12345678")
    assert caught.value.code == "result_damaged"


# -- blocks ------------------------------------------------------------------------------------------------------------


def test_blocks_are_no_larger_than_they_say_when_small_values_are_followed_by_large_ones():
    large = [bytes(50_000) for _ in range(60)]
    for kind in (bytes, bytearray):
        sizes, file = [], io.BytesIO()

        def dumps(values, sizes=sizes):
            sizes.append(len(pickle.dumps(values)))
            return pickle.dumps(values)

        write_items([*range(500), *map(kind, large)], dumps, file)
        writer = ResultWriter(io.BytesIO(), dumps, {})
        for one in [*range(500), *map(kind, large)]:
            writer.value(one, refuse)
        writer.end(refuse)
        assert max(sizes) < frames.BLOCK_BYTES + 60_000


def test_what_cannot_change_is_packed_together():
    import numpy as np

    lists = []
    write_items(
        [(1, "a", None, (2.5, b"b")), *np.arange(50.0)],
        lambda one: lists.append(one) or pickle.dumps(one),
        io.BytesIO(),
    )
    assert [len(one) for one in lists] == [51]
    assert frames.flat_bytes(np.arange(3)) is frames.flat_bytes((1, [2])) is None


def test_a_value_is_kept_as_it_was_when_it_came():
    def growing(seen):
        for one in range(5):
            seen.append(one)
            yield seen

    file = io.BytesIO()
    write_items(growing([]), pickle.dumps, file)
    assert [len(one) for one in frames.read_items(file, 0, 5, pickle.loads)] == [1, 2, 3, 4, 5]
    raw = io.BytesIO()
    writer = ResultWriter(raw, plain, {"format": "json"})
    for one in growing([]):
        writer.value(one, refuse)
    writer.end(refuse)
    assert [len(one) for one in answer.results(raw, "t", "json", "en", 5)] == [1, 2, 3, 4, 5]


# -- handles -----------------------------------------------------------------------------------------------------------


def handle(kind, error):
    client = types.SimpleNamespace(lang="en")
    shape = prepare.Shape("pickle", None, 1, 1)
    run = kind(client, shape, types.SimpleNamespace(task_id="task-1", name="f"), False)

    def fails(*_, **__):
        raise error

    run._followed.view, run._followed.files = types.SimpleNamespace(outputs=()), {0: "file"}
    run._fetched = fails
    return run


def hindered():
    return [KeyboardInterrupt(), asyncio.CancelledError(), UnreachableError("unreachable", url="u", detail="d")]


@pytest.mark.parametrize("error", hindered(), ids=lambda one: type(one).__name__)
def test_what_hinders_looking_is_no_exception_of_the_function(error):
    with pytest.raises(type(error)):
        handle(Run, error).exception()

    async def looked():
        try:
            await handle(AsyncRun, error).exception()
        except BaseException as found:  # told out of the loop, which an interrupt would end
            return found

    assert asyncio.run(looked()) is error
    damaged = answer.made(ResultError, "result_damaged", "en", task="t", detail="d")
    assert handle(Run, damaged).exception() is damaged


@pytest.mark.parametrize(("values", "raised"), [([1, 2], False), ([1, io.TextIOWrapper(io.BytesIO())], True)])
def test_a_map_with_an_exception_among_its_answers_is_not_reused(values, raised):
    file = written("pickle", cloudpickle.dumps, *values)
    file.seek(0)
    assert answer.has_raised(file) is raised
    assert answer.has_raised(io.BytesIO(b"no result"))
    run = MapRun(None, prepare.Shape("pickle", 2, 2, 1), types.SimpleNamespace(task_id="t", name="f"), True)
    run.client = types.SimpleNamespace(task=lambda _: types.SimpleNamespace(outputs=()))
    assert run._raised(), "an answer that is missing is none"


# -- clients -----------------------------------------------------------------------------------------------------------


def test_a_loop_has_one_client_beside_each():
    first, second = (Client("http://127.0.0.1:9", "k", timeout_s=7) for _ in "ab")

    async def found():
        return beside(first), beside(first), beside(second)

    one, again, other = asyncio.run(found())
    assert one is again and one is not other
    assert one._http.timeout == httpx.Timeout(7)
    assert asyncio.run(found())[0] is not one


def test_the_client_before_stays_open_for_its_handles(monkeypatch):
    monkeypatch.setattr("suanwang.functions.function._default", {})
    before = suanwang.connect("http://127.0.0.1:9", "k")
    after = suanwang.connect("http://127.0.0.1:9", "k")
    assert not before._http.is_closed
    before.close()
    after.close()
