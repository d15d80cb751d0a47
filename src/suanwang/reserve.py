"""Bandwidth that an operator holds on the live network for no task: made, moved when a link falls, ended.

A reservation is a lease like a plan's, so the planner leaves it its room. A way is found by the online engine over what is
left, and checked by `verify.reserved`, which shares nothing with it, on the live state before it is committed. When a link
or a security pool falls or comes back, each reservation's list is followed again; where it no longer does what it holds, another way is taken
in the same batch of the log. One that has none is broken and holds nothing, until a link comes back or room is made.
"""

from typing import Final

from suanwang.improve import Improving
from suanwang.livenet import LineBook, LivePaths
from suanwang.model.error import ConflictError, NotFoundError
from suanwang.model.ids import LinkId, ReservationId, SecurityPoolId
from suanwang.model.network import Refusal
from suanwang.model.reservation import (
    Reservation,
    ReservationBroken,
    ReservationEnd,
    ReservationEnded,
    ReservationMade,
    ReservationMoved,
    ReservedWay,
)
from suanwang.observe.reserved import Reserved
from suanwang.verify.reserved import Tracer, reservation_faults, way_faults

RETRY_EVERY_US: Final = 30_000_000  # a broken one is tried again so often, since others may have made room


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
        """Reserve the cheapest way; durable when this returns. A refusal has changed nothing.

        Raises ConflictError where the checker finds a fault in what the engine found: a fault of ours, and nothing is held.
        """
        found = self._way(one, one.start_us)
        if found is None:
            state = self.state
            room = self.line_book().room(one.start_us, one.end_us, state.links_down, state.security_down)
            return self.live_paths().refusal(one.wanted, room)
        now_us, lease_id = self.clock(), self.ids.lease_id()
        holds = self.live_paths().holds(found, one.wanted.bandwidth_bps, one.start_us, one.end_us)
        faults = reservation_faults(one, found, holds, lease_id, self.state.snapshot(), one.start_us)
        if faults:
            self.verify_faults += 1
            raise ConflictError("reservation_unsound", fault=faults[0].fault.value, detail=faults[0].detail)
        self.emit(ReservationMade(at_us=now_us, reservation=one, lease_id=lease_id, way=found, holds=holds))
        self.commit()
        return self.state.reservations[one.reservation_id]

    def release(self, reservation_id: ReservationId, principal: str) -> None:
        """Give a reservation back before its end."""
        if reservation_id not in self.state.reservations:
            raise NotFoundError("reservation_unknown", reservation=reservation_id)
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
        broken = any(one.way is None for one in self.state.reservations.values())
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
        lost = [one for one in self.state.reservations.values() if not self._still_does(one, tracer, now_us)]
        lost.sort(key=lambda one: (-one.reservation.wanted.bandwidth_bps, one.reservation.reservation_id))
        for kept in lost:
            self._move(kept, link, now_us, tracer)

    @staticmethod
    def _still_does(kept: Reserved, tracer: Tracer, now_us: int) -> bool:
        one = kept.reservation
        return kept.way is not None and not any(way_faults(one, kept.way, max(now_us, one.start_us), tracer))

    def _move(self, kept: Reserved, link: str, now_us: int, tracer: Tracer) -> None:
        one = kept.reservation
        start_us = max(now_us, one.start_us)
        if start_us >= one.end_us:
            return
        if kept.way is not None:  # what it holds is of no use to it, and may be of use to its next way
            self.emit(ReservationBroken(at_us=now_us, reservation_id=one.reservation_id, link=link))
        found = self._way(one, start_us)
        if found is None:
            return
        lease_id = self.ids.lease_id()
        holds = self.live_paths().holds(found, one.wanted.bandwidth_bps, start_us, one.end_us)
        if reservation_faults(one, found, holds, lease_id, self.state.snapshot(), start_us, tracer):
            self.verify_faults += 1
            return
        self.emit(
            ReservationMoved(
                at_us=now_us,
                reservation_id=one.reservation_id,
                lease_id=lease_id,
                way=found,
                holds=holds,
                link=link,
            )
        )

    def _way(self, one: Reservation, start_us: int) -> ReservedWay | None:
        room = self.line_book().room(start_us, one.end_us, self.state.links_down, self.state.security_down)
        return self.live_paths().cheapest(one.wanted, room)
