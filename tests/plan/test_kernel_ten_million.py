"""The bench of ten million in small: every part runs, the log leads to the same bits, and a fault stops it."""

import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from bench.planning import ten_million as bench

from suanwang.verify.batch import BatchChecker, BatchFault, RowFault

SMALL = bench.Run(decisions=12_000, servers=600, sites=40, classes=100, batch=2_048, replay=True, mix=False)


def test_a_small_run_is_sound_and_replays() -> None:
    said = bench.ten_million(SMALL)
    assert said["decided"] == 12_000
    assert said["oversubscribed"] == 0
    assert said["replay_identical"] is True
    assert said["accelerator_fill"] > 0.9
    assert said["releases"] >= said["placed"] > 6_000
    assert said["log_bytes"] > 32 * said["rows"]


def test_a_mixed_run_is_sound_and_replays() -> None:
    """Gangs, arrays, licences, quantum minutes, security levels and narrow links; clauses checked from raw figures."""
    said = bench.ten_million(SMALL._replace(mix=True, sites=60, servers=1_200, classes=200))
    assert said["oversubscribed"] == 0
    assert said["replay_identical"] is True
    assert said["gang_nodes"] > 0
    assert said["passed_without_bandwidth"] > 0
    assert any(said["floating_held_end"])
    assert sum(said["by_reason"].values()) == said["decided"] - said["placed"]


def test_a_fault_found_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    real = BatchChecker.check
    seen = []

    def check(self: BatchChecker, rows: Any) -> RowFault | None:
        seen.append(len(rows.task))
        return RowFault(3, BatchFault.CPU_OVER) if sum(seen) > 20_000 else real(self, rows)

    monkeypatch.setattr(BatchChecker, "check", check)
    with pytest.raises(AssertionError, match="CPU_OVER"):
        bench.ten_million(SMALL)


def test_an_error_in_reading_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    real = bench._arrow

    def shorter(path: Path, *of: Any) -> None:
        real(path, *of)
        file = path / "arrivals.arrow"
        file.write_bytes(file.read_bytes()[:20_000])

    monkeypatch.setattr(bench, "_arrow", shorter)
    ended: queue.Queue[BaseException | None] = queue.Queue()

    def run() -> None:
        try:
            bench.ten_million(SMALL)
        except BaseException as error:
            ended.put(error)
        else:
            ended.put(None)

    threading.Thread(target=run, daemon=True).start()
    assert isinstance(ended.get(timeout=60), OSError)


CALLS = """
import sys
from bench import plan
calls = []
plan.bulk = lambda: calls.append("bulk")
plan.gaps = lambda quick: calls.append("gap") or {}
sys.argv = ["plan.py", "--json", "--quick", "--only", "gap"]
plan.main()
print(calls)
"""


def test_kernels_are_ready_before_the_first_part() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", CALLS], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['bulk', 'gap']"
