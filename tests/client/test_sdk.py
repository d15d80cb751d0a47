"""The SDK without a brain: what it sends, what it reads, what it sends again, and what it refuses to touch."""

import asyncio
import inspect
import json
import os

import httpx
import pytest
from blake3 import blake3

from suanwang import AsyncClient, Client
from suanwang.client import calls, outputs
from suanwang.client.answers import PAUSES_S, TRIES, error_of, pause_s
from suanwang.client.connect import find_address, running
from suanwang.client.events import EventParser
from suanwang.client.uploads import local_inputs
from suanwang.model.error import (
    ConflictError,
    FaultsError,
    NotAllowedError,
    NotFoundError,
    NotKnownError,
    StoreError,
    SuanwangError,
    TooLargeError,
    UnreachableError,
)
from suanwang.model.grid import PoolKind
from suanwang.model.record import Phase
from suanwang.model.task import Input, Preference, TaskRequest
from suanwang.model.view import BulkAnswer, TaskView

TASK = "task-" + "0" * 26
VIEW = TaskView(
    task_id=TASK,
    tenant="astro",
    name="t",
    phase=Phase.WAITING,
    kind=PoolKind.GENERAL,
    origin="here",
    submitted_us=1,
    updated_us=1,
    preference=Preference.CHEAPEST,
    priority=10,
    array=1,
    tags={},
)


def problem(status, code="x", **rest):
    document = {"type": "t", "title": "t", "status": status, "detail": "words", "code": code, "faults": [], **rest}
    return httpx.Response(status, json=document, headers={"Content-Type": "application/problem+json"})


class Server:
    """Answers with a list of answers, one a request; remembers the requests. An exception is raised."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []
        self.slept = []

    def __call__(self, request):
        request.read()
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, **rest):
        keys = iter(f"key-{number}" for number in range(100))
        transport = httpx.MockTransport(self)
        return Client(
            "http://brain", "sw_k_s", transport=transport, sleep=self.slept.append, new_key=lambda: next(keys), **rest
        )


def ok(value=VIEW, status=200):
    return httpx.Response(status, content=value.model_dump_json())


def test_a_submit_is_one_post_with_a_key_of_its_own():
    server = Server(ok(status=201))
    with server.client(lang="zh-hant") as client:
        assert client.submit({"run": "true"}) == VIEW
        client.submit({"run": "true"})
    first, second = server.requests
    assert (first.method, first.url.path) == ("POST", "/v1/tasks")
    assert json.loads(first.content) == {"run": "true"}
    assert first.headers["authorization"] == "Bearer sw_k_s"
    assert first.headers["accept-language"] == "zh-hant"
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]


def test_secrets_stand_beside_the_request_and_not_in_it():
    server = Server(ok())
    with server.client() as client:
        client.submit({"run": "true", "secrets": ["TOKEN"]}, secrets={"TOKEN": "v"})
    body = json.loads(server.requests[0].content)
    assert body["secrets"] == {"TOKEN": "v"}
    assert body["request"]["secrets"] == ["TOKEN"]


def test_a_submit_is_sent_again_with_the_same_key_until_it_is_answered():
    server = Server(httpx.ReadTimeout("slow"), problem(503, "store"), ok(status=201))
    with server.client() as client:
        assert client.submit({"run": "true"}).task_id == TASK
    assert len({one.headers["idempotency-key"] for one in server.requests}) == 1
    assert server.slept == list(PAUSES_S[:2])


def test_a_cancel_whose_answer_was_lost_is_not_sent_again():
    server = Server(httpx.ReadTimeout("slow"))
    with server.client() as client, pytest.raises(UnreachableError):
        client.cancel(TASK)
    assert len(server.requests) == 1


def test_a_cancel_that_never_left_is_sent_again():
    server = Server(httpx.ConnectError("refused"), ok())
    with server.client() as client:
        client.cancel(TASK)
    assert len(server.requests) == 2


def test_tries_end_and_say_where_nobody_answered():
    server = Server(httpx.ConnectError("refused"))
    with server.client() as client, pytest.raises(UnreachableError) as caught:
        client.task(TASK)
    assert len(server.requests) == TRIES
    assert caught.value.params["address"] == "http://brain"


def test_a_brain_that_asks_for_patience_is_given_some_but_not_all():
    asked = httpx.Response(503, headers={"Retry-After": "2"})
    assert pause_s(asked, None, 0, safe=True) == 2.0
    assert pause_s(httpx.Response(503, headers={"Retry-After": "9999"}), None, 0, safe=True) == 10.0
    assert pause_s(httpx.Response(404), None, 0, safe=True) is None
    assert pause_s(asked, None, len(PAUSES_S), safe=True) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, NotKnownError),
        (403, NotAllowedError),
        (404, NotFoundError),
        (409, ConflictError),
        (413, TooLargeError),
        (503, StoreError),
        (500, SuanwangError),
        (418, SuanwangError),
    ],
)
def test_each_status_becomes_its_error(status, kind):
    error = error_of(status, problem(status, "some_code").content)
    assert type(error) is kind
    assert (error.status, error.code, error.params["detail"]) == (status, "some_code", "words")


def test_an_answer_that_is_no_problem_document_is_an_error_too():
    for body in (b"<html>", b"[]", b""):
        assert error_of(502, body).params["detail"] == "HTTP 502"


def test_faults_come_back_whole():
    fault = {
        "where": "resources.cpu",
        "line": 3,
        "got": "many",
        "code": "not_whole",
        "text": "words",
        "params": {"a": 1},
    }
    error = error_of(422, problem(422, "faults", faults=[fault]).content)
    assert isinstance(error, FaultsError)
    one = error.faults[0]
    assert (one.where, one.line, one.got, one.code) == ("resources.cpu", 3, "many", "not_whole")
    assert one.params == {"a": 1, "text": "words"}


def test_local_faults_are_found_before_anything_is_sent():
    server = Server(ok())
    with server.client() as client, pytest.raises(FaultsError):
        client.submit({"run": "true", "cpu": 1})
    assert server.requests == []


# -- local files ------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    inside = tmp_path / "job"
    inside.mkdir()
    (inside / "data.csv").write_bytes(b"1,2\n")
    (tmp_path / "secret").write_bytes(b"no")
    return inside


def asks(*sources, **rest):
    return TaskRequest(
        run="true", inputs=tuple(Input(source=one, path=f"in{at}", **rest) for at, one in enumerate(sources))
    )


def test_a_local_input_becomes_an_object_with_its_hash_and_size(folder):
    request, files = local_inputs(asks("data.csv", "dataset:sky", "https://x/y"), folder, upload=True)
    digest = blake3(b"1,2\n").hexdigest()
    assert [one.source for one in request.inputs] == [f"object:{digest}", "dataset:sky", "https://x/y"]
    assert (request.inputs[0].blake3, request.inputs[0].size) == (digest, 4)
    assert [one.path.name for one in files] == ["data.csv"]
    assert b"".join(files[0].pieces()) == b"1,2\n"


def test_a_dry_run_sizes_a_local_input_and_uploads_nothing(folder):
    request, _ = local_inputs(asks("data.csv"), folder, upload=False)
    assert (request.inputs[0].source, request.inputs[0].size) == ("data.csv", 4)


def test_the_path_of_a_task_file_may_be_a_string(folder):
    (folder / "named.yaml").write_text("name: named\nrun: 'true'\n")
    request, beside = calls.read_tasklike(str(folder / "named.yaml"))
    assert (request.name, beside) == ("named", folder)


def test_a_task_file_reaches_only_what_is_beside_it(folder):
    os.symlink(folder.parent / "secret", folder / "link")
    os.symlink(folder.parent, folder / "up")
    os.symlink("data.csv", folder / "alias")
    sources = ("../secret", str(folder.parent / "secret"), "link", "up/secret", "missing", ".", "a\0b")
    with pytest.raises(FaultsError) as caught:
        local_inputs(asks(*sources), folder, upload=True)
    codes = [one.code for one in caught.value.faults]
    assert codes == ["input_outside"] * 4 + ["input_missing_local", "input_no_file", "input_missing_local"]
    assert local_inputs(asks("alias"), folder, upload=True)[1][0].size_bytes == 4


def test_a_file_that_is_not_the_one_that_was_meant_is_a_fault(folder):
    with pytest.raises(FaultsError) as caught:
        local_inputs(asks("data.csv", blake3="0" * 64), folder, upload=True)
    assert [one.code for one in caught.value.faults] == ["input_hash_local"]


def test_an_upload_is_skipped_where_the_object_is_there(folder):
    task = folder / "task.yaml"
    task.write_text('run: "true"\ninputs: [{source: data.csv, path: data.csv}]\n')
    have = Server(httpx.Response(200), ok(status=201))
    with have.client() as client:
        client.submit(task)
    assert [one.method for one in have.requests] == ["HEAD", "POST"]
    stored = httpx.Response(201, json={"blake3": blake3(b"1,2\n").hexdigest(), "size_bytes": 4})
    lack = Server(httpx.Response(404), httpx.ReadError("broken"), stored, ok(status=201))
    with lack.client() as client:
        client.submit(task)
    assert [one.method for one in lack.requests] == ["HEAD", "PUT", "PUT", "POST"]
    assert lack.requests[2].content == b"1,2\n"


# -- streams ----------------------------------------------------------------------------------------------------


def test_events_are_parsed_however_the_bytes_are_cut():
    raw = b': ping\n\nid: 1.0\nevent: a\ndata: {"x": "\xe7\xae\x97"}\n\r\nid: 2.3\nevent: b\ndata: 1\ndata: 2\n\n'
    for size in (1, 2, 7, len(raw)):
        parser = EventParser()
        found = [one for at in range(0, len(raw), size) for one in parser.feed(raw[at : at + size])]
        assert [(one.kind, one.id) for one in found] == [("a", "1.0"), ("b", "2.3")]
        assert found[0].data == {"x": "算"}
        assert found[1].text == "1\n2"


def stream(text):
    return httpx.Response(200, content=text.encode(), headers={"Content-Type": "text/event-stream"})


def test_a_stream_that_breaks_goes_on_after_the_last_event():
    half = "id: 5.0\nevent: task_submitted\ndata: {}\n\nid: 6.0\nevent: half\nda"
    rest = "id: 6.0\nevent: task_ended\ndata: {}\n\nevent: end\ndata: {}\n\n"
    server = Server(stream(half), stream(rest))
    with server.client() as client:
        kinds = [one.kind for one in client.events(TASK)]
    assert kinds == ["task_submitted", "task_ended", "end"]
    assert "last-event-id" not in server.requests[0].headers
    assert server.requests[1].headers["last-event-id"] in ("5.0", "6.0")


def test_a_stream_that_only_breaks_gives_up():
    server = Server(httpx.ReadError("broken"))
    with server.client() as client, pytest.raises(UnreachableError):
        list(client.events(TASK))
    assert 2 < len(server.requests) < 20


def test_a_refused_stream_is_not_tried_again():
    server = Server(problem(404, "task_unknown"))
    with server.client() as client, pytest.raises(NotFoundError):
        list(client.events(TASK))
    assert len(server.requests) == 1


# -- outputs ------------------------------------------------------------------------------------------------------


def finished(path, body, digest=None):
    kept = {"path": path, "blake3": digest or blake3(body).hexdigest(), "size_bytes": len(body), "target": None}
    return VIEW.model_validate({**VIEW.model_dump(), "phase": "succeeded", "outputs": (kept,)})


def test_outputs_are_saved_whole_and_checked(tmp_path):
    server = Server(httpx.Response(200, content=b"result"))
    with server.client() as client:
        saved = client.outputs.save(finished("a/b.txt", b"result"), tmp_path)
        assert [one.read_bytes() for one in saved] == [b"result"]
        assert server.requests[0].url.path == f"/v1/tasks/{TASK}/outputs/a/b.txt"
        with pytest.raises(FaultsError) as caught:
            client.outputs.save(finished("c.txt", b"result", "0" * 64), tmp_path)
    assert caught.value.faults[0].code == "output_hash"
    assert not (tmp_path / "c.txt").exists()


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil", "out/evil"])
def test_an_output_never_leaves_its_folder(tmp_path, path):
    folder = tmp_path / "results"
    folder.mkdir()
    os.symlink(tmp_path, folder / "out")
    with pytest.raises(FaultsError) as caught:
        outputs.place(folder, path)
    assert caught.value.faults[0].code == "output_outside"
    assert not (tmp_path / "evil").exists()


# -- many, where, and the twin of the two clients -----------------------------------------------------------------


def test_bulk_goes_in_parts_and_comes_back_as_one(monkeypatch):
    monkeypatch.setattr("suanwang.client.calls.BULK_ROWS", 2)
    bad = {"row": 1, "faults": [{"where": "x", "code": "c", "text": "t"}]}
    first = BulkAnswer.model_validate({"accepted": 1, "refused": 1, "task_ids": [TASK, None], "faults": [bad]})
    second = BulkAnswer.model_validate({"accepted": 0, "refused": 1, "task_ids": [None], "faults": [{**bad, "row": 0}]})
    server = Server(ok(first), ok(second))
    with server.client() as client:
        done = client.submit_many([{"run": "true"}] * 3, arrow=False)
    assert (done.accepted, done.refused, done.task_ids) == (1, 2, (TASK, None, None))
    assert [one.row for one in done.faults] == [1, 2]
    assert len({one.headers["idempotency-key"] for one in server.requests}) == 2


def test_an_arrow_stream_holds_the_requests():
    import pyarrow as pa

    server = Server(ok(BulkAnswer(accepted=1, refused=0, task_ids=(TASK,))))
    with server.client() as client:
        client.submit_many([{"run": "true"}])
    with pa.ipc.open_stream(server.requests[0].content) as reader:
        assert [json.loads(one) for one in reader.read_all()["request"].to_pylist()] == [{"run": "true"}]


def test_the_address_is_found_by_hand_by_environment_or_by_the_home(tmp_path):
    assert find_address("http://a/", "k", {}).url == "http://a"
    assert find_address(None, None, {"SUANWANG_URL": "http://b", "SUANWANG_KEY": "k"}).key == "k"
    (tmp_path / "server.json").write_text(json.dumps({"url": "http://c", "pid": os.getpid()}))
    (tmp_path / "credentials.json").write_text(json.dumps({"key": "sw_x"}))
    home = {"SUANWANG_HOME": str(tmp_path)}
    assert find_address(None, None, home).url == "http://c"
    assert running(tmp_path).key == "sw_x"
    (tmp_path / "server.json").write_text(json.dumps({"url": "http://c", "pid": 2**22 + 1}))
    assert running(tmp_path) is None


@pytest.mark.parametrize(
    ("url", "key", "kind", "code"),
    [
        (None, "k", UnreachableError, "no_address"),
        ("localhost:1", "k", UnreachableError, "address_form"),
        ("http://a", None, NotKnownError, "key_missing"),
    ],
)
def test_an_address_that_is_none_is_refused_with_words(tmp_path, url, key, kind, code):
    with pytest.raises(kind) as caught:
        find_address(url, key, {"SUANWANG_HOME": str(tmp_path)})
    assert caught.value.code == code


def test_the_key_is_not_in_what_is_printed():
    assert "k3y" not in repr(find_address("http://a", "k3y", {}))


def test_both_clients_have_the_same_verbs_and_parameters():
    def verbs(kind):
        return {
            name: [one.name for one in inspect.signature(method).parameters.values()]
            for name, method in vars(kind).items()
            if inspect.isfunction(method) and not name.startswith("_")
        }

    assert verbs(Client) == verbs(AsyncClient)
    assert verbs(outputs.Outputs) == verbs(outputs.AsyncOutputs)


def test_the_async_client_sends_the_same_and_tries_again_too(tmp_path):
    answers = [problem(503, "store"), ok(), stream("event: end\ndata: {}\n\n"), ok(), httpx.Response(200, content=b"r")]
    server = Server(*answers)
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    async def story():
        transport = httpx.MockTransport(server)
        async with AsyncClient("http://brain", "k", transport=transport, sleep=sleep) as client:
            view = await client.run({"run": "true"})
            return view, await client.outputs.save(finished("r.txt", b"r"), tmp_path)

    view, saved = asyncio.run(story())
    assert view == VIEW
    assert saved[0].read_bytes() == b"r"
    assert slept == [PAUSES_S[0]]
    assert [one.url.path for one in server.requests] == [
        "/v1/tasks",
        "/v1/tasks",
        f"/v1/tasks/{TASK}/events",
        f"/v1/tasks/{TASK}",
        f"/v1/tasks/{TASK}/outputs/r.txt",
    ]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_services_are_listed_planned_and_run_with_what_was_asked(kind):
    seen = []

    def answer(request):
        seen.append((request.method, request.url.path, json.loads(request.content or b"null")))
        if request.url.path == "/v1/services":
            return httpx.Response(200, json={"items": []})
        return httpx.Response(201, content=VIEW.model_dump_json())

    transport = httpx.MockTransport(answer)
    if kind == "sync":
        with Client("http://brain", "k", transport=transport) as client:
            assert client.services(group="hpc") == ()
            assert client.run_service("heat-plate", {"cells": 64}, {"latency": "metro"}).task_id == TASK
    else:

        async def ask():
            async with AsyncClient("http://brain", "k", transport=transport) as client:
                assert await client.services(group="hpc") == ()
                assert (await client.run_service("heat-plate", {"cells": 64}, {"latency": "metro"})).task_id == TASK

        asyncio.run(ask())
    assert seen[0][:2] == ("GET", "/v1/services")
    assert seen[1] == (
        "POST",
        "/v1/services/heat-plate:run",
        {"parameters": {"cells": 64}, "task": {"latency": "metro"}},
    )
