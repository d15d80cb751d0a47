"""The script of several executors, run by a real shell: order, codes, streams, folders, and what it notes."""

import os
import signal
import subprocess
import time

import pytest

from suanwang.intent.tes_script import KEPT_BYTES, Ran, read_log, script_of
from suanwang.model.tes import TesExecutor
from suanwang.model.units import AT_US_MAX


def executor(text, **more):
    return TesExecutor(image="alpine", command=("sh", "-c", text), **more)


@pytest.fixture
def play(tmp_path):
    def run(*executors, folders=()):
        done = subprocess.run(
            ["/bin/sh", "-c", script_of(executors, folders)],
            cwd=tmp_path, capture_output=True, check=False, timeout=20, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return done, read_log((tmp_path / ".tes" / "log").read_text())

    return run


def test_executors_run_in_order_and_their_times_and_codes_are_noted(play, tmp_path):
    before_us = time.time_ns() // 1000
    done, ran = play(executor("echo one"), executor("echo two >&2; echo three"))
    assert done.returncode == 0
    assert done.stdout.decode().split() == ["one", "three"]
    assert done.stderr.decode().split() == ["two"]
    assert [ran[at].exit_code for at in (0, 1)] == [0, 0]
    assert before_us <= ran[0].began_us <= ran[0].ended_us <= ran[1].began_us <= ran[1].ended_us
    assert (tmp_path / ".tes" / "1.err").read_text() == "two\n"


def test_the_first_failure_ends_it_with_its_code_unless_it_is_ignored(play):
    done, ran = play(executor("exit 3", ignore_error=True), executor("exit 7"), executor("echo never"))
    assert done.returncode == 7
    assert b"never" not in done.stdout
    assert {number: one.exit_code for number, one in ran.items()} == {0: 3, 1: 7}


def test_a_signal_is_told_as_a_shell_tells_it(play):
    done, ran = play(executor("kill -9 $$"))
    assert done.returncode == 137
    assert ran[0].exit_code == 137


def test_streams_come_from_and_go_to_files(play, tmp_path):
    (tmp_path / "in").write_text("given")
    out, err = str(tmp_path / "deep" / "out"), str(tmp_path / "err")
    done, _ = play(executor("cat; echo bad >&2", stdin=str(tmp_path / "in"), stdout=out, stderr=err))
    assert done.returncode == 0
    assert (tmp_path / "deep" / "out").read_text() == "given"
    assert (tmp_path / "err").read_text() == "bad\n"
    assert done.stdout == done.stderr == b""


def test_a_missing_input_stream_fails_that_executor(play, tmp_path):
    done, ran = play(executor("cat", stdin=str(tmp_path / "none")))
    assert done.returncode != 0
    assert ran[0].exit_code == done.returncode
    assert b"none" in done.stderr


def test_each_has_its_own_folder_and_environment(play, tmp_path):
    where = str(tmp_path / "a b" / "c")
    done, _ = play(
        executor('pwd; echo "$WORD"', workdir=where, env={"WORD": "it's $HOME=x"}), executor('echo "[$WORD]"')
    )
    assert done.stdout.decode().splitlines() == [where, "it's $HOME=x", "[]"]


def test_folders_are_made_first(play, tmp_path):
    play(executor("true"), folders=(str(tmp_path / "v" / "x"),))
    assert (tmp_path / "v" / "x").is_dir()


def test_only_the_beginning_of_much_output_is_kept_and_all_of_it_is_shown(play, tmp_path):
    done, _ = play(executor("yes | head -c 200000"))
    assert len(done.stdout) == 200_000
    assert (tmp_path / ".tes" / "0.out").stat().st_size == KEPT_BYTES


def test_what_is_left_in_the_background_does_not_hold_it_up(tmp_path):
    script = script_of([executor("sleep 30 & echo done"), executor("echo next")], ())
    began = time.monotonic()
    with (tmp_path / "shown").open("wb") as shown:
        process = subprocess.Popen(["/bin/sh", "-c", script], cwd=tmp_path, stdout=shown, start_new_session=True)
        assert process.wait(timeout=20) == 0
    os.killpg(process.pid, signal.SIGKILL)  # as the end of a sandbox does
    assert time.monotonic() - began < 10
    assert (tmp_path / "shown").read_text() == "done\nnext\n"
    ran = read_log((tmp_path / ".tes" / "log").read_text())
    assert [ran[at].exit_code for at in (0, 1)] == [0, 0]


def test_a_command_that_is_not_there_is_127(play):
    done, ran = play(TesExecutor(image="alpine", command=("no-such-command", "x=y")))
    assert (done.returncode, ran[0].exit_code) == (127, 127)


def test_the_log_passes_over_what_it_does_not_know_and_needs_no_fractions():
    text = "0 began 12\n0 ended 15.%N 4\nnoise\n1 began 20.5\n9 ended 3 0\n"
    assert read_log(text) == {0: Ran(12_000_000, 15_000_000, 4), 1: Ran(20_500_000)}


def test_a_time_that_nothing_can_be_at_is_passed_over():
    """The work may write what it likes there; a time past year 9999 could not be shown."""
    far = "999999999999"
    assert read_log(f"0 began {far}\n") == {}
    assert read_log(f"0 began 5\n0 ended {far} 0\n1 began {far}\n1 ended 6 0\n") == {0: Ran(5_000_000)}
    last = AT_US_MAX // 1_000_000
    assert read_log(f"0 began {last}\n") == {0: Ran(AT_US_MAX)}
    assert read_log(f"0 began {last}.000001\n") == {}
