"""Run the examples at full size outside the grid, each in a folder of its own, and say what came out.

    python tools/run_examples.py [NAME ...] [--write]

`--write` puts each result into its README, between the `result` marks, and its picture beside it.
Data sets are replaced by the same stand-in that an emulated site shows.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from blake3 import blake3

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
MARKS = re.compile(r"(<!-- result -->\n).*?(<!-- /result -->)", re.DOTALL)
# The picture that stands in a README, where the job makes one.
PICTURES = {
    "render-frames": "frame-0003.png",
    "reduce-ccd": "stack.png",
    "nbody-cluster": "cluster.png",
    "cylinder-flow": "vorticity.png",
    "shallow-water": "member-0000.png",
    "screen-molecules": "best-0000.png",
    "train-digits": "confused.png",
}


class Run(NamedTuple):
    """What one example did: the last line of each element, wall seconds of all, peak memory in MiB."""

    reports: list[dict[str, Any]]
    seconds: float
    peak_mib: int


def stage(task: dict[str, Any], source: Path, folder: Path) -> None:
    """Put the task's inputs into its folder, as an agent does."""
    for item in task.get("inputs", []):
        target = folder / item["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        scheme, _, name = item["source"].partition(":")
        if scheme == "dataset":
            target.write_bytes(stand_in(name))
        else:
            shutil.copyfile(source / item["source"], target)


def stand_in(data_set: str) -> bytes:
    """The bytes that an emulated site of the reference grid shows for a data set."""
    with (ROOT / "grids" / "china-4n31x.yaml").open(encoding="utf-8") as file:
        grid = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    found = next(one for one in grid["data_sets"] if one["id"] == data_set)
    number, unit = str(found["content_bytes"]).split()
    size = int(number) * {"B": 1, "KiB": 1024, "MiB": 1024**2}[unit]
    return blake3(f"suanwang data set {data_set} seed {found['content_seed']}".encode()).digest(length=size)


def run(name: str, folder: Path, extra: tuple[str, ...] = (), elements: int | None = None) -> Run:
    """Run every element of an example in `folder`. Raises CalledProcessError where one fails."""
    task = yaml.safe_load((EXAMPLES / name / "task.yaml").read_text(encoding="utf-8"))
    stage(task, EXAMPLES / name, folder)
    count, reports, start = task.get("array", 1), [], time.monotonic()
    for index in range(count if elements is None else elements):
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
            "SUANWANG_ARRAY_INDEX": str(index),
            "SUANWANG_ARRAY_COUNT": str(count),
            "SUANWANG_PROGRESS": str(folder / "progress"),
        }
        done = subprocess.run(
            [*task["run"], *extra], cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=300
        )
        reports.append(json.loads(done.stdout.splitlines()[-1]))
    peak_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return Run(reports, time.monotonic() - start, peak_kib // 1024)


def write_result(name: str, result: Run, folder: Path) -> None:
    """Renew the result in the README, and the picture."""
    readme = EXAMPLES / name / "README.md"
    picture = folder / "out" / PICTURES.get(name, "none")
    shown = "![result](result.png)\n\n" if picture.exists() else ""
    if picture.exists():
        shutil.copyfile(picture, EXAMPLES / name / "result.png")
    body = "\n".join(json.dumps(report, indent=2) for report in result.reports)
    text = f"{shown}```json\n{body}\n```\n\n{result.seconds:.1f} s on one core for {len(result.reports)} element(s).\n"
    old = readme.read_text(encoding="utf-8")
    assert MARKS.search(old), f"{readme} has no result marks"
    readme.write_text(MARKS.sub(lambda match: match[1] + text + match[2], old), encoding="utf-8")


def main() -> int:
    """Run the named examples, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    for name in args.names or sorted(path.parent.name for path in EXAMPLES.glob("*/task.yaml")):
        with tempfile.TemporaryDirectory() as temporary:
            result = run(name, Path(temporary))
            if args.write:
                write_result(name, result, Path(temporary))
        print(
            f"{name:18} {result.seconds:6.1f} s  {result.peak_mib:4} MiB at most so far  {len(result.reports)} element(s)"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
