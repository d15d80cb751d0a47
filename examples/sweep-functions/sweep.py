"""How fast random regular graphs mix, by their degree: the second eigenvalue of many graphs, as one map over the grid.

No task file: a program that sends its own function. The class of its result and the helper that draws a graph travel with it.
"""

import argparse
import statistics
from dataclasses import dataclass

import suanwang


@dataclass
class Gap:
    """Second eigenvalue of the normalised adjacency of one graph: the nearer to 1, the slower a walk on it forgets its start."""

    degree: int
    seed: int
    second: float


def random_regular(nodes, degree, seed):
    """Neighbours of each node: the union of `degree` / 2 random cycles through all nodes."""
    import random

    draw = random.Random(seed)
    neighbours = [[] for _ in range(nodes)]
    for _ in range(degree // 2):
        order = list(range(nodes))
        draw.shuffle(order)
        for here, there in zip(order, order[1:] + order[:1], strict=True):
            neighbours[here].append(there)
            neighbours[there].append(here)
    return neighbours


@suanwang.task(memory="128 MiB", wall_time="5 min", preference="greenest", cache=True)
def spectral_gap(degree, seed, nodes=600, steps=120):
    """By power iteration on the complement of the constant vector, with the sign shifted away."""
    neighbours = random_regular(nodes, degree, seed)
    vector = [((n * 7919 + seed) % 101) - 50.0 for n in range(nodes)]
    second = 0.0
    for _ in range(steps):
        mean = sum(vector) / nodes
        vector = [x - mean for x in vector]
        norm = sum(x * x for x in vector) ** 0.5
        vector = [x / norm for x in vector]
        # (A / degree + 1) / 2 has eigenvalues in [0, 1] in the same order.
        moved = [(sum(vector[m] for m in neighbours[n]) / degree + vector[n]) / 2 for n in range(nodes)]
        second = sum(a * b for a, b in zip(vector, moved, strict=True))
        vector = moved
    return Gap(degree, seed, 2 * second - 1)


def sweep(degrees, seeds, task=spectral_gap):
    """Degree to the median second eigenvalue."""
    pairs = [(degree, seed) for degree in degrees for seed in range(seeds)]
    found = {}
    with task.map([d for d, _ in pairs], [s for _, s in pairs]) as gaps:
        for gap in gaps:
            found.setdefault(gap.degree, []).append(gap.second)
    return {degree: statistics.median(seconds) for degree, seconds in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=12)
    asked = parser.parse_args()
    plan = spectral_gap.plan(4, 0).plan
    print(f"one graph would go to {plan.site} for at most {plan.quote_micro_yuan / 1e6:.4f} yuan")
    for degree, second in sweep((4, 6, 8, 12), asked.seeds).items():
        bound = 2 * (degree - 1) ** 0.5 / degree
        print(f"degree {degree:2}: median second eigenvalue {second:.3f}, Alon-Boppana bound {bound:.3f}")


if __name__ == "__main__":
    main()
