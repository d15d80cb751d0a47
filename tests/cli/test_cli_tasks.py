"""The commands about tasks, against a brain: words for people, one JSON document for programs, and exit codes."""

import json
import threading
import time

import pytest

from suanwang.cli.exits import Exit

QUICK = 'name: quick\nrun: "true"\ntags: {fake.duration-us: "50000"}\n'
SLOW = 'name: slow\nrun: sleep\ntags: {fake.duration-us: "600000000"}\n'
FAILS = 'name: fails\nrun: "false"\nretries: 0\ntags: {fake.duration-us: "1000", fake.outcome: "exit:3"}\n'


def test_plan_shows_the_decision_the_price_and_the_others(sw, task_file):
    ran = sw("plan", task_file(QUICK + "preference: fastest\n"))
    assert ran.exit == Exit.OK
    for words in ("quick · fastest", "Where", "Path", "Price", "chosen", "all pools of the grid", "emulated"):
        assert words in ran.out
    assert max(len(line) for line in ran.out.splitlines()) <= 100


def test_plan_as_json_is_one_document(sw, task_file):
    ran = sw("plan", task_file(QUICK), "--json")
    assert ran.json["plan"]["quote_micro_yuan"] > 0
    assert ran.err == ""


def test_a_plan_that_fits_nothing_says_what_would_and_exits_3(sw, task_file):
    ran = sw("plan", task_file(QUICK + "price_limit: 0 yuan\n"))
    assert ran.exit == Exit.REFUSED
    assert "Nothing fits" in ran.out
    assert "price_limit" in ran.out


def test_submit_status_list_explain_and_bill_agree(sw, task_file):
    submitted = sw("submit", task_file(QUICK), "--json")
    task_id = submitted.json["task_id"]
    deadline = time.monotonic() + 20
    while sw("status", task_id, "--json").json["phase"] != "succeeded":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "succeeded" in sw("status", task_id).out
    assert task_id in sw("list").out
    assert task_id in {one["task_id"] for one in sw("list", "--phase", "ended", "--json").json["tasks"]}
    explained = sw("explain", task_id)
    for arrow in ("Request", "Admission", "Plan", "Attempts", "Charges"):
        assert arrow in explained.out
    cost = sw("bill", task_id, "--json").json
    assert cost["total_micro_yuan"] == sw("status", task_id, "--json").json["billed_micro_yuan"]
    assert "Bill" in sw("bill", task_id).out
    assert "fake: started" in sw("logs", task_id).out
    rows = [json.loads(line) for line in sw("logs", task_id, "-f", "--json").out.splitlines()]
    assert rows[0]["offset"] == 0
    assert "fake: started" in "".join(one["text"] for one in rows)


def test_run_follows_to_the_end_saves_the_outputs_and_prints_the_bill(sw, task_file, tmp_path):
    ran = sw("run", task_file(QUICK + "outputs: [{path: out.txt}]\n"), "-o", tmp_path / "results")
    assert ran.exit == Exit.OK, ran.err
    assert (tmp_path / "results" / "out.txt").is_file()
    for words in ("submitted", "planned", "runs", "succeeded", "fake: started", "saved", "Total", "Measured"):
        assert words in ran.out


def test_run_as_json_is_one_document_with_task_bill_and_files(sw, task_file, tmp_path):
    ran = sw("run", task_file(QUICK + "outputs: [{path: out.txt}]\n"), "-o", tmp_path / "r", "--json")
    assert set(ran.json) == {"task", "bill", "saved"}
    assert ran.json["saved"] == [str(tmp_path / "r" / "out.txt")]
    assert ran.json["bill"]["total_micro_yuan"] == ran.json["task"]["billed_micro_yuan"]


def test_a_task_that_fails_says_why_and_exits_1(sw, task_file):
    ran = sw("run", task_file(FAILS))
    assert ran.exit == Exit.TASK_FAILED
    assert "ended with an error code (3)" in ran.out


def test_a_refused_task_says_why_and_exits_3(sw, task_file):
    path = task_file('run: "true"\nsites: [nowhere]\n')
    for verb in ("submit", "run"):
        ran = sw(verb, path)
        assert ran.exit == Exit.REFUSED
        assert "nowhere" in ran.out


def test_cancel_stops_a_task_and_twice_is_a_conflict(sw, task_file):
    task_id = sw("submit", task_file(SLOW), "--json").json["task_id"]
    assert sw("cancel", task_id).exit == Exit.OK
    deadline = time.monotonic() + 20
    while sw("status", task_id, "--json").json["phase"] != "cancelled":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    again = sw("cancel", task_id)
    assert again.exit == Exit.NOT_FOUND
    assert "has ended already" in again.err


def test_ctrl_c_while_following_exits_130_and_leaves_the_task(sw, task_file, monkeypatch):
    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr("suanwang.cli.follow.Follower.follow", interrupted)
    ran = sw("run", task_file(SLOW))
    assert ran.exit == Exit.INTERRUPTED
    assert "goes on" in ran.out
    assert sw("cancel", "last").exit == Exit.OK


def test_last_is_the_newest_task(sw, task_file):
    newest = sw("submit", task_file(QUICK.replace("quick", "newest")), "--json").json["task_id"]
    assert sw("status", "last", "--json").json["task_id"] == newest


def test_many_files_and_many_lines_are_submitted(sw, task_file):
    several = sw("submit", task_file(QUICK), task_file(QUICK, "two.yaml"), "--json")
    assert len(several.json["tasks"]) == 2
    rows = json.dumps({"run": "true", "tags": {"fake.duration-us": "1"}})
    bulk = sw("submit", task_file(f"{rows}\n{rows}\n{rows}\n", "many.ndjson"), "--json")
    assert (bulk.json["accepted"], bulk.json["refused"]) == (3, 0)


def test_the_same_idempotency_key_submits_once(sw, task_file):
    path = task_file(QUICK)
    ids = {sw("submit", path, "--idempotency-key", "cli-once", "--json").json["task_id"] for _ in range(2)}
    assert len(ids) == 1


def test_a_secret_comes_from_the_environment_and_a_missing_one_is_said(sw, task_file, monkeypatch):
    path = task_file(QUICK + "secrets: [TOKEN]\n")
    monkeypatch.setenv("TOKEN", "from-the-environment")
    assert sw("submit", path, "--secret", "TOKEN").exit == Exit.OK
    missing = sw("submit", path)
    assert missing.exit == Exit.REFUSED
    assert "TOKEN" in missing.out
    assert sw("submit", path, "--secret", "NO_SUCH_VARIABLE").exit == Exit.FAULTS


def test_what_is_not_there_exits_4_with_one_document(sw):
    ran = sw("status", "task-none", "--json")
    assert ran.exit == Exit.NOT_FOUND
    assert ran.json["error"]["code"] == "task_unknown"
    assert ran.err == ""


def test_a_wrong_key_exits_4(sw, monkeypatch):
    monkeypatch.setenv("SUANWANG_KEY", "sw_no_key")
    ran = sw("list")
    assert ran.exit == Exit.NOT_FOUND
    assert "revoked" in ran.err


def test_no_answer_exits_5_and_says_where(cli, monkeypatch):
    monkeypatch.setattr("suanwang.client.sync.pause", lambda _: None)
    monkeypatch.setattr("suanwang.client.answers.PAUSES_S", ())
    ran = cli("list", "--url", "http://127.0.0.1:9")
    assert ran.exit in (Exit.UNREACHABLE, Exit.NOT_FOUND)
    monkeypatch.setenv("SUANWANG_KEY", "sw_a_b")
    ran = cli("list", "--url", "http://127.0.0.1:9")
    assert ran.exit == Exit.UNREACHABLE
    assert "127.0.0.1:9" in ran.err


def test_the_bill_of_everybody_and_of_a_day(sw):
    assert "all tenants" in sw("bill").out
    assert sw("bill", "--from", "2020-01-01", "--to", "2020-01-02", "--json").json["total_micro_yuan"] == 0
    assert sw("bill", "--from", "yesterday").exit == Exit.FAULTS


def test_keys_are_issued_listed_and_revoked(sw):
    issued = sw("key", "issue", "bio", "--role", "viewer", "--note", "for a test", "--json").json
    assert issued["key"].startswith("sw_key-")
    assert issued["key_id"] in sw("key", "list").out
    assert sw("key", "revoke", issued["key_id"]).exit == Exit.OK
    assert issued["key_id"] not in {one["key_id"] for one in sw("key", "list", "--json").json["keys"]}
    assert sw("key", "issue", "bio", "--role", "king").exit == Exit.FAULTS
    assert sw("key", "issue", "nobody").exit == Exit.NOT_FOUND


@pytest.mark.parametrize("follow", [True, False])
def test_a_log_is_followed_while_the_task_runs(sw, task_file, follow):
    task_id = sw("submit", task_file(SLOW), "--json").json["task_id"]
    deadline = time.monotonic() + 20
    while sw("status", task_id, "--json").json["phase"] != "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    if follow:
        threading.Timer(0.5, lambda: run_quietly(["cancel", task_id])).start()
    ran = sw("logs", task_id, *(["-f"] if follow else []))
    if not follow:
        sw("cancel", task_id)
    assert ran.exit == Exit.OK
    assert "fake: started" in ran.out


def run_quietly(arguments):
    from suanwang.cli.main import run

    run([*arguments, "--json"])


def test_last_without_any_task_says_how_to_begin(sw, grid, monkeypatch):
    monkeypatch.setenv("SUANWANG_KEY", grid.keys["other"])
    ran = sw("status", "last", "--json")
    assert ran.exit == Exit.NOT_FOUND
    assert ran.json["error"]["code"] == "no_task_yet"


def test_an_agent_says_everything_that_it_needs(cli, sw, grid, monkeypatch):
    monkeypatch.delenv("SUANWANG_URL")
    monkeypatch.delenv("SUANWANG_KEY")
    ran = cli("agent", "--json")
    assert ran.exit == Exit.FAULTS
    faults = ran.json["error"]["faults"]
    assert {(one["code"], one["where"]) for one in faults} == {("agent_needs", name) for name in ("url", "key", "site")}
    monkeypatch.setenv("SUANWANG_KEY", grid.keys["agent"])
    ran = cli("agent", "--url", grid.here.url, "--site", "atlantis", "--json")
    assert [one["code"] for one in ran.json["error"]["faults"]] == ["site_unknown"]


def test_names_with_brackets_and_colons_are_shown_as_they_are(sw, task_file):
    name = "a[/b] [red]:smile:"
    task = task_file(QUICK.replace("quick", f'"{name}"'))
    assert name in sw("submit", task).out
    assert name in sw("plan", task).out
    for command in (("status", "last"), ("explain", "last"), ("list",)):
        ran = sw(*command)
        assert (ran.exit, ran.err) == (Exit.OK, "")
        assert "a[/b] [red]:smi" in ran.out
    broken = sw("run", task_file(FAILS.replace("fails", f'"{name}"')))
    assert (broken.exit, broken.err) == (Exit.TASK_FAILED, "")


def test_a_phase_that_is_none_is_told_the_phases(sw):
    ran = sw("list", "--phase", "gone", "--json")
    assert ran.exit == Exit.FAULTS
    assert "succeeded" in ran.json["error"]["text"]


def test_lists_fit_a_small_terminal(sw, task_file, monkeypatch):
    sw("submit", task_file(QUICK))
    monkeypatch.setenv("COLUMNS", "80")
    for command in (("list",), ("plan", task_file(QUICK)), ("bill",), ("explain", "last"), ("status", "last")):
        lines = sw(*command).out.splitlines()
        assert max(len(line) for line in lines) <= 80, command
        assert any("task-" in line or "Price" in line for line in lines)


SWARM = QUICK + "array: 4\nspread: {sites: 2}\nresources: {memory: 1 MiB}\noutputs: [{path: out.txt}]\n"


def test_run_follows_all_parts_of_a_spread_array_as_one_task(sw, task_file, tmp_path):
    ran = sw("run", task_file(SWARM), "-o", tmp_path / "out")
    assert ran.exit == Exit.OK, ran.err
    assert ran.out.count("submitted") == 1
    found = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("out.txt"))
    assert found == [f"{index}/out.txt" for index in range(4)]


def test_plan_and_status_of_a_spread_array_name_its_parts(sw, task_file):
    assert "shared out in 2 parts" in sw("plan", task_file(SWARM)).out
    submitted = sw("submit", task_file(SWARM), "--json").json
    shown = sw("status", submitted["task_id"]).out
    assert "elements 0-1" in shown
    assert "elements 2-3" in shown


def test_plan_shows_the_standby_place(sw, task_file):
    ran = sw("plan", task_file(QUICK + "standby: site\n"))
    assert ran.exit == Exit.OK
    assert "Standby" in ran.out
