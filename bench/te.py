"""Whole-network optimisation, measured: least maximum link utilisation (MLU) by segment lists, against the proven bound.

    python bench/te.py [--data DIR] [--graph F --demands F] [--matrix 0000] [--only NAME ...] [--parts ...] [--json]

`--data` is a folder with REPETITA's `NAME.graph` and `NAME.0000.demands` (not shipped: they carry no licence). One
thread; compiling and the tables of all pairs are apart (`tables_s`); the bound's time is in `bound_s` and in nothing else.
Every MLU is that of the independent checker. Parts: `whole` (always), `latency` (each demand within 1.2 times the IGP's
worst latency), `curve` (share of demands with a policy, by gap), `churn`, `ways` (weighted lists), `failures` (each cable
and risk group, 60 of them at most, fails and is mended; the worst is set against its own bound). The rates of the online path
engine (`bench/admissions.py`, 200 nodes) stand beside them, in runs of their own; `--no-admissions` leaves them out.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the package `bench`, from wherever this is started

from bench.admissions import measure as admissions
from bench.admissions import random_topology
from bench.routing.instances import Instance, all_in, read_instance
from bench.routing.parts import churn, curve, failures, latency, warm, ways, whole

from suanwang.guide.mcf import LP_SECONDS
from suanwang.net.te import Settings, optimise

PARTS = ("latency", "curve", "churn", "ways", "failures")
ADMISSION_NODES = 200
ADMISSION_KEYS = ("admissions_per_s_batch", "admissions_per_s_python", "oversubscribed")
COLUMNS = [
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
    "peak_rss_mb",
]


def measure(one: Instance, parts: list[str], bound_seconds: float) -> dict[str, Any]:
    began_s = time.perf_counter()
    bound = one.bound(bound_seconds)
    row = whole(one, bound, time.perf_counter() - began_s)
    settings = Settings(segments=row["segments"], goal_mlu=bound.mlu * 1.01 if row["gap"] <= 0.01 else None)
    if "latency" in parts:
        row |= latency(one, bound)
    if "curve" in parts:
        row |= curve(one, bound, row["segments"])
    if "churn" in parts or "failures" in parts:
        installed = optimise(one.plane, one.shares, one.demands, settings=settings).policies
        row |= churn(one, installed, bound) if "churn" in parts else {}
        row |= failures(one, installed, row["segments"]) if "failures" in parts else {}
    if "ways" in parts:
        row |= ways(one, bound)
    return row


def admission_rates(rounds: int) -> dict[str, Any]:
    """Answers a second of the online engine, both ways, and the links that were ever oversubscribed (none may be)."""
    row = admissions(random_topology(ADMISSION_NODES, seed=1), rounds, seed=1, load=0.16)
    return {name: row[name] for name in ADMISSION_KEYS}


def admission_table(found: dict[str, Any]) -> str:
    lines = [f"online path engine, {ADMISSION_NODES} nodes:"]
    return "\n".join([*lines, *(f"  {name:<26}{found[name]:>12,}" for name in ADMISSION_KEYS)])


def table(rows: list[dict[str, Any]]) -> str:
    cells = [COLUMNS, *([str(row[name]) for name in COLUMNS] for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(COLUMNS))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)


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
    rows: list[dict[str, Any]] = []
    for graph, demands in pairs:
        one = read_instance(graph, demands)
        rows.append(measure(one, given.parts, given.bound_seconds))
        if not given.json:
            print(rows[-1], file=sys.stderr, flush=True)
    rates = admission_rates(given.admission_rounds) if given.admissions else {}
    if given.json:
        print(json.dumps({"jit_s": jit_s, "instances": rows, **rates}))
        return
    print(f"{table(rows)}\ncompiling, or loading compiled code: {jit_s} s")
    if rates:
        print(admission_table(rates))


if __name__ == "__main__":
    main()
