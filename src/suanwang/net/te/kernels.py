"""Kernels of the optimiser: what one demand does to the links it touches, and whether another list would be better.

The potential of a link at utilisation u, where U is the greatest of all when prices were last made, is

    max(0, 1 + sharp * (u / U - 1) / 32) ** 32  +  COLD * u

which is close to exp(sharp * (u / U - 1)), is 0 for links far below the top but for the last term (which keeps paths
short), and needs no library's `exp`: plain Python gives the same bits.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from suanwang.net.jit import inner, lean
from suanwang.net.network import Flags, Ints
from suanwang.net.topology.topology import Reals

Int32s = npt.NDArray[np.int32]

# No segment; a node is its number, an adjacency segment of link e is -1 - e.
NONE: Final = 2**30
POWER: Final = 32.0  # squared five times over below
COLD: Final = 1e-3


class Tables(NamedTuple):
    """What never changes while one plane is optimised. See `igp.Shares` and `Topology`."""

    n: int
    first: Ints  # (n * n,)
    last: Ints  # (n * n,)
    link: Int32s
    share: Reals
    source: Ints  # (m,)
    target: Ints  # (m,)
    per_bps: Reals  # (m,): 1 / capacity
    latency_us: Ints  # (m,)
    worst_us: Ints  # (n, n)
    usable: Flags  # (m,)


class Parts(NamedTuple):
    """Traffic that takes one list each: a demand, or a part of one; arrays (q,)."""

    source: Ints
    target: Ints
    bps: Reals
    bound_us: Ints  # of the worst latency
    installed: Int32s  # (q, 2): the segments between source and target that are installed now, NONE where none


class State(NamedTuple):
    """What the optimiser changes."""

    middle: Int32s  # (q, 2)
    load: Reals  # (m,) bps
    heat: Reals  # (m,): the potential at that load


class Scratch(NamedTuple):
    """Room for one trial; `seen` is all False between trials."""

    change: Reals  # (m,)
    seen: Flags  # (m,)
    touched: Ints  # (m,)
    fresh: Reals  # (m,)


class Prices(NamedTuple):
    """Sums of link prices over the ECMP flow of each pair, and the same transposed."""

    out: Reals  # (n, n) [source, target]
    back: Reals  # (n, n) [target, source]


class Legs(NamedTuple):
    """Cheapest ways of one and two segments, for lists of three; all (n, n)."""

    step: Reals  # [source, target]: by the IGP or over one link
    by: Int32s  # its segment
    late_us: Ints  # its worst latency
    rest: Reals  # [target, source]: by the IGP, or by one step and then the IGP
    via: Int32s  # where that step ends; the source itself where it has none
    rest_us: Ints


class Dial(NamedTuple):
    """How the sweep judges."""

    sharp: float
    top: float  # U
    least_cost: float  # demands whose paths cost less, in potential, are left alone
    policy_price: float  # of having a list where the IGP's path would do
    change_price: float  # of a list other than the installed one


@inner
def heat_of(u: float, sharp: float, top: float) -> float:
    x = 1.0 + sharp * (u / top - 1.0) / POWER
    if x <= 0.0:
        return COLD * u
    x = x * x
    x = x * x
    x = x * x
    x = x * x
    return x * x + COLD * u


@lean
def reheat(load: Reals, per_bps: Reals, sharp: float, top: float, heat: Reals, price: Reals) -> float:
    """Fill the potential and the price of one bps on each link; returns the sum of the potential."""
    total = 0.0
    for e in range(len(load)):
        u = load[e] * per_bps[e]
        heat[e] = heat_of(u, sharp, top)
        total += heat[e]
        x = 1.0 + sharp * (u / top - 1.0) / POWER
        slope = COLD
        if x > 0.0:
            y = x * x
            y = y * y
            y = y * y
            y = y * y
            slope += y * y / x * sharp / top
        price[e] = slope * per_bps[e]
    return total


@inner
def note(scratch: Scratch, e: int, amount: float, count: int) -> int:
    """Note what one link gets; how many links are touched by now."""
    if not scratch.seen[e]:
        scratch.seen[e] = True
        scratch.change[e] = 0.0
        scratch.touched[count] = e
        count += 1
    scratch.change[e] += amount
    return count


@inner
def walk(net: Tables, s: int, one: int, two: int, t: int, amount: float, scratch: Scratch, count: int) -> int:
    """Note what a list carries from s to t; how many links are touched by now."""
    at = s
    for place in range(3):
        segment = one if place == 0 else (two if place == 1 else t)
        if segment == NONE:
            continue
        if segment < 0:
            e = -1 - segment
            count = note(scratch, e, amount, count)
            at = net.target[e]
            continue
        for entry in range(net.first[at * net.n + segment], net.last[at * net.n + segment]):
            count = note(scratch, net.link[entry], amount * net.share[entry], count)
        at = segment
    return count


@inner
def settle(net: Tables, state: State, scratch: Scratch, count: int, dial: Dial, limit: float) -> bool:
    """Take up the noted change if the potential falls by more than `-limit`; forget it either way."""
    gain = limit
    for place in range(count):
        e = scratch.touched[place]
        scratch.seen[e] = False
        then = heat_of((state.load[e] + scratch.change[e]) * net.per_bps[e], dial.sharp, dial.top)
        scratch.fresh[e] = then
        gain += then - state.heat[e]
    if gain >= 0.0:
        return False
    for place in range(count):
        e = scratch.touched[place]
        state.load[e] += scratch.change[e]
        state.heat[e] = scratch.fresh[e]
    return True


@lean
def put(net: Tables, parts: Parts, state: State, scratch: Scratch) -> None:
    """Loads of what `middle` says, from nothing."""
    state.load[:] = 0.0
    for i in range(len(parts.source)):
        if parts.source[i] != parts.target[i] and parts.bps[i] > 0.0:
            count = walk(
                net, parts.source[i], state.middle[i, 0], state.middle[i, 1], parts.target[i], parts.bps[i], scratch, 0
            )
            for place in range(count):
                e = scratch.touched[place]
                scratch.seen[e] = False
                state.load[e] += scratch.change[e]
