"""Whole-network optimisation, measured: least maximum link utilisation (MLU) by segment lists, against the proven bound.

    python bench/te.py [--data DIR] [--graph F --demands F] [--matrix 0000] [--only NAME ...] [--parts ...] [--json]

`--data` is a folder with REPETITA's `NAME.graph` and `NAME.0000.demands` (not shipped: they carry no licence). One
thread; compiling and the tables of all pairs are apart (`tables_s`); the bound's time is in `bound_s` and in nothing else.
Every MLU is that of the independent checker. Parts: `whole` (always), `latency` (each demand within 1.2 times the IGP's
worst latency), `curve` (share of demands with a policy, by gap), `churn`, `ways` (weighted lists), `failures` (each cable
and risk group, 60 of them at most, fails and is mended; the worst is set against its own bound). Each instance has a
process of its own, and so has its bound: `peak_rss_mb` is of reading, tables and search, from `start_rss_mb` on. The rates of the online path
engine (`bench/admissions.py`, 200 nodes) stand beside them, in runs of their own; `--no-admissions` leaves them out.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the package `bench`, from wherever this is started

from bench.admissions import measure as admissions
from bench.admissions import random_topology
from bench.routing.apart import apart, now_mb
from bench.routing.instances import all_in, read_instance
from bench.routing.parts import churn, curve, failures, latency, warm, ways, whole

from suanwang.guide.mcf import LP_SECONDS
from suanwang.net.te import Settings, optimise

Found = TypeVar("Found")
PARTS = ("latency", "curve", "churn", "ways", "failures")
ADMISSION_NODES = 200
ADMISSION_KEYS = ("admissions_per_s_batch", "admissions_per_s_python", "oversubscribed")
COLUMNS = (
    "name",
    "nodes",
    "demands",
    "igp_mlu",
    "bound",
    "bound_kind",
    "mlu",
    "gap",
    "segments",
    "seconds_to_1pct",
    "seconds",
    "cpu_seconds",
    "policies_share",
    "tables_s",
    "bound_s",
    "start_rss_mb",
    "peak_rss_mb",
    "bound_rss_mb",
)
TITLES = {
    "latency": "each demand within so many times the IGP's worst latency (gap: to the bound without latencies):",
    "curve": "share of demands with a policy, by the gap that is allowed (-: not looked for, or not reached):",
    "churn": "traffic drifts by up to a fifth:",
    "ways": "weighted lists:",
    "failures": "failures, mended:",
}
CURVE = "share_at_gap"


def measure(graph: Path, demands: Path, parts: list[str], bound_seconds: float) -> dict[str, dict[str, Any]]:
    """Rows of one instance by part; `peak_rss_mb` is of reading, tables and search, `bound_rss_mb` of the program."""
    start_mb = now_mb()
    one = read_instance(graph, demands)
    (bound, bound_s), bound_mb = apart(lambda: timed(lambda: one.bound(bound_seconds)))
    row = whole(one, bound, bound_s) | {"start_rss_mb": start_mb, "bound_rss_mb": bound_mb}
    rows = {"whole": row}
    settings = Settings(segments=row["segments"], goal_mlu=bound.mlu * 1.01 if row["gap"] <= 0.01 else None)
    if "latency" in parts:
        rows["latency"] = latency(one, bound)
    if "curve" in parts:
        rows["curve"] = curve(one, bound, row["segments"])
    if "churn" in parts or "failures" in parts:
        installed = optimise(one.plane, one.shares, one.demands, settings=settings).policies
        if "churn" in parts:
            rows["churn"] = churn(one, installed, bound)
        if "failures" in parts:
            rows["failures"] = failures(one, installed, row["segments"])
    if "ways" in parts:
        rows["ways"] = ways(one, bound)
    return rows


def timed(work: Callable[[], Found]) -> tuple[Found, float]:
    began_s = time.perf_counter()
    return work(), time.perf_counter() - began_s


def admission_rates(rounds: int) -> dict[str, Any]:
    """Answers a second of the online engine, both ways, and the links that were ever oversubscribed (none may be)."""
    row = admissions(random_topology(ADMISSION_NODES, seed=1), rounds, seed=1, load=0.16)
    return {name: row[name] for name in ADMISSION_KEYS}


def admission_table(found: dict[str, Any]) -> str:
    lines = [f"online path engine, {ADMISSION_NODES} nodes:"]
    return "\n".join([*lines, *(f"  {name:<26}{found[name]:>12,}" for name in ADMISSION_KEYS)])


def table(rows: list[dict[str, Any]], columns: Sequence[str]) -> str:
    cells = [list(columns), *(["-" if row.get(name) is None else str(row[name]) for name in columns] for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(columns))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)


def part_table(part: str, found: list[dict[str, dict[str, Any]]]) -> str:
    """One part of all instances."""
    rows = []
    for one in found:
        values = one[part][CURVE] if part == "curve" else one[part]
        rows.append({"name": one["whole"]["name"], **values})
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return f"\n{TITLES[part]}\n{table(rows, columns)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/repetita"))
    parser.add_argument("--graph", type=Path)
    parser.add_argument("--demands", type=Path)
    parser.add_argument("--matrix", default="0000")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--parts", nargs="*", default=[], choices=[*PARTS, []])
    parser.add_argument("--bound-seconds", type=float, default=LP_SECONDS)
    parser.add_argument("--admissions", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--admission-rounds", type=int, default=20, help="of 20,000 flows; the rate is of all of them")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    given = parser.parse_args()
    if (given.graph is None) != (given.demands is None):
        parser.error("--graph and --demands go together")
    pairs = [(given.graph, given.demands)] if given.graph else list(all_in(given.data, given.matrix))
    pairs = [pair for pair in pairs if not given.only or pair[0].stem in given.only]
    if not pairs:
        parser.error(f"no NAME.graph with NAME.{given.matrix}.demands in {given.data}: give --data or --graph")
    began_s = time.perf_counter()
    warm()
    jit_s = round(time.perf_counter() - began_s, 2)
    found: list[dict[str, dict[str, Any]]] = []
    for graph, demands in pairs:
        began_s = time.perf_counter()
        found.append(apart(partial(measure, graph, demands, given.parts, given.bound_seconds))[0])
        print(f"{graph.stem}: {time.perf_counter() - began_s:.0f} s", file=sys.stderr, flush=True)
    rates = admission_rates(given.admission_rounds) if given.admissions else {}
    if given.json:
        rows = [{name: value for part in one.values() for name, value in part.items()} for one in found]
        print(json.dumps({"jit_s": jit_s, "instances": rows, **rates}))
        return
    print(table([one["whole"] for one in found], COLUMNS))
    for part in dict.fromkeys(given.parts):
        print(part_table(part, found))
    print(f"\ncompiling, or loading compiled code: {jit_s} s")
    if rates:
        print(admission_table(rates))


if __name__ == "__main__":
    main()
