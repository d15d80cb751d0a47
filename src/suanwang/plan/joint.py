"""Several bodies of data at the same time: combinations whose paths fit on the links that they share."""

from typing import NamedTuple

import numpy as np

from suanwang.net.calendar import Steps, fits
from suanwang.net.jit import kernel
from suanwang.net.network import Flags, Ints

# Combinations tried for one site and one slowest option. It takes five bodies or more that fight for the same
# links to come near it; what lies beyond is not a candidate.
TRIES_MAX = 4096


class Alone(NamedTuple):
    """The options as if each were alone. The path of option k to node n is `edges[first[k, n]:first[k, n + 1]]`."""

    of_move: Ints
    rate_bps: Ints
    spans_us: Ints  # [option, node]
    costs: Ints
    first: Ints
    edges: Ints


class Work(NamedTuple):
    """Room for one search, used again and again. A level is a body of data; the body of the slowest option is first."""

    by_cost: Ints
    level: Ints  # the body at each level
    rest: Ints  # the least that the bodies from each level on cost
    pick: Ints  # the option picked at each level
    place: Ints  # where in `by_cost` each level stands
    paid: Ints
    group: Ints
    left: Ints
    users: Ints  # how many picks use each directed link


@kernel
def join_paths(alone: Alone, lines: Steps, room: Ints, start_us: int, wanted: Flags) -> tuple[Ints, Ints, Ints]:
    """(span, cost, picks) of the cheapest combination of which each option is the slowest, for each node."""
    options, nodes = alone.spans_us.shape
    moves = int(alone.of_move.max()) + 1
    far = np.int64(2**62)
    span, cost = np.full((options, nodes), far), np.full((options, nodes), far)
    picks = np.full((options, nodes, moves), -1, np.int64)
    work = Work(
        np.zeros(options, np.int64),
        np.zeros(moves, np.int64),
        np.zeros(moves + 1, np.int64),
        np.zeros(moves, np.int64),
        np.zeros(moves, np.int64),
        np.zeros(moves + 1, np.int64),
        np.zeros(moves, np.int64),
        np.zeros(1, np.int64),
        np.zeros(len(room), np.int64),
    )
    for node in range(nodes):
        if not wanted[node]:
            continue
        _sort(alone.costs, node, work.by_cost)
        for slowest in range(options):
            if alone.spans_us[slowest, node] < far:
                total = _cheapest(alone, lines, room, start_us, node, slowest, work, picks[slowest, node])
                if total < far:
                    span[slowest, node], cost[slowest, node] = alone.spans_us[slowest, node], total
    return span, cost, picks


@kernel
def _sort(costs: Ints, node: int, by_cost: Ints) -> None:
    """Options by their cost to a node, by insertion: there are few."""
    for one in range(len(by_cost)):
        at = one
        while at > 0 and costs[by_cost[at - 1], node] > costs[one, node]:
            by_cost[at] = by_cost[at - 1]
            at -= 1
        by_cost[at] = one


@kernel
def _levels(alone: Alone, node: int, slowest: int, work: Work) -> bool:
    """Set up the levels; False where one of the bodies cannot come in time."""
    limit_us, own = alone.spans_us[slowest, node], alone.of_move[slowest]
    moves = len(work.level)
    work.level[0] = own
    for move in range(moves):
        if move != own:
            work.level[move + 1 if move < own else move] = move
    for level in range(moves - 1, 0, -1):
        least = np.int64(2**62)
        for at in range(len(work.by_cost)):
            one = work.by_cost[at]
            if alone.of_move[one] == work.level[level] and alone.spans_us[one, node] <= limit_us:
                least = alone.costs[one, node]
                break
        if least >= 2**62:
            return False
        work.rest[level] = work.rest[level + 1] + least
    return True


@kernel
def _cheapest(
    alone: Alone, lines: Steps, room: Ints, start_us: int, node: int, slowest: int, work: Work, best: Ints
) -> int:
    """Depth first over the bodies, each body's options by cost; cut where the cost cannot be the least any more."""
    options, moves = len(alone.of_move), len(best)
    found = np.int64(2**62)
    if not _levels(alone, node, slowest, work):
        return int(found)
    limit_us = alone.spans_us[slowest, node]
    pick, place, paid = work.pick, work.place, work.paid
    pick[0], paid[1] = slowest, alone.costs[slowest, node]
    _use(alone, node, slowest, 1, work.users)
    place[:] = -1
    level, tries = 1, 0
    while level >= 1:
        place[level] += 1
        at = place[level]
        if at >= options or paid[level] + work.rest[level] >= found or tries >= 4096:
            place[level] = -1
            level -= 1
            if level >= 1:
                _use(alone, node, pick[level], -1, work.users)
            continue
        one = work.by_cost[at]
        if alone.of_move[one] != work.level[level] or alone.spans_us[one, node] > limit_us:
            continue
        total = paid[level] + alone.costs[one, node]
        if total + work.rest[level + 1] >= found:
            place[level] = options
            continue
        tries += 1
        if not _fits_beside(alone, lines, room, start_us, node, work, level, one):
            continue
        pick[level] = one
        if level + 1 == moves:
            found = total
            for number in range(moves):
                best[work.level[number]] = pick[number]
        else:
            paid[level + 1] = total
            _use(alone, node, one, 1, work.users)
            level += 1
    _use(alone, node, slowest, -1, work.users)
    return int(found)


@kernel
def _use(alone: Alone, node: int, option: int, more: int, users: Ints) -> None:
    """Count an option's links as used, or no longer. What is there already uses none."""
    if alone.spans_us[option, node] > 0:
        for at in range(alone.first[option, node], alone.first[option, node + 1]):
            users[alone.edges[at]] += more


@kernel
def _fits_beside(
    alone: Alone, lines: Steps, room: Ints, start_us: int, node: int, work: Work, count: int, one: int
) -> bool:
    """Whether option `one` fits on every link that it shares with the first `count` picks."""
    if alone.spans_us[one, node] == 0:
        return True  # it is there already
    group, left = work.group, work.left
    for at in range(alone.first[one, node], alone.first[one, node + 1]):
        edge = alone.edges[at]
        if work.users[edge] == 0:
            continue
        group[0], size = one, 1
        for earlier in range(count):
            other = work.pick[earlier]
            if alone.spans_us[other, node] > 0 and _has(alone, other, node, edge):
                group[size] = other
                size += 1
        for first in range(size):
            until_us = alone.spans_us[group[first], node]
            together = 0
            for second in range(size):
                if alone.spans_us[group[second], node] >= until_us:
                    together += alone.rate_bps[group[second]]
            left[0] = room[edge] - together
            if left[0] < 0 or not fits(lines, edge, start_us, start_us + until_us, left):
                return False
    return True


@kernel
def _has(alone: Alone, option: int, node: int, edge: int) -> bool:
    found = False
    for at in range(alone.first[option, node], alone.first[option, node + 1]):
        found = found or alone.edges[at] == edge
    return found


assert TRIES_MAX == 4096, "the kernel knows it by this number"
