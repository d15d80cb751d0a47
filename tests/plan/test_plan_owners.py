"""Whose sites a task takes, and whose it would rather have."""

from brute_force import Brute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_plan_basics import answer, pool_hold, task
from test_plan_properties import key_of, plan_one
from worlds import HOUR, NOW, S, World, few, general, grid_of, leases, link_of, site_of, snapshot_of

from suanwang.model.grid import PriceBook
from suanwang.model.reason import PoolReason
from suanwang.model.snapshot import Snapshot
from suanwang.model.task import Preference
from suanwang.verify import verify

BOOKS = (PriceBook(id="cheap", core_hour_micro_yuan=1_000), PriceBook(id="dear", core_hour_micro_yuan=3_000))


def three_owners(held=None) -> Snapshot:
    """Own and dear at a, a partner's at b, another's and cheap at c."""
    sites = (
        site_of("a", [general("a")], book="dear"),
        site_of("b", [general("b")], book="dear", owner="p1"),
        site_of("c", [general("c")], book="cheap", owner="p2"),
    )
    return snapshot_of(grid_of(sites, [link_of("ab", "a", "b"), link_of("bc", "b", "c")], books=BOOKS), held)


def test_the_first_owner_that_has_room_comes_before_the_price() -> None:
    view = three_owners()
    assert answer(view, task()).plan.pool == "c/general"
    assert answer(view, task(owners=("own", "third-party"))).plan.pool == "a/general"
    assert answer(view, task(owners=("p1", "own", "third-party"))).plan.pool == "b/general"
    assert answer(view, task(owners=("third-party", "own"))).plan.pool == "c/general"


def test_an_owner_that_is_not_named_is_not_taken() -> None:
    found = answer(three_owners({"l": pool_hold("a/general", NOW, NOW + 60 * S)}), task(owners=("own",)))
    assert (found.plan.pool, found.plan.start_us) == ("a/general", NOW + 60 * S)
    reasons = {one.pool: one.reason for one in found.report().verdicts}
    assert reasons == {"a/general": None, "b/general": PoolReason.OWNER, "c/general": PoolReason.OWNER}
    assert found.report().objective.startswith("cheapest: owner own, price 3000, finish ")


def test_a_name_counts_before_the_word_for_all_third_parties() -> None:
    view = three_owners()
    assert answer(view, task(owners=("third-party", "p2"))).plan.pool == "b/general"


def test_waiting_for_a_better_owner_takes_a_deadline() -> None:
    view = three_owners({"l": pool_hold("a/general", NOW, NOW + 60 * S)})
    request = task(owners=("own", "third-party"))
    assert answer(view, request).plan.pool == "c/general"
    late = answer(view, request.model_copy(update={"deadline": NOW + 3 * HOUR})).plan
    assert (late.pool, late.start_us) == ("a/general", NOW + 60 * S)


@st.composite
def many_pools(draw) -> World:
    """More pools that do than are shown, so that starts are left out for those that can no longer come among them."""
    names = [f"n{at}" for at in range(draw(st.integers(3, 4)))]
    sites = [
        site_of(
            name,
            [general(name, nodes=1, cores=4, name=f"p{at}") for at in range(3)],
            book=draw(few(("plain", "bands", "bands", "free"))),
            carbon=draw(few((0, 123))),
            owner=draw(few(("own", "p1", "p2"))),
        )
        for name in names
    ]
    grid = grid_of(sites, [link_of(f"l{at}", names[at - 1], names[at]) for at in range(1, len(names))])
    request = task(
        owners=draw(few((("own", "third-party"), ("p2", "own", "p1"), ("third-party", "p1", "own"), ("p1", "p2")))),
        preference=draw(few(tuple(Preference))),
        deadline=draw(few((None, NOW + 5 * HOUR, NOW + 40 * HOUR))),
        bandwidth=draw(few((0, 0, 10**7))),
        price_limit=draw(few((None, None, 8_000_000))),
    )
    return World(snapshot_of(grid, draw(leases(grid))), request)


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(many_pools())
def test_progress_the_order_of_owners_is_exact_where_starts_are_left_out(world: World) -> None:
    made, best = plan_one(world), Brute(world.snapshot, world.request, NOW).best()
    assert (made and key_of(made, world.request, world.snapshot.index)) == (best and best.key)
    assert made is None or verify(made, world.request, world.snapshot) == []
