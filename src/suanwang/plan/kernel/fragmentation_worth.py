"""What a node is worth to the tasks expected to come, and the score of placing a task on it.

The worth of a node to one expected task that fits: four parts the free milli of all cards that are large enough
(FGD's measure), one part the milli that copies of the task would really take, within cards, processors and memory.
A task that does not fit finds nothing. The loss of a placement = worth before - worth after - what it takes itself.
"""

from suanwang.net.jit import inner, kernel
from suanwang.plan.kernel.fragmentation_types import RATE_BITS, Expected, Needs, NodePolicy, Nodes
from suanwang.plan.kernel.types import CARDS_MAX, I64, WHOLE

NONE = -(2**62)  # score of a node that cannot take the task
PARTS = 1000  # tightness is counted in thousandths of the largest node
# Milli that the emptiness of one whole largest node counts, processors and cards each. A share has its card to tell
# nodes apart; a task without cards has nothing else.
TIGHT_PLAIN = 30
TIGHT_WHOLE = 15
GRADIENT = int(NodePolicy.GRADIENT)


@inner
def worth(card: I64, cpu: int, mem: int, model: int, expected: Expected) -> int:
    """Sum over expected tasks of weight x parts x milli of this node that they can use. `card` is [8] milli."""
    shapes = expected.shape_cards.size
    whole, copies = expected.parts[0], expected.parts[1]
    out = 0
    for shape in range(shapes):
        row = expected.first[model * shapes + shape]
        end = expected.first[model * shapes + shape + 1]
        if row == end or expected.cpu[row] > cpu:
            continue
        count, free, pieces = 0, 0, 0
        for place in range(CARDS_MAX):
            fit = int(expected.pieces[shape, card[place]])
            if fit:
                count += 1
                free += card[place]
                pieces += fit
        cards = expected.shape_cards[shape]
        if count < cards:
            continue
        most = pieces // cards * cards * expected.shape_milli[shape]
        while row < end and expected.cpu[row] <= cpu:
            if expected.mem[row] <= mem:
                taken = most
                if copies:
                    if expected.cpu_rate[row] >= 0:
                        taken = min(taken, (cpu * expected.cpu_rate[row]) >> RATE_BITS)
                    if expected.mem_rate[row] >= 0:
                        taken = min(taken, (mem * expected.mem_rate[row]) >> RATE_BITS)
                out += expected.weight[row] * (whole * free + copies * taken)
            row += 1
    return out


@inner
def fits(nodes: Nodes, needs: Needs, kind: int, node: int) -> bool:
    """Processors, memory, model, and as many cards with enough free as are asked."""
    if nodes.cpu[node] < needs.cpu[kind] or nodes.mem[node] < needs.mem[kind]:
        return False
    if needs.cards[kind] == 0:
        return True
    if not (needs.mask[kind] >> nodes.model[node]) & 1:
        return False
    count = 0
    for place in range(CARDS_MAX):
        if nodes.card[node, place] >= needs.milli[kind]:
            count += 1
    return bool(count >= needs.cards[kind])


@inner
def shared(needs: Needs, kind: int) -> bool:
    """A part of one card."""
    return bool(needs.cards[kind] == 1 and needs.milli[kind] < WHOLE)


@inner
def take_cards(row: I64, cards: int, milli: int) -> None:
    """Takes from the first cards of `row` [8] that have enough."""
    for place in range(CARDS_MAX):
        if cards > 0 and row[place] >= milli:
            row[place] -= milli
            cards -= 1


@inner
def level(steps: I64, gain: int) -> int:
    """How many steps the gain reaches: 0..99."""
    low, high = 0, steps.size
    while low < high:
        middle = (low + high) // 2
        if steps[middle] <= gain:
            low = middle + 1
        else:
            high = middle
    return low


@inner
def _grade(policy: int, nodes: Nodes, needs: Needs, expected: Expected, kind: int, node: int, gain: int) -> int:
    """From the gain (the loss, negative) in 1 / (total x parts) milli to the score."""
    if policy == GRADIENT:
        return level(expected.steps, gain)
    if shared(needs, kind):
        return PARTS * gain
    free = 0
    for place in range(CARDS_MAX):
        free += nodes.card[node, place]
    left_cpu = (nodes.cpu[node] - needs.cpu[kind]) * PARTS // nodes.largest[0]
    left_card = (free - needs.cards[kind] * needs.milli[kind]) * PARTS // nodes.largest[1]
    scale = expected.total[0] * (expected.parts[0] + expected.parts[1])
    tight = TIGHT_WHOLE if needs.cards[kind] else TIGHT_PLAIN
    return int(PARTS * gain - tight * scale * (left_cpu + left_card))


@inner
def loss_score(
    policy: int, nodes: Nodes, needs: Needs, expected: Expected, base: I64, row: I64, kind: int, node: int
) -> tuple[int, int]:
    """(score, card) of a feasible node; the card counts for a share alone. `base` [N] is the worth now; `row` [8] scratch."""
    milli = needs.milli[kind]
    taken = needs.cards[kind] * milli * expected.total[0] * (expected.parts[0] + expected.parts[1]) - base[node]
    cpu, mem, model = nodes.cpu[node] - needs.cpu[kind], nodes.mem[node] - needs.mem[kind], nodes.model[node]
    for place in range(CARDS_MAX):
        row[place] = nodes.card[node, place]
    if not shared(needs, kind):
        take_cards(row, needs.cards[kind], milli)
        gain = taken + worth(row, cpu, mem, model, expected)
        return _grade(policy, nodes, needs, expected, kind, node, gain), -1
    best, chosen = NONE, -1
    for place in range(CARDS_MAX):
        if row[place] < milli:
            continue
        again = False  # a card like an earlier one scores alike
        for other in range(place):
            again = again or row[other] == row[place]
        if again:
            continue
        row[place] -= milli
        gain = taken + worth(row, cpu, mem, model, expected)
        row[place] += milli
        score = _grade(policy, nodes, needs, expected, kind, node, gain)
        if score > best:
            best, chosen = score, place
    return best, chosen


@kernel
def worth_of(nodes: Nodes, expected: Expected, out: I64) -> None:
    """The worth of every node into `out` [N]."""
    for node in range(nodes.cpu.size):
        out[node] = worth(nodes.card[node], nodes.cpu[node], nodes.mem[node], nodes.model[node], expected)
