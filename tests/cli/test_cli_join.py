"""From a clean host to the first task: `suanwang join` in processes of its own, over NATS, and what may be killed on the way."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace

import pytest
from rich.console import Console
from tests.agent.rigs import SANDBOX
from tests.plan.worlds import general, grid_of, site_of

from suanwang.cli import main
from suanwang.cli.show.joins import show_ask
from suanwang.client import Client
from suanwang.grids import dump_grid
from suanwang.model.error import ConflictError, FaultsError, NotAllowedError
from suanwang.model.grid import PriceBook
from suanwang.model.joining import JoinState, Measured
from suanwang.model.record import Phase
from suanwang.runtime import join_main
from suanwang.runtime.app import serving
from suanwang.runtime.join_main import Talk, Wish
from suanwang.runtime.settings import Settings

PATIENCE_S = 120
FIRST_TASK_S = 300  # from the command on a clean host to the end of its first task
TASK = {"run": "echo of $(id -u) > out.txt", "outputs": [{"path": "out.txt"}], "resources": {"wall_time": "60 s"}}


def until(holds, what):
    deadline = time.monotonic() + PATIENCE_S
    while not (found := holds()):
        assert time.monotonic() < deadline, what
        time.sleep(0.1)
    return found


@pytest.fixture
def home(tmp_path):
    file = tmp_path / "grid.yaml"
    site = site_of("core", [general("core", cores=1, memory=2**30)])
    file.write_text(dump_grid(grid_of([site], [], books=(PriceBook(id="plain"),))), "utf-8")
    return Settings(
        home=tmp_path / "brain", grid=str(file), port=0, scarcity_s=0, optimise_s=0, trust_s=0, bus="nats", nats_port=0
    )


class Site:
    """A host that joins: the command as a person types it."""

    def __init__(self, folder, url, token, *more):
        self.folder = folder
        words = [sys.executable, "-m", "suanwang.cli", "join", "--brain", url, "--adapter", "local", "--name", "annex"]
        self.words = [*words, "--home", str(folder), "--yes", "--json", *more]
        self.environment = {**os.environ, "SUANWANG_JOIN_TOKEN": token, "SUANWANG_HOST_CORES": "1"}
        self.steps, self.lines = [], []
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            self.words, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.reader = threading.Thread(target=self._read, args=(self.process,))
        self.reader.start()

    def _read(self, process):
        for line in process.stdout:
            self.lines.append(line)
            with suppress(ValueError):
                self.steps.append(json.loads(line))

    def names(self):
        return [one.get("step") for one in self.steps]

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        self.process.wait(30)
        self.reader.join(30)
        self.process.stdout.close()
        self.process.stderr.close()


@SANDBOX[0]
@SANDBOX[1]
def test_from_a_clean_host_to_the_first_task_and_on_through_kills(home, tmp_path):
    with serving(home, with_agent=False) as here, Client(here.url, here.key) as client:
        token = client.issue_key("local", "joiner").key
        begun_s = time.monotonic()
        site = Site(tmp_path / "site", here.url, token)
        try:
            (asked,) = until(client.joins, "the site asks")
            assert asked.ask.measured.matmul_fp64_mflops > 0
            assert asked.ask.measured.up_bps > 0
            assert asked.ask.inventory.pools[0].cores_per_node == 1
            site.kill()  # before the answer: the same command asks for the same again, with the same key
            approved = client.approve_join(asked.join_id)
            site.start()
            first = client.wait(client.submit({**TASK, "sites": ["annex"]}).task_id, timeout_s=PATIENCE_S)
            assert (first.phase, first.emulated) == (Phase.SUCCEEDED, False)
            assert time.monotonic() - begun_s < FIRST_TASK_S
            assert approved.state is JoinState.APPROVED
            assert site.names()[:2] == ["looks", "measures"]
            assert site.names()[-3:] == ["waits", "approved", "serving"]
            assert client.wait(client.check_site("annex"), timeout_s=PATIENCE_S).phase is Phase.SUCCEEDED
            trust = until(lambda: client.joins()[0].trust, "what the check found")
            assert (trust.checks, trust.marked) == (1, False)
            assert trust.gives_permille > 0
            _goes_on_without_its_token(site, client)
            _lives_through_a_dead_broker(here, client)
            held = tmp_path / "site/agents/agent-annex/joined.json"
            assert held.stat().st_mode & 0o777 == 0o600
            assert token not in held.read_text()
        finally:
            site.kill(signal.SIGTERM)


def _goes_on_without_its_token(site, client):
    task = client.submit({**TASK, "sites": ["annex"], "run": "sleep 2; echo x > out.txt", "retries": 3})
    until(lambda: client.task(task.task_id).phase is Phase.RUNNING, "it runs")
    site.kill()
    site.environment.pop("SUANWANG_JOIN_TOKEN")
    site.start()
    assert client.wait(task.task_id, timeout_s=PATIENCE_S).phase is Phase.SUCCEEDED


def _lives_through_a_dead_broker(here, client):
    task = client.submit({**TASK, "sites": ["annex"], "run": "sleep 2; echo x > out.txt"})
    until(lambda: client.task(task.task_id).phase is Phase.RUNNING, "it runs")
    os.kill(here.nats.server.pid, signal.SIGKILL)
    assert client.wait(task.task_id, timeout_s=PATIENCE_S).phase is Phase.SUCCEEDED


def test_an_operator_sees_requests_and_decides(home, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(join_main, "measure_host", lambda folder, clock: Measured(cores=1, matmul_fp64_mflops=9_000))
    with serving(replace(home, bus="http"), with_agent=False) as here:
        monkeypatch.setenv("SUANWANG_URL", here.url)
        monkeypatch.setenv("SUANWANG_KEY", here.key)

        def told(*words):
            code = main.run(["site", *words, "--json"])
            return code, json.loads(capsys.readouterr().out)

        def say(key, values):
            if key != "cli.join.waits":
                return
            _, listed = told("requests")
            assert [one["join_id"] for one in listed["items"]] == [values["join"]]
            assert main.run(["site", "requests"]) == 0
            assert "annex" in capsys.readouterr().out
            assert told("refuse", values["join"], "--why", "no contract")[1]["state"] == "refused"
            asked.append(values["join"])

        asked, shown = [], []
        talk = Talk(say, lambda ask: show_ask(console, ask) or True, lambda view: shown.append(view))
        console = Console(file=io.StringIO(), width=200)
        own = Settings(home=tmp_path / "site", url=here.url)
        with pytest.raises(NotAllowedError) as refused:
            join_main.run(own, told("token")[1]["token"], Wish(site="annex", near="core", city="Yizhuang"), talk)
        assert (refused.value.code, refused.value.params["why"]) == ("join_refused", "no contract")
        assert shown[0].proposed.site.city == "Yizhuang"
        assert "9.0 GFLOP/s" in console.file.getvalue()
        assert not (tmp_path / "site/agents/agent-annex/join.json").exists()
        code, said = told("approve", asked[0])
        assert (code != 0, said["error"]["code"]) == (True, "join_decided")
        assert told("requests")[1]["items"] == []
        assert len(told("requests", "--all")[1]["items"]) == 1
        for words, wanted in (("cordon", "cordoned"), ("drain", "drained"), ("leave", "left"), ("open", "open")):
            assert told(words, "core") == (0, {"site": "core", "order": wanted})
        code, said = told("leave", "core")
        assert (code != 0, said["error"]["code"]) == (True, "site_not_drained")
        assert main.run(["site", "cordon", "core"]) == 0
        assert "core takes no new work" in capsys.readouterr().out


def test_whoever_does_not_agree_has_asked_nothing_and_who_was_wrong_may_ask_again(home, tmp_path, monkeypatch):
    monkeypatch.setattr(join_main, "measure_host", lambda folder, clock: Measured(cores=1))
    monkeypatch.setattr(join_main, "prove_here", lambda cores: None)
    with serving(replace(home, bus="http"), with_agent=False) as here, Client(here.url, here.key) as client:
        token = client.issue_key("local", "joiner").key
        own = Settings(home=tmp_path / "site", url=here.url)
        nothing = Talk(lambda key, values: None, lambda ask: False, lambda view: None)
        assert join_main.run(own, token, Wish(site="annex"), nothing) == 0
        assert client.joins() == ()
        willing = Talk(lambda key, values: None, lambda ask: True, lambda view: None)
        with pytest.raises(FaultsError) as refused:
            join_main.run(own, token, Wish(site="annex", near="nowhere"), willing)
        assert [fault.code for fault in refused.value.faults] == ["unknown_site"]
        with pytest.raises(ConflictError) as taken:
            join_main.run(own, token, Wish(site="core"), willing)
        assert taken.value.code == "join_site_taken"
        assert not list((tmp_path / "site").rglob("join.json")), "so that it can be said otherwise"
        with pytest.raises(FaultsError) as refused:
            join_main.run(own, token, Wish(site="annex", region="nowhere"), nothing)
        assert [fault.where for fault in refused.value.faults] == ["region"]


def test_the_secret_of_a_request_that_waits_is_kept_whatever_another_token_says(home, tmp_path, monkeypatch):
    """Killed while it waited, and started again with a token of its own making: the request of before is still good."""
    monkeypatch.setattr(join_main, "measure_host", lambda folder, clock: Measured(cores=1))
    monkeypatch.setattr(join_main, "prove_here", lambda cores: None)

    def killed(key, values):
        if key == "cli.join.waits":
            raise KeyboardInterrupt

    with serving(replace(home, bus="http"), with_agent=False) as here, Client(here.url, here.key) as client:
        first, second = (client.issue_key("local", "joiner").key for _ in range(2))
        own, wish = Settings(home=tmp_path / "site", url=here.url), Wish(site="annex")
        talk = Talk(killed, lambda ask: True, lambda view: None)
        with pytest.raises(KeyboardInterrupt):
            join_main.run(own, first, wish, talk)
        with pytest.raises(ConflictError) as taken:
            join_main.run(own, second, wish, talk)
        assert taken.value.code == "join_site_taken"
        (asked,) = client.joins()
        client.approve_join(asked.join_id)
        served = []
        monkeypatch.setattr(join_main, "serve", lambda settings, site, talk: served.append(site) or 0)
        assert join_main.run(own, first, wish, Talk(lambda *_: None, lambda ask: True, lambda view: None)) == 0
        held = json.loads(join_main.JoinPaths(own.home, "annex").joined.read_text())
        assert here.brain.authenticate(held["key"]).sites == ("annex",)
        assert served == ["annex"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), "join_needs"),
        (("--brain", "http://127.0.0.1:1", "--token", "t", "--name", "Not A Site"), "join_site_form"),
        (("--brain", "http://127.0.0.1:1", "--token", "t", "--name", "a", "--adapter", "fax"), "join_adapter"),
    ],
)
def test_what_is_missing_or_wrong_is_said_at_once(tmp_path, capsys, monkeypatch, words, code):
    for name in ("SUANWANG_URL", "SUANWANG_JOIN_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert main.run(["join", "--home", str(tmp_path), "--yes", "--json", *words]) != 0
    out = capsys.readouterr().out
    error = json.loads(out[out.index("{\n") :])["error"]
    assert code in [error["code"], *(fault["code"] for fault in error["faults"])]
