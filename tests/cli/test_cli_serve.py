"""`suanwang serve`: what it prints is all that a browser, or a program, needs to come in."""

import json
import socket

import httpx
import pytest

from suanwang.cli.exits import Exit
from suanwang.grids import SMALL, dump_grid, random_grid
from suanwang.texts import LANGUAGES, text


@pytest.fixture
def serve(cli, capsys, monkeypatch, tmp_path):
    """Serve a small grid; what it had printed when it was ready, and who its key is while it runs."""
    file = tmp_path / "grid.yaml"
    file.write_text(dump_grid(random_grid(3, 5, SMALL)), "utf-8")
    seen = {}

    def call(*options, key_of):
        def ready(is_over):
            assert not is_over()
            seen["out"] = capsys.readouterr().out
            url, key = key_of(seen["out"])
            answer = httpx.get(f"{url}/v1/whoami", headers={"Authorization": f"Bearer {key}"}, timeout=20)
            seen["role"] = answer.json()["role"]

        monkeypatch.setattr("suanwang.runtime.wait.until_signal", ready)
        ran = cli("serve", "--no-agent", "--port", "0", "--grid", file, *options)
        assert ran.exit == 0
        return seen

    return call


def _from_address(out):
    assert out.count("http://") == 1
    address = out[out.index("http://") :].split()[0]
    url, _, key = address.partition("/#key=")
    return url, key


@pytest.mark.parametrize("lang", LANGUAGES)
def test_one_address_lets_a_browser_in(serve, monkeypatch, lang):
    monkeypatch.setattr("suanwang.cli.words.LANG", lang)
    seen = serve(key_of=_from_address)
    assert seen["role"] == "operator"
    first, _, rest = seen["out"].partition("\n")
    url, key = _from_address(first)
    assert first == text("cli.serve.ready", lang, page=f"{url}/#key={key}")
    assert rest.strip() == text("cli.serve.stop", lang)


def test_a_program_gets_address_and_key_apart(serve):
    seen = serve("--json", key_of=lambda out: (json.loads(out)["url"], json.loads(out)["key"]))
    assert seen["role"] == "operator"
    assert set(json.loads(seen["out"])) == {"url", "key"}


def test_a_port_that_is_taken_is_said_and_exits_5(cli, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = cli("serve", "--port", taken.getsockname()[1], "--json")
    assert (ran.exit, ran.json["error"]["code"]) == (Exit.UNREACHABLE, "listen")
    assert "in use" in ran.json["error"]["text"]
    assert ran.err == ""
    assert not (tmp_path / "home").exists()
