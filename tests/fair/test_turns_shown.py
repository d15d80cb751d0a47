"""What people are shown of turns: who waits, and whose task the line would take next."""

from fractions import Fraction
from random import Random

import pytest
from tests.road.town import S, Town

from suanwang.dispatch.sharing import shares_of
from suanwang.fair import Shares
from suanwang.model.grid import Tenant
from suanwang.model.ids import TenantId
from suanwang.model.principal import Submission
from suanwang.model.record import TenantSet
from suanwang.model.share import totals_of
from suanwang.model.task import Resources, TaskRequest

FAMILY = (
    Tenant(id="top", name="Top"),
    Tenant(id="a", name="A", parent="top", weight=2),
    Tenant(id="b", name="B", parent="top"),
    Tenant(id="a1", name="A1", parent="a", weight=3),
    Tenant(id="c", name="C"),
)


def town_of(draw: Random) -> Town:
    town = Town("here", "there", "far")
    for one in FAMILY:
        town.road.emit(TenantSet(at_us=town.now_us, tenant=one))
    town.road.commit()
    town.exchange()
    for _ in range(12):
        submit(town, draw)
    town.plan()
    return town


def submit(town: Town, draw: Random) -> None:
    resources = Resources(cpu=draw.choice((1, 2, 3)), memory=1, wall_time=60 * S)
    request = TaskRequest(run="true", resources=resources, tags={"n": str(draw.random())})
    town.road.submit(TenantId(draw.choice(FAMILY).id), "me", [Submission(request=request)], [town.ids.task_id()])


@pytest.mark.parametrize("seed", range(30))
def test_the_one_that_is_shown_is_the_one_that_the_line_takes(seed: int) -> None:
    draw = Random(seed)
    town = town_of(draw)
    for _ in range(draw.randrange(1, 6)):
        submit(town, draw)
    road = town.road
    shown = {one.tenant: one for one in shares_of(road.state, None, road.waits.line.waiting())}
    first = [one for one in shown.values() if one.turn]
    waiting = {one: count for one, count in road.waits.line.waiting().items() if count}
    assert sum(one.waiting for one in shown.values() if one.parent is None) == sum(waiting.values())
    taken = road.state.tasks[road.waits.line.take(1, lambda shelf: True)[0]].tenant
    deepest = {one.tenant for one in first} - {one.parent for one in first}
    down = zip(key_down(town, taken), key_down(town, deepest.pop()), strict=False)
    assert all(one == two for one, two in down), "of equals the line knows who was last"


def key_down(town: Town, tenant: TenantId) -> list[Fraction]:
    """The shares by weight on the way down to a tenant's own tasks: the line takes the least, level by level."""
    tally, shares = town.road.state.tally, Shares.of(totals_of(town.index))
    down = [
        Fraction(shares.dominant(tally.together(one).held), town.road.state.tenants[one].weight)
        for one in reversed(tally.path(tenant))
    ]
    return [*down, Fraction(shares.dominant(tally.alone(tenant).held))]


def test_nobody_has_the_turn_where_nobody_waits() -> None:
    town = Town("here")
    assert [one.turn for one in shares_of(town.road.state, None, town.road.waits.line.waiting())] == [False]


def test_the_least_share_by_weight_goes_first() -> None:
    town = Town("here", "there")
    for one in (Tenant(id="x", name="X", weight=1), Tenant(id="y", name="Y", weight=4)):
        town.road.emit(TenantSet(at_us=town.now_us, tenant=one))
    town.road.commit()
    town.exchange()
    for name, cpu in (("x", 2), ("y", 4)):
        resources = Resources(cpu=cpu, memory=1, wall_time=60 * S)
        request = TaskRequest(run="true", resources=resources)
        town.road.submit(TenantId(name), "me", [Submission(request=request)], [town.ids.task_id()])
    town.plan()
    for name in ("x", "y"):
        request = TaskRequest(run="true", resources=Resources(cpu=4, memory=1))
        town.road.submit(TenantId(name), "me", [Submission(request=request)], [town.ids.task_id()])
    shown = {one.tenant: one for one in shares_of(town.road.state, None, town.road.waits.line.waiting())}
    assert (shown["x"].turn, shown["y"].turn) == (False, True), "four cores at weight 4 are less than two at 1"
    assert (shown["x"].waiting, shown["y"].waiting) == (1, 1)
