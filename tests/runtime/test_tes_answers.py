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
    made._monotonic = lambda: 0
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


def test_halves_of_characters_do_not_come_in():
    found = server(
        lambda _: httpx.Response(200, content=b'{"id": "a", "state": "\\uD800", "n": "\\ud83d\\ude00"}')
    ).whole("t")
    assert found == {"id": "a", "state": "?", "n": "\U0001f600"}


@pytest.mark.parametrize("task_id", ['""', "3", "null", '"' + "x" * 513 + '"', '"a\\nb"'])
def test_what_is_no_id_is_none(task_id):
    with pytest.raises(AwayError):
        server(lambda _: httpx.Response(200, content=b'{"id": %s}' % task_id.encode())).create({}, "key")


def test_an_id_stays_one_part_of_an_address():
    asked = []

    def reply(request):
        asked.append(request.url.raw_path.decode())
        return httpx.Response(200, content=b"{}")

    server(reply).whole("../a?b#c d")
    assert asked == ["/tasks/..%2Fa%3Fb%23c%20d?view=FULL"]


def test_an_answer_that_drips_is_given_up():
    class Drip(httpx.SyncByteStream):
        def __iter__(self):
            while True:
                now[0] += 1_000_000
                yield b" "

    now = [0]
    made = server(lambda _: httpx.Response(200, stream=Drip()))
    made._monotonic = lambda: now[0]
    with pytest.raises(AwayError, match="come to its end"):
        made.whole("t")
    assert now[0] <= 20_000_000
