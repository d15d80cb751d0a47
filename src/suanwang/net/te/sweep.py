"""The sweep: each demand is offered the cheapest list at the prices of now, and takes it if the exact potential falls."""

from typing import Final

import numpy as np

from suanwang.net.jit import inner, lean
from suanwang.net.network import Flags, Ints
from suanwang.net.te.kernels import NONE, Dial, Int32s, Legs, Parts, Prices, Scratch, State, Tables, settle, walk
from suanwang.net.topology.topology import Reals

LATE_US: Final = 2**50  # above every bound


@inner
def best_middle(net: Tables, prices: Prices, s: int, t: int, bound_us: int) -> tuple[float, int, int]:
    """The midpoint of least price within the bound, and that price; in the form of `best_pair`."""
    best, least = NONE, np.inf
    for k in range(net.n):
        price = prices.out[s, k] + prices.back[t, k]
        if price < least and net.worst_us[s, k] + net.worst_us[k, t] <= bound_us and k != s and k != t:
            best, least = k, price
    return least, best, NONE


@lean
def fill_legs(net: Tables, prices: Prices, price: Reals, legs: Legs) -> None:
    """Fill `legs` from the prices of now."""
    for s in range(net.n):
        for k in range(net.n):
            legs.step[s, k] = prices.out[s, k]
            legs.by[s, k] = k
            legs.late_us[s, k] = net.worst_us[s, k]
    for e in range(len(price)):
        s, k = net.source[e], net.target[e]
        if net.usable[e] and price[e] < legs.step[s, k] and s != k:
            legs.step[s, k] = price[e]
            legs.by[s, k] = -1 - e
            legs.late_us[s, k] = net.latency_us[e]
    for t in range(net.n):
        for s in range(net.n):
            legs.rest[t, s] = prices.back[t, s]
            legs.via[t, s] = s
        for s in range(net.n):
            least, via = legs.rest[t, s], s
            for k in range(net.n):
                total = legs.step[s, k] + prices.back[t, k]
                if total < least:
                    least, via = total, k
            legs.rest[t, s] = least
            legs.via[t, s] = via
            legs.rest_us[t, s] = legs.late_us[s, via] + net.worst_us[via, t] if via != s else net.worst_us[s, t]


@inner
def best_pair(net: Tables, legs: Legs, s: int, t: int, bound_us: int) -> tuple[float, int, int]:
    """The list of up to two segments before t of least price within the bound, and its price."""
    first, least = s, np.inf
    if legs.rest_us[t, s] <= bound_us:
        least = legs.rest[t, s]
    for k in range(net.n):
        total = legs.step[s, k] + legs.rest[t, k]
        if total < least and k != s and legs.late_us[s, k] + legs.rest_us[t, k] <= bound_us:
            first, least = k, total
    one, two = NONE, NONE
    if first != s:
        one = legs.by[s, first]
    via = legs.via[t, first]
    if via != first:
        if one == NONE:
            one = legs.by[first, via]
        else:
            two = legs.by[first, via]
    return least, one, two


@inner
def list_price(net: Tables, prices: Prices, price: Reals, s: int, one: int, two: int, t: int) -> float:
    at, total = s, 0.0
    if one != NONE:
        total += prices.out[at, one] if one >= 0 else price[-1 - one]
        at = one if one >= 0 else net.target[-1 - one]
    if two != NONE:
        total += prices.out[at, two] if two >= 0 else price[-1 - two]
        at = two if two >= 0 else net.target[-1 - two]
    return float(total + prices.out[at, t])


@inner
def offer(
    net: Tables,
    parts: Parts,
    prices: Prices,
    price: Reals,
    legs: Legs,
    deep: bool,
    dial: Dial,
    i: int,
    one: int,
    two: int,
    now: float,
) -> tuple[float, int, int]:
    """The best of what part i has, the IGP's path, its installed list and the cheapest list, by traffic's price plus what
    a policy and a change cost; and how much more the latter two are then."""
    s, t, bps = parts.source[i], parts.target[i], parts.bps[i]
    was_one, was_two = parts.installed[i, 0], parts.installed[i, 1]
    fixed = 0.0 if one == NONE else dial.policy_price
    if one != was_one or two != was_two:
        fixed += dial.change_price
    least, extra, k, j = now + fixed, 0.0, one, two
    if one != NONE and net.worst_us[s, t] <= parts.bound_us[i]:
        then_fixed = 0.0 if was_one == NONE else dial.change_price
        if bps * prices.out[s, t] + then_fixed < least:
            least, extra, k, j = bps * prices.out[s, t] + then_fixed, then_fixed - fixed, NONE, NONE
    if was_one >= -len(price) and was_one != NONE and (one != was_one or two != was_two):
        then = bps * list_price(net, prices, price, s, was_one, was_two, t) + dial.policy_price
        if then < least:
            least, extra, k, j = then, dial.policy_price - fixed, was_one, was_two
    if now >= dial.least_cost and least > dial.policy_price:
        if deep:
            then, new_one, new_two = best_pair(net, legs, s, t, parts.bound_us[i])
        else:
            then, new_one, new_two = best_middle(net, prices, s, t, parts.bound_us[i])
        then_fixed = dial.policy_price
        if new_one != was_one or new_two != was_two:
            then_fixed += dial.change_price
        if new_one != NONE and bps * then + then_fixed < least:
            extra, k, j = then_fixed - fixed, new_one, new_two
    return extra, k, j


@lean
def sweep(
    net: Tables,
    parts: Parts,
    state: State,
    scratch: Scratch,
    prices: Prices,
    price: Reals,
    legs: Legs,
    deep: bool,
    dial: Dial,
    order: Ints,
    begin: int,
    moves: int,
    moved: Ints,
) -> int:
    """Offer each part of `order` from `begin` a better list, until so many have moved; where it stopped. `moved[0]` is how
    many did."""
    moved[0] = 0
    place = begin
    while place < len(order) and moved[0] < moves:
        i = order[place]
        place += 1
        s, t, bps = parts.source[i], parts.target[i], parts.bps[i]
        one, two = state.middle[i, 0], state.middle[i, 1]
        now = bps * list_price(net, prices, price, s, one, two, t)
        if one == NONE and now < dial.least_cost:
            continue
        extra, k, j = offer(net, parts, prices, price, legs, deep, dial, i, one, two, now)
        if k == one and j == two:
            continue
        count = walk(net, s, one, two, t, -bps, scratch, 0)
        count = walk(net, s, k, j, t, bps, scratch, count)
        if settle(net, state, scratch, count, dial, extra):
            state.middle[i, 0] = k
            state.middle[i, 1] = j
            moved[0] += 1
    return place


@lean
def prune(net: Tables, parts: Parts, state: State, scratch: Scratch, order: Ints, limit: float, back: Int32s) -> int:
    """Give each part of `order` the list `back[i]` where no link that it touches then passes `limit`; how many."""
    done = 0
    for place in range(len(order)):
        i = order[place]
        s, t, bps = parts.source[i], parts.target[i], parts.bps[i]
        one, two = state.middle[i, 0], state.middle[i, 1]
        if one == back[i, 0] and two == back[i, 1]:
            continue
        count = walk(net, s, one, two, t, -bps, scratch, 0)
        count = walk(net, s, back[i, 0], back[i, 1], t, bps, scratch, count)
        fits = True
        for at in range(count):
            e = scratch.touched[at]
            scratch.seen[e] = False
            if scratch.change[e] > 0.0 and (state.load[e] + scratch.change[e]) * net.per_bps[e] > limit:
                fits = False
        if not fits:
            continue
        for at in range(count):
            e = scratch.touched[at]
            state.load[e] += scratch.change[e]
        state.middle[i, 0] = back[i, 0]
        state.middle[i, 1] = back[i, 1]
        done += 1
    return done


@lean
def check(net: Tables, parts: Parts, lists: Int32s, fine: Flags) -> None:
    """Whether each part can take its list: every segment reached from where the one before ends, within the bound."""
    for i in range(len(parts.source)):
        at, late = parts.source[i], 0
        for place in range(3):
            segment = parts.target[i] if place == 2 else lists[i, place]
            if segment == NONE:
                continue
            if segment >= net.n or segment < -len(net.source):
                late = LATE_US
            elif segment >= 0:
                late += net.worst_us[at, segment]
                at = segment
            else:
                e = -1 - segment
                late += net.latency_us[e] if net.usable[e] and net.source[e] == at else LATE_US
                at = net.target[e]
        fine[i] = late <= parts.bound_us[i]


@lean
def quickest(net: Tables, parts: Parts, order: Ints, lists: Int32s, fine: Flags) -> None:
    """Give each part of `order` the midpoint of least worst latency; `fine` says whether that is within its bound."""
    for place in range(len(order)):
        i = order[place]
        s, t = parts.source[i], parts.target[i]
        best, least = NONE, net.worst_us[s, t]
        for k in range(net.n):
            late = net.worst_us[s, k] + net.worst_us[k, t]
            if late < least:
                best, least = k, late
        lists[i, 0] = best
        lists[i, 1] = NONE
        fine[i] = least <= parts.bound_us[i]
