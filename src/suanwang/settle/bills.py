"""Bills of many attempts: what they share is worked out once, and only the span that was held is each attempt's own.

The rows are those of `settle_rows` (a test compares them). Meters depend on the pool and the demand, prices of the network on
the path: both are kept here for one grid.
"""

from functools import partial

from suanwang.model.compact import AnyPlan
from suanwang.model.grid import PriceBook
from suanwang.model.plan import ChargeKind, Path, ProtectionStep
from suanwang.model.snapshot import GridIndex
from suanwang.model.tariff import GBPS_HOUR, LineRow, hold_us_by_factor, meters_of
from suanwang.settle.settle import settle_rows

# What is kept of each kind; with more all of it is forgotten.
KEPT_MAX = 50_000
Meter = tuple[ChargeKind, int, int, int]  # kind, amount held, price in micro-yuan, base units of one priced unit
Way = tuple[Path, tuple[ProtectionStep, ...]]
Priced = tuple[ChargeKind, str, int]  # kind, what is billed, price in micro-yuan of one Gbit/s for an hour


class Bills:
    """Of one grid. Not thread-safe."""

    def __init__(self, index: GridIndex) -> None:
        self.index = index
        self._meters: dict[tuple[str, int, int, int, int], tuple[PriceBook, tuple[Meter, ...]]] = {}
        self._ways: dict[tuple[int, int], tuple[Way, list[Priced]]] = {}

    def rows(self, plan: AnyPlan, shots: int, start_us: int, end_us: int) -> list[LineRow]:
        """The lines of an attempt that succeeded; it ran from the start to the end."""
        if plan.data or plan.standby is not None:
            return settle_rows(plan, self.index, shots, start_us, end_us)
        if end_us <= start_us:
            return []
        pool = plan.pool
        book, meters = self._metered(plan)
        out: list[LineRow] = []
        row = partial(tuple.__new__, LineRow)  # what LineRow(...) does, without a call in between
        for permille, span_us in hold_us_by_factor(book, start_us, end_us).items():
            for kind, amount, price, per in meters:
                quantity = amount * span_us
                out.append(row((kind, pool, quantity, price, per, permille, _rounded(quantity, price, permille, per))))
        if shots and book.qpu_shot_micro_yuan:
            price = book.qpu_shot_micro_yuan
            out.append(row((ChargeKind.QPU_SHOT, pool, shots, price, 1, 1000, _rounded(shots, price, 1000, 1))))
        bps = plan.bandwidth_bps
        if bps:
            quantity, per = bps * (end_us - start_us), GBPS_HOUR
            for kind, item, price in self._way(plan):
                out.append(row((kind, item, quantity, price, per, 1000, _rounded(quantity, price, 1000, per))))
        return out

    def _metered(self, plan: AnyPlan) -> tuple[PriceBook, tuple[Meter, ...]]:
        demand = plan.demand
        key = (plan.pool, demand.cores, demand.memory_bytes, demand.accelerators, demand.nodes)
        found = self._meters.get(key)
        if found is None:
            if len(self._meters) >= KEPT_MAX:
                self._meters.clear()
            pool, site = self.index.pools[plan.pool]
            book = self.index.price_books[site.price_book]
            meters = tuple([one for one in meters_of(book, pool, site, demand) if one[1] and one[2]])
            found = self._meters[key] = (book, meters)
        return found

    def _way(self, plan: AnyPlan) -> list[Priced]:
        """What has a price along the way that was quoted: a repaired path costs what that one does."""
        way = plan.quoted or plan
        path, steps = way.path, way.protection
        found = self._ways.get((id(path), id(steps)))
        if found is None:
            if len(self._ways) >= KEPT_MAX:
                self._ways.clear()
            links, pools = self.index.links, self.index.security_pools
            crossed = [
                (ChargeKind.BANDWIDTH, one.link, links[one.link].price_micro_yuan_per_gbps_hour) for one in path.links
            ]
            passed = [
                (ChargeKind.PROTECTION, one.security_pool, pools[one.security_pool][0].price_micro_yuan_per_gbps_hour)
                for one in steps
            ]
            priced: list[Priced] = [one for one in (*crossed, *passed) if one[2]]
            found = self._ways[id(path), id(steps)] = ((path, steps), priced)  # kept alive: they are known by their ids
        return found[1]


def _rounded(quantity: int, price_micro_yuan: int, permille: int, per: int) -> int:
    """The amount of a line, rounded half up once: `div_half_up` without its checks."""
    unit = per * 1000
    return (2 * quantity * price_micro_yuan * permille + unit) // (2 * unit)
