"""Take from what is free, and give back: nodes with their cards, a pool's sums, what routes cross, floating things."""

from suanwang.net.jit import inner
from suanwang.plan.kernel.index import Free, Index, move, opened_card, whole_cards
from suanwang.plan.kernel.layout import Layout
from suanwang.plan.kernel.types import CARDS_MAX, WHOLE, Classes, Fabric


@inner
def pick_cards(free: Free, node: int, cards: int, milli: int) -> int:
    """Mask of the cards to use: the lowest whole ones; for a share the tightest that has room, then the lowest."""
    mask = 0
    if 0 < milli < WHOLE:
        best, tightest = -1, WHOLE + 1
        for card in range(CARDS_MAX):
            left = int(free.card[node, card])
            if milli <= left < tightest:
                best, tightest = card, left
        return 1 << best if best >= 0 else 0
    for card in range(CARDS_MAX):
        if cards > 0 and free.card[node, card] == WHOLE:
            mask |= 1 << card
            cards -= 1
    return mask if cards == 0 else 0


@inner
def shift_node(
    layout: Layout, free: Free, index: Index, pool: int, node: int, cpu: int, mem: int, mask: int, milli: int
) -> bool:  # fmt: skip
    """Take (figures above 0) or give back (below 0) on one node; False and nothing done where it cannot be.

    `milli` is of each card in the mask: 1000 or a share.
    """
    cpu_old, mem_old = int(free.cpu[node]), int(free.mem[node])
    cpu_new, mem_new = cpu_old - cpu, mem_old - mem
    if cpu_new < 0 or cpu_new > layout.shape_cpu[pool] or mem_new < 0 or mem_new > layout.shape_mem[pool]:
        return False
    whole_old = whole = opened_old = opened = 0
    if layout.cards[pool] > 0:
        whole_old, opened_old = whole_cards(free, node), opened_card(free, node)
        if mask != 0:
            for card in range(CARDS_MAX):
                if (mask >> card) & 1:
                    left = int(free.card[node, card]) - milli
                    if left < 0 or left > WHOLE or card >= layout.cards[pool]:
                        return False
            for card in range(CARDS_MAX):
                if (mask >> card) & 1:
                    free.card[node, card] -= milli
            whole, opened = whole_cards(free, node), opened_card(free, node)
        else:
            whole, opened = whole_old, opened_old
    elif mask != 0:
        return False
    free.cpu[node] = cpu_new
    free.mem[node] = mem_new
    move(layout, index, pool, node, cpu_old, mem_old, whole_old, opened_old, cpu_new, mem_new, whole, opened)
    return True


@inner
def pool_has(free: Free, pool: int, cpu: int, mem: int, milli: int) -> bool:
    """Whether the pool's sums allow it."""
    return bool(free.pool[pool, 0] >= cpu and free.pool[pool, 1] >= mem and free.pool[pool, 2] >= milli)


@inner
def shift_pool(layout: Layout, free: Free, pool: int, cpu: int, mem: int, milli: int) -> bool:
    """Take from the pool's sums, or give back (below 0); False and nothing done where it cannot be."""
    for place, figure in ((0, cpu), (1, mem), (2, milli)):
        left = free.pool[pool, place] - figure
        if left < 0 or left > layout.pool_whole[pool, place]:
            return False
    free.pool[pool, 0] -= cpu
    free.pool[pool, 1] -= mem
    free.pool[pool, 2] -= milli
    return True


@inner
def route_has(fabric: Fabric, free: Free, route: int, mbps: int) -> bool:
    """Whether every crossing has the bandwidth; a resource crossed twice must have it twice."""
    if route < 0 or mbps == 0:
        return True
    first, end = fabric.route_first[route], fabric.route_first[route + 1]
    for at in range(first, end):
        if free.shared[fabric.route_use[at]] < mbps:
            return False
    done, fits = first, True
    while done < end and fits:
        free.shared[fabric.route_use[done]] -= mbps
        fits = free.shared[fabric.route_use[done]] >= 0
        done += 1
    for at in range(first, done):
        free.shared[fabric.route_use[at]] += mbps
    return fits


@inner
def shift_route(layout: Layout, fabric: Fabric, free: Free, route: int, mbps: int) -> bool:
    """Take the bandwidth on every crossing, or give it back (below 0); False and nothing done where it cannot be."""
    if route < 0 or mbps == 0:
        return True
    first, end = fabric.route_first[route], fabric.route_first[route + 1]
    for at in range(first, end):
        resource = fabric.route_use[at]
        left = free.shared[resource] - mbps
        free.shared[resource] = left
        if left < 0 or left > layout.capacity[resource]:
            for back in range(first, at + 1):
                free.shared[fabric.route_use[back]] += mbps
            return False
    return True


@inner
def shift_floating(layout: Layout, classes: Classes, free: Free, task_class: int, sign: int) -> bool:
    """Take what floats (sign 1) or give it back (-1); False and nothing done where it cannot be."""
    first, end = classes.float_first[task_class], classes.float_first[task_class + 1]
    for at in range(first, end):
        resource = classes.float_use[at]
        left = free.shared[resource] - sign * classes.float_amount[at]
        free.shared[resource] = left
        if left < 0 or left > layout.capacity[resource]:
            for back in range(first, at + 1):
                free.shared[classes.float_use[back]] += sign * classes.float_amount[back]
            return False
    return True
