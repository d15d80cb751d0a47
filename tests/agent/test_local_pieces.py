"""The parts of the local adapter that need no sandbox: verdicts, needs, commands, walls, logs, slots."""

import itertools
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanwang.agent import command
from suanwang.agent.adapter import Limit, StartOrder
from suanwang.agent.adapters.local import needs, sandbox, seccomp
from suanwang.agent.adapters.local.cgroups import GroupsV2
from suanwang.agent.adapters.local.host import HostFacts
from suanwang.agent.adapters.local.settings import LocalSettings, NetworkRule, SiteShare
from suanwang.agent.adapters.local.slots import Slots, Users
from suanwang.agent.adapters.local.verdict import Ending, judge
from suanwang.agent.logfile import LogFile, LogStream, Redactor
from suanwang.agent.verdict import Verdict
from suanwang.model.error import BackendError
from suanwang.model.reason import FailureReason as R
from suanwang.model.task import TaskRequest


@pytest.mark.parametrize(
    ("ending", "verdict"),
    [
        (Ending(0), Verdict(None, 0)),
        (Ending(3), Verdict(R.EXIT_CODE, 3)),
        (Ending(128), Verdict(R.EXIT_CODE, 128)),
        (Ending(143), Verdict(R.SIGNAL, signal=15)),
        (Ending(193), Verdict(R.EXIT_CODE, 193)),
        (Ending(137, memory_kills=1), Verdict(R.OUT_OF_MEMORY, signal=9)),
        (Ending(1, memory_kills=1), Verdict(R.OUT_OF_MEMORY, 1)),
        (Ending(0, memory_kills=1, disk_full=True, process_refusals=1), Verdict(None, 0)),
        (Ending(1, disk_full=True, process_refusals=3), Verdict(R.DISK_FULL, 1)),
        (Ending(2, process_refusals=3), Verdict(R.PROCESS_LIMIT, 2)),
        (Ending(None, wall_over=True, memory_kills=1), Verdict(R.WALL_TIME)),
        (Ending(None, stopped=True, wall_over=True), Verdict(None)),
        (Ending(None, memory_kills=2), Verdict(R.OUT_OF_MEMORY)),
        (Ending(None, fault="bwrap failed"), Verdict(R.BACKEND, detail="bwrap failed")),
    ],
)
def test_how_it_ended_tells_why(ending, verdict):
    assert judge(ending) == verdict


# Needs -------------------------------------------------------------------------------------------------------------


def facts(**changes) -> HostFacts:
    full = {
        "root": True,
        "cores": 2,
        "memory_bytes": 1 << 33,
        "bwrap": "/usr/bin/bwrap",
        "setpriv": "/usr/bin/setpriv",
        "groups": GroupsV2(Path("/nowhere")),
        "loop": True,
        "why": {},
    }
    return HostFacts(**{**full, **changes})


USER = {"root": False, "groups": None, "loop": False, "why": {"groups": "no rights", "loop": "needs root"}}


@pytest.mark.parametrize(
    ("host", "request_", "lacks"),
    [
        ({}, {"resources": {"memory": "2 GiB", "cpu": 2, "disk": "9 GiB", "processes": 9}, "secrets": ["A"]}, None),
        (USER, {}, None),
        (USER, {"resources": {"memory": "2 GiB"}}, "memory (no rights)"),
        (USER, {"resources": {"cpu": 2}}, "cpu (no rights)"),
        (USER, {"resources": {"processes": 9}}, "processes (no rights)"),
        (USER, {"resources": {"disk": "9 GiB"}}, "disk (needs root)"),
        (USER, {"resources": {"nodes": 2}}, "cpu (no rights); memory (no rights)"),
        (USER, {"secrets": ["A"]}, "user (the agent does not run as root"),
        (USER, {"security_level": 2}, "user (the agent does not run as root"),
        ({"bwrap": None, "why": {"bwrap": "gone"}}, {}, "files (gone); user"),
        ({"setpriv": None}, {}, "user (setpriv"),
        ({}, {"resources": {"network": True}}, "network (the operator"),
    ],
)
def test_a_task_that_needs_what_is_missing_is_refused_with_the_reason(host, request_, lacks):
    def check():
        needs.check(TaskRequest(run="true", **request_), facts(**host), LocalSettings(Path("/x")))

    if lacks is None:
        check()
        return
    with pytest.raises(BackendError) as fault:
        check()
    assert fault.value.reason is R.LIMIT_UNSUPPORTED
    assert lacks in fault.value.detail


def test_the_operator_may_run_without_walls_and_with_the_network():
    settings = LocalSettings(Path("/x"), allow_unsandboxed=True, network=NetworkRule.HOST)
    request = TaskRequest(run="true", resources={"network": True})
    needs.check(request, facts(bwrap=None), settings)


def test_a_full_host_misses_nothing_and_a_poor_one_says_what():
    assert facts().missing == {}
    poor = facts(**{**USER, "bwrap": None, "why": {"groups": "g", "loop": "l", "bwrap": "b"}}).missing
    assert set(poor) == set(Limit) - {Limit.WALL_TIME, Limit.LOG}
    assert (poor[Limit.CPU], poor[Limit.DISK], poor[Limit.FILES]) == ("g", "l", "b")


# Command and walls ---------------------------------------------------------------------------------------------------


def order(**request) -> StartOrder:
    return StartOrder("s", "s/p", "task-1", "att-1", 1, TaskRequest(**{"run": "true", **request}))


@pytest.mark.parametrize(
    ("run", "command_line"),
    [
        ("echo $A | wc", ["/bin/sh", "-c", "echo $A | wc"]),
        (["prog", "a b", "$A"], ["prog", "a b", "$A"]),
        ({"module": "json.tool", "arguments": ["-h"]}, ["python", "-m", "json.tool", "-h"]),
        ({"script": "print(1)", "arguments": ["x"]}, ["python", "/run/suanwang/script.py", "x"]),
    ],
)
def test_each_form_of_run_becomes_a_command_line(run, command_line):
    assert command.command_of(order(run=run)) == command_line


@pytest.mark.parametrize("request_", [{"run": "a\0b"}, {"environment": {"A": "\0"}}])
def test_a_nul_is_refused(request_):
    def both():
        command.command_of(order(**request_))
        command.environment_of(order(**request_), 0, 1, "/py")

    with pytest.raises(BackendError):
        both()


def test_the_names_of_the_grid_cannot_be_forged():
    got = command.environment_of(order(environment={"SUANWANG_TASK_ID": "other", "HOME": "/x"}), 3, 2, "/py")
    assert got["SUANWANG_TASK_ID"] == "task-1"
    assert (got["SUANWANG_ARRAY_INDEX"], got["SUANWANG_CORES"], got["HOME"]) == ("3", "2", "/x")


def walls(**changes) -> sandbox.Walls:
    base = {"disk": Path("/d"), "etc": Path("/e"), "uid": 200_001, "drop_to": 200_001, "setpriv": "/usr/bin/setpriv"}
    rest = {"network": False, "shared_memory_bytes": 1, "environment_fd": 9, "status_fd": 8, "seccomp_fd": None}
    return sandbox.Walls(**{**base, **rest, **changes})


def test_the_root_of_the_host_is_never_bound():
    options = sandbox.options(walls(), [Path("/opt/py")])
    sources = [options[i + 1] for i, word in enumerate(options) if word in ("--bind", "--ro-bind", "--ro-bind-try")]
    assert sources
    assert not {"/", "/etc", "/root", "/home", "/var", "/proc", "/sys", "/run"} & set(sources)
    assert "--unshare-net" in options
    assert "--unshare-net" not in sandbox.options(walls(network=True), [])


def test_a_python_below_tmp_is_shown_on_top_of_the_tasks_own_tmp():
    built = sandbox.options(walls(), [Path("/tmp/clone/.venv")])
    assert built.index("/tmp") < built.index("/tmp/clone/.venv")
    bound = [built[at + 2] for at, word in enumerate(built) if word in ("--bind", "--ro-bind")]
    assert bound.index("/tmp") < bound.index("/tmp/clone/.venv")


def test_what_is_hidden_is_covered():
    options = sandbox.options(walls(hidden=(Path("/usr/share"),)), [])
    assert options[options.index("/usr/share") - 1] == "--tmpfs"


def test_rights_are_dropped_before_the_environment_is_read():
    inner = sandbox.inner_command(walls(), ["work"])
    assert inner.index("--bounding-set=-all") < inner.index("/bin/sh")
    assert inner[-1] == "work"
    assert "--unshare-user" in sandbox.options(walls(drop_to=None), [])


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_is_whole_instructions_and_ends_in_a_return(machine):
    program = seccomp.program(machine)
    assert len(program) % 8 == 0
    assert program[-8:-6] == b"\x06\x00"
    assert seccomp.program("riscv64") is None


# Logs ----------------------------------------------------------------------------------------------------------------


def cut(text: bytes, places: list[int]) -> list[bytes]:
    marks = [0, *sorted({p % (len(text) + 1) for p in places}), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(marks)]


@given(
    st.text("ab", max_size=40),
    st.lists(st.text("ab", min_size=1, max_size=5), max_size=3),
    st.lists(st.integers(0, 99)),
)
def test_no_secret_shows_however_the_stream_is_cut(text, secrets, places):
    redactor = Redactor(secrets)
    shown = b"".join(redactor.feed(part) for part in cut(text.encode(), places)) + redactor.rest()
    assert not any(secret.encode() in shown for secret in secrets)


@given(st.binary(max_size=60), st.lists(st.integers(0, 99)))
def test_without_secrets_every_byte_passes(text, places):
    redactor = Redactor([])
    assert b"".join(redactor.feed(part) for part in cut(text, places)) + redactor.rest() == text


def test_a_log_of_elements_keeps_lines_whole(tmp_path):
    log = LogFile(tmp_path / "log", 1000)
    one, two = LogStream(log, [], "[0] "), LogStream(log, [], "[1] ")
    one.feed(b"first ha")
    two.feed(b"other\n")
    one.feed(b"lf\nno end")
    one.finish()
    two.finish()
    log.close()
    assert log.read(0, 1000) == b"[1] other\n[0] first half\n[0] no end\n"


def test_a_log_holds_no_descriptor_before_its_first_byte_and_a_full_disk_cuts_it(tmp_path):
    log = LogFile(tmp_path / "log", 10)
    assert not (tmp_path / "log").exists() and log.read(0, 10) == b""
    log.close()
    log.write(b"late")
    assert not (tmp_path / "log").exists()
    nowhere = LogFile(tmp_path / "gone" / "log", 10)
    nowhere.write(b"1")
    assert nowhere.truncated


def test_a_log_is_cut_at_its_cap_with_a_mark(tmp_path):
    log = LogFile(tmp_path / "log", 10)
    for _ in range(5):
        log.write(b"1234")
    log.close()
    assert log.read(0, 100) == b"1234123412\n[log cut at 10 bytes]\n"
    assert log.read(4, 3) == b"123"


# Slots ---------------------------------------------------------------------------------------------------------------


def test_cores_are_shared_by_adapters_of_one_host(tmp_path):
    here, there = Slots(tmp_path, 2, {}), Slots(tmp_path, 2, {})
    first, second = here.acquire("a", 1, lambda: False), there.acquire("b", 1, lambda: False)
    assert here.acquire("a", 1, looks(2)) is None
    there.release(second)
    third = here.acquire("a", 1, looks(2))
    assert third is not None
    for slot in (first, third):
        here.release(slot)
    whole = there.acquire("b", 8, looks(2))
    assert whole.cores == 2, "more than the host has is all that it has"
    there.release(whole)


def looks(count):
    """Stopped after so many looks."""
    left = [count]

    def stopped():
        left[0] -= 1
        return left[0] < 0

    return stopped


def test_a_site_at_its_share_lets_others_pass(tmp_path):
    slots = Slots(tmp_path, 4, {"small": SiteShare(1, 1 << 30)})
    first = slots.acquire("small", 4, looks(1))
    assert first.cores == 1
    assert slots.acquire("small", 1, looks(1)) is None
    other = slots.acquire("large", 3, looks(1))
    assert other is not None
    slots.release(first)
    slots.release(other)


def test_one_that_gives_up_takes_only_its_own_place_out(tmp_path):
    slots = Slots(tmp_path, 1, {})
    first = slots.acquire("a", 1, looks(1))
    left = [6]

    def second_waits():
        left[0] -= 1
        # It has looked once in vain: now a third comes that asks for the same and gives up, and the core is freed.
        if left[0] == 4:
            assert slots.acquire("a", 1, looks(1)) is None
            slots.release(first)
        return left[0] < 0

    second = slots.acquire("a", 1, second_waits)
    assert second is not None
    slots.release(second)


def test_users_are_never_given_twice(tmp_path):
    here, there = Users(tmp_path, 300_000, 2), Users(tmp_path, 300_000, 2)
    (one, held), (two, held_too) = here.take(), there.take()
    assert {one, two} == {300_000, 300_001}
    with pytest.raises(OSError, match="all 2"):
        here.take()
    os.close(held)
    again, held = there.take()
    assert again == one
    os.close(held)
    os.close(held_too)
