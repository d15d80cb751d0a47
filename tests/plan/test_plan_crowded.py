"""A grid that fills up: every plan stays sound beside all those before it, by history and by leases alike."""

import random

from worlds import NOW, Ids, S

from suanwang.grids import SMALL, random_grid
from suanwang.model.ids import TaskId, TenantId
from suanwang.model.snapshot import LeaseChange, SiteState, Snapshot, index_grid
from suanwang.model.task import Input, Preference, Resources, TaskRequest
from suanwang.plan import PlanAsk, plan
from suanwang.verify import verify


def drawn(draw: random.Random, grid, now: int) -> TaskRequest:
    wall = draw.choice((60, 600, 7_200)) * S
    data = draw.sample(grid.data_sets, draw.choice((0, 0, 1, 2)))
    return TaskRequest(
        run="true",
        resources=Resources(cpu=draw.randint(1, 3), memory=0, wall_time=wall),
        inputs=tuple(Input(source=f"dataset:{one.id}", path=one.id) for one in data),
        origin=draw.choice(grid.sites).id,
        bandwidth=draw.choice((0, 10**7, 3 * 10**8)),
        deadline=draw.choice((None, now + wall + 86_400 * S)),
        preference=draw.choice(list(Preference)),
        array=draw.choice((1, 2)),
    )


def test_safety_a_crowded_grid_keeps_every_plan_sound() -> None:
    grid = random_grid(12, 5, SMALL)
    index, draw, ids = index_grid(grid), random.Random(5), Ids()
    sites = {site.id: SiteState(live=True) for site in grid.sites}
    leases: dict = {}
    history: list[LeaseChange] = []
    planned = waited = 0
    for at in range(150):
        now = NOW + at * 20 * S
        request = drawn(draw, grid, now)
        snapshot = Snapshot(at, index, sites, leases, history=history, history_end=len(history))
        made = plan(snapshot, [PlanAsk(TaskId(f"t{at}"), TenantId("x"), request)], now, 0, ids)[0].plan
        if made is None:
            continue
        assert verify(made, request, snapshot) == []
        planned += 1
        waited += made.start_us > now
        leases[made.lease_id] = made.holds
        history.append(LeaseChange(made.lease_id, made.holds, True))
        if at % 5 == 4:
            gone = next(iter(leases))
            history.append(LeaseChange(gone, leases.pop(gone), False))
    assert planned > 100
    assert waited > 20, "the grid was crowded"
    fresh = Snapshot(150, index, sites, dict(leases))
    followed = Snapshot(150, index, sites, leases, history=history, history_end=len(history))
    request = drawn(draw, grid, NOW)
    ask = [PlanAsk(TaskId("last"), TenantId("x"), request)]
    one, two = (plan(view, ask, NOW, 0, Ids())[0].plan for view in (followed, fresh))
    assert one == two
