"""How many flows a second the online path engine admits, and whether a link was ever oversubscribed.

An admission is the answer to one flow: a search, and the reservation of what it found. Refused flows count too (what was
reserved is beside it), and so does the time of the releases. A refusal for want of room costs most: it looks at every list,
so the rate depends on `--load`. Only lists of two segments are asked for. Flows come between random pairs with a bound of 0.85 to 1.6
times the IGP's worst latency, about a fifth cannot be admitted, and every round releases as many as keep the load. Times are
the thread's CPU time; wall time is beside them. Compilation and the tables of all pairs are not in them.

    python -m bench.admissions [--json] [--nodes 40 110 200] [--graph FILE.graph]
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from suanwang.net.network import Ints
from suanwang.net.paths import Engine
from suanwang.net.topology import Topology, make_topology, read_graph

ROUND = 20_000
LIVE_ROUNDS = 4  # a flow is live for so many rounds
WARM_ROUNDS = LIVE_ROUNDS + 1  # they compile, and fill the network


def random_topology(nodes: int, seed: int) -> Topology:
    """Points in a square of 1,500 km: each linked to its nearest in a chain and to near ones, 3 cables a node."""
    draw = np.random.default_rng(seed)
    place = draw.random((nodes, 2)) * 1_500.0
    apart = np.hypot(*(place[:, None] - place[None]).transpose(2, 0, 1))
    cables = {(int(np.argmin(np.where(np.arange(nodes) < one, apart[one], np.inf))), one) for one in range(1, nodes)}
    near = np.argsort(apart, axis=1)
    while len(cables) < 3 * nodes // 2:
        a = int(draw.integers(nodes))
        b = int(near[a, 1 + min(nodes - 2, int(draw.exponential(4.0)))])
        cables.add((min(a, b), max(a, b)))
    ends = sorted(cables)
    pairs = np.array([one for a, b in ends for one in ((a, b), (b, a))], np.int64)
    km = apart[pairs[:, 0], pairs[:, 1]]
    capacity = np.repeat(draw.choice([100, 200, 400], len(ends)), 2) * 1_000_000_000
    weight = np.maximum(1, km // 50).astype(np.int64)
    late = np.maximum(1, km * 5).astype(np.int64)
    names = [f"n{at}" for at in range(nodes)], [f"e{at}" for at in range(len(pairs))]
    return make_topology(
        f"random{nodes}", *names, pairs[:, 0].copy(), pairs[:, 1].copy(), weight, capacity.astype(np.int64), late
    )


def prices(topology: Topology, seed: int) -> Ints:
    """Micro-yuan for one Gbit/s in one hour: by length, with a third of chance."""
    draw = np.random.default_rng(seed)
    return (1_000 + topology.latency_us * draw.integers(80, 120, topology.m)).astype(np.int64)


def flows(engine: Engine, count: int, seed: int, bps: int) -> Ints:
    """Columns for `Engine.admit_batch`."""
    draw = np.random.default_rng(seed)
    n = engine.tables.n
    source = draw.integers(0, n, count)
    target = (source + draw.integers(1, n, count)) % n
    late = engine.tables.late_us[0, source, target]
    bound = (late * draw.uniform(0.85, 1.6, count)).astype(np.int64)
    amount = draw.integers(bps // 2, bps + bps // 2, count)
    zero = np.zeros(count, np.int64)
    return np.stack([source, target, amount, bound, zero, zero + 1]).astype(np.int64)


def oversubscribed(engine: Engine, handles: list[int]) -> int:
    """Links whose load, added up anew from the lists of what is live, is above their capacity."""
    load = [0] * engine.tables.topology.m
    for handle in handles:
        for link, part in engine.parts(handle):
            load[link] += part
    capacity = engine.tables.topology.capacity_bps.tolist()
    return sum(one > most for one, most in zip(load, capacity, strict=True))


def run(topology: Topology, rounds: int, seed: int, load: float, python: bool) -> dict[str, float]:
    """One measurement: rounds of `ROUND` flows, with the oldest released so that the load stays."""
    engine = Engine(topology, prices(topology, seed))
    hops = float((engine.tables.spans[:, 1] - engine.tables.spans[:, 0]).mean())
    size = int(load * float(topology.capacity_bps.sum()) / (ROUND * (LIVE_ROUNDS + 1) * hops))
    live: list[Ints] = []
    cpu = wall = 0.0
    asked = refused = 0
    for at in range(rounds + WARM_ROUNDS):
        columns = flows(engine, ROUND, seed + at, size)
        rows = columns.T.tolist()
        cpu_from, wall_from = time.thread_time(), time.perf_counter()
        if python:
            admit = engine.admit
            found = [admit(s, t, bps, bound) for s, t, bps, bound, _, _ in rows]
            handles = np.array(found, np.int64)
        else:
            handles = engine.admit_batch(columns)
        if len(live) == LIVE_ROUNDS:
            engine.release_batch(live.pop(0))
        live.append(handles)
        if at >= WARM_ROUNDS:
            cpu += time.thread_time() - cpu_from
            wall += time.perf_counter() - wall_from
            asked, refused = asked + ROUND, refused + int((handles < 0).sum())
    kept = [one for part in live for one in part[part >= 0].tolist()]
    return {
        "flows_per_s": asked / cpu,
        "flows_per_s_wall": asked / wall,
        "refused": refused / asked,
        "oversubscribed": oversubscribed(engine, kept),
        "least_free_share": float((engine.free[: topology.m, 0] / topology.capacity_bps).min()),
    }


def measure(topology: Topology, rounds: int, seed: int, load: float) -> dict[str, float | int | str]:
    """Both ways of one topology."""
    batch, single = run(topology, rounds, seed, load, False), run(topology, max(2, rounds // 5), seed, load, True)
    return {
        "topology": topology.name,
        "nodes": topology.n,
        "links": topology.m,
        "admissions_per_s_batch": round(batch["flows_per_s"]),
        "reserved_per_s_batch": round(batch["flows_per_s"] * (1 - batch["refused"])),
        "admissions_per_s_batch_wall": round(batch["flows_per_s_wall"]),
        "admissions_per_s_python": round(single["flows_per_s"]),
        "admissions_per_s_python_wall": round(single["flows_per_s_wall"]),
        "refused": round(batch["refused"], 4),
        "least_free_share": round(batch["least_free_share"], 5),
        "oversubscribed": int(batch["oversubscribed"] + single["oversubscribed"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--nodes", type=int, nargs="*", default=[40, 110, 200])
    parser.add_argument("--graph", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument(
        "--load", type=float, default=0.16, help="of what the links could carry if all paths were mean ones"
    )
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    topologies = [random_topology(one, asked.seed) for one in asked.nodes]
    if asked.graph is not None:
        topologies.append(read_graph(asked.graph.read_text(), asked.graph.stem))
    rows = [measure(one, asked.rounds, asked.seed, asked.load) for one in topologies]
    if asked.json:
        print(json.dumps({"rows": rows}))
        return
    for row in rows:
        print("  ".join(f"{key}={value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
