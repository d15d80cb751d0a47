"""Work out again, from the leases alone, what every link and pool is used for, and say every fault.

In: a snapshot, the plans that stand with their requests, and the reservations. Looked at is what is held from now on: at no
instant more than there is, nothing on a link in its maintenance, whether it is held or only used; every way leads from its source to its target over links
that are up, keeps its latency and is covered by its own lease.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from suanwang.model.compact import AnyPlan, Holds, full_plan
from suanwang.model.ids import LeaseId, LinkId, SiteId
from suanwang.model.network import Mlu, NetFault, NetFaultFound, NetVerified
from suanwang.model.plan import Hold, Path
from suanwang.model.reservation import Reservation, ReservedWay
from suanwang.model.snapshot import GridIndex, Snapshot
from suanwang.model.task import TaskRequest, latency_us_max
from suanwang.verify.holds import capacity_of, needs_of
from suanwang.verify.path import avoid_faults, closed_in
from suanwang.verify.reserved import Tracer, apart_faults, reserved_needs, way_faults

PPM = 1_000_000
Key = tuple[str, str]


class StandingPlan(NamedTuple):
    """A plan that stands, and when its lease ends."""

    plan: AnyPlan
    request: TaskRequest
    end_us: int


class StandingReservation(NamedTuple):
    reservation: Reservation
    way: ReservedWay
    lease: LeaseId
    standby: ReservedWay | None = None

    def ways(self) -> tuple[ReservedWay, ...]:
        return (self.way,) if self.standby is None else (self.way, self.standby)


def verify_network(
    snapshot: Snapshot, plans: Iterable[StandingPlan], reservations: Iterable[StandingReservation], now_us: int
) -> NetVerified:
    """What was looked at, and every fault."""
    faults: list[NetFaultFound] = []
    by_key: dict[Key, list[Hold]] = defaultdict(list)
    count = 0
    for holds in snapshot.leases.values():
        for hold in holds:
            if hold.end_us > now_us:
                count += 1
                by_key[hold.resource, hold.key].append(hold)
    slots = 0
    for key in sorted(by_key):
        cut, found = _resource(key, by_key[key], snapshot.index, now_us)
        slots += cut
        faults += found
    ways = 0
    for one in plans:
        for path_faults in _plan(one, snapshot, now_us):
            ways += 1
            faults += path_faults
    tracer = Tracer(snapshot.index, snapshot.links_down, snapshot.security_down)
    for kept in reservations:
        ways += len(kept.ways())
        faults += _reserved(kept, snapshot.leases, tracer, now_us)
    return NetVerified(
        at_us=now_us,
        leases=len(snapshot.leases),
        holds=count,
        resources=len(by_key),
        slots=slots,
        ways=ways,
        mlu=_mlu(snapshot.index, by_key, now_us),
        faults=tuple(faults),
    )


def _resource(key: Key, holds: list[Hold], index: GridIndex, now_us: int) -> tuple[int, list[NetFaultFound]]:
    """How many stretches of time there are from now on, and one fault for each run of them that is over the capacity."""
    capacity = capacity_of(*key, index)
    what = " ".join(key)
    if capacity is None:
        return 0, [NetFaultFound(fault=NetFault.UNKNOWN, what=what)]
    changes: dict[int, list[int]] = defaultdict(lambda: [0] * len(capacity))
    for hold in holds:
        for at_us, sign in ((max(now_us, hold.start_us), 1), (hold.end_us, -1)):
            row = changes[at_us]
            for figure, need in enumerate(needs_of(hold)):
                row[figure] += sign * need
    used, over, found = [0] * len(capacity), False, []
    for at_us in sorted(changes):
        used = [one + more for one, more in zip(used, changes[at_us], strict=True)]
        bad = next((figure for figure, one in enumerate(used) if one > capacity[figure]), None)
        if bad is not None and not over:
            limit, now = capacity[bad], used[bad]
            found.append(NetFaultFound(fault=NetFault.OVERSUBSCRIBED, what=what, at_us=at_us, used=now, limit=limit))
        over = bad is not None
    return len(changes) - 1, [*found, *_maintenance(key, holds, index, now_us)]


def _maintenance(key: Key, holds: list[Hold], index: GridIndex, now_us: int) -> Iterator[NetFaultFound]:
    """One fault for each planned window in which something is held."""
    if key[0] != "link":
        return
    for window in index.links[LinkId(key[1].rpartition(":")[0])].maintenance:
        inside = [one for one in holds if one.start_us < window.end and max(one.start_us, now_us) < one.end_us]
        inside = [one for one in inside if window.start < one.end_us and window.end > now_us]
        if inside:
            first_us = max(now_us, window.start, min(one.start_us for one in inside))
            used = sum(one.bps for one in inside)
            yield NetFaultFound(fault=NetFault.MAINTENANCE, what=f"link {key[1]}", at_us=first_us, used=used, limit=0)


def _plan(one: StandingPlan, snapshot: Snapshot, now_us: int) -> Iterator[list[NetFaultFound]]:
    """The faults of each way of a plan that is not over."""
    plan, origin = full_plan(one.plan), one.request.origin or snapshot.index.grid.default_origin
    lease = snapshot.leases.get(plan.lease_id, ())
    run, bound_us = (plan.run_start_us, one.end_us), latency_us_max(one.request)
    walks = [(plan.path, origin, plan.site, plan.bandwidth_bps, run, bound_us, plan.protection)]
    if plan.standby is not None:
        place = plan.standby
        walks.append((place.path, origin, place.site, plan.bandwidth_bps, run, bound_us, place.protection))
    for move in plan.data:
        window = (move.start_us, move.end_us)
        if move.path.links:
            walks.append((move.path, move.replica, plan.site, move.rate_bps, window, None, ()))
    for path, source, target, bps, (start_us, end_us), most_us, steps in walks:
        if end_us > now_us:
            found = list(_walk(path, source, target, most_us, snapshot))
            found += [
                NetFaultFound(fault=NetFault.AVOIDED, what=plan.task_id, detail=detail)
                for _, detail in avoid_faults(path, one.request, snapshot)
            ]
            dead = [step.security_pool for step in steps if step.security_pool in snapshot.security_down]
            found += [NetFaultFound(fault=NetFault.SECURITY_DOWN, what=pool, detail=pool) for pool in dead]
            if bps:
                found += _covered(path, bps, max(now_us, start_us), end_us, lease)
            else:
                found += _closed(path, max(now_us, start_us), end_us, snapshot)
            yield [fault.model_copy(update={"what": plan.task_id}) for fault in found]


def _walk(
    path: Path, source: SiteId, target: SiteId, bound_us: int | None, snapshot: Snapshot
) -> Iterator[NetFaultFound]:
    at, late_us = source, 0
    for step in path.links:
        key = f"{step.link}:{'ab' if step.forward else 'ba'}"
        link = snapshot.index.links.get(step.link)
        if link is None:
            yield NetFaultFound(fault=NetFault.UNKNOWN, what=key, detail=key)
            return
        start, end = (link.a, link.b) if step.forward else (link.b, link.a)
        if start != at:
            yield NetFaultFound(fault=NetFault.NOT_CONNECTED, what=key, detail=f"{key} does not begin at {at}")
            return
        if link.id in snapshot.links_down:
            yield NetFaultFound(fault=NetFault.LINK_DOWN, what=key, detail=key)
        at, late_us = end, late_us + link.latency_us
    if at != target:
        yield NetFaultFound(fault=NetFault.NOT_CONNECTED, what=target, detail=f"it ends at {at}, not at {target}")
    limit_us = path.latency_us if bound_us is None else min(path.latency_us, bound_us)
    if late_us > limit_us:
        yield NetFaultFound(fault=NetFault.LATENCY, what=target, used=late_us, limit=limit_us)


def _closed(path: Path, start_us: int, end_us: int, snapshot: Snapshot) -> Iterator[NetFaultFound]:
    """Planned maintenance of a way that holds nothing; what is held is looked at by link."""
    for step, window in closed_in(path, start_us, end_us, snapshot):
        key = f"{step.link}:{'ab' if step.forward else 'ba'}"
        yield NetFaultFound(fault=NetFault.MAINTENANCE, what=key, at_us=max(start_us, window.start), detail=key)


def _covered(path: Path, bps: int, start_us: int, end_us: int, lease: Holds) -> Iterator[NetFaultFound]:
    """Whether the lease holds the flow on each link of a walk from `start_us` to `end_us`."""
    for step in path.links:
        key = f"{step.link}:{'ab' if step.forward else 'ba'}"
        mine = [one for one in lease if one.resource == "link" and one.key == key]
        edges = sorted({start_us, *(one.start_us for one in mine if start_us < one.start_us < end_us)})
        edges += [one.end_us for one in mine if start_us < one.end_us < end_us]
        for at_us in sorted(set(edges)):
            held = sum(one.bps for one in mine if one.start_us <= at_us < one.end_us)
            if held < bps:
                yield NetFaultFound(fault=NetFault.NOT_HELD, what=key, at_us=at_us, used=bps, limit=held, detail=key)
                break


def _reserved(
    kept: StandingReservation, leases: Mapping[LeaseId, Holds], tracer: Tracer, now_us: int
) -> Iterator[NetFaultFound]:
    one = kept.reservation
    start_us = max(now_us, one.start_us)
    for way in kept.ways():
        yield from way_faults(one, way, start_us, tracer)
    if kept.standby is not None:
        yield from apart_faults(one, kept.way, kept.standby, tracer.index)
    held: dict[Key, int] = defaultdict(int)
    for hold in leases.get(kept.lease, ()):
        if hold.start_us <= start_us and hold.end_us >= one.end_us:
            held[hold.resource, hold.key] += hold.bps
    for (resource, key_), bps in reserved_needs(one, kept.ways()).items():
        if held[resource, key_] < bps:
            yield NetFaultFound(
                fault=NetFault.NOT_HELD, what=one.reservation_id, used=bps, limit=held[resource, key_], detail=key_
            )


def _mlu(index: GridIndex, by_key: Mapping[Key, list[Hold]], now_us: int) -> Mlu:
    best = Mlu(use_ppm=0, link=None)
    for (resource, key), holds in by_key.items():
        capacity = capacity_of(resource, key, index) if resource == "link" else None
        if capacity is not None and capacity[0]:
            used = sum(one.bps for one in holds if one.start_us <= now_us < one.end_us)
            if used * PPM // capacity[0] > best.use_ppm:
                best = Mlu(use_ppm=used * PPM // capacity[0], link=key)
    return best
