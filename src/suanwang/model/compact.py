"""A plan in few numbers: what a batch of thousands holds of each, until somebody asks for the plan itself.

A `CompactPlan` answers the same questions as a `Plan`; what is large (holds, quote, alternatives, verdicts) is made
when it is asked for, from the numbers, the grid and the tariff. It stands for the plan of a run that begins at once
and moves no data. `full()` is the plan: the same value that a planner of single tasks would have made.
"""

import base64
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, overload

from suanwang.model.ids import LeaseId, PlanId, PoolId, SiteId, TaskId
from suanwang.model.plan import (
    Alternative,
    DataMove,
    Demand,
    Hold,
    Line,
    Path,
    Plan,
    ProtectionStep,
    QuotedWay,
    StandbyPlace,
)
from suanwang.model.reason import WRITTEN_POOL_REASONS, PoolReason
from suanwang.model.snapshot import GridIndex
from suanwang.model.tariff import compute_lines, network_lines

# A figure of an alternative that is not known.
UNKNOWN: Final = -1
_WORSE: Final = WRITTEN_POOL_REASONS.index(PoolReason.WORSE)


class Route:
    """A path with its protection, made once for all plans that take it."""

    __slots__ = ("edges", "keys", "number", "path", "pools", "protection", "sec_keys")

    def __init__(
        self, index: GridIndex, origin: SiteId, edges: Sequence[int], pools: Sequence[int], latency_us: int
    ) -> None:
        """`edges`: directed links, 2 * the link's place in the grid, + 1 from b to a. `pools`: security pools by their
        place among all of the grid, in the order in which they are passed."""
        directed, steps = index.directed, [index.steps[number] for number in pools]
        crossed = [directed[edge] for edge in edges]
        self.edges, self.pools = tuple(edges), tuple(pools)
        self.path = Path(
            sites=(origin, *(site for _, _, site in crossed)),
            links=tuple([link for link, _, _ in crossed]),
            latency_us=latency_us,
        )
        self.protection = tuple([step for step, _ in steps])
        self.keys = tuple([key for _, key, _ in crossed])
        self.sec_keys = tuple([key for _, key in steps])
        self.number = -1  # in the batch that is being written


# The alternatives of a plan as numbers: OTHERS pools (-1 where there are no more), then their prices, latencies and carbon.
OTHERS: Final = 5


class Others(NamedTuple):
    pools: tuple[int, ...]
    price_micro_yuan: tuple[int, ...]
    latency_us: tuple[int, ...]
    carbon_mg: tuple[int, ...]


_OTHERS_FORM: Final = struct.Struct(f"<{4 * OTHERS}q")
OTHERS_BYTES: Final = _OTHERS_FORM.size


def read_others(packed: bytes) -> Others:
    """The alternatives from their bytes."""
    figures = _OTHERS_FORM.unpack(packed)
    return Others(*(figures[at : at + OTHERS] for at in range(0, 4 * OTHERS, OTHERS)))


class CompactPlan:
    """See the module. `verdicts_written`: one byte a pool, its place in WRITTEN_POOL_REASONS, 255 the chosen one."""

    __slots__ = (
        *("index", "plan_id", "task_id", "lease_id", "generation", "parent", "snapshot_version"),
        *("pool_number", "pool", "site", "emulated", "demand", "shots", "start_us", "end_us", "route"),
        *("bandwidth_bps", "quote_micro_yuan", "carbon_mg", "others_packed", "verdicts_written", "_holds", "_full"),
    )

    index: GridIndex
    plan_id: PlanId
    task_id: TaskId
    lease_id: LeaseId
    generation: int
    parent: PlanId | None
    snapshot_version: int
    pool_number: int  # place in `index.pool_order`
    pool: PoolId
    site: SiteId
    emulated: bool
    demand: Demand
    shots: int
    start_us: int
    end_us: int
    route: Route
    bandwidth_bps: int
    quote_micro_yuan: int
    carbon_mg: int
    others_packed: bytes  # see `Others`
    verdicts_written: bytes
    _holds: "CompactHolds | None"
    _full: Plan | None

    def __eq__(self, other: object) -> bool:
        """Equal to the same plan in any form."""
        return self is other or (isinstance(other, CompactPlan | Plan) and self.full() == full_plan(other))

    def __hash__(self) -> int:
        return hash(self.plan_id)

    def forget(self) -> None:
        """Forget what was made of the numbers; to be said once after they were set."""
        self._holds = self._full = None

    @property
    def run_start_us(self) -> int:
        return self.start_us

    @property
    def path(self) -> Path:
        return self.route.path

    @property
    def protection(self) -> tuple[ProtectionStep, ...]:
        return self.route.protection

    @property
    def data(self) -> tuple[DataMove, ...]:
        return ()

    @property
    def standby(self) -> StandbyPlace | None:
        return None

    @property
    def quoted(self) -> QuotedWay | None:
        return None

    @property
    def holds(self) -> "CompactHolds":
        if self._holds is None:
            self._holds = CompactHolds(self)
        return self._holds

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of what it holds, `"<resource>|<key>"`; one comes twice where a path crosses it twice."""
        pool = self.index.pool_keys[self.pool_number]
        return (pool, *self.route.keys, *self.route.sec_keys) if self.bandwidth_bps else (pool,)

    @property
    def quote(self) -> tuple[Line, ...]:
        return self.full().quote

    @property
    def alternatives(self) -> tuple[Alternative, ...]:
        return self.full().alternatives

    @property
    def verdicts(self) -> str:
        return self.full().verdicts

    def full(self) -> Plan:
        """The plan as one value."""
        if self._full is None:
            self._full = self._made()
        return self._full

    def _made(self) -> Plan:
        quote = tuple(self._lines())
        total = sum(one.amount_micro_yuan for one in quote)
        assert total == self.quote_micro_yuan, f"the lines of {self.plan_id} make {total}, not {self.quote_micro_yuan}"
        return Plan.model_construct(
            plan_id=self.plan_id,
            task_id=self.task_id,
            lease_id=self.lease_id,
            generation=self.generation,
            parent=self.parent,
            snapshot_version=self.snapshot_version,
            site=self.site,
            pool=self.pool,
            emulated=self.emulated,
            demand=self.demand,
            start_us=self.start_us,
            run_start_us=self.start_us,
            end_us=self.end_us,
            path=self.route.path,
            bandwidth_bps=self.bandwidth_bps,
            protection=self.route.protection,
            data=(),
            holds=tuple(self.holds),
            quote=quote,
            quote_micro_yuan=self.quote_micro_yuan,
            carbon_mg=self.carbon_mg,
            alternatives=tuple(self._alternatives()),
            verdicts=base64.b64encode(zlib.compress(self.verdicts_written, 1)).decode(),
        )

    def _lines(self) -> Iterator[Line]:
        pool, site = self.index.pools[self.pool]
        book = self.index.price_books[site.price_book]
        yield from compute_lines(book, pool, site, self.demand, self.shots, self.start_us, self.end_us)
        span_us, path, steps = self.end_us - self.start_us, self.route.path, self.route.protection
        yield from network_lines(self.index, self.bandwidth_bps, span_us, path, steps)

    def _alternatives(self) -> Iterator[Alternative]:
        for number, price, late, carbon_mg in zip(*read_others(self.others_packed), strict=True):
            if number < 0:
                continue
            code = self.verdicts_written[number]
            yield Alternative.model_construct(
                pool=self.index.pool_order[number],
                reason=WRITTEN_POOL_REASONS[code],
                price_micro_yuan=price if price > 0 or code == _WORSE else None,
                finish_us=self.end_us,
                latency_us=late if late != UNKNOWN else None,
                carbon_mg=carbon_mg,
            )


class CompactHolds(Sequence[Hold]):
    """The holds of a compact plan: they all last as long as it does. The values are made when one is asked for."""

    __slots__ = ("_made", "plan")

    def __init__(self, plan: CompactPlan) -> None:
        self.plan, self._made = plan, None

    _made: tuple[Hold, ...] | None

    @property
    def end_us(self) -> int:
        """When all of them end."""
        return self.plan.end_us

    def _all(self) -> tuple[Hold, ...]:
        if self._made is None:
            plan, route = self.plan, self.plan.route
            start_us, end_us, bps = plan.start_us, plan.end_us, plan.bandwidth_bps
            out = [
                Hold.model_construct(
                    resource="pool", key=plan.pool, demand=plan.demand, bps=0, start_us=start_us, end_us=end_us
                )
            ]
            for key in (*route.keys, *route.sec_keys) if bps else ():
                resource, _, name = key.partition("|")
                out.append(
                    Hold.model_construct(
                        resource=resource,  # type: ignore[arg-type]  # one of the three, by how keys are made
                        key=name,
                        demand=None,
                        bps=bps,
                        start_us=start_us,
                        end_us=end_us,
                    )
                )
            self._made = tuple(out)
        return self._made

    def __len__(self) -> int:
        return 1 + (len(self.plan.route.keys) + len(self.plan.route.sec_keys) if self.plan.bandwidth_bps else 0)

    def __iter__(self) -> Iterator[Hold]:
        return iter(self._all())

    @overload
    def __getitem__(self, at: int) -> Hold: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Hold, ...]: ...
    def __getitem__(self, at: int | slice) -> Hold | tuple[Hold, ...]:
        return self._all()[at]

    def __eq__(self, other: object) -> bool:
        """Equal to the same holds in any form."""
        return self is other or (isinstance(other, Sequence) and self._all() == tuple(other))

    def __hash__(self) -> int:
        return hash(self._all())


AnyPlan = Plan | CompactPlan
Holds = tuple[Hold, ...] | CompactHolds


def full_plan(plan: AnyPlan) -> Plan:
    """The plan as one value, whatever form it is in."""
    return plan if isinstance(plan, Plan) else plan.full()


def keys_of(holds: Holds) -> Iterable[str]:
    """The keys of resources that are held, `"<resource>|<key>"`."""
    if isinstance(holds, CompactHolds):
        return holds.plan.keys
    return [f"{hold.resource}|{hold.key}" for hold in holds]


def last_end_us(holds: Holds) -> int:
    """When the last of them ends."""
    return holds.end_us if isinstance(holds, CompactHolds) else max(hold.end_us for hold in holds)
