"""The GPU-sharing yardstick: allocation on the public openb trace under the published node policies and our own.

The experiment of FGD (Weng et al., USENIX ATC 2023): 1,213 nodes with 6,212 GPUs; the tasks of a list, shuffled, then
uniform clones of them until 130 % of the GPU milli have been asked; nobody leaves; one by one; what does not fit is
dropped. Nodes stand in a random order, which breaks ties. Figure: GPU milli allocated, in percent, mean over seeds.

    python -m bench.planning.openb [--data DIR] [--lists DIR] [--seeds 10] [--quick] [--json]

The published figures are read from `fgd_reference_analysis_allo_discrete.csv` beside the data. After every run the
placements are checked again from the raw figures: `oversubscribed` counts nodes or cards that hold more than they have.
"""

import argparse
import csv
import json
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from suanwang.plan.kernel.fragmentation import Needs, NodePolicy, make_expected, make_nodes, make_pool, place
from suanwang.plan.kernel.types import I32, I64, U8, WHOLE

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "traces" / "openb"
PREFIX = "openb_pod_list_"
NODES = "openb_node_list_gpu_node.csv"
REFERENCE = "fgd_reference_analysis_allo_discrete.csv"
ASKED_PERCENT = 130
FIRST_SEED = 42
QUICK = ("default", "gpushare40")
# The settings of LEAST_LOSS were chosen on these, mostly with seeds 1 to 8; a first version was seen on all lists.
CHOSEN_ON = ("default", "cpu250", "gpushare40", "gpuspec25", "multigpu20", "multigpu40")
NAMES = {
    "01-Random": NodePolicy.RANDOM,
    "02-DotProd": NodePolicy.DOT_PRODUCT,
    "03-GpuClustering": NodePolicy.CLUSTERING,
    "04-GpuPacking": NodePolicy.PACKING,
    "05-BestFit": NodePolicy.BEST_FIT,
    "06-FGD": NodePolicy.GRADIENT,
}


class Cluster(NamedTuple):
    cpu: I64  # [N]
    mem: I64  # [N]
    cards: I64  # [N]
    model: I64  # [N]
    codes: dict[str, int]  # name of an accelerator model -> its code


class Tasks(NamedTuple):
    needs: Needs
    kind: I32  # [n] in the order of their names
    often: list[int]  # tasks of each kind


class Outcome(NamedTuple):
    percent: float
    per_second: float  # decisions a second of processor time of the one thread that decides
    oversubscribed: int


def read_cluster(path: Path) -> Cluster:
    rows = _rows(path)
    codes = {name: code for code, name in enumerate(sorted({row["model"] for row in rows}))}
    columns = [np.array([int(row[name]) for row in rows], np.int64) for name in ("cpu_milli", "memory_mib", "gpu")]
    return Cluster(columns[0], columns[1], columns[2], np.array([codes[row["model"]] for row in rows], np.int64), codes)


def read_tasks(path: Path, codes: dict[str, int]) -> Tasks:
    """`gpu_spec` names the models that will do, split by |; empty or absent: any."""
    found: dict[tuple[int, ...], int] = {}
    kind: list[int] = []
    often: list[int] = []
    for row in sorted(_rows(path), key=lambda row: row["name"]):
        cards = int(row["num_gpu"]) if int(row["gpu_milli"]) else 0
        models = [name for name in (row.get("gpu_spec") or "").split("|") if name] if cards else []
        mask = sum({1 << codes[name] for name in models if name in codes}) if models else -1
        need = (int(row["cpu_milli"]), int(row["memory_mib"]), cards, int(row["gpu_milli"]) if cards else 0, mask)
        number = found.setdefault(need, len(found))
        if number == len(often):
            often.append(0)
        often[number] += 1
        kind.append(number)
    table = np.array(list(found), np.int64)
    return Tasks(Needs(*(table[:, column].copy() for column in range(5))), np.array(kind, np.int32), often)


def arrivals(tasks: Tasks, capacity_milli: int, random: np.random.Generator) -> I32:
    """Kinds in the order of arrival: all tasks shuffled, then uniform clones up to 130 % of the capacity."""
    milli = (tasks.needs.cards * tasks.needs.milli)[tasks.kind]
    room = ASKED_PERCENT * capacity_milli // 100
    order = random.permutation(len(tasks.kind))
    asked = np.cumsum(milli[order])
    if asked[-1] > room:
        return tasks.kind[order[: int(np.searchsorted(asked, room, side="right"))]]
    more, total = [], int(asked[-1])
    while total + milli[clone := int(random.integers(len(tasks.kind)))] <= room:
        more.append(clone)
        total += int(milli[clone])
    return np.concatenate([tasks.kind[order], tasks.kind[np.array(more, np.int64)]])


def run(cluster: Cluster, tasks: Tasks, policy: NodePolicy, seed: int) -> Outcome:
    random = np.random.default_rng(seed)
    kind = arrivals(tasks, int(cluster.cards.sum()) * WHOLE, random)
    order = random.permutation(len(cluster.cpu))
    nodes = make_nodes(*(column[order] for column in (cluster.cpu, cluster.mem, cluster.cards, cluster.model)))
    pool = make_pool(nodes, tasks.needs, make_expected(tasks.needs, tasks.often, len(cluster.codes), policy))
    draws = random.integers(0, 2**62, (len(kind), 2))
    began = time.thread_time()
    node, mask = place(pool, policy, kind, draws)
    took = time.thread_time() - began
    asked = (tasks.needs.cards * tasks.needs.milli)[kind][node >= 0].sum()
    percent = 100 * int(asked) / (int(cluster.cards.sum()) * WHOLE)
    return Outcome(percent, len(kind) / took, oversubscribed(cluster, order, tasks.needs, kind, node, mask))


def oversubscribed(cluster: Cluster, order: I64, needs: Needs, kind: I32, node: I32, mask: U8) -> int:
    """Nodes, cards and placements that are wrong, from the raw figures alone."""
    put = node >= 0
    where, what, bits = order[node[put]], kind[put], mask[put]
    held = np.zeros((len(cluster.cpu), 10), np.int64)
    np.add.at(held[:, 0], where, needs.cpu[what])
    np.add.at(held[:, 1], where, needs.mem[what])
    used = (bits[:, None] >> np.arange(8)) & 1
    np.add.at(held[:, 2:], where, used * needs.milli[what][:, None])
    cards = np.where(np.arange(8)[None, :] < cluster.cards[:, None], WHOLE, 0)
    have = np.concatenate([cluster.cpu[:, None], cluster.mem[:, None], cards], axis=1)
    other_model = ((needs.mask[what] >> cluster.model[where]) & 1) == 0
    return int((held > have).sum() + (used.sum(axis=1) != needs.cards[what]).sum() + other_model.sum())


def published(path: Path) -> dict[str, dict[NodePolicy, float]]:
    """List -> policy -> mean allocation at 130 %, as the authors' artefact reports it; empty without the file."""
    found: dict[tuple[str, NodePolicy], list[float]] = {}
    for row in _rows(path) if path.exists() else []:
        key = (row["workload"].removeprefix(PREFIX), NAMES[row["sc_policy"]])
        found.setdefault(key, []).append(float(row[str(ASKED_PERCENT)]))
    out: dict[str, dict[NodePolicy, float]] = {}
    for (name, policy), figures in found.items():
        out.setdefault(name, {})[policy] = round(sum(figures) / len(figures), 2)
    return out


def measure(data: Path, lists: Path, names: list[str], seeds: int) -> dict[str, object]:
    """The whole table: list -> policy -> {here, published}, and what is asked of `bench/plan.py`."""
    cluster = read_cluster(lists / NODES if (lists / NODES).exists() else data / NODES)
    reference = published(data / REFERENCE)
    table: dict[str, dict[str, dict[str, float | None]]] = {}
    openb: dict[str, dict[str, float | None]] = {}
    rates, wrong = [], 0
    first = read_tasks(lists / f"{PREFIX}{names[0]}.csv", cluster.codes)
    for policy in NodePolicy:
        run(cluster, first, policy, 0)  # compiles or loads the kernels, so that no rate counts it
    for name in names:
        tasks = read_tasks(lists / f"{PREFIX}{name}.csv", cluster.codes)
        table[name] = {}
        for policy in NodePolicy:
            outcomes = [run(cluster, tasks, policy, FIRST_SEED + one) for one in range(seeds)]
            here = round(sum(one.percent for one in outcomes) / seeds, 2)
            table[name][policy.name] = {"here": here, "published": reference.get(name, {}).get(policy)}
            wrong += sum(one.oversubscribed for one in outcomes)
            if policy == NodePolicy.LEAST_LOSS:
                rates += [one.per_second for one in outcomes]
        fgd = table[name][NodePolicy.GRADIENT.name]
        ours = table[name][NodePolicy.LEAST_LOSS.name]["here"]
        openb[name] = {"ours": ours, "fgd_here": fgd["here"], "fgd_published": fgd["published"]}
    return {
        "openb": openb,
        "openb_policies": table,
        "openb_seeds": seeds,
        "openb_decisions_per_s": round(len(rates) / sum(1 / rate for rate in rates)),
        "openb_slowest_per_s": round(min(rates)),
        "openb_oversubscribed": wrong,
    }


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _print(result: dict[str, object]) -> None:
    table = result["openb_policies"]
    assert isinstance(table, dict)
    print("GPU milli allocated at 130 % asked, percent: here (published)")
    print("list".ljust(14) + "".join(policy.name.lower().rjust(16) for policy in NodePolicy) + "  ours - FGD".rjust(12))
    gains = []
    for name, row in table.items():
        cells = [
            f"{row[p.name]['here']:.2f}" + (f" ({row[p.name]['published']:.2f})" if row[p.name]["published"] else "")
            for p in NodePolicy
        ]
        fgd = row[NodePolicy.GRADIENT.name]
        gain = row[NodePolicy.LEAST_LOSS.name]["here"] - (fgd["published"] or fgd["here"])
        gains.append(gain)
        print(name.ljust(14) + "".join(cell.rjust(16) for cell in cells) + f"{gain:+.2f}".rjust(12))
    print(f"mean {sum(gains) / len(gains):+.2f}, least {min(gains):+.2f}; settings chosen on {', '.join(CHOSEN_ON)}")
    print(
        f"least_loss: {result['openb_decisions_per_s']:,} decisions per processor second, slowest run "
        f"{result['openb_slowest_per_s']:,}/s; oversubscribed {result['openb_oversubscribed']}"
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the nodes, lists and published figures")
    parser.add_argument("--lists", type=Path, help=f"folder with other {PREFIX}*.csv (and other nodes, if there)")
    parser.add_argument("--only", nargs="+", metavar="LIST", help="names of lists, without prefix")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--quick", action="store_true", help="two lists, two seeds")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(arguments)
    lists = args.lists or args.data
    names = sorted(path.stem.removeprefix(PREFIX) for path in lists.glob(f"{PREFIX}*.csv"))
    if not names or not any((folder / NODES).exists() for folder in (lists, args.data)):
        print(f"no openb data: want {PREFIX}*.csv in {lists} and {NODES} there or in {args.data}", file=sys.stderr)
        return 2
    if args.quick:
        names = [name for name in names if name in QUICK] or names[:2]
    names = [name for name in names if not args.only or name in args.only]
    if not names:
        print(f"none of {', '.join(args.only)} is in {lists}", file=sys.stderr)
        return 2
    result = measure(args.data, lists, names, 2 if args.quick else args.seeds)
    if args.json:
        print(json.dumps(result))
    else:
        _print(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
