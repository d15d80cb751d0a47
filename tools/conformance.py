"""`make conformance`: what every adapter promises, as a table of adapter and case, from runs on the real backends.

    python -m tools.conformance                 run every adapter that can run here, print the table
    python -m tools.conformance --only slurm    some of them alone
    python -m tools.conformance --write         also write docs/reference/conformance.md; only a run of all of them may

Each cell is what the test of that adapter and that case did: `passed`, `failed`; `n/a`, where no work of that kind can be written
for the backend; `-`, where it was not run here. Every `n/a` and `-` has its reason below the table.
"""

import argparse
import importlib.metadata
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from tools.rigs.slurm import which

from suanwang.agent.conformance import adapter_cases

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs/reference/conformance.md"
PASSED, FAILED, NOT_APPLICABLE, NOT_RUN = "passed", "failed", "n/a", "-"
RUN_LIMIT_S: Final = 3_600


@dataclass(frozen=True)
class Suite:
    """Where the cases of one adapter are tests, and what is asked for its version."""

    adapter: str
    file: str
    backend: Callable[[], str]
    only: str = ""  # a part of the tests' names


@dataclass(frozen=True)
class Cell:
    word: str
    why: str = ""
    seconds: float = 0.0


def _said(*words: str) -> str:
    """The first line that a program says of itself; what it is called where it is not here."""
    program = which(words[0])
    if program is None:
        return f"{words[0]}: not installed"
    done = subprocess.run([program, *words[1:]], capture_output=True, text=True, check=False, timeout=60)
    return (done.stdout + done.stderr).strip().splitlines()[0]


def _package(name: str) -> str:
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{name}: not installed"


def _tool(name: str) -> str:
    """The version that a script of ours makes, as its text says it."""
    text = (ROOT / "tools" / name).read_text("utf-8")
    return next(line.partition("=")[2] for line in text.splitlines() if line.startswith("VERSION="))


SUITES: Final = (
    Suite("local", "tests/agent/test_conformance.py", lambda: _said("bwrap", "--version"), "local"),
    Suite("slurm", "tests/sites/test_slurm_conformance.py", lambda: f"{_said('slurmctld', '-V')}, 4 nodes"),
    Suite("tes", "tests/sites/test_tes_conformance.py", lambda: "GA4GH TES 1.1.0, a second brain over its sandbox"),
    Suite("quantum", "tests/sites/test_quantum_conformance.py", lambda: _package("qiskit-aer")),
    Suite("kubernetes", "tests/sites/test_kubernetes_conformance.py", lambda: f"Kubernetes {_tool('kubernetes.sh')}, one node"),
    Suite("ray", "tests/sites/test_ray_conformance.py", lambda: f"Ray {_tool('ray.sh')}, one head"),
)  # fmt: skip
# Kubernetes and Ray are made once, outside of the checkout, by scripts that take minutes; asked for, or left out.
MADE: Final = {"kubernetes": "kubernetes.sh", "ray": "ray.sh"}


def run(suite: Suite, build: bool) -> dict[str, Cell]:
    """What each case did."""
    tool = MADE.get(suite.adapter)
    if tool is not None and not build and not is_made(tool):
        why = f"its programs are not there yet: tools/{tool} makes them once"
        return {name: Cell(NOT_RUN, why) for name in adapter_cases()}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        words = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-m", "", f"--junitxml={report}", suite.file]
        words += ["-k", f"test_conformance and {suite.only}" if suite.only else "test_conformance"]
        done = subprocess.run(
            words, cwd=ROOT, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=RUN_LIMIT_S, check=False,
        )  # fmt: skip
        if not report.exists():
            why = (
                done.stdout.strip().splitlines()[-1] if done.stdout.strip() else f"pytest ended with {done.returncode}"
            )
            return {name: Cell(NOT_RUN, why) for name in adapter_cases()}
        return cells(report.read_bytes(), not_applicable(suite.adapter))


def is_made(tool: str) -> bool:
    return subprocess.run([ROOT / "tools" / tool, "--made"], check=False).returncode == 0


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src")}


def not_applicable(adapter: str) -> Mapping[str, str]:
    """Cases that are about a kind of work which nobody can write for the backend, and why; kept beside the adapter's tests."""
    from tests.sites.quantum_rig import KINDS_THAT_NO_CIRCUIT_IS
    from tests.sites.tes_rig import NOT_IN_TES

    kinds = {"quantum": KINDS_THAT_NO_CIRCUIT_IS, "tes": NOT_IN_TES}.get(adapter, {})
    return {
        name: why for kind, why in kinds.items() for name in set(adapter_cases()) - set(adapter_cases(without=(kind,)))
    }


def cells(report: bytes, without: Mapping[str, str]) -> dict[str, Cell]:
    """A report of pytest as cells; every case has one."""
    found: dict[str, Cell] = {}
    for test in ElementTree.fromstring(report).iter("testcase"):  # noqa: S314 our own pytest wrote it
        inner = test.get("name", "").partition("[")[2].rstrip("]")
        case = next((name for name in adapter_cases() if name in (inner, *inner.split("-"))), None)
        if case is not None and not (case in found and found[case].word == FAILED):
            found[case] = _cell(test)
    for name in adapter_cases():
        if name not in found:
            why = without.get(name)
            found[name] = Cell(NOT_APPLICABLE, why) if why else Cell(NOT_RUN, "the suite did not run it")
    return found


def _cell(test: ElementTree.Element) -> Cell:
    seconds = float(test.get("time", 0))
    for kind in ("failure", "error"):
        if (bad := test.find(kind)) is not None:
            return Cell(FAILED, (bad.get("message") or "").splitlines()[0][:200], seconds)
    skipped = test.find("skipped")
    return Cell(PASSED, "", seconds) if skipped is None else Cell(NOT_RUN, skipped.get("message") or "", seconds)


def table(results: Mapping[str, Mapping[str, Cell]]) -> list[str]:
    """One row a case; what has a reason bears its number."""
    adapters = list(results)
    rows = ["| case | " + " | ".join(adapters) + " |", "| --- |" + " --- |" * len(adapters)]
    reasons: dict[tuple[str, str], int] = {}
    for case in sorted(adapter_cases()):
        words = []
        for adapter in adapters:
            cell = results[adapter][case]
            number = reasons.setdefault((adapter, cell.why), len(reasons) + 1) if cell.why else 0
            words.append(f"{cell.word} ({number})" if number else cell.word)
        rows.append(f"| `{case}` | " + " | ".join(words) + " |")
    notes = [f"{number}. {adapter}: {why}" for (adapter, why), number in reasons.items()]
    return [*rows, "", *notes]


def promises() -> list[str]:
    return [f"- `{name}`: {' '.join((case.__doc__ or '').split())}" for name, case in sorted(adapter_cases().items())]


def counts(results: Mapping[str, Mapping[str, Cell]]) -> str:
    cells_ = [cell.word for one in results.values() for cell in one.values()]
    return ", ".join(f"{cells_.count(word)} {word}" for word in (PASSED, FAILED, NOT_APPLICABLE, NOT_RUN))


def page(results: Mapping[str, Mapping[str, Cell]], backends: Mapping[str, str], day: str) -> str:
    return "\n".join(
        [
            "# Conformance of the adapters",
            "",
            "Written by `make conformance ARGS=--write` from a run of every adapter; not by hand.",
            "",
            f"Last run: {day} UTC. Cells: {counts(results)} (`n/a`: no work of that kind can be written for the backend;",
            "`-`: not run there). Every case is a function of `suanwang/agent/conformance.py`, run on the real backend:",
            "",
            "| adapter | backend | seconds |",
            "| --- | --- | --- |",
            *(
                f"| `{name}` | {backends[name]} | {sum(cell.seconds for cell in found.values()):.0f} |"
                for name, found in results.items()
            ),
            "",
            *table(results),
            "",
            "## What each case asks",
            "",
            *promises(),
            "",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where nothing failed."""
    names = [one.adapter for one in SUITES]
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", action="append", choices=names, help="this adapter; may be given several times")
    parser.add_argument("--build", action="store_true", help="make Kubernetes and Ray first where they are not there")
    parser.add_argument("--write", action="store_true", help="write docs/reference/conformance.md")
    given = parser.parse_args(arguments)
    if given.write and given.only:
        parser.error("the page is of all adapters: --write goes without --only")
    results: dict[str, dict[str, Cell]] = {}
    for suite in SUITES:
        if not given.only or suite.adapter in given.only:
            print(f"{suite.adapter}: {suite.backend()} ...", file=sys.stderr, flush=True)
            results[suite.adapter] = run(suite, given.build)
    print("\n".join(table(results)))
    print(f"\n{counts(results)}")
    if given.write:
        backends = {one.adapter: one.backend() for one in SUITES}
        PAGE.write_text(page(results, backends, time.strftime("%Y-%m-%d %H:%M", time.gmtime())), "utf-8")
    return int(any(cell.word == FAILED for one in results.values() for cell in one.values()))


if __name__ == "__main__":
    raise SystemExit(main())
