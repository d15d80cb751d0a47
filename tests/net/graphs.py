"""Small random topologies for the tests of `net`, from one seed each."""

import numpy as np

from suanwang.net.topology import Topology, make_topology


def random_topology(seed: int, nodes: int = 12, extra: int = 14, weights: int = 4, one_way: int = 0) -> Topology:
    """A ring with `extra` chords, both ways; small weights, so that equal costs are common; `one_way` links more."""
    draw = np.random.default_rng(seed)
    ends = [(at, (at + 1) % nodes) for at in range(nodes)]
    while len(ends) < nodes + extra:
        a, b = (int(one) for one in draw.integers(0, nodes, 2))
        if a != b:
            ends.append((a, b))
    pairs = [one for a, b in ends for one in ((a, b), (b, a))]
    weight = np.repeat(draw.integers(1, weights + 1, len(ends)), 2)
    latency = np.repeat(draw.integers(10, 900, len(ends)), 2)
    capacity = np.repeat(draw.integers(1, 10, len(ends)) * 1_000_000, 2)
    for _ in range(one_way):
        a, b = (int(one) for one in draw.choice(nodes, 2, replace=False))
        pairs.append((a, b))
        weight, latency = np.append(weight, draw.integers(1, weights + 1)), np.append(latency, draw.integers(10, 900))
        capacity = np.append(capacity, 5_000_000)
    table = np.array(pairs, np.int64)
    return make_topology(
        f"random-{seed}",
        [f"n{at}" for at in range(nodes)],
        [f"l{at}" for at in range(len(pairs))],
        table[:, 0].copy(),
        table[:, 1].copy(),
        weight.astype(np.int64),
        capacity.astype(np.int64),
        latency.astype(np.int64),
        risks=[[f"g{at // 2 % 5}"] if at // 2 % 3 == 0 else [] for at in range(len(pairs))],
    )
