"""Random small worlds: every plan is sound, none is missed, and none better exists."""

from brute_force import Brute, liked
from hypothesis import HealthCheck, given, settings
from worlds import NOW, Ids, World, worlds

from suanwang.model.ids import TenantId
from suanwang.model.plan import Plan
from suanwang.model.snapshot import GridIndex
from suanwang.model.task import Preference, TaskRequest
from suanwang.plan import plan
from suanwang.verify import verify

TENANT = TenantId("t")
many = settings(deadline=None, suppress_health_check=list(HealthCheck))


def key_of(made: Plan, request: TaskRequest, index: GridIndex) -> tuple:
    price, end_us, latency_us = made.quote_micro_yuan, made.end_us, made.path.latency_us
    rest = {
        Preference.CHEAPEST: (price, end_us, latency_us, made.pool),
        Preference.FASTEST: (end_us, price, latency_us, made.pool),
        Preference.GREENEST: (made.carbon_mg, price, end_us, made.pool),
    }[request.preference]
    return (liked(request.owners, index.sites[made.site].owner), *rest)


def plan_one(world: World) -> Plan | None:
    return plan(world.snapshot, [world.ask], NOW, 0, Ids())[0].plan


@many
@given(worlds())
def test_safety_a_plan_passes_the_independent_checker(world: World) -> None:
    made = plan_one(world)
    if made is not None:
        assert verify(made, world.request, world.snapshot, TENANT) == []


@many
@given(worlds())
def test_progress_as_good_as_brute_force(world: World) -> None:
    """No plan only where no candidate is feasible; else the very best by the published key."""
    made = plan_one(world)
    best = Brute(world.snapshot, world.request, NOW, world.excluded, world.others).best()
    assert (made and key_of(made, world.request, world.snapshot.index)) == (best and best.key)
