"""Bandwidth that an operator holds on the live network for no task: made, moved when a link falls, ended.

A reservation is a lease like a plan's, so the planner leaves it its room. A way is found by the online engine over what is
left, and checked by `verify.reserved`, which shares nothing with it, on the live state before it is committed. When a link
or a security pool falls or comes back, each reservation's list is followed again; where it no longer does what it holds, another way is taken
in the same batch of the log: its standby first, which is held beside it where one was asked for. One that has none is broken and
holds nothing, until a link comes back or room is made.
"""

from typing import Final

from suanwang.improve import Improving
from suanwang.livenet import (
    LineBook,
    LivePaths,
    Pair,
    Room,
    find_pair,
    find_second,
    pair_holds,
    room_without,
    same_lists,
)
from suanwang.model.error import ConflictError, NotFoundError
from suanwang.model.ids import LeaseId, LinkId, ReservationId, SecurityPoolId
from suanwang.model.network import NetFaultFound, NoWay, Refusal
from suanwang.model.plan import Hold
from suanwang.model.reservation import (
    Reservation,
    ReservationBroken,
    ReservationEnd,
    ReservationEnded,
    ReservationMade,
    ReservationMoved,
    ReservationResized,
    ReservedWay,
)
from suanwang.observe.reserved import Reserved
from suanwang.verify.reserved import Tracer, reservation_faults, way_faults

RETRY_EVERY_US: Final = 30_000_000  # what is lost is looked for again so often, since others may have made room
Left = tuple[ReservedWay | None, ReservedWay | None]  # the first way and the standby that are left


class Reserving(Improving):
    """The road's part that knows reservations. Not thread-safe."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.paths: LivePaths | None = (
            None  # of the links that are up now; whoever has made them beside the lock may put them here
        )
        self._book: LineBook | None = None
        self._retried_us = 0

    def live_paths(self) -> LivePaths:
        """The engine over the links that are up now."""
        index, down = self.state.index, self.state.links_down
        if self.paths is None or self.paths.index is not index or self.paths.links_down != down:
            self.paths = LivePaths(index, down)
        return self.paths

    def line_book(self) -> LineBook:
        """What is held of each line now."""
        if self._book is None or self._book.index is not self.state.index:
            self._book = LineBook(self.state.index)
        self._book.follow(self.state.snapshot())
        return self._book

    def reserve(self, one: Reservation) -> Reserved | Refusal:
        """Reserve the cheapest way, and a standby where one is asked for; durable when this returns. A refusal has changed
        nothing.

        Raises ConflictError where the checker finds a fault in what the engine found: a fault of ours, and nothing is held.
        """
        found = self._find(one, one.start_us)
        if isinstance(found, Refusal):
            return found
        now_us, lease_id = self.clock(), self.ids.lease_id()
        holds = self._checked(one, found, lease_id, one.start_us)
        self.emit(
            ReservationMade(
                at_us=now_us, reservation=one, lease_id=lease_id, way=found.way, standby=found.standby, holds=holds
            )
        )
        self.commit()
        return self.state.reservations[one.reservation_id]

    def resize(self, reservation_id: ReservationId, bandwidth_bps: int, principal: str) -> Reserved | Refusal:
        """Another bandwidth from now on: on the segment lists that it has where they have the room, else on others. It is
        durable when this returns; a refusal has changed nothing. Raises NotFoundError, and ConflictError as `reserve`."""
        kept = self._known(reservation_id)
        wanted = kept.reservation.wanted.model_copy(update={"bandwidth_bps": bandwidth_bps})
        one = kept.reservation.model_copy(update={"wanted": wanted})
        now_us = self.clock()
        start_us = max(now_us, one.start_us)
        found = self._resized(kept, one, start_us)
        if isinstance(found, Refusal):
            return found
        lease_id = self.ids.lease_id()
        holds = self._checked(one, found, kept.lease_id or lease_id, start_us)
        self.room_us = now_us
        self.emit(
            ReservationResized(
                at_us=now_us,
                reservation_id=reservation_id,
                principal=principal,
                bandwidth_bps=bandwidth_bps,
                lease_id=lease_id,
                way=found.way,
                standby=found.standby,
                holds=holds,
            )
        )
        self.commit()
        return kept

    def _resized(self, kept: Reserved, one: Reservation, start_us: int) -> Pair | Refusal:
        room, paths = self._room(one, start_us, kept.lease_id), self.live_paths()
        if kept.way is None:
            return find_pair(paths, one, room)
        same = same_lists(paths, one.wanted, Pair(kept.way, kept.standby), room)
        return find_pair(paths, one, room) if same is None else same

    def release(self, reservation_id: ReservationId, principal: str) -> None:
        """Give a reservation back before its end."""
        self._known(reservation_id)
        self._end(reservation_id, ReservationEnd.RELEASED, principal)
        self.commit()

    def set_link(self, link: LinkId, up: bool, principal: str, agent: str | None = None) -> bool:
        """As the keeper does; then the reservations go where they still can."""
        changed = super().set_link(link, up, principal, agent)
        if changed:
            self._follow_links(link)
        return changed

    def set_security_pool(self, pool: SecurityPoolId, up: bool, principal: str, agent: str | None = None) -> bool:
        """As the keeper does; then the reservations go where they still can."""
        changed = super().set_security_pool(pool, up, principal, agent)
        if changed:
            self._follow_links(pool)
        return changed

    def tick(self) -> None:
        """What time alone brings about; reservations end."""
        now_us = self.clock()
        for reservation_id in [one for one, kept in self.state.reservations.items() if self._has_ended(kept, now_us)]:
            self._end(reservation_id, ReservationEnd.OVER, "")
        broken = any(_lacks(one) for one in self.state.reservations.values())
        if broken and not 0 <= now_us - self._retried_us < RETRY_EVERY_US:
            self._retried_us = now_us
            self._follow_links("")
        super().tick()

    @staticmethod
    def _has_ended(kept: Reserved, now_us: int) -> bool:
        return kept.reservation.end_us <= now_us

    def _end(self, reservation_id: ReservationId, why: ReservationEnd, principal: str) -> None:
        now_us = self.clock()
        self.room_us = now_us
        self.emit(ReservationEnded(at_us=now_us, reservation_id=reservation_id, why=why, principal=principal))

    def _follow_links(self, link: str) -> None:
        """Follow each list over the links that are up now; the largest flow chooses first where lists are lost."""
        if not self.state.reservations:
            return
        now_us, tracer = self.clock(), Tracer(self.state.index, self.state.links_down, self.state.security_down)
        left = [(kept, self._left(kept, tracer, now_us)) for kept in self.state.reservations.values()]
        lost = [(kept, ways) for kept, ways in left if None in ways[: 1 + kept.reservation.standby]]
        lost.sort(key=lambda one: (-one[0].reservation.wanted.bandwidth_bps, one[0].reservation.reservation_id))
        for kept, ways in lost:
            self._restore(kept, ways, link, now_us, tracer)

    @staticmethod
    def _left(kept: Reserved, tracer: Tracer, now_us: int) -> Left:
        """The ways that still do what they hold."""
        one = kept.reservation
        start_us = max(now_us, one.start_us)

        def does(way: ReservedWay | None) -> ReservedWay | None:
            return None if way is None or any(way_faults(one, way, start_us, tracer)) else way

        return does(kept.way), does(kept.standby)

    def _restore(self, kept: Reserved, left: Left, link: str, now_us: int, tracer: Tracer) -> None:
        """The standby takes the place of a way that is lost, with the room that it holds; what is lost then is looked for."""
        one = kept.reservation
        start_us = max(now_us, one.start_us)
        if start_us >= one.end_us:
            return
        way, standby = left if left[0] is not None else (left[1], None)
        if way is None:
            if kept.way is not None:  # what it holds is of no use to it, and may be of use to its next way
                self.emit(ReservationBroken(at_us=now_us, reservation_id=one.reservation_id, link=link))
            found = self._find(one, start_us)
            if isinstance(found, Refusal) and found.reason is NoWay.NO_STANDBY:
                found = self._find(one.model_copy(update={"standby": False}), start_us)
            if isinstance(found, Refusal):
                return
        else:
            if standby is None and one.standby:
                room = self._room(one, start_us, kept.lease_id)
                standby = find_second(self.live_paths(), one.wanted, way, room)
            found = Pair(way, standby)
        if found == (kept.way, kept.standby):
            return
        lease_id = self.ids.lease_id()
        holds = pair_holds(found, one.wanted.bandwidth_bps, start_us, one.end_us)
        if self._faults(one, found, holds, kept.lease_id or lease_id, start_us, tracer):
            self.verify_faults += 1
            return
        self.emit(
            ReservationMoved(
                at_us=now_us,
                reservation_id=one.reservation_id,
                lease_id=lease_id,
                way=found.way,
                standby=found.standby,
                holds=holds,
                link=link,
            )
        )

    def _known(self, reservation_id: ReservationId) -> Reserved:
        kept = self.state.reservations.get(reservation_id)
        if kept is None:
            raise NotFoundError("reservation_unknown", reservation=reservation_id)
        return kept

    def _find(self, one: Reservation, start_us: int) -> Pair | Refusal:
        return find_pair(self.live_paths(), one, self._room(one, start_us))

    def _room(self, one: Reservation, start_us: int, without: LeaseId | None = None) -> Room:
        """What is left over its window, without what a lease of its own holds."""
        book = self.line_book()
        room = book.room(start_us, one.end_us, self.state.links_down, self.state.security_down)
        return room if without is None else room_without(book, room, self.state.leases[without])

    def _checked(self, one: Reservation, pair: Pair, lease_id: LeaseId, start_us: int) -> tuple[Hold, ...]:
        """What the ways hold. Raises ConflictError where the checker does not let it through."""
        holds = pair_holds(pair, one.wanted.bandwidth_bps, start_us, one.end_us)
        faults = self._faults(one, pair, holds, lease_id, start_us)
        if faults:
            self.verify_faults += 1
            raise ConflictError("reservation_unsound", fault=faults[0].fault.value, detail=faults[0].detail)
        return holds

    def _faults(
        self,
        one: Reservation,
        pair: Pair,
        holds: tuple[Hold, ...],
        lease_id: LeaseId,
        start_us: int,
        tracer: Tracer | None = None,
    ) -> list[NetFaultFound]:
        """Of the checker; what `lease_id` holds now is not counted beside it."""
        snapshot = self.state.snapshot()
        return reservation_faults(one, pair.way, holds, lease_id, snapshot, start_us, tracer, pair.standby)


def _lacks(kept: Reserved) -> bool:
    """Whether something of it is lost and is to be looked for again."""
    return kept.way is None or (kept.reservation.standby and kept.standby is None)
