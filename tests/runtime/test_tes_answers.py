"""What a TES server that lies or fails may say, and what the adapter makes of it: it knows nothing, and goes on."""

import gzip
import json

import httpx
import pytest

from suanwang.agent.adapters.remote import http
from suanwang.agent.adapters.tes import answer
from suanwang.agent.adapters.tes.server import AwayError, RefusedError, TesServer, tags_of

DEEP = b"[" * 200_000


def server(reply):
    made = TesServer.__new__(TesServer)
    made._client = httpx.Client(base_url="http://tes", transport=httpx.MockTransport(reply))
    return made


@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(200, stream=httpx.ByteStream(b"no gzip"), headers={"content-encoding": "gzip"}),
        httpx.Response(200, content=DEEP),
        httpx.Response(200, content=b"[]"),
        httpx.Response(200, content=b'{"tasks": 3}'),
        httpx.Response(400),
        httpx.Response(404),
        httpx.Response(422),
        httpx.Response(503),
    ],
    ids=["gzip", "deep", "list", "tasks", "400", "404", "422", "503"],
)
def test_a_search_without_a_plain_answer_is_a_server_that_is_away(reply):
    with pytest.raises(AwayError):
        server(lambda _: reply).find("k", "v")


def test_a_look_is_not_refused_and_a_task_may_be_unknown():
    with pytest.raises(AwayError):
        server(lambda _: httpx.Response(400)).state("t")
    assert server(lambda _: httpx.Response(404)).state("t") is None
    with pytest.raises(RefusedError):
        server(lambda _: httpx.Response(400)).create({}, "key")


def test_an_answer_that_unpacks_to_more_than_the_limit_is_not_kept(monkeypatch):
    monkeypatch.setattr(http, "ANSWER_BYTES_MAX", 1_000)
    packed = gzip.compress(b" " * 1_000_000)
    with pytest.raises(AwayError, match="larger than 1000 bytes"):
        server(
            lambda _: httpx.Response(200, stream=httpx.ByteStream(packed), headers={"content-encoding": "gzip"})
        ).whole("t")


def test_tags_of_another_form_are_none():
    found = {"tasks": [{"id": "a", "tags": ["x"]}, {"id": "b", "tags": {"k": "v"}}, {"id": "c", "tags": {"k": 1}}]}
    assert [one["id"] for one in server(lambda _: httpx.Response(200, content=json.dumps(found))).find("k", "v")] == [
        "b"
    ]
    assert tags_of({"tags": "x"}) == {}


@pytest.mark.parametrize("code", [False, True, 10**30, -1, 256, "0", None])
def test_a_code_that_no_process_has_is_none(code):
    assert answer.read({"logs": [{"logs": [{"exit_code": code}]}]}).code is None


def test_a_code_is_read():
    assert answer.read({"logs": [{"logs": [{"exit_code": 3}]}]}).code == 3
