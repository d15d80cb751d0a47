"""The planning core, measured: rate, ten million on the clock, distance from the bound, the GPU-sharing yardstick.

    python bench/plan.py [--json] [--quick] [--only ten growth peer memory explain proof gap openb store start] [--plot FILE]

`--quick` runs smaller worlds and ends within a minute; its figures are for a look, not to quote. Without it the run of
ten million is the whole one: 924,000 nodes, 300 sites, 2,000 classes. What each key means: `docs/guide/bulk.md`. Keys of
parts that did not run are null. `--plot` writes the part `growth` as a picture.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the package `bench`, from wherever this is started

from bench.planning import growth, memory
from bench.planning.plot import growth_svg
from bench.planning.ten_million import Run, ten_million

from suanwang.runtime.warm import bulk, nodes

PARTS = ("ten", "growth", "peer", "memory", "explain", "proof", "gap", "openb", "store", "start")
KEYS = (
    "joint_decisions_per_s",
    "ten_million_wall_s",
    "gap_load_090",
    "gap_load_105",
    "gap_scarce_links",
    "openb",
    "accelerator_fill",
    "oversubscribed",
    "projection_rows_per_s",
)


def ten(quick: bool) -> dict[str, Any]:
    """Ten million, or half a million on a twentieth of the nodes."""
    said = ten_million(Run(decisions=500_000, servers=46_200, replay=True) if quick else Run(replay=True))
    first = {key: said[key] for key in KEYS if key in said}
    return first | {"ten_million": {key: value for key, value in said.items() if key not in first}}


def grown(quick: bool) -> dict[str, Any]:
    """Rates by size."""
    if quick:
        return {
            "by_batch": growth.by_batch([4_096, 65_536], 3_000, 50_000),
            "by_world": growth.by_world([(30, 3_000), (300, 10_000)], 50_000),
            "by_policy": growth.by_policy(2_000, 8_000),
            "by_node_policy": growth.by_node_policy([(30, 3_000)], 20_000),
        }
    sizes = [(300, 30_000), (300, 100_000), (300, 300_000), (30, 924_000), (300, 924_000), (3_000, 924_000)]
    return {
        "by_batch": growth.by_batch([256, 1_024, 4_096, 16_384, 65_536, 262_144], 92_400, 1_000_000),
        "by_world": growth.by_world(sizes, 1_000_000),
        "by_policy": growth.by_policy(30_000, 200_000),
        "by_node_policy": [
            *growth.by_node_policy([(300, 300_000), (30, 300_000), (3, 300_000)], 500_000),
            *growth.by_node_policy([(30, 300_000)], 500_000, asked=1.05),
        ],
        "by_threads": growth.by_threads(92_400, 1_000_000),
        "snapshot": growth.snapshot_cost(924_000),
    }


def peer(quick: bool) -> dict[str, Any]:
    """HiGHS' own time for the same batch."""
    from bench.planning.peers import beside_highs

    sizes = [(100, 3_000, 400)] if quick else [(300, 30_000, 2_000), (300, 92_400, 2_000)]
    return {"peer": [beside_highs(*size) for size in sizes]}


def remembered(quick: bool) -> dict[str, Any]:
    """Memory of a process that holds a full grid and tasks that wait."""
    return {"memory": memory.measured(*((9_240, 10_000) if quick else (924_000, 1_000_000)))}


def reasons(quick: bool) -> dict[str, Any]:
    """Why one task of a batch is where it is."""
    from bench.planning.reasons import explained

    return {"explain": explained(*((46_200, 50_000, 20) if quick else (924_000, 1_000_000, 200)))}


def proofs(quick: bool) -> dict[str, Any]:
    """The proven gap of each batch, by the age of the prices."""
    from bench.planning.proofs import proven

    return {"proof": proven(3_000, 2_048, 4, classes=400, sites=100) if quick else proven(30_000, 16_384, 12)}


def stored(quick: bool) -> dict[str, Any]:
    """Records a second that the store appends with their rows in its SQL tables (SQLite); no bulk decisions."""
    from bench.store_append import make_batches, measure

    with tempfile.TemporaryDirectory() as folder:
        batches = make_batches(100 if quick else 2_000, 256)
        took_s = measure(f"sqlite:///{folder}/store.db", batches)
    return {"projection_rows_per_s": round(sum(map(len, batches)) / took_s)}


def gaps(quick: bool) -> dict[str, Any]:
    """Distance from the certified bound; the solver's own time for the same batch stands in `bound_s`."""
    from bench.planning.gap import measure

    said = measure(quick)
    return {name: said[name] for name in KEYS if name in said} | {"gap": said}


def yardstick(quick: bool, data: Path | None) -> dict[str, Any]:
    """The openb table; null without the trace's files."""
    from bench.planning import openb

    folder = data or openb.DATA
    names = sorted(path.stem.removeprefix(openb.PREFIX) for path in folder.glob(f"{openb.PREFIX}*.csv"))
    if not names:
        return {"openb": None}
    return openb.measure(folder, folder, list(openb.QUICK) if quick else names, 1 if quick else 10)


def starts(quick: bool) -> dict[str, Any]:
    """Wall and CPU seconds from nothing to the first decision of a process; cold: nothing is compiled yet."""
    said: dict[str, Any] = {}
    for name, code in (("", growth.BULK), ("planner_", growth.PLANNER)):
        for cold in (False, True):
            one = None if quick and (cold or name) else growth.start_of(code, cold, ready=quick)
            word = f"{name}{'cold' if cold else 'warm'}_start"
            said |= {f"{word}_s": one and one.wall_s, f"{word}_cpu_s": one and one.cpu_s}
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--quick", action="store_true", help="small worlds, within a minute")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--openb", type=Path, help="folder of the openb trace")
    parser.add_argument(
        "--plot", type=Path, help="write how the cost of a decision grows, as SVG; needs the part growth"
    )
    args = parser.parse_args()
    if args.plot and "growth" not in args.only:
        parser.error("--plot draws the part growth: it must run")
    began = time.perf_counter()
    bulk()
    nodes()  # nothing is compiled within a measured part
    ready_s = time.perf_counter() - began
    said: dict[str, Any] = dict.fromkeys(KEYS)
    said |= {
        "quick": args.quick,
        "cpus": os.cpu_count(),
        "load_1m": os.getloadavg()[0],
        "python": platform.python_version(),
    }
    runs = {
        "ten": ten,
        "growth": grown,
        "peer": peer,
        "memory": remembered,
        "explain": reasons,
        "proof": proofs,
        "gap": gaps,
        "store": stored,
        "openb": lambda quick: yardstick(quick, args.openb),
        "start": lambda quick: {"kernels_ready_s": ready_s} | starts(quick),
    }
    took: dict[str, float] = {}
    for part in PARTS:
        if part in args.only:
            part_began = time.perf_counter()
            said |= runs[part](args.quick)
            took[part] = round(time.perf_counter() - part_began, 1)
            if not args.json:
                print(f"{part}: done", file=sys.stderr)
    said["parts_s"] = took
    if args.plot:
        args.plot.write_text(growth_svg(said["by_batch"], said["by_world"]), encoding="utf-8")
    print(json.dumps(said) if args.json else json.dumps(said, indent=2))


if __name__ == "__main__":
    main()
