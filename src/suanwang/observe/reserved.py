"""The fold of reservations: what an operator holds for no task. A lease of each stands beside the leases of plans."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from suanwang.model.ids import LeaseId
from suanwang.model.reservation import (
    Reservation,
    ReservationBroken,
    ReservationEnded,
    ReservationMade,
    ReservationMoved,
    ReservationResized,
    ReservedWay,
)

if TYPE_CHECKING:
    from suanwang.observe.state import State


@dataclass
class Reserved:
    """A reservation that has not ended. Broken: without a way and without a lease. One that wants a standby may have none
    after a cut."""

    reservation: Reservation
    way: ReservedWay | None
    lease_id: LeaseId | None
    moves: int = 0
    broken_by: str | None = None
    standby: ReservedWay | None = None


def _made(state: "State", record: ReservationMade) -> None:
    one = record.reservation
    assert one.reservation_id not in state.reservations, "a reservation is made once"
    state.add_lease(record.lease_id, record.holds)
    state.reservations[one.reservation_id] = Reserved(one, record.way, record.lease_id, standby=record.standby)


def _moved(state: "State", record: ReservationMoved) -> None:
    one = state.reservations[record.reservation_id]
    one.moves += record.way != one.way
    _take(state, one, record)


def _resized(state: "State", record: ReservationResized) -> None:
    one = state.reservations[record.reservation_id]
    wanted = one.reservation.wanted.model_copy(update={"bandwidth_bps": record.bandwidth_bps})
    one.reservation = one.reservation.model_copy(update={"wanted": wanted})
    _take(state, one, record)


def _take(state: "State", one: Reserved, record: ReservationMoved | ReservationResized) -> None:
    """What it held is given back, what the record says is held."""
    if one.lease_id is not None:
        state.drop_lease(one.lease_id)
    state.add_lease(record.lease_id, record.holds)
    one.way, one.standby, one.lease_id, one.broken_by = record.way, record.standby, record.lease_id, None


def _broken(state: "State", record: ReservationBroken) -> None:
    one = state.reservations[record.reservation_id]
    assert one.lease_id is not None, "only what stands breaks"
    state.drop_lease(one.lease_id)
    one.way, one.standby, one.lease_id, one.broken_by = None, None, None, record.link


def _ended(state: "State", record: ReservationEnded) -> None:
    one = state.reservations.pop(record.reservation_id)
    if one.lease_id is not None:
        state.drop_lease(one.lease_id)


RESERVATION_FOLDS: Final[Mapping[type, Callable[[Any, Any], None]]] = {
    ReservationMade: _made,
    ReservationMoved: _moved,
    ReservationResized: _resized,
    ReservationBroken: _broken,
    ReservationEnded: _ended,
}
