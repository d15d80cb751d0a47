"""One small program that says how much arithmetic a place gives: run by a site before it joins, and by the brain's check tasks.

It is the same text on both sides and runs under the site's own `python3`, so that what is compared is the place and not the
interpreter. Loops are of plain Python; nothing has to be installed.
"""

import subprocess
from typing import Final

from suanwang.model.base import Value

PROBE_S: Final = 60
PROBE: Final = """
import json, os, sys, time

def loops():
    begun, done = time.perf_counter(), 0
    while time.perf_counter() - begun < 0.5:
        x = 0
        for i in range(2000):
            x += i * i
        done += 2000
    return int(done / (time.perf_counter() - begun))

def together(count):
    ends = []
    for _ in range(count):
        read, write = os.pipe()
        if os.fork() == 0:
            os.write(write, str(loops()).encode())
            os._exit(0)
        os.close(write)
        ends.append(read)
    total = sum(int(os.read(end, 64)) for end in ends)
    for end in ends:
        os.close(end)
        os.wait()
    return total

count = int(sys.argv[1])
one = max(loops() for _ in range(2))
every = max(together(count) for _ in range(2))
print(json.dumps({"cores": count, "core_loops_s": one, "all_loops_s": every}))
"""


class Proof(Value):
    """What the program said: loops a second of one process, and of `cores` at once."""

    cores: int
    core_loops_s: int
    all_loops_s: int


def command(cores: int) -> str:
    """The program as a shell command, for a task."""
    return f"python3 - {cores} <<'PROBE'{PROBE}PROBE\n"


def read_proof(log: bytes) -> Proof | None:
    """The program's answer in a log; None where there is none."""
    for line in reversed(log.decode(errors="replace").splitlines()):
        try:
            return Proof.model_validate_json(line)
        except ValueError:
            continue
    return None


def prove_here(cores: int) -> Proof | None:
    """Run it on this host as a task would; None where the host has no `python3` for tasks."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", command(cores)], capture_output=True, check=False, timeout=PROBE_S, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return read_proof(done.stdout)
