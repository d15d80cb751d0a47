"""The commands that need no brain, the help, and what the command line promises to programs."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from suanwang.cli.exits import MEANINGS, Exit, exit_of_status
from suanwang.cli.words import choose
from suanwang.model import error as errors

ROOT = Path(__file__).parents[2]
HEAVY = ("numba", "pyarrow", "pydantic", "sqlalchemy", "fastapi", "numpy", "httpx", "yaml")
COMMANDS = (
    "plan", "submit", "run", "status", "logs", "explain", "cancel", "list", "bill", "grid show", "grid validate",
    "grid schema", "grid generate", "grid import", "schema task", "serve", "agent", "demo", "twin", "store rebuild",
    "store verify", "store backup", "store restore", "key issue", "key list", "key revoke", "init", "what-if",
    "schema what-if", "workflow run", "workflow plan", "workflow show", "workflow list", "workflow cancel", "lab up", "lab status", "lab ping", "lab iperf", "lab fail-link", "lab heal", "lab down",
)  # fmt: skip
BAD = "name: bad\nrun: echo\nresources:\n  cpu: many\n  memroy: 4 GiB\nlatency: fast\n"


def process(*arguments, **environment):
    env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "COLUMNS": "100", **environment}
    command = [sys.executable, "-m", "suanwang.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_json_and_a_language(cli, command):
    ran = cli(*command.split(), "--help")
    assert ran.exit == Exit.OK
    assert "--json" in ran.out
    assert "--lang" in ran.out


def test_the_help_lists_every_command_and_loads_nothing_heavy():
    code = "import sys; from suanwang.cli.main import run; run(['--help']); print('LOADED', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = done.stdout.rpartition("LOADED")[2].split()
    assert "typer" in loaded
    assert set(HEAVY).isdisjoint(loaded)
    for command in COMMANDS:
        assert command.split()[0] in done.stdout


def test_the_help_speaks_the_language_of_the_environment_and_of_the_option():
    assert "提交任務" in process("--help", LANG="zh_TW.UTF-8").stdout
    assert "提交任务" in process("--help", SUANWANG_LANG="zh-hans", LANG="en_US.UTF-8").stdout
    assert "規劃任務" in process("plan", "--help", "--lang", "zh-hant").stdout


@pytest.mark.parametrize(
    ("arguments", "environment", "lang"),
    [
        ([], {}, "en"),
        (["--lang", "zh-hans"], {"SUANWANG_LANG": "zh-hant"}, "zh-hans"),
        (["plan", "--lang=zh-TW"], {}, "zh-hant"),
        (["x", "--", "--lang", "zh-hans"], {}, "en"),
        ([], {"LC_ALL": "zh_CN.UTF-8", "LANG": "en"}, "zh-hans"),
        ([], {"LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_the_language_is_chosen_in_order(arguments, environment, lang):
    assert choose(arguments, environment) == lang


def test_every_fault_of_a_file_is_printed_with_its_line_before_a_brain_is_asked(cli, task_file):
    path = task_file(BAD)
    ran = cli("plan", path)
    assert ran.exit == Exit.FAULTS
    for line, where in ((4, "resources.cpu"), (5, "resources.memroy"), (6, "latency")):
        assert f"{path}:{line}  {where}" in ran.err.replace("\n", "")
    assert "memory" in ran.err
    assert "3 faults" in ran.err
    assert ran.out == ""


def test_faults_as_json_are_one_document_on_the_standard_output(cli, task_file):
    ran = cli("submit", task_file(BAD), "--json")
    faults = ran.json["error"]["faults"]
    assert [(one["line"], one["where"]) for one in faults] == [
        (4, "resources.cpu"),
        (5, "resources.memroy"),
        (6, "latency"),
    ]
    assert ran.err == ""


@pytest.mark.parametrize("arguments", [("plan",), ("nonsense",), ("list", "--limit", "x"), ("list", "--nope")])
def test_a_wrong_command_line_exits_2_and_is_json_where_asked(cli, arguments):
    words = cli(*arguments)
    assert words.exit == Exit.FAULTS
    assert words.err
    document = cli(*arguments, "--json")
    assert document.exit == Exit.FAULTS
    assert document.json["error"]["code"] == "usage"


def test_a_file_that_is_not_there_is_a_fault(cli):
    ran = cli("plan", "no-such-file.yaml", "--json")
    assert (ran.exit, ran.json["error"]["faults"][0]["code"]) == (Exit.FAULTS, "file_unreadable")


def test_a_fault_of_ours_exits_70_with_its_traceback(cli, monkeypatch):
    monkeypatch.setattr("suanwang.grids.china_path", lambda: 1 / 0)
    ran = cli("grid", "show", "--json")
    assert ran.exit == Exit.INTERNAL
    assert "ZeroDivisionError" in ran.err
    assert ran.json["error"]["code"] == "internal"


def test_init_writes_a_file_that_reads_well_and_never_over_another(cli, tmp_path):
    path = tmp_path / "first.yaml"
    assert cli("init", path).exit == Exit.OK
    from suanwang.intent import read_task

    assert read_task(path.read_text("utf-8")).run
    assert path.read_text("utf-8").count("#") > 10
    again = cli("init", path, "--json")
    assert (again.exit, again.json["error"]["faults"][0]["code"]) == (Exit.FAULTS, "file_exists")
    assert cli("init", path, "--force").exit == Exit.OK
    nowhere = cli("init", tmp_path / "no" / "folder.yaml", "--json")
    assert nowhere.json["error"]["faults"][0]["code"] == "file_unwritable"


def test_init_writes_to_where_the_output_is_sent(cli, tmp_path):
    from suanwang.intent import read_task

    path = tmp_path / "sent.yaml"
    with path.open("wb") as out:
        command = [sys.executable, "-m", "suanwang.cli", "init"]
        subprocess.run(command, stdout=out, cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, check=True, timeout=60)
    assert read_task(path.read_text("utf-8")).name == "hello"
    assert not (tmp_path / "task.yaml").exists()
    assert cli("init", "-").out == path.read_text("utf-8")


def test_the_language_may_stand_before_the_command():
    ran = process("--lang", "zh-hant", "plan", "no-such-file.yaml")
    assert (ran.returncode, "無法讀取" in ran.stderr) == (Exit.FAULTS, True), ran.stderr


def test_a_log_of_a_fault_shows_no_values(capfd):
    import structlog

    from suanwang.cli.session import quiet_logs

    def fail(secret):
        raise RuntimeError("broken")

    quiet_logs()
    try:
        fail("".join(["very", "secret"]))
    except RuntimeError as error:
        structlog.get_logger("test").error("brain_failed", exc_info=error)
    finally:
        structlog.reset_defaults()
    said = capfd.readouterr()
    assert "RuntimeError: broken" in said.err
    assert "verysecret" not in said.err + said.out
    assert said.out == ""


def test_the_schemas_are_json_schema(cli):
    assert "run" in cli("schema", "task", "--json").json["properties"]
    assert "sites" in json.loads(cli("grid", "schema").out)["properties"]


def test_a_grid_is_generated_validated_and_shown(cli, tmp_path):
    path = tmp_path / "grid.yaml"
    assert cli("grid", "generate", "--sites", "5", "--seed", "7", "-o", path).exit == Exit.OK
    assert cli("grid", "validate", path).exit == Exit.OK
    assert cli("grid", "validate", path, "--json").json["sites"] == 5
    assert "Tier" in cli("grid", "show", path).out
    assert len(cli("grid", "show", path, "--json").json["sites"]) == 5
    first = yaml.safe_load(path.read_text("utf-8"))["sites"][0]["id"]
    assert first in cli("grid", "show", path, "--sites").out
    assert first not in cli("grid", "show", path, "--text", "zzzz").out
    same = cli("grid", "generate", "--sites", "5", "--seed", "7")
    assert same.out == path.read_text("utf-8")


def test_a_faulty_grid_is_refused_with_its_lines(cli, tmp_path):
    path = tmp_path / "grid.yaml"
    cli("grid", "generate", "--sites", "4", "-o", path)
    path.write_text(path.read_text("utf-8").replace("default_origin: ", "default_origin: no-"), "utf-8")
    ran = cli("grid", "validate", path, "--json")
    assert ran.exit == Exit.FAULTS
    assert ran.json["error"]["faults"][0]["line"]


def test_a_graphml_topology_becomes_a_grid(cli, tmp_path):
    path = tmp_path / "net.graphml"
    path.write_text(
        '<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><key id="a" for="node" attr.name="Latitude"/>'
        '<key id="b" for="node" attr.name="Longitude"/><graph edgedefault="undirected">'
        '<node id="0"><data key="a">31.2</data><data key="b">121.5</data></node>'
        '<node id="1"><data key="a">39.9</data><data key="b">116.4</data></node>'
        '<edge source="0" target="1"/></graph></graphml>'
    )
    assert len(cli("grid", "import", path, "--json").json["sites"]) == 2


def test_a_store_is_verified_rebuilt_backed_up_and_restored(cli, tmp_path):
    assert cli("store", "verify", "--json").json == {"sound": True, "position": 0}
    assert cli("store", "rebuild", "--json").json == {"batches": 0}
    archive = tmp_path / "backup.zip"
    assert cli("store", "backup", archive).exit == Exit.OK
    assert cli("store", "restore", archive, "--home", tmp_path / "other", "--json").json["batches"] == 0
    assert (tmp_path / "other" / "store.db").is_file()
    again = cli("store", "backup", archive, "--json")
    assert (again.exit, again.json["error"]["code"]) == (Exit.UNREACHABLE, "backup_exists")


def test_each_status_of_an_error_has_an_exit():
    kinds = [errors.SuanwangError]
    for kind in kinds:
        kinds += [one for one in kind.__subclasses__() if one.__module__ == errors.__name__]
    ours = [kind.__name__ for kind in kinds if exit_of_status(kind.status) is Exit.INTERNAL]
    assert ours == ["SuanwangError"]


def test_the_guide_has_the_same_exits():
    guide = (ROOT / "docs" / "guide" / "cli.md").read_text("utf-8")
    for code in Exit:
        assert f"| {code.value} | {MEANINGS[code]} |" in guide


def test_the_guide_names_every_command():
    guide = (ROOT / "docs" / "guide" / "cli.md").read_text("utf-8")
    assert [one for one in COMMANDS if f"suanwang {one}" not in guide] == []


def test_help_starts_at_once():
    best = min(_took("--help") for _ in range(3))
    assert best < 1.5, f"{best:.2f} s"  # 0.3 s on an idle machine; the test leaves room for a busy one


def _took(*arguments):
    began = time.monotonic()
    process(*arguments)
    return time.monotonic() - began
