"""Check the plans of a batch together, in numbers. Never stricter in what it lets pass than `verify`: a plan that is
not plainly sound here is checked by `verify` itself, which says what is wrong with it.

Room is judged without time first: where all that is held of a resource at any time, and all that the batch holds of
it, fit together, they fit at every moment. Where they do not, `verify` sweeps the moments.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from suanwang.model.ability import abilities_of
from suanwang.model.compact import CompactHolds, CompactPlan, Holds, Route
from suanwang.model.grid import Maintenance, Pool, PoolKind, PriceBook, Site
from suanwang.model.ids import LeaseId
from suanwang.model.reason import PlanFault
from suanwang.model.snapshot import GridIndex, Snapshot
from suanwang.model.task import TaskRequest, latency_us_max, pool_kind
from suanwang.verify import money
from suanwang.verify.holds import capacity_of, needs_of
from suanwang.verify.path import path_faults
from suanwang.verify.place import PROTECTION_BPS, inside, takes

# Sums and paths worked out before are kept up to this many; then all are forgotten.
KEPT_MAX = 200_000
# Books for this many grids at the most: one in a process, a few in tests.
BOOKS_MAX = 4
# Memory is counted in KiB here, needs rounded up and rooms down. A batch with a figure above this is left to `verify`;
# so 63 bits hold the sums of half a million of them.
KIB = 1024
FIGURE_MAX = 2**44
# No row has more than this, so what holds as much leaves nothing.
FULL = 2**60
Item = tuple[CompactPlan, TaskRequest]


@dataclass
class Books:
    """All that is held of each resource, whenever; follows a snapshot's history by its own account."""

    index: GridIndex
    at: dict[str, int] = field(default_factory=dict)  # "<resource>|<key>" -> row
    capacity: Any = None  # [row, four figures]; of a line the first alone counts
    held: Any = None
    history: Any = None
    position: int = 0
    known: dict[LeaseId, Holds] = field(default_factory=dict)
    sums: dict[Hashable, Any] = field(default_factory=dict)
    routes: dict[int, tuple[Route, list[int]]] = field(default_factory=dict)
    edge_rows: list[int] = field(default_factory=list)
    sec_rows: list[int] = field(default_factory=list)
    pool_rows: list[int] = field(default_factory=list)
    closed: dict[str, tuple[Maintenance, ...]] = field(default_factory=dict)  # links with planned maintenance

    def __post_init__(self) -> None:
        index = self.index
        self.closed = {link.id: link.maintenance for link in index.grid.links if link.maintenance}
        rows: list[tuple[int, ...]] = []
        for pool in index.pool_order:
            self.pool_rows.append(self._row("pool", pool, rows))
        for link in index.grid.links:
            self.edge_rows += [self._row("link", f"{link.id}:{way}", rows) for way in ("ab", "ba")]
        for sec in index.security_order:
            self.sec_rows.append(self._row("protection", sec, rows))
        self.capacity = np.array([[min(one, FULL) for one in row] for row in rows], np.int64)
        self.held = np.zeros((len(rows), 4), np.int64)

    def _row(self, resource: str, key: str, rows: list[tuple[int, ...]]) -> int:
        figures = capacity_of(resource, key, self.index)
        assert figures is not None, "a resource of this grid"
        self.at[f"{resource}|{key}"] = len(rows)
        figures = (*figures, 0, 0, 0)[:4]
        rows.append((figures[0], figures[1] // KIB, figures[2], figures[3]))
        return len(rows) - 1

    def follow(self, snapshot: Snapshot) -> None:
        """Stand where the snapshot stands."""
        history, end = snapshot.history, snapshot.history_end
        if history is None or history is not self.history or end < self.position:
            self.held[:] = 0
            self._add(list(snapshot.leases.values()), 1)
            self.known = dict(snapshot.leases)
        else:
            changes = history[self.position : end]
            self._add([one.holds for one in changes if one.added], 1)
            self._add([one.holds for one in changes if not one.added], -1)
        self.history, self.position = history, end

    def _add(self, some: Sequence[Holds], sign: int) -> None:
        for rows, figures in self._needs_of(some):
            np.add.at(self.held, rows, figures * sign)

    def _needs_of(self, some: Sequence[Holds]) -> Iterator[tuple[Any, Any]]:
        """What is needed of which rows, in parts: of pools by compact plans, of lines by them, and by other plans."""
        plans = [one.plan for one in some if type(one) is CompactHolds]
        if plans:
            pools = np.array([self.pool_rows[plan.pool_number] for plan in plans], np.int64)
            demands = {id(plan.demand): plan.demand for plan in plans}
            figures = {
                at: _narrow((one.cores, -(-one.memory_bytes // KIB), one.accelerators, one.nodes))
                for at, one in demands.items()
            }
            yield pools, np.array([figures[id(plan.demand)] for plan in plans], np.int64)
        wide = [plan for plan in plans if plan.bandwidth_bps]
        if wide:
            lines = [self._rows_of(plan.route) for plan in wide]
            bps = np.zeros((sum(map(len, lines)), 4), np.int64)
            bps[:, 0] = np.repeat(np.array([_narrow((plan.bandwidth_bps,))[0] for plan in wide]), [*map(len, lines)])
            yield np.array([*chain.from_iterable(lines)], np.int64), bps
        rows: list[int] = []
        needs: list[tuple[int, ...]] = []
        for hold in (hold for one in some if type(one) is not CompactHolds for hold in one):
            row = self.at.get(f"{hold.resource}|{hold.key}")
            if row is not None:
                rows.append(row)
                four = (*needs_of(hold), 0, 0, 0)[:4]
                needs.append(_narrow((four[0], -(-four[1] // KIB), four[2], four[3])))
        if rows:
            yield np.array(rows, np.int64), np.array(needs, np.int64)

    def _rows_of(self, route: Route) -> list[int]:
        """Of all that a route crosses, each as often as it does."""
        found = self.routes.get(id(route))
        if found is None:
            if len(self.routes) >= KEPT_MAX:
                self.routes.clear()
            rows = [self.edge_rows[one] for one in route.edges] + [self.sec_rows[one] for one in route.pools]
            found = self.routes[id(route)] = (route, rows)  # kept alive: it is known by its id
        return found[1]

    def have_room(self, some: Sequence[Holds]) -> bool:
        """Whether all of these fit beside everything that is held at any time."""
        wanted = np.zeros_like(self.held)
        for rows, figures in self._needs_of(some):
            if figures.max(initial=0) > FIGURE_MAX:
                return False
            np.add.at(wanted, rows, figures)
        touched = wanted.any(axis=1)
        return bool((self.held[touched] + wanted[touched] <= self.capacity[touched]).all())


def _narrow(figures: tuple[int, ...]) -> tuple[int, ...]:
    """Figures as 64 bits hold them: what is larger fills any row, and is above FIGURE_MAX still."""
    return figures if max(figures) < FULL else tuple(min(one, FULL) for one in figures)


_books: dict[int, Books] = {}


def books_of(index: GridIndex) -> Books:
    found = _books.pop(id(index), None)
    if found is None or found.index is not index:
        found = Books(index)
    while len(_books) >= BOOKS_MAX:
        del _books[next(iter(_books))]
    _books[id(index)] = found
    return found


def sound(items: Sequence[Item], snapshot: Snapshot, others: Sequence[Holds] = ()) -> list[bool]:
    """For each plan whether it is plainly sound beside all that the snapshot holds, beside the other items, and beside
    `others`, what more may come to be held.

    The tasks must not care for company. False says nothing: `verify` has the word.
    """
    if not items:
        return []
    books = books_of(snapshot.index)
    books.follow(snapshot)
    if not books.have_room([*(plan.holds for plan, _ in items), *others]):
        return [False] * len(items)
    if len(books.sums) > KEPT_MAX:
        books.sums.clear()
    closed = books.closed
    return [
        _is_sound(plan, request, snapshot, books.sums) and not (closed and _in_maintenance(plan, closed))
        for plan, request in items
    ]


def _in_maintenance(plan: CompactPlan, closed: Mapping[str, tuple[Maintenance, ...]]) -> bool:
    """Whether it uses a link in a window of its maintenance."""
    return any(
        window.start < plan.end_us and plan.start_us < window.end
        for step in plan.route.path.links
        for window in closed.get(step.link, ())
    )


def _is_sound(plan: CompactPlan, request: TaskRequest, snapshot: Snapshot, sums: dict[Hashable, Any]) -> bool:
    pool, site = snapshot.index.pools[plan.pool]
    state = snapshot.sites.get(plan.site)
    if state is None or not state.live or state.emulated is not plan.emulated or site.id != plan.site:
        return False
    if snapshot.index.pool_order[plan.pool_number] != plan.pool:
        return False  # what is counted against a pool's room goes by its number
    return (
        _is_place(plan, request, pool, site)
        and _is_window(plan, request)
        and _is_path(plan, request, snapshot, sums)
        and _is_price(plan, request, pool, site, snapshot.index, sums)
    )


def _is_place(plan: CompactPlan, request: TaskRequest, pool: Pool, site: Site) -> bool:
    res, kind, demand = request.resources, pool_kind(request.resources), plan.demand
    nodes = res.nodes * request.array
    if kind is PoolKind.HPC or kind is PoolKind.QUANTUM:
        wanted = (0, 0, 0, nodes)
    else:
        wanted = (res.cpu * nodes, res.memory * nodes, res.accelerators * nodes, 0)
    if kind is PoolKind.QUANTUM:
        large = res.qubits <= pool.qubits_per_node
    else:
        large = (
            res.cpu <= pool.cores_per_node
            and res.memory <= pool.memory_bytes_per_node
            and res.accelerators <= pool.accelerators_per_node
            and res.qubits <= pool.qubits_per_node
        )
    return (
        large
        and pool.kind is kind
        and wanted == (demand.cores, demand.memory_bytes, demand.accelerators, demand.nodes)
        and site.security_level >= request.security_level
        and (res.accelerator is None or res.accelerator in ("any", pool.accelerator_model))
        and (not pool.lacks or not set(pool.lacks) & set(abilities_of(request)))
        and (not request.sites or plan.site in request.sites)
        and (not request.owners or takes(request.owners, site.owner))
        and inside(site.region, request.residency)
    )


def _is_window(plan: CompactPlan, request: TaskRequest) -> bool:
    wanted_bps = max(request.bandwidth, PROTECTION_BPS) if request.protection else request.bandwidth
    return (
        plan.end_us == plan.start_us + request.resources.wall_time
        and (request.earliest_start is None or plan.start_us >= request.earliest_start)
        and (request.deadline is None or plan.end_us <= request.deadline)
        and (plan.generation == 1) == (plan.parent is None)
        and plan.bandwidth_bps == wanted_bps
        and not request.inputs
    )


def _is_path(plan: CompactPlan, request: TaskRequest, snapshot: Snapshot, sums: dict[Hashable, Any]) -> bool:
    route, path = plan.route, plan.route.path
    if request.avoid is not None:
        return False  # looked at in full
    bound_us = latency_us_max(request)
    if bound_us is not None and path.latency_us > bound_us:
        return False
    origin = request.origin or snapshot.index.grid.default_origin
    if path.sites[0] != origin or path.sites[-1] != plan.site:
        return False
    key = ("path", id(route), request.protection, snapshot.links_down, snapshot.security_down)
    found = sums.get(key)
    if found is None:
        # The bound is this task's own and was looked at above; all else that is looked at here is in the key.
        faults = [one for one, _ in path_faults(plan, request, snapshot) if one is not PlanFault.LATENCY_BOUND]
        found = sums[key] = (_keys_fit(route, snapshot.index) and not faults, route)
    return bool(found[0])


def _keys_fit(route: Route, index: GridIndex) -> bool:
    """Whether what the route holds, by name and by number, is what its path names."""
    links, order = index.grid.links, index.security_order
    keys = tuple(f"link|{one.link}:{'ab' if one.forward else 'ba'}" for one in route.path.links)
    counted = tuple(f"link|{links[edge // 2].id}:{'ba' if edge % 2 else 'ab'}" for edge in route.edges)
    pools = tuple(f"protection|{one.security_pool}" for one in route.protection)
    return keys == route.keys == counted and pools == route.sec_keys == tuple(
        f"protection|{order[number]}" for number in route.pools
    )


def _is_price(
    plan: CompactPlan, request: TaskRequest, pool: Pool, site: Site, index: GridIndex, sums: dict[Hashable, Any]
) -> bool:
    book, demand = index.price_books[site.price_book], plan.demand
    shots = request.resources.shots * request.array
    span_us = plan.end_us - plan.start_us
    spans: Hashable = span_us
    if book.time_of_use:
        when = (site.price_book, plan.start_us, plan.end_us)
        spans = sums.get(when)
        if spans is None:
            spans = sums[when] = tuple(money.spans_us(book, plan.start_us, plan.end_us).items())
    key = (plan.pool, demand.cores, demand.memory_bytes, demand.accelerators, demand.nodes, shots, spans)
    found = sums.get(key)
    if found is None:
        found = sums[key] = _compute(plan, request, pool, site, book)
    total, carbon_mg = found
    if plan.bandwidth_bps:
        way = ("net", id(plan.route), plan.bandwidth_bps, span_us)
        network = sums.get(way)
        if network is None:
            lines = money.network_lines(plan, index)
            network = sums[way] = (sum(one.amount_micro_yuan for one in lines), plan.route)
        total += network[0]
    limit = request.price_limit
    return bool(
        plan.shots == shots
        and total == plan.quote_micro_yuan
        and carbon_mg == plan.carbon_mg
        and (limit is None or total <= limit)
    )


def _compute(plan: CompactPlan, request: TaskRequest, pool: Pool, site: Site, book: PriceBook) -> tuple[int, int]:
    """The compute lines together, and the carbon; a pool whose cards have no price costs -1, which no quote is."""
    if pool.kind is PoolKind.AI and pool.accelerator_model not in book.accelerator_hour_micro_yuan:
        return -1, 0
    power_mw = money.power_mw(plan, pool, site)
    lines = money.compute_lines(plan, request, pool, book, power_mw)
    carbon_mg = money.carbon_mg(power_mw, plan.end_us - plan.start_us, site)
    return sum(one.amount_micro_yuan for one in lines), carbon_mg
