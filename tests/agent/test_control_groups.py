"""Control groups of both versions on made-up trees; the real ones are used by every sandbox test."""

import signal
import subprocess
from pathlib import Path

from suanwang.agent.adapters.local.cgroups import GroupLimits, GroupsV1, GroupsV2
from suanwang.agent.adapters.local.host import find_groups

LIMITS = GroupLimits(cpu_us=150_000, memory_bytes=64 << 20, processes=20)


def test_version_2_writes_its_limits_and_reads_its_figures(tmp_path):
    for name in ("memory.swap.max", "memory.oom.group"):
        (tmp_path / "g").mkdir(exist_ok=True)
        (tmp_path / "g" / name).write_text("")
    group = GroupsV2(tmp_path).make("g", LIMITS)
    at = tmp_path / "g"
    assert (at / "cpu.max").read_text() == "150000 100000"
    assert (at / "memory.max").read_text() == str(64 << 20)
    assert (at / "memory.swap.max").read_text() == "0"
    assert (at / "memory.oom.group").read_text() == "1"
    assert (at / "pids.max").read_text() == "20"
    (at / "cpu.stat").write_text("usage_usec 1234567\nuser_usec 1\n")
    (at / "memory.current").write_text("5000\n")
    (at / "memory.stat").write_text("anon 3000\ninactive_file 1500\n")
    (at / "memory.peak").write_text("9000\n")
    (at / "memory.events").write_text("low 0\noom 2\noom_kill 1\n")
    (at / "pids.current").write_text("3\n")
    (at / "pids.events").write_text("max 7\n")
    got = group.figures()
    assert (got.core_us, got.memory_bytes, got.memory_peak_bytes) == (1_234_567, 3_500, 9_000)
    assert (got.processes, got.memory_kills, got.process_refusals) == (3, 1, 7)
    assert group.entry_files == [at / "cgroup.procs"]


def test_version_2_kills_by_its_switch_or_one_by_one(tmp_path):
    group = GroupsV2(tmp_path).make("g", LIMITS)
    (tmp_path / "g" / "cgroup.kill").write_text("")
    group.kill()
    assert (tmp_path / "g" / "cgroup.kill").read_text() == "1"
    (tmp_path / "g" / "cgroup.kill").unlink()
    with subprocess.Popen(["sleep", "100"]) as process:
        (tmp_path / "g" / "cgroup.procs").write_text(f"0\n{process.pid}\n")
        group.kill()
        assert process.wait() == -signal.SIGKILL


def test_version_1_writes_each_controllers_files(tmp_path):
    bases = {c: tmp_path / c for c in ("cpu", "cpuacct", "memory", "pids")}
    group = GroupsV1(bases).make("g", LIMITS)
    assert (tmp_path / "cpu/g/cpu.cfs_quota_us").read_text() == "150000"
    assert (tmp_path / "memory/g/memory.limit_in_bytes").read_text() == str(64 << 20)
    assert (tmp_path / "pids/g/pids.max").read_text() == "20"
    (tmp_path / "cpuacct/g/cpuacct.usage").write_text("1234567890\n")
    (tmp_path / "memory/g/memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    (tmp_path / "memory/g/memory.usage_in_bytes").write_text("5000")
    (tmp_path / "memory/g/memory.stat").write_text("total_inactive_file 1000\n")
    got = group.figures()
    assert (got.core_us, got.memory_kills, got.memory_bytes) == (1_234_567, 2, 4_000)
    assert len(group.entry_files) == 4


def fake_proc(tmp_path, text) -> Path:
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / "cgroup").write_text(text)
    return proc


def test_version_2_is_found_and_its_controllers_handed_down(tmp_path):
    tree, why = tmp_path / "cg", {}
    (tree / "app").mkdir(parents=True)
    for folder in (tree, tree / "app"):
        (folder / "cgroup.controllers").write_text("cpu io memory pids\n")
    groups = find_groups("x", why, tree, fake_proc(tmp_path, "0::/app\n"))
    assert groups is not None, why
    assert groups.version == 2
    for folder in (tree / "app", tree / "app/suanwang-x"):
        assert (folder / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"


def test_version_2_without_a_controller_says_which(tmp_path):
    tree, why = tmp_path / "cg", {}
    tree.mkdir()
    (tree / "cgroup.controllers").write_text("hugetlb cpu\n")
    assert find_groups("x", why, tree, fake_proc(tmp_path, "0::/\n")) is None
    assert "memory, pids" in why["groups"]


def test_version_1_nests_below_this_processs_own_group(tmp_path):
    tree, why = tmp_path / "cg", {}
    for controller in ("cpu", "cpuacct", "memory/deep/own", "pids"):
        (tree / controller).mkdir(parents=True)
    proc = fake_proc(tmp_path, "4:memory:/deep/own\n3:cpu,cpuacct:/gone\n2:pids:/\n0::/\n")
    groups = find_groups("x", why, tree, proc)
    assert groups is not None, why
    assert groups.version == 1
    assert (tree / "memory/deep/own/suanwang-x").is_dir()
    assert (tree / "cpu/suanwang-x").is_dir(), "a group that is not visible here is not used"


def test_no_control_groups_at_all(tmp_path):
    why: dict[str, str] = {}
    assert find_groups("x", why, tmp_path, fake_proc(tmp_path, "0::/\n")) is None
    assert "cpu, cpuacct, memory, pids" in why["groups"]
