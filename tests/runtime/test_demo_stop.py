"""No agent process outlives the demo."""

import subprocess
import sys

import pytest

from suanwang.runtime import demo
from suanwang.runtime.demo import Region


class Stubborn(subprocess.Popen):
    """A real process that does not hear SIGTERM. `impatient`: whoever waits for it is interrupted the first time."""

    def __init__(self, impatient: bool) -> None:
        wait = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
        super().__init__([sys.executable, "-c", wait], stdout=subprocess.PIPE)
        self.impatient = impatient
        self.stdout.readline()

    def wait(self, timeout=None):
        if self.impatient and timeout is not None:
            self.impatient = False
            raise KeyboardInterrupt
        return super().wait(timeout)


@pytest.mark.parametrize("impatient", [False, True])
def test_an_agent_that_does_not_end_is_ended(impatient, monkeypatch):
    monkeypatch.setattr(demo, "STOP_S", 0.2)
    processes = [Stubborn(impatient), Stubborn(False)]
    try:
        regions = [Region(None, [], process=one) for one in processes]
        if impatient:
            with pytest.raises(KeyboardInterrupt):
                demo._stop(regions)
        else:
            demo._stop(regions)
        assert [one.returncode for one in processes] == [-9, -9]
    finally:
        for one in processes:
            one.kill()
            one.stdout.close()
            one.wait()
