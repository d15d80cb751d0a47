"""The bench runs on a graph that it has not seen, and its JSON has the keys that are promised."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from te_worlds import random_world

from suanwang.net.topology import write_demands, write_graph

ROOT = Path(__file__).parents[2]
KEYS = [
    "name",
    "nodes",
    "demands",
    "bound",
    "mlu",
    "gap",
    "seconds_to_1pct",
    "seconds",
    "policies_share",
    "peak_rss_mb",
]


def test_bench_of_one_graph(tmp_path: Path) -> None:
    one = random_world(9, nodes=8)
    graph, demands = tmp_path / "x.graph", tmp_path / "x.0000.demands"
    graph.write_text(write_graph(one.topology))
    demands.write_text(write_demands(one.demands))
    parts = ["--parts", "latency", "curve", "churn", "ways", "failures"]
    command = [sys.executable, "bench/te.py", "--graph", str(graph), "--demands", str(demands), "--json", *parts]
    command += ["--admission-rounds", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    (row,) = found["instances"]
    assert set(KEYS) <= set(row) and row["nodes"] == 8 and row["demands"] == one.demands.q
    assert row["bound"] <= row["mlu"] * (1 + 1e-6) <= row["igp_mlu"] * (1 + 1e-4) and row["latency_violations"] == 0
    assert found["admissions_per_s_batch"] > 0 and found["admissions_per_s_python"] > 0
    assert found["oversubscribed"] == 0


def test_the_printed_table_shows_the_rates_and_they_can_be_left_out(tmp_path: Path) -> None:
    one = random_world(9, nodes=5)
    graph, demands = tmp_path / "x.graph", tmp_path / "x.0000.demands"
    graph.write_text(write_graph(one.topology))
    demands.write_text(write_demands(one.demands))
    command = [sys.executable, "bench/te.py", "--graph", str(graph), "--demands", str(demands)]
    command += ["--parts", "latency", "curve"]
    for flags, shown in ((["--admission-rounds", "1"], True), (["--no-admissions"], False)):
        done = subprocess.run([*command, *flags], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert ("admissions_per_s_batch" in done.stdout) is shown
        assert "policies_share" in done.stdout
        by_part = [part.splitlines() for part in done.stdout.split("\n\n")]
        (late,) = [lines for lines in by_part if "latency_violations" in " ".join(lines)]
        assert dict(zip(late[1].split(), late[2].split(), strict=True))["latency_violations"] == "0"
        (curve,) = [lines for lines in by_part if "allowed" in lines[0]]
        assert curve[1].split()[0] == "name" and len(curve) == 3 and len(curve[2].split()) == len(curve[1].split())


def test_the_peak_is_of_the_work_alone() -> None:
    """A process of its own neither has what was used before it, nor leaves what it used behind."""
    sys.path.insert(0, str(ROOT))
    try:
        apart = importlib.import_module("bench.routing.apart")
    finally:
        sys.path.remove(str(ROOT))
    mib = 2**20
    block = bytearray(b"x") * (300 * mib)
    del block  # the peak of this process has it
    before_mb = apart.now_mb()
    size, small = apart.apart(lambda: len(bytearray(b"x") * mib))
    big, large = apart.apart(lambda: len(bytearray(b"x") * (120 * mib)))
    assert (size, big) == (mib, 120 * mib)
    assert small < before_mb + 60 and large - small > 80
    with pytest.raises(SystemExit):
        apart.apart(lambda: os._exit(3))
