"""A program that waits for a signal ends on one, and on a storm of them."""

import signal
import subprocess
import sys

import pytest

from suanwang.runtime.wait import until_signal

WAITER = """
import signal, subprocess, sys, os
from suanwang.runtime.wait import until_signal
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
code = "import os, time; time.sleep(0.3); [os.kill(int(%d), one) for _ in range({times}) for one in (2, 15)]" % os.getpid()
storm = subprocess.Popen([sys.executable, "-c", code])
until_signal(lambda: False)
storm.wait()
print("ended")
"""


@pytest.mark.parametrize("times", [1, 20_000])
def test_it_ends_however_often_it_is_told(times: int) -> None:
    code = WAITER.format(times=times)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr


def test_it_ends_when_what_it_watches_is_over_and_puts_the_handlers_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    until_signal(lambda: True)
    assert signal.getsignal(signal.SIGINT) is before
