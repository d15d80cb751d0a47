"""`python -m suanwang.runtime.lab_sensor DEVICE FOLDER`: the sensor of a lab's IDS, in the namespace it is started in.

FOLDER has `rules`; `counters` and `eve.json` are written there.
"""

import contextlib
import os
import sys
from pathlib import Path

from suanwang.lab.sensor import rules
from suanwang.lab.sensor.counts import Counts
from suanwang.lab.sensor.watch import Eve, Watch
from suanwang.runtime import clock

NICENESS = 5  # packets come before looking at them


def main(arguments: list[str]) -> None:
    device, folder = arguments[0], Path(arguments[1])
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    signatures = rules.read((folder / "rules").read_text("utf-8"))
    counts = Counts(folder / "counters", [one.sid for one in signatures])
    watch = Watch(device, signatures, counts, Eve(folder / "eve.json", device), clock.now_us, clock.monotonic_ns)
    os.chdir("/")  # it may live longer than the folder that it was started in
    os.write(1, b"ready\n")
    os.close(1)
    watch.run()


if __name__ == "__main__":
    main(sys.argv[1:])
