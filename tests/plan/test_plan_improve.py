"""Better plans for what has not begun: alone where room was made, in pairs where one may stand aside, never at anyone's cost."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import HOUR, MIB, NOW, Ids, general, grid_of, link_of, requests, site_of, snapshot_of, worlds

from suanwang.model.ids import TaskId, TenantId
from suanwang.model.snapshot import Snapshot
from suanwang.model.task import Preference, Resources, TaskRequest
from suanwang.plan import Improver, PlanAsk, Standing, copy_of, is_gain, is_no_worse, plan
from suanwang.plan.improve import AHEAD_US, GAIN_US
from suanwang.verify import verify

TENANT = TenantId("t")
LATER = NOW + HOUR


def ask(number: int, request: TaskRequest) -> PlanAsk:
    return PlanAsk(TaskId(f"task-{number}"), TENANT, request)


def task(**given) -> TaskRequest:
    res = {"cpu": 4, "memory": MIB, "wall_time": HOUR}
    return TaskRequest(run="true", resources=Resources(**res), earliest_start=LATER, origin="mid", **given)


def stand(snapshot: Snapshot, asks: list[PlanAsk], ids: Ids) -> tuple[Snapshot, list[Standing]]:
    """The tasks planned one after the other, and a copy of what stands then."""
    plans = [answer.plan for answer in plan(snapshot, asks, NOW, 0, ids)]
    leases = dict(snapshot.leases) | {one.lease_id: one.holds for one in plans if one is not None}
    return copy_of(replace(snapshot, leases=leases)), [Standing(*one) for one in zip(asks, plans, strict=True)]


def looked(view: Snapshot, standing: list[Standing], ids: Ids):
    return list(Improver(view.index).look(view, standing, lambda: NOW, ids))


# Two sites that cost the same and are as near; the first by name is taken first.
TWINS = grid_of(
    [site_of("a", [general("a")]), site_of("mid"), site_of("z", [general("z")])],
    [link_of("one", "a", "mid"), link_of("two", "mid", "z")],
)


def test_room_that_was_made_brings_a_plan_forward() -> None:
    ids = Ids()
    view, standing = stand(snapshot_of(TWINS), [ask(0, task(sites=("a",))), ask(1, task(sites=("a",)))], ids)
    first, second = (one.plan for one in standing)
    assert second.start_us == LATER + HOUR
    assert looked(view, standing, ids) == []
    gone = copy_of(replace(view, leases={second.lease_id: second.holds}))  # the first was cancelled
    ((better,),) = looked(gone, standing[1:], ids)
    assert (better.task_id, better.start_us, better.quote_micro_yuan) == ("task-1", LATER, first.quote_micro_yuan)


def test_one_stands_aside_for_another_that_gains_and_loses_nothing() -> None:
    ids = Ids()
    view, standing = stand(snapshot_of(TWINS), [ask(0, task()), ask(1, task(sites=("a",)))], ids)
    assert [(one.plan.site, one.plan.start_us) for one in standing] == [("a", LATER), ("a", LATER + HOUR)]
    (found,) = looked(view, standing, ids)
    assert [(one.task_id, one.site, one.start_us) for one in found] == [("task-1", "a", LATER), ("task-0", "z", LATER)]


def test_one_that_waits_comes_in_where_another_stands_aside() -> None:
    ids = Ids()
    late = task(sites=("a",), deadline=LATER + HOUR)
    view, standing = stand(snapshot_of(TWINS), [ask(0, task()), ask(1, late)], ids)
    assert standing[1].plan is None
    (found,) = looked(view, standing, ids)
    assert [(one.task_id, one.site) for one in found] == [("task-1", "a"), ("task-0", "z")]


def test_nobody_stands_aside_at_its_own_cost() -> None:
    ids = Ids()
    sites = [TWINS.sites[0], TWINS.sites[1], TWINS.sites[2].model_copy(update={"price_book": "bands"})]
    books = [
        book.model_copy(update={"core_hour_micro_yuan": 900_000}) if book.id == "bands" else book
        for book in TWINS.price_books
    ]
    grid = grid_of(sites, TWINS.links, books=tuple(books))  # the other site is dearer
    view, standing = stand(snapshot_of(grid), [ask(0, task()), ask(1, task(sites=("a",)))], ids)
    assert [one.plan.site for one in standing] == ["a", "a"]
    assert looked(view, standing, ids) == []


def test_a_gain_below_the_threshold_is_no_gain() -> None:
    ids = Ids()
    view, (one,) = stand(snapshot_of(TWINS), [ask(0, task())], ids)
    request, index = one.ask.request, view.index
    for less, sooner_us, is_one in ((0, GAIN_US, True), (0, GAIN_US - 1, False), (10, 0, True), (9, 0, False)):
        quote = 1_000 - less
        old = one.plan.model_copy(update={"quote_micro_yuan": 1_000})
        times = {"start_us": old.start_us - sooner_us, "end_us": old.end_us - sooner_us}
        new = old.model_copy(update={"quote_micro_yuan": quote, **times})
        assert is_gain(old, new, request, index) is is_one
        assert is_no_worse(old, new, request, index)
        assert not is_no_worse(new, old, request, index)
    dearer_sooner = one.plan.model_copy(
        update={"quote_micro_yuan": one.plan.quote_micro_yuan + 1, "end_us": one.plan.end_us - HOUR}
    )
    assert not is_no_worse(one.plan, dearer_sooner, request, index)


def test_each_objective_has_its_own_gain() -> None:
    view, (one,) = stand(snapshot_of(TWINS), [ask(0, task(deadline=NOW + 9 * HOUR))], Ids())
    old = one.plan.model_copy(update={"quote_micro_yuan": 1_000, "carbon_mg": 1_000})
    ways = {
        Preference.CHEAPEST: {"quote_micro_yuan": 900},
        Preference.FASTEST: {"end_us": old.end_us - GAIN_US},
        Preference.GREENEST: {"carbon_mg": 900},
    }
    for preference in Preference:
        request = one.ask.request.model_copy(update={"preference": preference})
        for of, change in ways.items():
            assert is_gain(old, old.model_copy(update=change), request, view.index) is (of is preference)


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=40)
@given(st.data())
def test_property_proposals_are_sound_nobody_loses_and_it_comes_to_an_end(data: st.DataObject) -> None:
    world = data.draw(worlds())
    grid, ids = world.snapshot.index.grid, Ids()
    alone = {"together_with": {}, "apart_from": {}, "tags": {}}
    asks = [ask(at, data.draw(requests(grid)).model_copy(update=alone)) for at in range(data.draw(st.integers(2, 5)))]
    before = replace(world.snapshot, leases=world.snapshot.leases)
    view, standing = stand(before, asks, ids)
    if data.draw(st.booleans()):  # what stood before has gone
        view = copy_of(
            replace(view, leases={lease: holds for lease, holds in view.leases.items() if lease not in before.leases})
        )
    at_us = NOW + AHEAD_US
    standing = [one for one in standing if one.plan is None or one.plan.start_us > at_us]
    improver = Improver(view.index)
    for _ in range(40):
        found = list(improver.look(view, standing, lambda: NOW, ids))
        if not found:
            break
        for plans in found:
            view, standing = applied(view, standing, plans)
    else:
        raise AssertionError("it goes on and on")


def applied(view: Snapshot, standing: list[Standing], plans) -> tuple[Snapshot, list[Standing]]:
    """The world after a proposal, which is checked as the brain would."""
    old = {one.ask.task_id: one for one in standing}
    index, gains = view.index, False
    leases = dict(view.leases)
    for new in plans:
        one = old[new.task_id]
        if one.plan is not None:
            del leases[one.plan.lease_id]
    for new in plans:
        one = old[new.task_id]
        view = copy_of(replace(view, leases=leases))
        assert verify(new, one.ask.request, view, TENANT) == []
        leases[new.lease_id] = new.holds
        gains = gains or one.plan is None or is_gain(one.plan, new, one.ask.request, index)
        assert one.plan is None or is_no_worse(one.plan, new, one.ask.request, index)
        old[new.task_id] = Standing(one.ask, new)
    assert gains
    return copy_of(replace(view, leases=leases)), list(old.values())
