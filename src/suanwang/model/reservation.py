"""A reservation: bandwidth that an operator holds on the live network for something that is no task."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from suanwang.model.base import Value
from suanwang.model.grid import ProtectionFunction, Region
from suanwang.model.ids import LeaseId, LinkId, ReservationId, SiteId, Slug
from suanwang.model.plan import Hold, ProtectionStep
from suanwang.model.units import Bps, SpanUs

AVOID_MAX = 100  # of each kind
CHAIN_MAX = 4
SEGMENTS_MAX = 8  # of a list


class Wanted(Value):
    """Which way is wanted: its ends, what it carries, and what it must keep to. The functions of `protection` are passed
    in their order; no path is asked for between a site and itself. A list has `segments_max` segments at most: what an
    ingress can push."""

    source: SiteId
    target: SiteId
    bandwidth_bps: Annotated[Bps, Field(ge=1)] = 1_000_000
    latency_us_max: SpanUs | None = None
    avoid_links: Annotated[tuple[LinkId, ...], Field(max_length=AVOID_MAX)] = ()
    avoid_sites: Annotated[tuple[SiteId, ...], Field(max_length=AVOID_MAX)] = ()
    avoid_risks: Annotated[tuple[Slug, ...], Field(max_length=AVOID_MAX)] = ()
    avoid_regions: Annotated[tuple[Region, ...], Field(max_length=AVOID_MAX)] = ()
    protection: Annotated[tuple[ProtectionFunction, ...], Field(max_length=CHAIN_MAX)] = ()
    segments_max: Annotated[int, Field(ge=2, le=SEGMENTS_MAX)] = SEGMENTS_MAX


class WaySegment(Value):
    """One segment (RFC 8402): a node by the IGP or the delay plane (RFC 9350), or the adjacency of one directed link."""

    kind: Literal["node", "adjacency"]
    name: str  # a site, or "<link>:ab"
    plane: Literal["igp", "delay"] = "igp"


class CarriedLink(Value):
    """What a directed link carries of a way. Equal-cost links share it, each part rounded up."""

    link: str  # "<link>:ab" or "<link>:ba"
    bps: int


class ReservedWay(Value):
    """A segment list and all that it loads. `latency_us` is the worst over its equal-cost paths."""

    segments: tuple[WaySegment, ...]
    links: tuple[CarriedLink, ...]
    protection: tuple[ProtectionStep, ...] = ()
    latency_us: int
    price_micro_yuan_per_gbps_hour: int


class Reservation(Value):
    """What was reserved, for [start, end). With `standby` a second way is held beside the first."""

    reservation_id: ReservationId
    principal: str
    note: Annotated[str, Field(max_length=200)] = ""
    wanted: Wanted
    start_us: int
    end_us: int
    standby: bool = False


class ReservationEnd(StrEnum):
    RELEASED = "released"
    OVER = "over"


class ReservationMade(Value):
    """Its holds, of both ways where there are two, become a lease."""

    t: Literal["reservation_made"] = "reservation_made"
    at_us: int
    reservation: Reservation
    lease_id: LeaseId
    way: ReservedWay
    holds: tuple[Hold, ...]
    standby: ReservedWay | None = None


class ReservationMoved(Value):
    """Another way, or another standby, from now on: what it held is given back, and another lease taken. `link` brought it
    about. The way may be what was the standby."""

    t: Literal["reservation_moved"] = "reservation_moved"
    at_us: int
    reservation_id: ReservationId
    lease_id: LeaseId
    way: ReservedWay
    holds: tuple[Hold, ...]
    link: str
    standby: ReservedWay | None = None


class ReservationResized(Value):
    """Another bandwidth from now on: what it held is given back, and another lease taken."""

    t: Literal["reservation_resized"] = "reservation_resized"
    at_us: int
    reservation_id: ReservationId
    principal: str
    bandwidth_bps: int
    lease_id: LeaseId
    way: ReservedWay
    holds: tuple[Hold, ...]
    standby: ReservedWay | None = None


class ReservationBroken(Value):
    """Its way is lost and there is no other: it holds nothing, until a link comes back."""

    t: Literal["reservation_broken"] = "reservation_broken"
    at_us: int
    reservation_id: ReservationId
    link: str


class ReservationEnded(Value):
    t: Literal["reservation_ended"] = "reservation_ended"
    at_us: int
    reservation_id: ReservationId
    why: ReservationEnd
    principal: str = ""
