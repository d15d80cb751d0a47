"""Scores of the published node policies that look at the node and the task alone. Higher is better; 0 to 100.

The figures are those of the published experiment (FGD, ATC'23, section 6), in integers: a fraction is counted in
millionths of the largest node of the pool.
"""

from suanwang.net.jit import inner
from suanwang.plan.kernel.fragmentation_types import Needs, NodePolicy, Nodes
from suanwang.plan.kernel.fragmentation_worth import shared
from suanwang.plan.kernel.types import CARDS_MAX, I64, WHOLE

TOP = 100
MILLION = 1_000_000
DOT_PRODUCT = int(NodePolicy.DOT_PRODUCT)
CLUSTERING = int(NodePolicy.CLUSTERING)
PACKING = int(NodePolicy.PACKING)
BEST_FIT = int(NodePolicy.BEST_FIT)


@inner
def _free(nodes: Nodes, node: int) -> int:
    out = 0
    for place in range(CARDS_MAX):
        out += nodes.card[node, place]
    return out


@inner
def _dot_product(nodes: Nodes, needs: Needs, kind: int, node: int) -> int:
    """Both vectors in parts of the largest node; the smaller their product, the better."""
    most_cpu, most_card = nodes.largest[0], nodes.largest[1]
    by_cpu = nodes.cpu[node] * needs.cpu[kind] * MILLION // (most_cpu * most_cpu)
    asked = needs.cards[kind] * needs.milli[kind]
    by_card = _free(nodes, node) * asked * MILLION // (most_card * most_card)
    return int(TOP * (2 * MILLION - by_cpu - by_card) // (2 * MILLION))


@inner
def _best_fit(nodes: Nodes, needs: Needs, kind: int, node: int) -> int:
    """The less is left, in the mean of processors and cards, the better."""
    by_cpu = (nodes.cpu[node] - needs.cpu[kind]) * MILLION // nodes.largest[0]
    asked = needs.cards[kind] * needs.milli[kind]
    by_card = (_free(nodes, node) - asked) * MILLION // nodes.largest[1]
    return int(TOP * (2 * MILLION - by_cpu - by_card) // (2 * MILLION))


@inner
def _clustering(nodes: Nodes, needs: Needs, kind: int, node: int) -> int:
    """Nodes with tasks of the same number of cards alone, then among others, then empty nodes, then the rest."""
    if needs.cards[kind] == 0:
        return 0
    mine = 0 if shared(needs, kind) else needs.cards[kind]
    different = 0
    for one in range(CARDS_MAX + 1):
        if nodes.tenants[node, one] > 0:
            different += 1
    full = TOP // 4 * (nodes.largest[1] - _free(nodes, node)) // nodes.largest[1]
    if nodes.tenants[node, mine] > 0:
        return int(full + (75 if different == 1 else 50))
    return int(full + (25 if different == 0 else 0))


@inner
def _packing(nodes: Nodes, needs: Needs, row: I64, kind: int, node: int) -> int:
    """Cards in use first, the fullest first; then whole cards of nodes in use; then empty nodes with few cards."""
    if needs.cards[kind] == 0:
        return 0
    whole = 0
    for place in range(CARDS_MAX):
        row[place] = nodes.card[node, place]
        if row[place] == WHOLE:
            whole += 1
    if whole == nodes.cards[node]:
        return max(TOP // 3 - whole, whole)
    used, ratio = 0, 0
    for _ in range(needs.cards[kind]):
        least = -1
        for place in range(CARDS_MAX):
            if row[place] >= needs.milli[kind] and (least < 0 or row[place] < row[least]):
                least = place
        if row[least] == WHOLE:
            used += 1
        ratio += row[least] * 100 // WHOLE
        row[least] = -1
    if used > 0:
        return max(TOP // 2 - used, TOP // 3)
    return int(max(TOP - ratio // 10, TOP // 2))


@inner
def plain_score(policy: int, nodes: Nodes, needs: Needs, row: I64, kind: int, node: int) -> int:
    """The score of a feasible node under a baseline; `row` [8] is scratch. RANDOM: all alike."""
    if policy == DOT_PRODUCT:
        return _dot_product(nodes, needs, kind, node)
    if policy == BEST_FIT:
        return _best_fit(nodes, needs, kind, node)
    if policy == CLUSTERING:
        return _clustering(nodes, needs, kind, node)
    if policy == PACKING:
        return _packing(nodes, needs, row, kind, node)
    return 0
