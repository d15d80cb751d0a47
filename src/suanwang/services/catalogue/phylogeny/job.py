"""Neighbour joining (Saitou and Nei, 1987) on sequences that evolved along a known tree. Writes out/tree.nwk and out/true.nwk."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np


def grow(rng, species, rate):
    """A random tree as rows (parent, length); leaves come first, the root last."""
    live, parent, length, number = list(range(species)), {}, {}, species
    while len(live) > 1:
        a, b = (live.pop(int(rng.integers(len(live)))) for _ in range(2))
        for child in (a, b):
            parent[child], length[child] = number, rate * (0.5 + rng.random())
        live.append(number)
        number += 1
    return parent, length


def evolve(parent, length, species, sites, rng):
    """Sequences of the leaves under Jukes and Cantor."""
    root = max(parent.values())
    have = {root: rng.integers(0, 4, sites)}
    for node in sorted(parent, reverse=True):
        before = have[parent[node]]
        change = rng.random(sites) < 0.75 * (1 - np.exp(-4 / 3 * length[node]))
        have[node] = np.where(change, (before + rng.integers(1, 4, sites)) % 4, before)
    return np.stack([have[leaf] for leaf in range(species)])


def path_distances(parent, length, species):
    """Along the tree, exactly."""
    up = []
    for leaf in range(species):
        way, far, node = {leaf: 0.0}, 0.0, leaf
        while node in parent:
            far += length[node]
            node = parent[node]
            way[node] = far
        up.append(way)
    out = np.zeros((species, species))
    for a in range(species):
        for b in range(a):
            out[a, b] = out[b, a] = min(up[a][node] + up[b][node] for node in up[a] if node in up[b])
    return out


def join(distance):
    """The tree as parent and length, numbered as in `grow`; the last three meet in one node."""
    n = len(distance)
    d = {(a, b): distance[a, b] for a in range(n) for b in range(n)}
    live, parent, length, number = list(range(n)), {}, {}, n
    while len(live) > 3:
        m = len(live)
        table = np.array([[d[a, b] for b in live] for a in live])
        total = table.sum(1)
        q = (m - 2) * table - total[:, None] - total[None]
        np.fill_diagonal(q, np.inf)
        i, j = np.unravel_index(q.argmin(), q.shape)
        a, b = live[i], live[j]
        length[a] = table[i, j] / 2 + (total[i] - total[j]) / (2 * (m - 2))
        length[b] = table[i, j] - length[a]
        parent[a] = parent[b] = number
        for c in live:
            d[number, c] = d[c, number] = (d[a, c] + d[b, c] - d[a, b]) / 2
        d[number, number] = 0.0
        live = [one for one in live if one not in (a, b)] + [number]
        number += 1
    a, b, c = live
    for x, y, z in ((a, b, c), (b, a, c), (c, a, b)):
        parent[x], length[x] = number, (d[x, y] + d[x, z] - d[y, z]) / 2
    return parent, length


def splits(parent, species):
    """Each inner branch as the leaves on the side without leaf 0."""
    below = {}
    for leaf in range(species):
        node = leaf
        while True:
            below.setdefault(node, set()).add(leaf)
            if node not in parent:
                break
            node = parent[node]
    whole = set(range(species))
    sides = (leaves if 0 not in leaves else whole - leaves for leaves in below.values())
    return {frozenset(side) for side in sides if 2 <= len(side) <= species - 2}


def newick(parent, length):
    root = max(parent.values())
    children = {}
    for child, up in parent.items():
        children.setdefault(up, []).append(child)

    def text(node):
        inner = "(" + ",".join(text(one) for one in children[node]) + ")" if node in children else f"s{node}"
        return inner + (f":{length[node]:.5f}" if node in length else "")

    return text(root) + ";\n"


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    parent, length = grow(rng, p.species, p.rate)
    leaves = evolve(parent, length, p.species, p.sites, rng)
    differ = np.stack([(leaves != one).mean(1) for one in leaves])
    distance = -0.75 * np.log(1 - 4 / 3 * np.minimum(differ, 0.74))
    progress(0.4)
    made_parent, made_length = join(distance)
    true = splits(parent, p.species)
    found = splits(made_parent, p.species)
    exact_parent, _ = join(path_distances(parent, length, p.species))
    tips = [leaf for leaf in range(p.species) if parent[leaf] != max(parent.values())]
    error = [abs(made_length[leaf] - length[leaf]) for leaf in tips]
    (out / "tree.nwk").write_text(newick(made_parent, made_length))
    (out / "true.nwk").write_text(newick(parent, length))
    return {
        "inner_branches": len(true),
        "branches_right_share": len(true & found) / max(1, len(true)),
        "exact_tree_from_exact_distances": splits(exact_parent, p.species) == true,
        "branch_length_error": float(np.mean(error)),
    }
