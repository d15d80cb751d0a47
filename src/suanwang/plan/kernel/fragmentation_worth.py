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
def _grade(
    policy: int, gain: int, left_cpu: int, left_card: int, cards: int, milli: int, largest_cpu: int, largest_card: int,
    expected: Expected,
) -> int:  # fmt: skip
    """From the gain (the loss, negative) in 1 / (total x parts) milli to the score; `left_*`: what the node would keep."""
    if policy == GRADIENT:
        return level(expected.steps, gain)
    if cards == 1 and milli < WHOLE:
        return PARTS * gain
    empty = left_cpu * PARTS // largest_cpu + left_card * PARTS // largest_card
    scale = expected.total[0] * (expected.parts[0] + expected.parts[1])
    tight = TIGHT_WHOLE if cards else TIGHT_PLAIN
    return int(PARTS * gain - tight * scale * empty)


@inner
def loss_of(
    policy: int, row: I64, cpu: int, mem: int, model: int, worth_now: int, cards: int, milli: int, largest_cpu: int,
    largest_card: int, expected: Expected,
) -> tuple[int, int]:  # fmt: skip
    """(score, card) of a node that can take a task; the card counts for a share alone.

    `row` [8]: free milli of its cards now, changed here; `cpu`, `mem`: what the node would keep; cards x milli: the need.
    """
    free = 0
    for place in range(CARDS_MAX):
        free += row[place]
    left = free - cards * milli
    taken = cards * milli * expected.total[0] * (expected.parts[0] + expected.parts[1]) - worth_now
    if cards != 1 or milli >= WHOLE:
        take_cards(row, cards, milli)
        gain = taken + worth(row, cpu, mem, model, expected)
        return _grade(policy, gain, cpu, left, cards, milli, largest_cpu, largest_card, expected), -1
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
        score = _grade(policy, gain, cpu, left, cards, milli, largest_cpu, largest_card, expected)
        if score > best:
            best, chosen = score, place
    return best, chosen


@inner
def loss_score(
    policy: int, nodes: Nodes, needs: Needs, expected: Expected, base: I64, row: I64, kind: int, node: int
) -> tuple[int, int]:
    """(score, card) of a feasible node. `base` [N] is the worth now; `row` [8] scratch."""
    for place in range(CARDS_MAX):
        row[place] = nodes.card[node, place]
    return loss_of(
        policy, row, nodes.cpu[node] - needs.cpu[kind], nodes.mem[node] - needs.mem[kind], nodes.model[node], base[node],
        needs.cards[kind], needs.milli[kind], nodes.largest[0], nodes.largest[1], expected,
    )  # fmt: skip


@kernel
def worth_of(nodes: Nodes, expected: Expected, out: I64) -> None:
    """The worth of every node into `out` [N]."""
    for node in range(nodes.cpu.size):
        out[node] = worth(nodes.card[node], nodes.cpu[node], nodes.mem[node], nodes.model[node], expected)
