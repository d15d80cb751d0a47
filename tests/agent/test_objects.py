"""Objects by hash, in a folder and over HTTP."""

import io
import tempfile

import httpx
import pytest
from blake3 import blake3

from suanwang.agent.objects import HttpObjects, LocalObjects
from suanwang.model.error import NotFoundError, TooLargeError, UnreachableError

CONTENT = b"x" * 3_000_000
DIGEST = blake3(CONTENT).hexdigest()


def test_put_twice_keeps_one_whole_object(tmp_path):
    objects = LocalObjects(tmp_path / "o")
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    assert objects.put(source) == objects.put(io.BytesIO(CONTENT)) == (DIGEST, len(CONTENT))
    with objects.open(DIGEST) as stream:
        assert stream.read() == CONTENT
    assert [p.name for p in (tmp_path / "o").rglob("*") if p.is_file()] == [DIGEST]


def test_a_stream_is_taken_from_where_it_stands(tmp_path):
    stream = io.BytesIO(b"skip this")
    stream.seek(5)
    assert LocalObjects(tmp_path).put(stream).blake3 == blake3(b"this").hexdigest()


@pytest.mark.parametrize("digest", ["0" * 64, "../" * 21 + "x", "/etc/passwd", "A" * 64, ""])
def test_what_is_not_there_is_not_found(tmp_path, digest):
    objects = LocalObjects(tmp_path)
    assert not objects.has(digest)
    with pytest.raises(NotFoundError):
        objects.open(digest)


def test_too_large_leaves_nothing_behind(tmp_path):
    with pytest.raises(TooLargeError):
        LocalObjects(tmp_path, limit_bytes=10).put(io.BytesIO(b"eleven bytes"))
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


class Server:
    """The object routes of the API, on a dictionary."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.puts = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        digest = request.url.path.removeprefix("/v1/objects/")
        if request.method == "PUT":
            self.puts += 1
            body = request.read()
            if len(body) > 4_000_000:
                return httpx.Response(413)
            self.held[digest] = body
            return httpx.Response(201)
        if digest not in self.held:
            return httpx.Response(404)
        return httpx.Response(200, content=self.held[digest] if request.method == "GET" else b"")


@pytest.fixture
def remote():
    server = Server()
    with httpx.Client(transport=httpx.MockTransport(server), base_url="http://brain") as client:
        yield server, HttpObjects(client, tempfile.TemporaryFile)


def test_objects_travel_over_http(remote):
    server, objects = remote
    assert not objects.has(DIGEST)
    assert objects.put(io.BytesIO(CONTENT)) == (DIGEST, len(CONTENT))
    assert objects.put(io.BytesIO(CONTENT)) == (DIGEST, len(CONTENT))
    assert server.puts == 1, "what the brain has is not sent again"
    with objects.open(DIGEST) as stream:
        assert stream.read() == CONTENT


def test_http_faults_are_ours(remote):
    _, objects = remote
    with pytest.raises(NotFoundError):
        objects.open("0" * 64)
    with pytest.raises(TooLargeError):
        objects.put(io.BytesIO(bytes(5_000_000)))


def test_no_brain_is_unreachable():
    def refuse(request):
        raise httpx.ConnectError("refused")

    with httpx.Client(transport=httpx.MockTransport(refuse), base_url="http://brain") as client:
        objects = HttpObjects(client, tempfile.TemporaryFile)
        for call in (lambda: objects.has(DIGEST), lambda: objects.open(DIGEST), lambda: objects.put(io.BytesIO(b"x"))):
            with pytest.raises(UnreachableError):
                call()
