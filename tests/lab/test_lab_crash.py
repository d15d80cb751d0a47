"""Whoever is killed in the middle of building a lab, `down` leaves nothing of it, and `up` begins anew."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from lab_rig import LAB, Lab, own_name, remains, wanted

from suanwang.grids import random_grid
from suanwang.lab import build, netns, processes, state
from suanwang.lab.layout import prefix_of
from suanwang.model.error import ConflictError, NotFoundError, UnreachableError
from suanwang.net.topology import topology_of_grid

pytestmark = LAB

GRID = topology_of_grid(random_grid(10, 2))
# Parts of the time that a whole `up` takes here: from the first namespace to the last route.
INSTANTS = (0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.98)


def up_in_a_child(name: str, kill_after_s: float | None) -> float:
    """Fork a child that builds the lab, and kill it; how long it took."""
    begin = time.monotonic()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            build.up(wanted(name, GRID), time.sleep)
            status = 0
        finally:
            os._exit(status)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert kill_after_s is not None or status == 0
    return time.monotonic() - begin


def test_killed_at_any_moment_nothing_is_left_after_down() -> None:
    name = own_name("k")
    try:
        whole_s = up_in_a_child(name, None)
        assert len(netns.names(prefix_of(name))) == 20
        build.down(name, time.sleep)
        seen = set()
        for part in INSTANTS:
            up_in_a_child(name, part * whole_s)
            now = state.read(name)
            depth = (
                len(netns.names(prefix_of(name))),
                len(processes.relays(prefix_of(name))),
                now is not None and now.up,
            )
            seen.add(depth)
            build.down(name, time.sleep)
            assert remains(name) == [], part
        assert len(seen) > 1  # the kills did come at different depths
    finally:
        build.down(name, time.sleep)


def test_up_after_a_crash_cleans_first_and_works() -> None:
    name = own_name("u")
    try:
        whole_s = up_in_a_child(name, None)
        build.down(name, time.sleep)
        up_in_a_child(name, whole_s / 2)
        made = Lab(name, build.up(wanted(name, GRID), time.sleep))
        assert made.ping(GRID.nodes[0], GRID.nodes[-1], count=2).lost == 0
        with pytest.raises(ConflictError) as caught:
            build.up(wanted(name, GRID), time.sleep)
        assert caught.value.code == "lab_is_up"
        assert made.ping(GRID.nodes[0], GRID.nodes[-1], count=2).lost == 0  # and it is left alone
    finally:
        build.down(name, time.sleep)
    assert remains(name) == []


def test_half_a_lab_says_so_and_a_lost_state_file_hides_nothing() -> None:
    name = own_name("h")
    try:
        build.up(wanted(name, GRID), time.sleep)
        now = state.require(name)
        state.write(replace(now, up=False))
        with pytest.raises(ConflictError) as half:
            state.require(name)
        assert half.value.code == "lab_half"
        (state.folder(name) / "state.json").write_text("{")
        with pytest.raises(NotFoundError) as none:
            state.require(name)
        assert none.value.code == "lab_not_up"
    finally:
        removed = build.down(name, time.sleep)
    assert (removed.namespaces, removed.processes) == (20, 1)
    assert remains(name) == []
    assert build.down(name, time.sleep).namespaces == 0  # once more is no fault


def until_inside(process: subprocess.Popen[bytes], namespace: str) -> None:
    """Until a process that was begun by `ip netns exec` is in the namespace: before that it is none of the lab's."""
    wanted_inode = Path(f"/run/netns/{namespace}").stat().st_ino
    end = time.monotonic() + 30
    while Path(f"/proc/{process.pid}/ns/net").stat().st_ino != wanted_inode:
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.01)


def test_what_runs_inside_ends_with_the_lab_and_another_lab_does_not() -> None:
    name, other = own_name("w"), own_name("v")
    try:
        for one in (name, other):
            build.up(wanted(one, GRID), time.sleep)
        server = subprocess.Popen(["ip", "netns", "exec", f"{prefix_of(name)}h0", "sleep", "600"])
        until_inside(server, f"{prefix_of(name)}h0")
        build.down(name, time.sleep)
        assert server.wait(30) == -signal.SIGKILL
        assert remains(name) == []
        assert len(netns.names(prefix_of(other))) == 20 and len(processes.relays(prefix_of(other))) == 1
    finally:
        build.down(name, time.sleep)
        build.down(other, time.sleep)
    assert remains(other) == []


def test_what_fails_in_the_middle_is_removed_and_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A real `tc` stands behind a wrapper that refuses htb, as a kernel without it does."""
    name = own_name("f")
    wrapper(tmp_path / "tc", "htb", "Error: Specified qdisc kind is unknown.")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(UnreachableError) as caught:
        build.up(wanted(name, GRID), time.sleep)
    assert caught.value.code == "lab_htb" and "qdisc kind" in caught.value.params["detail"]
    assert remains(name) == []
    (tmp_path / "tc").unlink()
    wrapper(tmp_path / "ip", "seg6", "RTNETLINK answers: Operation not supported")
    with pytest.raises(UnreachableError) as caught:
        build.up(wanted(name, GRID), time.sleep)
    assert caught.value.code == "lab_seg6" and "not supported" in caught.value.params["detail"]
    assert remains(name) == []


def wrapper(path: Path, word: str, says: str) -> None:
    """A program that is the real one but for batches that hold a word."""
    path.write_text(
        f"#!{sys.executable}\nimport os, subprocess, sys\ntext = sys.stdin.read()\n"
        f"if {word!r} in text:\n    sys.exit({says!r})\n"
        f"os.environ['PATH'] = os.environ['PATH'].split(':', 1)[1]\n"
        f"sys.exit(subprocess.run([{path.name!r}, *sys.argv[1:]], input=text, text=True).returncode)\n"
    )
    path.chmod(0o755)
