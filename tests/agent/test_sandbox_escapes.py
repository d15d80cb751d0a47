"""Attempts to get out of the sandbox, or to take more than was given. Each runs for real, as a hostile task would."""

import hashlib
import os
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.agent.rigs import SANDBOX, LocalRig

from suanwang.agent.adapters.local import NetworkRule
from suanwang.model.error import BackendError
from suanwang.model.event import EventKind
from suanwang.model.reason import FailureReason

pytestmark = SANDBOX
K = EventKind
UMOUNT = 'python -c "import ctypes, os; l = ctypes.CDLL(None, use_errno=True); '
UMOUNT += "r = l.umount2(b'/task', 2); print(os.strerror(ctypes.get_errno())); raise SystemExit(r != 0)\""


@pytest.fixture
def rig(tmp_path):
    made = LocalRig(tmp_path)
    yield made
    made.close()


@contextmanager
def listener():
    """A service of the host on its loopback, as the brain would be."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def python(code: str) -> tuple[str, ...]:
    return ("python", "-c", code)


def alive_of(uid: int) -> list[int]:
    """Host processes of a task's user."""
    out = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                text = Path("/proc", name, "status").read_text()
            except OSError:
                continue
            state = text.split("State:")[1].split()[0]
            if int(text.split("Uid:")[1].split()[0]) == uid and state != "Z":
                out.append(int(name))
    return out


# Reading -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/etc/shadow", "/root/.bashrc", "/var/log", "/sys/fs/cgroup", "/home", "/etc/ssh"])
def test_the_hosts_files_are_not_there(rig, path):
    end, log = rig.run(run=f"cat {path} || ls {path}")
    assert end.kind is K.FAILED
    assert "No such file" in log


def test_the_brains_home_and_keys_are_not_there_though_anyone_may_read_them(rig, tmp_path):
    home = tmp_path / "brain"
    home.mkdir()
    key = home / "operator.key"
    key.write_text("sw_key_verysecret")
    for path in (key, home, tmp_path):
        path.chmod(0o777)
    _, log = rig.run(run=f"cat {key}; ls {home}; ls {tmp_path}; find / -xdev -name operator.key")
    assert "verysecret" not in log
    assert log.count("No such file") == 3


def test_other_attempts_are_not_there(rig):
    rig.start(1, run="echo treasure > /task/trove9; echo treasure > /tmp/trove9; chmod 777 /task /tmp; sleep 20")
    _until(rig, K.RUNNING)
    time.sleep(0.2)
    folder = rig.folder / "local" / "attempts"
    assert list(folder.glob("*/element-0/disk/task/trove9")), "the treasure is on the host where we look for it"
    rig.start(2, run=f"ls {folder}; find / -name trove9 2>/dev/null; ls /proc | grep -c '^[0-9]'; exit 0")
    (end,) = rig.ends()
    log = rig.adapter.read_logs(end.attempt_id, 0, 10_000).decode()
    assert "trove9" not in log
    assert int(log.splitlines()[-1]) <= 6, "it sees its own processes and no others"


def test_the_environment_of_the_host_is_not_there(rig, monkeypatch):
    monkeypatch.setenv("BRAIN_TOKEN", "marker-of-the-host")
    _, log = rig.run(run="env; cat /proc/1/environ; cat /proc/*/environ; true")
    assert "marker-of-the-host" not in log
    assert "Permission denied" in log


def _until(rig, kind):
    while True:
        updates = rig.adapter.poll()
        if kind in [u.kind for u in updates]:
            return updates
        assert rig.pass_time(), f"no {kind}"


# Writing -----------------------------------------------------------------------------------------------------------


def test_only_its_own_folders_can_be_written(rig):
    tried = "for d in $(find / -xdev -type d 2>/dev/null) /dev /dev/shm /proc /usr /usr/bin /etc; do "
    tried += "if touch $d/x 2>/dev/null; then echo WROTE $d; fi; done"
    _, log = rig.run(run=tried + "; for d in /task /tmp /run/suanwang; do touch $d/x && echo WROTE $d; done")
    wrote = {line.split()[1] for line in log.splitlines() if line.startswith("WROTE")}
    assert wrote == {"/task", "/tmp", "/run/suanwang", "/dev/shm"}


def test_the_sites_python_cannot_be_changed(rig):
    code = "import sys, pathlib; pathlib.Path(sys.prefix, 'x').touch()"
    end, log = rig.run(run=python(code))
    assert end.exit_code == 1
    assert "Read-only file system" in log


@pytest.mark.parametrize("call", ["mount -t tmpfs none /tmp", UMOUNT, "chroot /tmp /bin/true", "mknod d c 1 3"])
def test_the_system_cannot_be_rearranged(rig, call):
    end, log = rig.run(run=f"PATH=$PATH:/usr/sbin; mkdir -p /tmp/bin; {call}")
    assert end.kind is K.FAILED
    assert "permi" in log.lower() or "must be superuser" in log


@pytest.mark.parametrize(
    "call", ["unshare -Ur id", "unshare -m id", "nsenter -t 1 -m id", "keyctl_id=1; unshare -n id"]
)
def test_no_namespace_of_its_own(rig, call):
    end, log = rig.run(run=call)
    assert end.kind is K.FAILED
    assert "ermi" in log


@pytest.mark.parametrize("number", [0, 1, 65534])
def test_no_other_user_can_be_become(rig, number):
    end, log = rig.run(run=python(f"import os; os.setuid({number})"))
    assert end.exit_code == 1
    assert "PermissionError" in log


def test_set_user_programs_do_nothing(rig):
    # -xdev is not used: wherever a set-uid program is seen, running it must not change who we are.
    _, log = rig.run(
        run="cp /usr/bin/id /task/id; chmod 4755 /task/id; /task/id -u; su -c 'id -u' root </dev/null; id -u"
    )
    assert "\n0\n" not in "\n" + log
    assert log.splitlines()[0] == log.splitlines()[-1]


def test_a_library_to_preload_never_runs_with_rights(rig):
    # The loader complains once for each program that is told to preload: only the task's own may be.
    _, log = rig.run(run=("true",), environment={"LD_PRELOAD": "/task/evil.so"})
    assert log.count("/task/evil.so") == 1


# Others ------------------------------------------------------------------------------------------------------------


def test_other_processes_cannot_be_killed_or_traced(rig):
    rig.start(1, run="sleep 20")
    _until(rig, K.RUNNING)
    code = """
import ctypes, os
for pid in (%d, 1):
    try:
        os.kill(pid, 9)
        print('KILLED', pid)
    except OSError as fault:
        print(type(fault).__name__)
libc = ctypes.CDLL(None, use_errno=True)
print('traced' if libc.ptrace(16, 1, 0, 0) == 0 else 'not traced')
"""
    rig.start(2, run=python(code % os.getpid()))
    (end,) = rig.ends()
    log = rig.adapter.read_logs(end.attempt_id, 0, 10_000).decode()
    assert log.split() == ["ProcessLookupError", "PermissionError", "not", "traced"]
    rig.start(3, run="kill -9 -1")
    (end,) = rig.ends()
    assert end.attempt_id.endswith("3")
    assert end.kind is K.FAILED
    assert len(alive_of(rig.uid)) >= 1, "the first one sleeps on"


def test_stop_kills_what_ran_away(rig):
    order = rig.start(run="setsid sh -c 'setsid sleep 1000 & setsid sleep 1000 &'; sleep 0.2; echo up; sleep 1000")
    _until(rig, K.RUNNING)
    while b"up" not in rig.adapter.read_logs(order.attempt_id, 0, 100):
        assert rig.pass_time()
    assert len(alive_of(rig.uid)) >= 3
    rig.adapter.stop(order.attempt_id)
    (end,) = rig.ends()
    assert end.kind is K.STOPPED
    assert alive_of(rig.uid) == []


def test_what_is_left_behind_ends_with_the_work(rig):
    end, _ = rig.run(run="setsid sleep 1000 >/dev/null 2>&1 & exit 0")
    assert end.kind is K.FINISHED
    assert alive_of(rig.uid) == []


def test_no_network_unless_asked(rig):
    with listener() as port:
        code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)"
        end, log = rig.run(run=python(code))
    assert end.exit_code == 1
    assert "ConnectionRefusedError" in log
    _, log = rig.run(2, run="cat /proc/net/dev | tail -n +3 | cut -d: -f1; cat /etc/resolv.conf")
    assert log.split()[0] == "lo"
    assert "No such file" in log


def test_a_network_is_refused_where_the_operator_has_not_opened_it(rig):
    with pytest.raises(BackendError) as fault:
        rig.start(run="true", resources={"network": True})
    assert fault.value.reason is FailureReason.LIMIT_UNSUPPORTED
    assert "network" in fault.value.detail


def test_the_opened_network_is_the_hosts(tmp_path):
    rig = LocalRig(tmp_path, settings={"network": NetworkRule.HOST})
    try:
        with listener() as port:
            code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2); print('reached')"
            end, log = rig.run(run=python(code), resources={"network": True})
            closed, _ = rig.run(2, run=python(code))
    finally:
        rig.close()
    assert (end.exit_code, log) == (0, "reached\n")
    assert closed.exit_code == 1


# More than given ---------------------------------------------------------------------------------------------------


def test_a_fork_bomb_stays_in_its_box(rig):
    end, _ = rig.run(
        run="bomb() { bomb | bomb & }; bomb; sleep 1; exit 1", resources={"processes": 40, "wall_time": "10 s"}
    )
    assert end.reason is FailureReason.PROCESS_LIMIT
    assert end.usage.processes_peak <= 42
    assert alive_of(rig.uid) == []


def test_a_memory_hog_is_killed_at_its_limit(rig):
    end, _ = rig.run(run=python("x = bytearray(400 << 20)"), resources={"memory": "64 MiB"})
    assert end.reason is FailureReason.OUT_OF_MEMORY
    assert end.usage.memory_peak_bytes <= 64 << 20


def test_shared_memory_counts_as_memory(rig):
    end, _ = rig.run(
        run=python("x = open('/dev/shm/x', 'wb'); [x.write(bytes(1 << 20)) for _ in range(200)]; x.flush()"),
        resources={"memory": "64 MiB"},
    )
    assert end.kind is K.FAILED
    assert end.usage.memory_peak_bytes <= 64 << 20


@pytest.mark.parametrize("where", ["/task", "/tmp", "/run/suanwang"])
def test_the_disk_is_full_when_it_is_full(rig, where):
    end, log = rig.run(run=f"dd if=/dev/zero of={where}/big bs=1M count=300", resources={"disk": "48 MiB"})
    assert end.reason is FailureReason.DISK_FULL
    assert "No space left" in log
    written = int(log.split("\n")[1].split("+")[0])
    assert 44 <= written <= 56


def test_more_cores_than_given_are_not_had(rig):
    spin = "for i in 1 2 3 4; do (while :; do :; done) & done; sleep 1.5; kill 0"
    end, _ = rig.run(run=spin, resources={"cpu": 1})
    assert end.usage.core_us <= end.usage.wall_us * 1.25


def test_a_flood_of_output_is_cut_and_does_not_hold_the_agent(tmp_path):
    rig = LocalRig(tmp_path, settings={"log_bytes_max": 100_000})
    try:
        end, log = rig.run(run="yes | head -c 50000000")
    finally:
        rig.close()
    assert end.exit_code == 0
    assert len(log) < 100_100
    assert log.endswith("[log cut at 100000 bytes]\n")


# Outputs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "asked", "reason"),
    [
        ("ln -s /etc/passwd out", "out", FailureReason.OUTPUT_FORBIDDEN),
        ("ln -s /etc d", "d/passwd", FailureReason.OUTPUT_MISSING),
        ("mkfifo out", "out", FailureReason.OUTPUT_FORBIDDEN),
        ("ln -s real out; echo x > real", "out", FailureReason.OUTPUT_FORBIDDEN),
        ("truncate -s 1T out", "out", FailureReason.OUTPUT_FORBIDDEN),
        ("true", "out", FailureReason.OUTPUT_MISSING),
        ("mkdir -p a; ln -s .. a/up", "a/**/passwd", FailureReason.OUTPUT_MISSING),
    ],
)
def test_outputs_stay_inside(rig, make, asked, reason):
    end, _ = rig.run(run=make, outputs=[{"path": asked}])
    assert (end.kind, end.reason, end.outputs) == (K.FAILED, reason, ())


def test_a_glob_keeps_files_and_names_what_it_left(rig):
    end, _ = rig.run(run="echo x > a.txt; ln -s /etc/passwd b.txt; mkfifo c.txt", outputs=[{"path": "*.txt"}])
    assert [o.path for o in end.outputs] == ["a.txt"]
    assert "b.txt" in end.detail
    assert "c.txt" in end.detail


def test_hard_links_to_the_system_are_not_possible(rig):
    end, log = rig.run(run="ln /usr/bin/id out", outputs=[{"path": "out"}])
    assert end.kind is K.FAILED
    assert "cross-device" in log.lower()


@pytest.mark.parametrize(
    "make", ["rm $P; ln -s /etc/shadow $P", "rm $P; mkfifo $P; sleep 0.4", "head -c 99999 /dev/zero > $P"]
)
def test_a_hostile_progress_file_says_nothing_and_holds_nothing(rig, make):
    rig.run(run="P=$SUANWANG_PROGRESS; " + make)
    assert K.PROGRESS not in [u.kind for u in rig.seen]


# Secrets -----------------------------------------------------------------------------------------------------------


def test_secrets_are_in_the_environment_and_nowhere_else(rig):
    secret = "pa ss'\"$(word)\nwith lines"
    order = rig.start(
        run="printf '%s' \"$TOKEN\" | sha256sum; printf '%s' \"$TOKEN\"; printf '%s' \"pa s\"; sleep 0.5;"
        " printf '%s' \"${TOKEN#pa s}\"; sleep 1",
        secrets={"TOKEN": secret},
    )
    _until(rig, K.RUNNING)
    time.sleep(0.3)
    shown = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert "sleep 0.5" in shown, "the command is seen, so a secret in it would be"
    assert "(word)" not in shown
    (end,) = rig.ends()
    log = rig.adapter.read_logs(order.attempt_id, 0, 10_000).decode()
    assert hashlib.sha256(secret.encode()).hexdigest() in log, "the task has it whole"
    assert log.endswith("******"), "printed at once and in two halves: blanked both times"
    assert "word" not in log
    assert "word" not in repr(end) + repr(order)


def test_an_environment_of_hostile_text_arrives_as_it_is(rig):
    values = {"A": "$(id)`id`", "B": "'; exit 9; '", "C": "line\nline", "OPTIND": "x", "D": "正體\\n"}
    end, log = rig.run(run=python("import os; print([os.environ[k] for k in 'ABCD'])"), environment=values)
    assert end.exit_code == 0
    assert log.strip() == repr([values[k] for k in "ABCD"])
