"""What is scarce, where, and what a unit more of it would be worth: the duals, as rows that people can read."""

from enum import StrEnum
from typing import NamedTuple

import numpy as np

from suanwang.guide.bound import PRICE_BITS
from suanwang.plan.kernel.types import I64, WHOLE, Fabric


class ScarceKind(StrEnum):
    """What the resource is; and its unit."""

    CPU = "cpu"  # core of a pool
    MEMORY = "memory"  # GiB of a pool
    CARD = "card"  # whole card of a pool
    SHARED = "shared"  # Mbit/s of a link or a security pool, or a unit of a floating resource


class Scarce(NamedTuple):
    """One row: a unit more would save so much of the batch's total cost."""

    kind: ScarceKind
    number: int  # of the pool, or of the shared resource
    site: int  # of the pool; -1 for shared resources
    micro_yuan: int  # a unit, rounded down
    worth: int  # micro-yuan of all of it that the problem had: by this the rows stand


def scarce(fabric: Fabric, price: I64, room: I64, most: int | None = None) -> list[Scarce]:
    """Resources with a price above zero, the most valuable first. price and room i64[M], the price in 2**-16."""
    pools = len(fabric.pool_site)
    kinds = ((ScarceKind.CPU, 1000), (ScarceKind.MEMORY, 1024), (ScarceKind.CARD, WHOLE), (ScarceKind.SHARED, 1))
    rows = []
    for at in np.flatnonzero(price > 0).tolist():
        part = min(at // pools, 3) if pools else 3
        index = at - part * pools
        site = int(fabric.pool_site[index]) if part < 3 else -1
        kind, unit = kinds[part]
        one, whole = int(price[at]) * unit >> PRICE_BITS, int(price[at]) * int(room[at]) >> PRICE_BITS
        rows.append(Scarce(kind, index, site, one, whole))
    rows.sort(key=lambda row: (-row.worth, row.kind, row.number))
    return rows[:most]
