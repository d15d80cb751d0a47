"""Node policies inside a pool: against a slow second opinion, and what holds whatever the figures."""

import math
import os
import subprocess
import sys
from pathlib import Path

import fragmentation_reference as reference
import numpy as np
import pytest

from suanwang.plan.kernel.fragmentation import (
    Needs,
    NodePolicy,
    Pool,
    make_expected,
    make_nodes,
    make_pool,
    place,
    release,
)
from suanwang.plan.kernel.fragmentation_worth import worth_of

SCORED = [NodePolicy.GRADIENT, NodePolicy.LEAST_LOSS]


def cards_of(mask: int) -> tuple[int, ...]:
    return tuple(place for place in range(8) if (int(mask) >> place) & 1)


def draws(count: int) -> np.ndarray:
    return np.random.default_rng(9).integers(0, 2**62, (count, 2))


def state(pool: Pool) -> list[list[int]]:
    return [np.asarray(one).ravel().tolist() for one in (*pool.nodes, pool.base)]


@pytest.mark.parametrize("policy", SCORED)
@pytest.mark.parametrize("seed", range(12))
def test_same_decisions_as_the_slow_reference(policy: NodePolicy, seed: int) -> None:
    pool, stream = reference.pool_of(seed, policy)
    counts = reference.world(seed)[2]
    expected = reference.decide(pool, counts, policy, stream)
    node, mask = place(pool, policy, stream)
    assert [(int(n), cards_of(m)) for n, m in zip(node, mask, strict=True)] == expected
    assert 0 < (node >= 0).sum() < len(stream), "the stream overfills the pool, or refusals go untested"


@pytest.mark.parametrize("policy", list(NodePolicy))
def test_safety_nothing_is_oversubscribed_and_nothing_that_fits_is_refused(policy: NodePolicy) -> None:
    for seed in range(20, 26):
        pool, stream = reference.pool_of(seed, policy, tasks=200)
        nodes, needs = reference.nodes_of(pool.nodes), reference.needs_of(pool.needs)
        node, mask = place(pool, policy, stream, draws(len(stream)))
        for kind, where, cards in zip(stream, node, mask, strict=True):
            need = needs[kind]
            if where < 0:
                assert not any(reference.can(one, need) for one in nodes)
                continue
            assert reference.can(nodes[where], need)
            assert len(cards_of(cards)) == need.cards
            nodes[where] = reference.after(nodes[where], need, cards_of(cards))
            assert min(nodes[where].card) >= 0
        assert reference.nodes_of(pool.nodes) == nodes


@pytest.mark.parametrize("policy", list(NodePolicy))
def test_releases_give_all_back(policy: NodePolicy) -> None:
    pool, stream = reference.pool_of(3, policy)
    empty = state(pool)
    node, mask = place(pool, policy, stream, draws(len(stream)))
    assert state(pool) != empty
    for kind, where, cards in zip(stream, node, mask, strict=True):
        if where >= 0:
            release(pool, int(kind), int(where), int(cards))
    assert state(pool) == empty


@pytest.mark.parametrize("policy", list(NodePolicy))
def test_memo_of_scores_changes_no_decision(policy: NodePolicy) -> None:
    """One batch, many batches with releases between, and a pool that forgets everything each time agree."""
    whole, stream = reference.pool_of(5, policy, nodes=9, tasks=300)
    forgets, _ = reference.pool_of(5, policy, nodes=9, tasks=300)
    chance = draws(len(stream))
    live: list[tuple[int, int, int]] = []
    for task, kind in enumerate(stream):
        one = slice(task, task + 1)
        forgets = make_pool(forgets.nodes, forgets.needs, forgets.expected)
        node, mask = place(whole, policy, stream[one], chance[one])
        node2, mask2 = place(forgets, policy, stream[one], chance[one])
        assert (node[0], mask[0]) == (node2[0], mask2[0])
        if node[0] >= 0:
            live.append((int(kind), int(node[0]), int(mask[0])))
        if task % 3 == 0 and live:
            gone = live.pop(len(live) // 2)
            release(whole, *gone)
            release(forgets, *gone)
    assert state(whole) == state(forgets)


def test_batches_do_not_matter() -> None:
    one, stream = reference.pool_of(8, NodePolicy.LEAST_LOSS)
    two, _ = reference.pool_of(8, NodePolicy.LEAST_LOSS)
    at_once = place(one, NodePolicy.LEAST_LOSS, stream)
    parts = [place(two, NodePolicy.LEAST_LOSS, stream[at : at + 7]) for at in range(0, len(stream), 7)]
    assert np.concatenate([node for node, _ in parts]).tolist() == at_once[0].tolist()
    assert np.concatenate([mask for _, mask in parts]).tolist() == at_once[1].tolist()


PRINT = """
import sys
import numpy as np
from suanwang.net.jit import COMPILED
from suanwang.plan.kernel.fragmentation import NodePolicy, place
import fragmentation_reference as reference
out = [COMPILED]
for policy in NodePolicy:
    pool, stream = reference.pool_of(31, policy, tasks=60)
    chance = np.random.default_rng(9).integers(0, 2**62, (len(stream), 2))
    node, mask = place(pool, policy, stream, chance)
    out += [node.tolist(), mask.tolist(), pool.memo.score.tolist(), pool.base.tolist()]
print(out)
"""


def test_plain_python_decides_bit_for_bit_alike() -> None:
    def run(kernels: str) -> str:
        environment = {**os.environ, "SUANWANG_KERNELS": kernels, "PYTHONPATH": str(Path(__file__).parent)}
        done = subprocess.run(
            [sys.executable, "-c", PRINT], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    compiled, plain = run("numba"), run("numpy")
    assert plain.startswith("[False, ")
    assert plain.split(", ", 1)[1] == compiled.split(", ", 1)[1]


@pytest.mark.parametrize("policy", SCORED)
@pytest.mark.parametrize("seed", range(5))
def test_more_room_is_never_worth_less(policy: NodePolicy, seed: int) -> None:
    pool, stream = reference.pool_of(seed, policy)
    place(pool, policy, stream)
    now = pool.base.copy()
    for more in (pool.nodes.cpu, pool.nodes.mem):
        more += 1500
        then = np.zeros_like(now)
        worth_of(pool.nodes, pool.expected, then)
        assert (then >= now).all()
        now = then
    full = np.arange(8)[None, :] < pool.nodes.cards[:, None]
    pool.nodes.card[full] = 1000
    worth_of(pool.nodes, pool.expected, then)
    assert (then >= now).all()
    assert then.sum() > pool.base.sum()


def test_levels_are_those_of_the_published_sigmoid() -> None:
    pool, _ = reference.pool_of(1, NodePolicy.GRADIENT)
    scale = int(pool.expected.total[0])
    for gain in (-8000, -2500, -401, -1, 0, 1, 39, 41, 777, 3000, 8000):
        published = math.floor(100 / (1 + math.exp(-gain / 1000)))
        assert np.searchsorted(pool.expected.steps, gain * scale, side="right") == published


def pool_by_hand(card: list[list[int]], asked: tuple[int, int], policy: NodePolicy) -> Pool:
    """Nodes of 64 cores with the given free cards, and one kind of need."""
    many = len(card)
    nodes = make_nodes(*(np.full(many, value) for value in (64_000, 262_144, len(card[0]), 0)))
    nodes.card[:, : len(card[0])] = card
    needs = Needs(*(np.array([value]) for value in (4_000, 8_192, *asked, -1)))
    return make_pool(nodes, needs, make_expected(needs, [1], 1, policy))


@pytest.mark.parametrize(
    ("policy", "card", "asked", "node", "cards"),
    [
        (NodePolicy.BEST_FIT, [[1000, 400, 700, 350]], (1, 350), 0, (3,)),  # the tightest card
        (NodePolicy.LEAST_LOSS, [[1000, 700]], (1, 600), 0, (1,)),  # the other card still takes a second one
        (NodePolicy.LEAST_LOSS, [[900, 1000, 1000, 1000]], (2, 1000), 0, (1, 2)),  # whole cards: the first
        (NodePolicy.LEAST_LOSS, [[1000, 1000], [1000, 600]], (1, 600), 1, (1,)),
        (NodePolicy.PACKING, [[1000, 1000], [1000, 600]], (1, 600), 1, (1,)),  # a card in use before a free one
        (NodePolicy.PACKING, [[1000, 1000], [1000, 500]], (1, 1000), 1, (0,)),  # a node in use before an empty one
        (NodePolicy.BEST_FIT, [[1000, 1000], [1000, 0]], (1, 1000), 1, (0,)),
        (NodePolicy.DOT_PRODUCT, [[1000, 1000], [1000, 0]], (1, 1000), 1, (0,)),
        (NodePolicy.GRADIENT, [[1000, 1000], [1000, 1000]], (1, 1000), 0, (0,)),  # equals: the lowest number
        (NodePolicy.LEAST_LOSS, [[500, 500], [400, 100]], (1, 600), -1, ()),
        (NodePolicy.LEAST_LOSS, [[1000, 999]], (2, 1000), -1, ()),
    ],
)
def test_choice(
    policy: NodePolicy, card: list[list[int]], asked: tuple[int, int], node: int, cards: tuple[int, ...]
) -> None:
    found, mask = place(pool_by_hand(card, asked, policy), policy, np.zeros(1, np.int32))
    assert (int(found[0]), cards_of(mask[0])) == (node, cards)


def test_clustering_keeps_kinds_together() -> None:
    nodes = make_nodes(*(np.full(3, value) for value in (96_000, 262_144, 8, 0)))
    needs = Needs(*(np.array(pair) for pair in ((1000, 1000), (1024, 1024), (1, 2), (500, 1000), (-1, -1))))
    pool = make_pool(nodes, needs, make_expected(needs, [1, 1], 1, NodePolicy.CLUSTERING))
    node, _ = place(pool, NodePolicy.CLUSTERING, np.array([0, 1, 0, 1, 1], np.int32))
    assert node.tolist() == [0, 1, 0, 1, 1]


def test_a_need_for_a_model_is_met_by_that_model_alone() -> None:
    nodes = make_nodes(*(np.array(pair) for pair in ((64_000, 64_000), (65_536, 65_536), (2, 2), (0, 1))))
    needs = Needs(*(np.array([value]) for value in (1000, 1024, 1, 1000, 0b10)))
    pool = make_pool(nodes, needs, make_expected(needs, [1], 2, NodePolicy.LEAST_LOSS))
    assert place(pool, NodePolicy.LEAST_LOSS, np.zeros(3, np.int32))[0].tolist() == [1, 1, -1]


def test_random_follows_its_draws() -> None:
    first, stream = reference.pool_of(2, NodePolicy.RANDOM)
    second, _ = reference.pool_of(2, NodePolicy.RANDOM)
    chance = draws(len(stream))
    found = place(first, NodePolicy.RANDOM, stream, chance)[0]
    assert found.tolist() != place(second, NodePolicy.RANDOM, stream, chance[::-1].copy())[0].tolist()
    with pytest.raises(ValueError, match="draws"):
        place(second, NodePolicy.RANDOM, stream)


def test_a_long_past_keeps_scores_inside_64_bits() -> None:
    nodes, needs, counts, stream = reference.world(4)
    usual = make_pool(nodes, needs, make_expected(needs, counts, 3, NodePolicy.LEAST_LOSS))
    long = make_expected(needs, [count * 10**12 for count in counts], 3, NodePolicy.LEAST_LOSS)
    assert 1000 * 8000 * int(long.total[0]) * int(long.parts.sum()) < 2**60
    assert int(long.total[0]) > int(usual.expected.total[0])
    node, _ = place(usual._replace(expected=long), NodePolicy.LEAST_LOSS, stream)
    assert (node >= 0).any()


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="cards"):
        make_nodes(*(np.array([value]) for value in (1000, 1024, 9, 0)))
