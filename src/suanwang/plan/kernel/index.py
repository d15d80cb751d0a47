"""The node index: keep a node's bits in step with what it has free, and find nodes that fit."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suanwang.net.jit import inner, lean, lowest_bit
from suanwang.plan.kernel.layout import OPENED, STEPS, Layout, cpu_row, mem_row
from suanwang.plan.kernel.types import CARDS_MAX, I32, I64, WHOLE

ONE = np.uint64(1)
NONE = np.uint64(0)
ROW = np.int64(1)  # a mask of rows needs 32 bits and a sign, whatever the type of the row's number
TENTH = 100  # milli


NODE = np.dtype(
    {
        "names": ["cpu", "mem", "card"],
        "formats": [np.int32, np.int32, (np.int16, CARDS_MAX)],
        "offsets": [0, 4, 8],
        "itemsize": 32,
    }
)
"""All of a node in half a line of the cache: a decision touches nodes far apart."""
LINE = 64


class Free(NamedTuple):
    """What is free now. The columns of nodes are views of one array of NODE."""

    cpu: I32  # [N]
    mem: I32  # [N]
    card: NDArray[np.int16]  # [N, 8] milli; 0 where the node has no such card
    pool: I64  # [P, 3] cpu, mem, milli
    shared: I64  # [R]


def packed(cpu: I32, mem: I32, card: NDArray[np.int16], pool: I64, shared: I64) -> Free:
    """A copy, with the columns of nodes side by side."""
    size = len(cpu) * NODE.itemsize
    room = np.zeros(size + LINE, np.uint8)
    first = -room.ctypes.data % LINE
    nodes = room[first : first + size].view(NODE)
    nodes["cpu"], nodes["mem"], nodes["card"] = cpu, mem, card
    return Free(nodes["cpu"], nodes["mem"], nodes["card"], pool.astype(np.int64), shared.astype(np.int64))


class Index(NamedTuple):
    """Made from Free; see `layout`."""

    bits: NDArray[np.uint64]
    sums: NDArray[np.uint64]
    row_count: I32  # [P, 32] nodes in each exact row
    row_mask: I64  # [P] bit r: row r has a node
    opened_count: I32  # [P, 10]
    opened_mask: I64  # [P]


@inner
def whole_cards(free: Free, node: int) -> int:
    """Cards of the node that nobody uses."""
    count = 0
    for card in range(CARDS_MAX):
        if free.card[node, card] == WHOLE:
            count += 1
    return count


@inner
def opened_card(free: Free, node: int) -> int:
    """Most milli left on a card that somebody uses."""
    most = 0
    for card in range(CARDS_MAX):
        left = int(free.card[node, card])
        if left < WHOLE and left > most:
            most = left
    return most


@inner
def _enter(layout: Layout, index: Index, count: I32, mask: I64, pool: int, local: int, base: int, row: int) -> None:
    """Set a node's bit in an exact row; `base` is 0, or the first row of opened cards."""
    word = local >> 6
    at = layout.bit_first[pool] + (base + row) * int(layout.words[pool]) + word
    total = layout.sum_first[pool] + (base + row) * int(layout.sum_words[pool]) + (word >> 6)
    index.bits[at] |= ONE << np.uint64(local & 63)
    index.sums[total] |= ONE << np.uint64(word & 63)
    count[pool, row] += 1
    mask[pool] |= ROW << row


@inner
def _leave(layout: Layout, index: Index, count: I32, mask: I64, pool: int, local: int, base: int, row: int) -> None:
    """Clear it."""
    word = local >> 6
    at = layout.bit_first[pool] + (base + row) * int(layout.words[pool]) + word
    index.bits[at] &= ~(ONE << np.uint64(local & 63))
    if index.bits[at] == NONE:
        total = layout.sum_first[pool] + (base + row) * int(layout.sum_words[pool]) + (word >> 6)
        index.sums[total] &= ~(ONE << np.uint64(word & 63))
    count[pool, row] -= 1
    if count[pool, row] == 0:
        mask[pool] &= ~(ROW << row)


@inner
def _steps(bits: NDArray[np.uint64], at: int, words: int, old: int, new: int, bit: np.uint64) -> None:
    """Move a node from row `old` to row `new` of rows of at least so much; `at` is its word in row 0."""
    for row in range(old + 1, new + 1):
        bits[at + row * words] |= bit
    for row in range(new + 1, old + 1):
        bits[at + row * words] &= ~bit


@inner
def move(
    layout: Layout, index: Index, pool: int, node: int,
    cpu_old: int, mem_old: int, whole_old: int, opened_old: int,
    cpu: int, mem: int, whole: int, opened: int,
) -> None:  # fmt: skip
    """Bring the bits of one node from its old free figures to its new ones."""
    local = node - layout.node_first[pool]
    words = int(layout.words[pool])
    base = layout.bit_first[pool] + (local >> 6)
    bit = ONE << np.uint64(local & 63)
    row_old, row_new = cpu_old >> layout.part_shift[pool], cpu >> layout.part_shift[pool]
    if layout.cards[pool] > 0:
        row_old, row_new = whole_old, whole
        if opened_old != opened:
            if opened_old > 0:
                _leave(layout, index, index.opened_count, index.opened_mask, pool, local, OPENED, opened_old // TENTH)
            if opened > 0:
                _enter(layout, index, index.opened_count, index.opened_mask, pool, local, OPENED, opened // TENTH)
    if row_old != row_new:
        _leave(layout, index, index.row_count, index.row_mask, pool, local, 0, row_old)
        _enter(layout, index, index.row_count, index.row_mask, pool, local, 0, row_new)
    _steps(index.bits, base, words, cpu_row(layout, pool, cpu_old), cpu_row(layout, pool, cpu), bit)
    _steps(index.bits, base, words, mem_row(layout, pool, mem_old), mem_row(layout, pool, mem), bit)


@lean
def enter_all(layout: Layout, free: Free, index: Index) -> None:
    """Fill an empty index from what is free."""
    for pool in range(layout.words.shape[0]):
        words = int(layout.words[pool])
        carded = layout.cards[pool] > 0
        for node in range(layout.node_first[pool], layout.node_first[pool + 1]):
            local = node - layout.node_first[pool]
            at = layout.bit_first[pool] + (local >> 6)
            bit = ONE << np.uint64(local & 63)
            row = int(free.cpu[node]) >> layout.part_shift[pool]
            if carded:
                row = whole_cards(free, node)
                opened = opened_card(free, node)
                if opened > 0:
                    _enter(layout, index, index.opened_count, index.opened_mask, pool, local, OPENED, opened // TENTH)
            _enter(layout, index, index.row_count, index.row_mask, pool, local, 0, row)
            exact = int(layout.exact[pool])
            _steps(index.bits, at, words, exact - 1, cpu_row(layout, pool, free.cpu[node]), bit)
            _steps(index.bits, at, words, exact + STEPS - 1, mem_row(layout, pool, free.mem[node]), bit)


@inner
def _collect(
    layout: Layout, free: Free, index: Index, pool: int, first_row: int, mask: int, cpu: int, mem: int,
    milli_least: int, milli_below: int, out: I32, found: int, want: int,
) -> int:  # fmt: skip
    """Nodes of the rows in `mask`, row by row and lowest number first, that have cpu and mem free.

    Of opened cards the largest must have `milli_least` left, and less than `milli_below`; 0 asks for neither.
    """
    words = int(layout.words[pool])
    base = layout.bit_first[pool]
    by_cpu = base + cpu_row(layout, pool, cpu) * words
    by_mem = base + mem_row(layout, pool, mem) * words
    bits = index.bits
    start = layout.node_first[pool]
    while mask != 0:
        number = first_row + lowest_bit(np.uint64(mask))
        row = base + number * words
        mask &= mask - 1
        for part in range(layout.sum_words[pool]):
            filled = index.sums[layout.sum_first[pool] + number * int(layout.sum_words[pool]) + part]
            while filled != NONE:
                word = part * 64 + lowest_bit(filled)
                filled &= filled - ONE
                left = bits[row + word] & bits[by_cpu + word] & bits[by_mem + word]
                while left != NONE:
                    node = start + word * 64 + lowest_bit(left)
                    left &= left - ONE
                    if free.cpu[node] < cpu or free.mem[node] < mem:
                        continue
                    if milli_least > 0 and opened_card(free, node) < milli_least:
                        continue
                    if milli_below > 0 and opened_card(free, node) >= milli_below:
                        continue
                    out[found] = node
                    found += 1
                    if found == want:
                        return found
    return found


@inner
def find_nodes(
    layout: Layout, free: Free, index: Index, pool: int, cpu: int, mem: int, cards: int, milli: int, want: int, out: I32
) -> int:  # fmt: skip
    """Write the first `want` different nodes that fit, in the published order; returns how many there are.

    Order: the tightest row first (fewest whole cards; for a share: an opened card of the lowest tenth that has room,
    then a node with the fewest whole cards; without cards: fewest 31sts of processor), then the lowest node.
    """
    if layout.words[pool] == 0 or cpu > layout.shape_cpu[pool] or mem > layout.shape_mem[pool]:
        return 0
    if layout.cards[pool] == 0:
        if cards > 0:
            return 0
        least = cpu >> layout.part_shift[pool]
        mask = (index.row_mask[pool] >> least) << least
        return _collect(layout, free, index, pool, 0, mask, cpu, mem, 0, 0, out, 0, want)
    found = 0
    if 0 < milli < WHOLE:
        mask = (index.opened_mask[pool] >> (milli // TENTH)) << (milli // TENTH)
        found = _collect(layout, free, index, pool, OPENED, mask, cpu, mem, milli, 0, out, 0, want)
        if found == want:
            return found
        mask = (index.row_mask[pool] >> 1) << 1
        return _collect(layout, free, index, pool, 0, mask, cpu, mem, 0, milli, out, found, want)
    mask = (index.row_mask[pool] >> cards) << cards
    return _collect(layout, free, index, pool, 0, mask, cpu, mem, 0, 0, out, 0, want)
