"""Run services outside the grid, each in a folder of its own, at full size or small, and say what came out.

python tools/run_services.py [ID ...] [--small]

Services that are a circuit need a quantum device and are left out.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from suanwang.services import catalogue, check, document_of, files_of, find
from suanwang.services.manifest import Service
from suanwang.services.request import ENVIRONMENT


def run(service: Service, folder: Path, small: bool) -> subprocess.CompletedProcess[str]:
    """One service as an agent would run it: the first element where it is an array."""
    parameters, faults = check(service, service.manifest.small if small else {})
    assert not faults, faults
    task = document_of(service, parameters, {})
    for name, path in files_of(service).items():
        shutil.copyfile(path, folder / name)
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "SUANWANG_ARRAY_INDEX": "0",
        "SUANWANG_ARRAY_COUNT": str(task.get("array", 1)),
        "SUANWANG_PROGRESS": str(folder / "progress"),
        ENVIRONMENT: task["environment"][ENVIRONMENT],
    }
    return subprocess.run(
        task["run"], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600
    )


def main() -> int:
    """Run the named services, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids", nargs="*", metavar="ID")
    parser.add_argument("--small", action="store_true", help="with the parameters of a test")
    args = parser.parse_args()
    services = [find(one) for one in args.ids] or [one for one in catalogue().values() if not one.manifest.circuit]
    failed = 0
    for service in services:
        with tempfile.TemporaryDirectory() as temporary:
            began_s = time.monotonic()
            done = run(service, Path(temporary), args.small)
            seconds = time.monotonic() - began_s
        peak_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        print(f"{service.id:22} {seconds:6.1f} s  {peak_mib:4} MiB at most so far  exit {done.returncode}")
        lines = done.stdout.splitlines()
        report = next((line for line in lines if line.startswith("{")), "{}")
        print("   ", json.dumps(json.loads(report))[:400])
        for line in lines:
            if line.startswith("FAIL"):
                print("   ", line)
        if done.returncode:
            failed += 1
            print(done.stderr[-1500:])
    print(f"{len(services)} services, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
