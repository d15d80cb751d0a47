"""What the brain says of its network, and the operator's reservations: views from a copy of the state, verbs under its lock."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from suanwang.flow import Road
from suanwang.livenet import (
    CutLook,
    LineBook,
    LivePaths,
    StandingWay,
    cut_links,
    held_at,
    plan_ways,
    reservation_ways,
    unknown_names,
)
from suanwang.model.cats import CatsMetrics
from suanwang.model.compact import keys_of, last_end_us
from suanwang.model.error import Fault, FaultsError, NotAllowedError, NotFoundError
from suanwang.model.ids import LinkId, ReservationId, SiteId, TenantId
from suanwang.model.network import (
    HOLDERS_MAX,
    CutFound,
    LinkHeld,
    LinkHolder,
    NetOptimised,
    NetVerified,
    NetworkNow,
    NoWay,
    OptimiseAsk,
    PathsAsk,
    PathsFound,
    Refusal,
    ReservationView,
    ReserveAsk,
    ResizeAsk,
)
from suanwang.model.principal import Principal, Role
from suanwang.model.reservation import Reservation, ReservedWay, Wanted
from suanwang.model.snapshot import Snapshot
from suanwang.model.units import AT_US_MAX, US_PER_HOUR
from suanwang.model.view import Panorama
from suanwang.net.cats import cats_metrics, delay_plane
from suanwang.net.igp import Plane
from suanwang.net.network import Ints
from suanwang.runtime.network_optimise import optimise_live
from suanwang.runtime.network_view import link_now, network_now, reservation_view
from suanwang.verify.network import StandingPlan, StandingReservation, verify_network

Locked = Callable[[], AbstractContextManager[Road]]


class ReservationIds(Protocol):
    def reservation_id(self) -> ReservationId: ...


@dataclass(frozen=True)
class Standing:
    """The network at one instant, as copies: for work outside the brain's lock."""

    at_us: int
    snapshot: Snapshot
    plans: tuple[StandingPlan, ...]
    reservations: tuple[StandingReservation, ...]

    def ways(self) -> list[StandingWay]:
        """Every way that stands."""
        index = self.snapshot.index
        ways = [way for one in self.plans for way in plan_ways(one.plan, one.request, one.end_us, index)]
        return ways + [
            way for one in self.reservations for way in reservation_ways(one.reservation, one.way, one.standby)
        ]


class NetworkDesk:
    """Thread-safe. `verb` and `look` give the road under the brain's lock. The tables of all pairs are kept while the same
    links are up."""

    def __init__(self, verb: Locked, look: Locked, clock: Callable[[], int], ids: ReservationIds) -> None:
        self._verb, self._look, self._clock, self._ids = verb, look, clock, ids
        self._lock = threading.Lock()
        self._searching = threading.Lock()
        self._paths: LivePaths | None = None  # for looks; the road has its own, for what it does under the brain's lock
        self._optimising = threading.Lock()  # one at a time: it takes a whole core
        self._kept: tuple[frozenset[LinkId], Plane] | None = None

    def cats(self, picture: Panorama, ingress: SiteId) -> CatsMetrics:
        """Every service at every site as the ingress sees it, at the instant of the picture. Raises NotFoundError."""
        snapshot = self._snapshot()
        if ingress not in snapshot.index.sites:
            raise NotFoundError("site_unknown", site=ingress)
        sites, links = {one.id: one for one in picture.sites}, {str(one.id): one for one in picture.links}
        return cats_metrics(snapshot, self._plane(snapshot), sites, links, ingress, picture.at_us)

    def _plane(self, snapshot: Snapshot) -> Plane:
        with self._lock:
            if self._kept is None or self._kept[0] != snapshot.links_down:
                self._kept = (snapshot.links_down, delay_plane(snapshot))
            return self._kept[1]

    # -- as it is ----------------------------------------------------------------------------------------------

    def now(self, principal: Principal) -> NetworkNow:
        """Routers, links and what is held of them; an operator sees the reservations too."""
        snapshot, at_us = self._snapshot(), self._clock()
        views = self.reservations(principal) if principal.role is Role.OPERATOR else ()
        return network_now(snapshot, views, at_us)

    def link(self, principal: Principal, link: LinkId) -> LinkHeld:
        """A link and who holds it; who is no operator sees its own tenant's tasks. Raises NotFoundError."""
        keys = {f"link|{link}:ab", f"link|{link}:ba"}
        with self._look() as road:
            state, snapshot, at_us = road.state, _copy(road), self._clock()
            if link not in state.index.links:
                raise NotFoundError("link_unknown", link=link)
            mine = None if principal.role is Role.OPERATOR else principal.tenant
            tasks = [
                (task.tenant, task.request, task.plan, state.leases[task.plan.lease_id])
                for group in (state.planned, *state.by_site.values())
                for task in group.values()
                if mine in (None, task.tenant) and task.plan is not None and task.plan.lease_id in state.leases
            ]
            reserved = list(state.reservations.values()) if mine is None else []
        found: list[LinkHolder] = []
        for tenant, request, plan, lease in tasks:
            if request is not None and not keys.isdisjoint(keys_of(lease)):
                found += _holders(
                    plan_ways(plan, request, last_end_us(lease), snapshot.index), link, request.name, tenant
                )
        for one in reserved:
            if one.way is not None:
                reserved_ways = reservation_ways(one.reservation, one.way, one.standby)
                found += _holders(reserved_ways, link, one.reservation.note, None)
        found = [one for one in found if one.way.end_us > at_us]
        found.sort(key=lambda one: (one.way.start_us > at_us, -max(one.ab_bps, one.ba_bps), one.way.owner))
        state_now = link_now(snapshot.index.links[link], snapshot, held_at(snapshot, at_us), at_us)
        shown = tuple(found[:HOLDERS_MAX])
        return LinkHeld(at_us=at_us, link=state_now, holders=shown, untold=len(found) - len(shown))

    def verify(self, principal: Principal) -> NetVerified:
        """Work the use of everything out again from the leases, and say every fault."""
        _operators_only(principal)
        one = self._standing()
        return verify_network(one.snapshot, one.plans, one.reservations, one.at_us)

    def cut(self, principal: Principal, links: Sequence[LinkId], risks: Sequence[str]) -> CutFound:
        """What it would do if these links, and all of these risk groups, went down. Raises NotFoundError, FaultsError."""
        _operators_only(principal)
        one = self._standing()
        index = one.snapshot.index
        _cut_faults(one.snapshot, links, risks)
        cut = cut_links(index, links, risks)
        book = LineBook(index)
        book.follow(one.snapshot)
        engine: list[LivePaths] = []  # made for the first reservation that needs it

        def rehome(reservation: Reservation, room: Ints, beside: ReservedWay | None) -> ReservedWay | Refusal:
            if not engine:
                engine.append(LivePaths(index, one.snapshot.links_down | set(cut)))
            found = engine[0].cheapest(reservation.wanted, room, beside)
            if found is not None:
                return found
            refusal = engine[0].refusal(reservation.wanted, room)
            apart = beside is not None and refusal.reason is NoWay.NO_ROOM
            return Refusal(reason=NoWay.NO_STANDBY) if apart else refusal

        return CutLook(book, one.snapshot, cut, one.at_us, rehome).look(one.ways())

    def optimise(self, principal: Principal, ask: OptimiseAsk) -> NetOptimised:
        """How much better the ways that are held now could be spread. Nothing is changed."""
        _operators_only(principal)
        one = self._standing()
        with self._optimising:
            return optimise_live(one.snapshot, one.ways(), one.at_us, ask)

    # -- ways --------------------------------------------------------------------------------------------------

    def paths(self, ask: PathsAsk) -> PathsFound:
        """The cheapest ways that would be admitted now, or why none. Nothing is held. Raises FaultsError."""
        now_us = self._clock()
        start_us = now_us if ask.start is None else ask.start
        end_us = start_us + (ask.lasts or US_PER_HOUR) if ask.end is None else ask.end
        with self._look() as road:
            index, down = road.state.index, road.state.links_down
            faults = [*unknown_names(ask.wanted, index), *_window_faults(start_us, end_us, now_us)]
            if ask.end is not None and ask.lasts is not None:
                faults.append(Fault("net_how_long", "end"))
            if faults:
                raise FaultsError(faults, "paths")
            room = road.line_book().room(start_us, end_us, down, road.state.security_down)
        with self._searching:
            if self._paths is None or self._paths.index is not index or self._paths.links_down != down:
                self._paths = LivePaths(index, down)
            ways, refusal = self._paths.offers(ask.wanted, room, ask.count)
        return PathsFound(at_us=now_us, start_us=start_us, end_us=end_us, wanted=ask.wanted, ways=ways, refusal=refusal)

    def reserve(self, principal: Principal, ask: ReserveAsk) -> ReservationView | Refusal:
        """Hold the cheapest way; durable when this returns. A refusal holds nothing. Raises FaultsError."""
        _operators_only(principal)
        self._ready()
        with self._verb() as road:
            now_us = self._clock()
            start_us = now_us if ask.start is None else ask.start
            end_us = start_us + (ask.lasts or 0) if ask.end is None else ask.end
            faults = unknown_names(ask.wanted, road.state.index)
            if (ask.end is None) == (ask.lasts is None):
                faults.append(Fault("net_how_long", "end"))
            else:
                faults += _window_faults(start_us, end_us, now_us)
            if faults:
                raise FaultsError(faults, "reserve")
            one = Reservation(
                reservation_id=self._ids.reservation_id(),
                principal=principal.key_id,
                note=ask.note,
                wanted=ask.wanted,
                start_us=start_us,
                end_us=end_us,
                standby=ask.standby,
            )
            found = road.reserve(one)
            return found if isinstance(found, Refusal) else reservation_view(found, now_us)

    def resize(
        self, principal: Principal, reservation_id: ReservationId, ask: ResizeAsk
    ) -> ReservationView | tuple[Refusal, Wanted]:
        """Another bandwidth; durable when this returns. A refusal, with what was wanted, has changed nothing. Raises
        NotFoundError."""
        _operators_only(principal)
        self._ready()
        with self._verb() as road:
            found = road.resize(reservation_id, ask.bandwidth_bps, principal.key_id)
            if isinstance(found, Refusal):
                wanted = road.state.reservations[reservation_id].reservation.wanted
                return found, wanted.model_copy(update={"bandwidth_bps": ask.bandwidth_bps})
            return reservation_view(found, self._clock())

    def release(self, principal: Principal, reservation_id: ReservationId) -> None:
        """Give a reservation back. Raises NotFoundError."""
        _operators_only(principal)
        with self._verb() as road:
            road.release(reservation_id, principal.key_id)

    def reservations(self, principal: Principal) -> tuple[ReservationView, ...]:
        """What has not ended, oldest first."""
        _operators_only(principal)
        with self._look() as road:
            now_us = self._clock()
            return tuple(reservation_view(one, now_us) for one in road.state.reservations.values())

    # -- copies ------------------------------------------------------------------------------------------------

    def _ready(self) -> None:
        """Make the tables of the links that are up beside the lock: of a large grid that takes seconds."""
        with self._look() as road:
            index, down, paths = road.state.index, road.state.links_down, road.paths
        if paths is None or paths.index is not index or paths.links_down != down:
            made = LivePaths(index, down)
            with self._look() as road:
                road.paths = made  # where a link has changed since, the road makes its own

    def _snapshot(self) -> Snapshot:
        with self._look() as road:
            return _copy(road)

    def _standing(self) -> Standing:
        with self._look() as road:
            state = road.state
            plans = [
                StandingPlan(task.plan, task.request, last_end_us(state.leases[task.plan.lease_id]))
                for group in (state.planned, *state.by_site.values())
                for task in group.values()
                if task.plan is not None and task.request is not None and task.plan.lease_id in state.leases
            ]
            reservations = [
                StandingReservation(one.reservation, one.way, one.lease_id, one.standby)
                for one in state.reservations.values()
                if one.way is not None and one.lease_id is not None
            ]
            return Standing(self._clock(), _copy(road), tuple(plans), tuple(reservations))


def _copy(road: Road) -> Snapshot:
    return road.state.snapshot().copied()


def _holders(ways: Iterable[StandingWay], link: LinkId, name: str, tenant: TenantId | None) -> Iterator[LinkHolder]:
    """Those of the ways that hold something of the link."""
    for one in ways:
        held = dict(one.held)
        ab_bps, ba_bps = held.get(f"{link}:ab", 0), held.get(f"{link}:ba", 0)
        if ab_bps or ba_bps:
            yield LinkHolder(way=one.way, name=name, tenant=tenant, ab_bps=ab_bps, ba_bps=ba_bps)


def _operators_only(principal: Principal) -> None:
    if principal.role is not Role.OPERATOR:
        raise NotAllowedError("role", role=principal.role.value)


def _window_faults(start_us: int, end_us: int, now_us: int) -> list[Fault]:
    if end_us > AT_US_MAX:
        return [Fault("net_window_far", "end", str(end_us))]
    if end_us <= start_us:
        return [Fault("net_window", "end", str(end_us), None, {"start": start_us})]
    return [Fault("net_window_past", "end", str(end_us), None, {"now": now_us})] if end_us <= now_us else []


def _cut_faults(snapshot: Snapshot, links: Sequence[LinkId], risks: Sequence[str]) -> None:
    """Raises NotFoundError for a link or group that does not exist, FaultsError where nothing is named."""
    for link in links:
        if link not in snapshot.index.links:
            raise NotFoundError("link_unknown", link=link)
    known = {group for link in snapshot.index.grid.links for group in link.shared_risk_groups}
    for group in risks:
        if group not in known:
            raise NotFoundError("risk_unknown", risk=group)
    if not links and not risks:
        raise FaultsError([Fault("net_cut_nothing", "cut")], "what-if")
