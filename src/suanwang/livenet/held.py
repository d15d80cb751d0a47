"""What is held of each directed link and security pool over time, and the ways that stand, as one form for all kinds."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from suanwang.model.compact import AnyPlan, full_plan
from suanwang.model.ids import LinkId, SecurityPoolId
from suanwang.model.network import HeldWay, HolderKind, Mlu, WayState
from suanwang.model.plan import DirectedLink, Hold, Path, ProtectionStep
from suanwang.model.reservation import Reservation, ReservedWay
from suanwang.model.snapshot import GridIndex, Snapshot
from suanwang.model.task import TaskRequest, latency_us_max
from suanwang.net.network import Ints
from suanwang.plan.layout import build_layout
from suanwang.plan.ledger import Ledger
from suanwang.plan.need import avoided_of

PPM = 1_000_000
Room = Ints  # what is left of each line of a book over a window; below 0 where nothing may go


class LineBook:
    """Room on the lines of one grid: directed link e is line e, security pool k is line `links + k`. It follows snapshots
    as the planner's ledger does, so the same holds and the same planned maintenance count."""

    def __init__(self, index: GridIndex) -> None:
        self.index = index
        self.layout = build_layout(index)
        self.ledger = Ledger(self.layout)
        self.links = self.ledger.links

    def follow(self, snapshot: Snapshot) -> None:
        assert snapshot.index is self.index, "a book is of one grid"
        self.ledger.follow(snapshot)

    def room(
        self,
        start_us: int,
        end_us: int,
        links_down: frozenset[LinkId],
        security_down: frozenset[SecurityPoolId] = frozenset(),
    ) -> Ints:
        """What is left of each line at every moment of [start, end); below 0 of a link that is down or in maintenance
        then and of a security pool that is down, so that a way without bandwidth has no room there either."""
        out: Ints = self.layout.empty_room - self.ledger.lines.peaks(start_us, end_us)[:, 0]
        for link in links_down:
            at = self.layout.link_at.get(link)
            if at is not None:
                out[2 * at : 2 * at + 2] = -1
        out[[self.links + self.layout.sec_at[one] for one in security_down if one in self.layout.sec_at]] = -1
        return out

    def narrow(self, room: Ints, lines: Iterable[int], start_us: int, end_us: int) -> None:
        """Bring a `room` of the same window up to date, of which since then only these lines were taken. None of them is
        down."""
        for line in lines:
            room[line] = self.layout.empty_room[line] - self.ledger.lines.peak(line, start_us, end_us)[0]

    def line(self, key: str) -> int:
        """Of a directed link."""
        link, _, side = key.rpartition(":")
        return 2 * self.layout.link_at[LinkId(link)] + (side == "ba")

    def pool_line(self, pool: str) -> int:
        return self.links + self.layout.sec_at[SecurityPoolId(pool)]

    def name(self, line: int) -> str:
        """`<link>:ab`, or a security pool."""
        if line >= self.links:
            return self.index.security_order[line - self.links]
        return directed_key(self.index.directed[line][0])


def directed_key(one: DirectedLink) -> str:
    return f"{one.link}:{'ab' if one.forward else 'ba'}"


def held_at(snapshot: Snapshot, at_us: int) -> dict[str, int]:
    """bit/s held of each directed link at one instant. Standing work on links in maintenance counts too."""
    out: dict[str, int] = {}
    for holds in snapshot.leases.values():
        for hold in holds:
            if hold.resource == "link" and hold.start_us <= at_us < hold.end_us:
                out[hold.key] = out.get(hold.key, 0) + hold.bps
    return out


def way_state(held_bps: int, capacity_bps: int) -> WayState:
    return WayState(held_bps=held_bps, use_ppm=use_ppm(held_bps, capacity_bps))


def use_ppm(held_bps: int, capacity_bps: int) -> int:
    return held_bps * PPM // capacity_bps if capacity_bps else 0


def mlu_of(index: GridIndex, held: Mapping[str, int]) -> Mlu:
    """The busiest directed link; the first of equals in the order of the grid."""
    best = Mlu(use_ppm=0, link=None)
    for link in index.grid.links:
        for key in (f"{link.id}:ab", f"{link.id}:ba"):
            use = use_ppm(held.get(key, 0), link.capacity_bps)
            if use > best.use_ppm:
                best = Mlu(use_ppm=use, link=key)
    return best


def cut_links(index: GridIndex, links: Iterable[LinkId], risks: Iterable[str]) -> tuple[LinkId, ...]:
    """Links that go down together, in the order of the grid."""
    named, groups = set(links), set(risks)
    return tuple(one.id for one in index.grid.links if one.id in named or not groups.isdisjoint(one.shared_risk_groups))


@dataclass(frozen=True)
class StandingWay:
    """A way that stands, with what it holds of each directed link, the security pools that it passes in order, and
    the reservation that it is of, if it is of one, with its segment list."""

    way: HeldWay
    held: tuple[tuple[str, int], ...]
    steps: tuple[ProtectionStep, ...] = ()
    reservation: Reservation | None = None
    reserved: ReservedWay | None = None
    avoid_links: frozenset[int] = frozenset()  # that a task's way must not cross, by their place in the grid

    def holds(self) -> tuple[Hold, ...]:
        return link_holds(self.way, self.held)


def link_holds(way: HeldWay, held: Iterable[tuple[str, int]]) -> tuple[Hold, ...]:
    """Holds of links over the window of a way."""
    return tuple(
        Hold(resource="link", key=key, bps=bps, start_us=way.start_us, end_us=way.end_us) for key, bps in held if bps
    )


def plan_ways(plan: AnyPlan, request: TaskRequest, end_us: int, index: GridIndex) -> Iterator[StandingWay]:
    """The ways of a plan. `end_us` is when its lease ends, which may be after its own end."""
    avoid = frozenset() if request.avoid is None else avoided_of(request.avoid, index)[0]
    one = full_plan(plan)
    bound_us, window = latency_us_max(request), (one.run_start_us, end_us)
    path = _way(one.task_id, HolderKind.PATH, one.path, one.bandwidth_bps, window, bound_us)
    yield StandingWay(path, _each(path), one.protection, avoid_links=avoid)
    if one.standby is not None:
        second = _way(one.task_id, HolderKind.STANDBY, one.standby.path, one.bandwidth_bps, window, bound_us)
        yield StandingWay(second, _each(second), one.standby.protection, avoid_links=avoid)
    for move in one.data:
        if move.path.links:
            window = (move.start_us, move.end_us)
            moved = _way(one.task_id, HolderKind.DATA, move.path, move.rate_bps, window, None, move.data_set)
            yield StandingWay(moved, _each(moved), avoid_links=avoid)


def _each(way: HeldWay) -> tuple[tuple[str, int], ...]:
    """A walk holds all of its bandwidth of each link; of one that it crosses twice, twice."""
    return tuple((link, way.bps * times) for link, times in Counter(way.links).items())


def _way(
    owner: str,
    kind: HolderKind,
    path: Path,
    bps: int,
    window: tuple[int, int],
    bound_us: int | None,
    item: str = "",
) -> HeldWay:
    return HeldWay(
        owner=owner,
        kind=kind,
        item=item,
        source=path.sites[0],
        target=path.sites[-1],
        links=tuple(directed_key(step) for step in path.links),
        bps=bps,
        start_us=window[0],
        end_us=window[1],
        latency_us=path.latency_us,
        promised_us=bound_us,
    )


def reservation_ways(one: Reservation, way: ReservedWay, standby: ReservedWay | None) -> Iterator[StandingWay]:
    """The first way, then the standby."""
    yield _reserved(one, way, HolderKind.RESERVATION)
    if standby is not None:
        yield _reserved(one, standby, HolderKind.STANDBY)


def _reserved(one: Reservation, way: ReservedWay, kind: HolderKind) -> StandingWay:
    held = HeldWay(
        owner=one.reservation_id,
        kind=kind,
        source=one.wanted.source,
        target=one.wanted.target,
        links=tuple(carried.link for carried in way.links),
        bps=one.wanted.bandwidth_bps,
        start_us=one.start_us,
        end_us=one.end_us,
        latency_us=way.latency_us,
        promised_us=one.wanted.latency_us_max,
    )
    return StandingWay(held, tuple((carried.link, carried.bps) for carried in way.links), way.protection, one, way)
