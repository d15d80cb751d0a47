"""A repaired path: the cheapest of all loop-free walks that have room, by brute force, and sound by the checker."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.plan.brute_force import Brute
from tests.plan.worlds import (
    FIREWALL,
    NOW,
    Ids,
    S,
    World,
    general,
    grid_of,
    grids,
    leases,
    link_of,
    site_of,
    snapshot_of,
)

from suanwang.model.grid import Maintenance, SecurityPool
from suanwang.model.ids import LinkId, TaskId
from suanwang.model.plan import Hold, Plan, QuotedWay
from suanwang.model.reason import PlanFault
from suanwang.model.snapshot import Snapshot, index_grid
from suanwang.model.task import Resources, TaskRequest
from suanwang.plan import PlanAsk, RepairAsk, plan, repair
from suanwang.verify import verify_repair

BPS = 10**7


def planned(snapshot: Snapshot, request: TaskRequest) -> Plan | None:
    return plan(snapshot, [World(snapshot, request).ask], NOW, 0, Ids())[0].plan


def running(snapshot: Snapshot, made: Plan) -> tuple[Plan, Snapshot]:
    """A plan, and the snapshot that holds its lease."""
    return made, replace(snapshot, leases={**snapshot.leases, made.lease_id: made.holds})


class LaterIds(Ids):
    def plan_id(self) -> str:
        return "plan-later"


def asked(old: Plan, request: TaskRequest, avoid=(), below_us: int | None = None) -> RepairAsk:
    ask = PlanAsk(TaskId("task-1"), "t", request, old.generation + 1, old.plan_id)
    return RepairAsk(ask, old, frozenset(avoid), below_us)


@st.composite
def cases(draw):
    grid = draw(grids())
    sites = [site.id for site in grid.sites if any(pool.kind.value == "general" for pool in site.pools)]
    assume(sites)
    request = TaskRequest(
        run="true",
        resources=Resources(cpu=1, memory=0, wall_time=draw(st.sampled_from((60 * S, 3_600 * S)))),
        origin=draw(st.sampled_from([site.id for site in grid.sites])),
        sites=(draw(st.sampled_from(sites)),),
        bandwidth=draw(st.sampled_from((0, BPS, BPS, 6 * BPS))),
        latency=draw(st.sampled_from((None, 4_700, 40_000))),
    )
    held = draw(leases(grid))
    cut = draw(st.sets(st.sampled_from([link.id for link in grid.links]), max_size=2))
    avoid = draw(st.sets(st.sampled_from([link.id for link in grid.links]), max_size=2))
    below_us = draw(st.sampled_from((None, None, 1, 5_000)))
    return grid, request, held, cut, avoid, draw(st.integers(0, 50)) * S, below_us


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases())
def test_it_is_the_best_walk_that_has_room(case) -> None:
    grid, request, held, cut, avoid, after_us, below_us = case
    made = planned(snapshot_of(grid, held), request)
    assume(made is not None)
    old, snapshot = running(snapshot_of(grid, held), made)
    now_us = max(NOW + after_us, old.run_start_us)
    assume(now_us < old.end_us)
    snapshot = replace(snapshot, links_down=frozenset(cut))
    made = repair(snapshot, asked(old, request, avoid, below_us), now_us, LaterIds())
    best = brute(snapshot, old, request, now_us, avoid, below_us)
    if best is None or best[1] == tuple(one.link for one in old.path.links):
        assert made is None or cost(snapshot, made, now_us) == (best and best[0])
        return
    assert made is not None
    assert cost(snapshot, made, now_us) == best[0]
    assert verify_repair(old, made, request, snapshot, now_us, avoid) == []


def cost(snapshot: Snapshot, made: Plan, now_us: int) -> tuple[int, int, int]:
    links = [snapshot.index.links[one.link] for one in made.path.links]
    price = sum(one.price_micro_yuan_per_gbps_hour for one in links) if made.bandwidth_bps else 0
    return price, made.path.latency_us, len(links)


def brute(snapshot: Snapshot, old: Plan, request: TaskRequest, now_us: int, avoid, below_us):
    """(cost, links) of the best of all loop-free walks, or None."""
    others = [hold for lease, holds in snapshot.leases.items() if lease != old.lease_id for hold in holds]
    found = []
    for sites, links in Brute(snapshot, request, now_us).walks(request.origin):
        names = tuple(link.id for link, _ in links)
        if sites[-1] != old.site or set(names) & (set(avoid) | set(snapshot.links_down)):
            continue
        rows = [snapshot.index.links[one] for one in names]
        if any(one.start < old.end_us and now_us < one.end for row in rows for one in row.maintenance):
            continue
        late = sum(one.latency_us for one in rows)
        bound = min([one for one in (request.latency, below_us and below_us - 1) if one is not None], default=late)
        if late > bound:
            continue
        if old.bandwidth_bps and not all(
            has_room(row.capacity_bps, key_of(row, sites[at]), others, old.bandwidth_bps, now_us, old.end_us)
            for at, row in enumerate(rows)
        ):
            continue
        price = sum(one.price_micro_yuan_per_gbps_hour for one in rows) if old.bandwidth_bps else 0
        found.append(((price, late, len(rows)), names))
    return min(found, default=None)


def key_of(link, at: str) -> str:
    return f"{link.id}:{'ab' if link.a == at else 'ba'}"


def has_room(capacity_bps: int, key: str, others: list[Hold], bps: int, start_us: int, end_us: int) -> bool:
    """Whether so much is free at every moment of the span: after its start, use grows only where a hold begins."""
    there = [one for one in others if one.resource == "link" and one.key == key]
    moments = {start_us, *(one.start_us for one in there if start_us < one.start_us < end_us)}
    return all(
        bps + sum(one.bps for one in there if one.start_us <= at_us < one.end_us) <= capacity_bps for at_us in moments
    )


# -- the checker of repairs ----------------------------------------------------------------------------------------


def ring() -> tuple[Plan, TaskRequest, Snapshot]:
    """home reaches work over x and over y; both have a firewall."""
    walls = {
        one: [SecurityPool(id=f"{one}/fw", function=FIREWALL, capacity_bps=10**9, price_micro_yuan_per_gbps_hour=1)]
        for one in ("x", "y")
    }
    sites = [site_of("home"), *(site_of(one, security=walls[one]) for one in ("x", "y"))]
    sites.append(site_of("work", [general("work", memory=2**30)]))
    links = [
        link_of("h-x", "home", "x", 10**8),
        link_of("x-w", "x", "work", 10**8),
        link_of("h-y", "home", "y", 10**8, price=9_000),
        link_of("y-w", "y", "work", 10**8, price=9_000),
    ]
    request = TaskRequest(
        run="true",
        resources=Resources(cpu=1, memory=1, wall_time=60 * S),
        origin="home",
        sites=("work",),
        bandwidth=BPS,
        protection=(FIREWALL,),
        latency=3_000,
    )
    free = snapshot_of(grid_of(sites, links))
    made = planned(free, request)
    assert made is not None
    old, snapshot = running(free, made)
    return old, request, replace(snapshot, links_down=frozenset({"h-x"}))


def spoilt(made: Plan, old: Plan, what: str) -> Plan:
    holds = made.holds
    link = next(one for one in holds if one.resource == "link")
    return made.model_copy(
        update={
            "place": {"pool": "work/other"},
            "quote": {"quote_micro_yuan": made.quote_micro_yuan + 1},
            "billed": {"quoted": QuotedWay(path=made.path)},
            "unbilled": {"quoted": None},
            "parent": {"parent": None},
            "generation": {"generation": made.generation + 1},
            "old path": {"path": old.path},
            "latency": {"path": made.path.model_copy(update={"latency_us": 1})},
            "no firewall": {"protection": ()},
            "less": {"holds": tuple(one for one in holds if one is not link)},
            "shorter": {
                "holds": tuple(
                    one if one is not link else one.model_copy(update={"end_us": one.end_us - 1}) for one in holds
                )
            },
            "pool let go": {"holds": tuple(one for one in holds if one.resource != "pool")},
            "as before": {"holds": old.holds},
        }[what]
    )


@pytest.mark.parametrize(
    ("what", "fault"),
    [
        ("place", PlanFault.REPAIR_CHANGED),
        ("quote", PlanFault.REPAIR_CHANGED),
        ("billed", PlanFault.REPAIR_CHANGED),
        ("unbilled", PlanFault.REPAIR_CHANGED),
        ("parent", PlanFault.GENERATION),
        ("generation", PlanFault.GENERATION),
        ("old path", PlanFault.PATH_BROKEN),
        ("latency", PlanFault.PATH_LATENCY),
        ("no firewall", PlanFault.PROTECTION_MISSING),
        ("less", PlanFault.HOLDS_WRONG),
        ("shorter", PlanFault.HOLDS_WRONG),
        ("pool let go", PlanFault.HOLDS_WRONG),
        ("as before", PlanFault.HOLDS_WRONG),
    ],
)
def test_the_checker_finds_what_is_wrong(what: str, fault: PlanFault) -> None:
    old, request, snapshot = ring()
    now_us = NOW + 5 * S
    made = repair(snapshot, asked(old, request), now_us, LaterIds())
    assert made is not None
    assert verify_repair(old, made, request, snapshot, now_us) == []
    assert fault in {one for one, _ in verify_repair(old, spoilt(made, old, what), request, snapshot, now_us)}


def test_the_checker_holds_it_to_bound_room_and_links_to_avoid() -> None:
    old, request, snapshot = ring()
    now_us = NOW + 5 * S
    made = repair(snapshot, asked(old, request), now_us, LaterIds())
    tight = request.model_copy(update={"latency": 1_999})
    assert PlanFault.LATENCY_BOUND in {one for one, _ in verify_repair(old, made, tight, snapshot, now_us)}
    shunned = verify_repair(old, made, request, snapshot, now_us, (LinkId("y-w"),))
    assert [one for one, _ in shunned] == [PlanFault.PATH_BROKEN]
    for resource, key, fault in (
        ("link", "y-w:ab", PlanFault.LINK_OVERSUBSCRIBED),
        ("protection", "y/fw", PlanFault.PROTECTION_OVERSUBSCRIBED),
    ):
        late = Hold(resource=resource, key=key, bps=10**9 - 5, start_us=old.end_us - 1, end_us=old.end_us + 1)
        full = replace(snapshot, leases={**snapshot.leases, "lease-late": (late,)})
        assert [one for one, _ in verify_repair(old, made, request, full, now_us)] == [fault]
        assert repair(full, asked(old, request), now_us, LaterIds()) is None
    over = verify_repair(old, made, request, snapshot, old.end_us)
    assert PlanFault.WINDOW in {one for one, _ in over}


@pytest.mark.parametrize("bandwidth", [0, BPS])
def test_maintenance_before_the_end_of_the_lease_is_found_and_gone_round(bandwidth: int) -> None:
    """The lease was extended beyond the plan's own end, and the maintenance begins between the two."""
    old, request, snapshot = ring()
    old = old.model_copy(update={"bandwidth_bps": bandwidth})
    request = request.model_copy(update={"bandwidth": bandwidth})
    longer = [one.model_copy(update={"end_us": one.end_us + 60 * S}) for one in old.holds]
    holds = tuple(one for one in longer if bandwidth or one.resource == "pool")
    snapshot = replace(snapshot, leases={old.lease_id: holds})
    now_us = NOW + 5 * S
    made = repair(snapshot, asked(old, request), now_us, LaterIds())
    assert made is not None
    assert verify_repair(old, made, request, snapshot, now_us) == []
    window = Maintenance(start=old.end_us + 30 * S, end=old.end_us + 40 * S)
    for late_us, fault in ((0, [PlanFault.LINK_MAINTENANCE]), (30 * S, [])):
        closed = window.model_copy(update={"start": window.start + late_us, "end": window.end + late_us})
        links = tuple(
            one.model_copy(update={"maintenance": (closed,)} if one.id == "y-w" else {})
            for one in snapshot.index.grid.links
        )
        then = replace(snapshot, index=index_grid(snapshot.index.grid.model_copy(update={"links": links})))
        assert [one for one, _ in verify_repair(old, made, request, then, now_us)] == fault
        assert (repair(then, asked(old, request), now_us, LaterIds()) is None) is bool(fault)


def test_a_repair_leaves_the_planner_as_it_found_it() -> None:
    """What is taken off and put on for a search is gone after it: the next plan is the one that it would have been."""
    old, request, snapshot = ring()
    ask = World(snapshot, request.model_copy(update={"bandwidth": 9 * BPS})).ask
    before = plan(snapshot, [ask], NOW, 0, Ids())[0].plan
    assert repair(snapshot, asked(old, request), NOW + S, LaterIds()) is not None
    assert repair(snapshot, asked(old, request, ("h-y",)), NOW + S, LaterIds()) is None
    assert plan(snapshot, [ask], NOW, 0, Ids())[0].plan == before
