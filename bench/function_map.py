"""What `map` over many inputs takes from end to end: a real brain, the local adapter, real processes in the sandbox.

The function is trivial on purpose, so all of the time is Suanwang's. Told: the whole, the parts of it (packing the inputs, the first
result, the last), and the peak memory of the client's process, of the brain's (which is the agent's too) and of one element.
The brain is a process of its own. `--plain` lets Python's own process pool do the same, for comparison.

    python -m bench.function_map [--inputs 1000000] [--chunk N] [--plain] [--json]
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import suanwang
from suanwang.grids import SMALL, dump_grid, random_grid

KIB = 1024
SITES = 12


def square(x: int) -> int:
    return x * x


@contextmanager
def brain(folder: Path) -> Iterator[tuple[int, suanwang.Client]]:
    """`suanwang serve` on a small grid; its process number and a client."""
    file = folder / "grid.yaml"
    file.write_text(dump_grid(random_grid(SITES, 5, SMALL)), "utf-8")
    home = folder / "home"
    environment = {**os.environ, "SUANWANG_HOME": str(home), "SUANWANG_GRID": str(file), "SUANWANG_PORT": "0"}
    command = [sys.executable, "-m", "suanwang.cli", "serve"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        note = home / "server.json"
        while not note.exists():
            assert process.poll() is None, "the brain did not start"
            time.sleep(0.1)
        key = json.loads((home / "credentials.json").read_text())["key"]
        with suanwang.Client(json.loads(note.read_text())["url"], key) as client:
            yield process.pid, client
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def peak_mib(pid: int) -> int:
    """The largest resident size that a process has had."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // KIB
    return 0


def measure(inputs: int, chunk: int | None) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, brain(Path(folder)) as (pid, client):
        function = suanwang.task(client=client, wall_time="30 min")(square)
        assert function(3) == 9  # the kernels are compiled, the runner is uploaded
        before = {"brain": peak_mib(pid), "client": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // KIB}
        began = time.perf_counter()
        run = function.map(range(inputs), chunk=chunk)
        sent_s = time.perf_counter() - began
        first_s, total = None, 0
        for number, value in enumerate(run):
            first_s = first_s or time.perf_counter() - began
            assert value == number * number, (number, value)
            total += 1
        whole_s = time.perf_counter() - began
        assert total == inputs
        usage = client.task_bill(run.task_id).usage
        return {
            "inputs": inputs,
            "processes": run.view().array,
            "sent_s": round(sent_s, 2),
            "first_result_s": round(first_s or 0, 2),
            "whole_s": round(whole_s, 2),
            "inputs_per_s": round(inputs / whole_s),
            "work_cpu_s": round(usage.core_us / 1e6, 1),
            "client_peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // KIB,
            "client_before_mib": before["client"],
            "brain_peak_mib": peak_mib(pid),
            "brain_before_mib": before["brain"],
            "element_peak_mib": usage.memory_peak_bytes // KIB // KIB,
            "load_average": os.getloadavg()[0],
        }


def plain(inputs: int) -> dict[str, Any]:
    """The same by the standard library on this machine, for scale."""
    began = time.perf_counter()
    with ProcessPoolExecutor() as pool:
        total = sum(1 for _ in pool.map(square, range(inputs), chunksize=max(1, inputs // 100)))
    return {"inputs": total, "whole_s": round(time.perf_counter() - began, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--chunk", type=int)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = plain(asked.inputs) if asked.plain else measure(asked.inputs, asked.chunk)
    if asked.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:18} {value}")


if __name__ == "__main__":
    main()
