"""`python -m suanwang.runtime.lab_relay PREFIX CABLES`: the process that carries the frames of a lab's links.

The prefix stands among the arguments so that whoever removes the lab finds the process; CABLES is JSON, a list of
[[namespace, device], [namespace, device], latency in us of what the first sends, and of what the second does].
"""

import contextlib
import gc
import json
import os
import sys
from pathlib import Path

from suanwang.lab.relay import Cable, Relay
from suanwang.runtime import clock

# Latency is a promise, so the relay runs ahead of ordinary processes; the kernel keeps 5 % of each core for those.
PRIORITY = 1


def main(arguments: list[str]) -> None:
    _, file = arguments
    rows = json.loads(Path(file).read_text("utf-8"))
    with contextlib.suppress(OSError):  # a container may forbid it: late frames are the price
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))
    relay = Relay([Cable(tuple(a), tuple(b), *latencies) for a, b, *latencies in rows], clock.monotonic_ns)
    os.chdir("/")  # it may live longer than the folder that it was started in
    gc.disable()  # nothing here makes cycles, and a pause would be latency
    os.write(1, b"ready\n")
    os.close(1)
    relay.run()


if __name__ == "__main__":
    main(sys.argv[1:])
