"""What a task's traffic must not cross: plans are those of a grid without it, and the checker sees each way around that."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.plan.worlds import NOW, Ids, S, World, general, grid_of, link_of, site_of, snapshot_of, worlds

from suanwang.model.grid import DataSet, Grid
from suanwang.model.ids import TaskId, TenantId
from suanwang.model.plan import Plan
from suanwang.model.reason import PlanFault, PoolReason
from suanwang.model.snapshot import Snapshot
from suanwang.model.task import Avoid, Input, Resources, Standby, TaskRequest
from suanwang.plan import PlanAsk, RepairAsk, plan, plan_batch, repair
from suanwang.verify import verify, verify_repair

TENANT = TenantId("t")
GBPS = 10**9
many = settings(deadline=None, max_examples=120, suppress_health_check=list(HealthCheck))


def square() -> Grid:
    """home to work by way of a, which is cheap, by way of b in another region, and by a dear link of its own."""
    sites = [
        site_of("home", [general("home", nodes=1, cores=1)]),
        site_of("a", region="CN-B"),
        site_of("b", region="SG"),
        site_of("work", [general("work", nodes=4)], region="CN-C"),
        site_of("spare", [general("spare", nodes=4)], region="CN-D"),
    ]
    duct = {"shared_risk_groups": ("duct",)}
    links = [
        link_of("h-a", "home", "a", price=1).model_copy(update=duct),
        link_of("a-w", "a", "work", price=1),
        link_of("h-b", "home", "b", price=10),
        link_of("b-w", "b", "work", price=10),
        link_of("h-w", "home", "work", latency=20_000, price=10**6).model_copy(update=duct),
        link_of("b-s", "b", "spare", price=10),
        link_of("a-s", "a", "spare", price=10),
    ]
    data = [DataSet(id="sky", name="sky", size_bytes=12_500_000, replicas=("a", "b"))]
    return grid_of(sites, links, data)


def task(**given) -> TaskRequest:
    base = {"sites": ("work",), "origin": "home", "bandwidth": 10**6} | given
    return TaskRequest(run="true", resources=Resources(cpu=2, memory=2**20, wall_time=60 * S), **base)


def answer(request: TaskRequest, snapshot: Snapshot | None = None):
    return plan(snapshot or snapshot_of(square()), [PlanAsk(TaskId("t"), TENANT, request)], NOW, 0, Ids())[0]


def links_of(made: Plan | None) -> list[str]:
    assert made is not None
    return [one.link for one in made.path.links]


@pytest.mark.parametrize(
    ("avoid", "links"),
    [
        (Avoid(), ["h-a", "a-w"]),
        (Avoid(links=("a-w",)), ["h-b", "b-w"]),
        (Avoid(sites=("a",)), ["h-b", "b-w"]),
        (Avoid(risks=("duct",)), ["h-b", "b-w"]),
        (Avoid(regions=("CN-B",)), ["h-b", "b-w"]),
        (Avoid(regions=("SG",), links=("a-w",)), ["h-w"]),
        (Avoid(sites=("nowhere",), links=("none",), risks=("of",), regions=("FR",)), ["h-a", "a-w"]),
    ],
)
@pytest.mark.parametrize("bandwidth", [10**6, 0])
def test_the_path_goes_round(avoid: Avoid, links: list[str], bandwidth: int) -> None:
    snapshot, request = snapshot_of(square()), task(avoid=avoid, bandwidth=bandwidth)
    made = answer(request, snapshot).plan
    assert links_of(made) == links or (bandwidth == 0 and len(links) == 2 and len(links_of(made)) == 2)
    assert made is not None and verify(made, request, snapshot, TENANT) == []


def test_a_place_behind_or_at_what_is_avoided_is_refused_with_its_own_reason() -> None:
    for avoid in (Avoid(sites=("work",)), Avoid(regions=("CN-C",)), Avoid(links=("h-a", "h-b", "h-w"))):
        found = answer(task(avoid=avoid))
        report = found.report(True)
        assert found.plan is None and not report.waits
        verdicts = {one.pool: one.reason for one in report.verdicts}
        assert verdicts["work/general"] is PoolReason.AVOID
        (relaxed,) = [one for one in report.relaxations if one.clause is PoolReason.AVOID]
        assert (relaxed.field, relaxed.needed, relaxed.pool) == ("avoid", "none", "work/general")
    near = answer(task(avoid=Avoid(regions=("CN-B",)), latency=1_999)).report(True)
    assert {one.pool: one.reason for one in near.verdicts}["work/general"] is PoolReason.LATENCY


def test_data_and_a_standby_keep_to_it_too() -> None:
    snapshot = snapshot_of(square())
    request = task(avoid=Avoid(links=("a-w",)), inputs=(Input(source="dataset:sky", path="sky"),))
    made = answer(request, snapshot).plan
    assert made is not None and made.data[0].replica == "b" and verify(made, request, snapshot, TENANT) == []
    moved = made.data[0]
    over = answer(task(inputs=request.inputs), snapshot).plan
    assert over is not None and [one.link for one in over.data[0].path.links] != [one.link for one in moved.path.links]
    spoilt = made.model_copy(update={"data": over.data})
    assert PlanFault.AVOID in {fault for fault, _ in verify(spoilt, request, snapshot, TENANT)}

    request = task(sites=("work", "spare"), standby=Standby.SITE, avoid=Avoid(links=("h-w", "a-s")))
    made = answer(request, snapshot).plan
    assert made is not None and made.standby is not None and verify(made, request, snapshot, TENANT) == []
    assert not {"h-w", "a-s"} & {one.link for path in (made.path, made.standby.path) for one in path.links}
    assert answer(request.model_copy(update={"avoid": Avoid(links=("h-w",), sites=("b",))}), snapshot).plan is None


def test_a_repair_keeps_to_it() -> None:
    snapshot, request = snapshot_of(square()), task(avoid=Avoid(sites=("b",)))
    made = answer(request, snapshot).plan
    assert links_of(made) == ["h-a", "a-w"] and made is not None
    held = replace(snapshot, leases={made.lease_id: made.holds}, links_down=frozenset({"a-w"}))
    ask = PlanAsk(TaskId("t"), TENANT, request, 2, made.plan_id)

    class Later(Ids):
        def plan_id(self) -> str:
            return "plan-later"

    found = repair(held, RepairAsk(ask, made, frozenset()), NOW, Later())
    assert links_of(found) == ["h-w"] and found is not None
    assert verify_repair(made, found, request, held, NOW) == []
    free = RepairAsk(PlanAsk(TaskId("t"), TENANT, task(), 2, made.plan_id), made, frozenset())
    over_b = repair(held, free, NOW, Later())
    assert links_of(over_b) == ["h-b", "b-w"] and over_b is not None
    assert PlanFault.AVOID in {fault for fault, _ in verify_repair(made, over_b, request, held, NOW)}


@pytest.mark.parametrize(
    "avoid",
    [
        Avoid(links=("a-w",)),
        Avoid(sites=("a",)),
        Avoid(sites=("work",)),
        Avoid(risks=("duct",)),
        Avoid(regions=("CN",)),
    ],
)
def test_the_checker_names_what_is_crossed(avoid: Avoid) -> None:
    snapshot = snapshot_of(square())
    made = answer(task(), snapshot).plan
    assert made is not None
    assert {fault for fault, _ in verify(made, task(avoid=avoid), snapshot, TENANT)} == {PlanFault.AVOID}


@st.composite
def avoided(draw, grid: Grid):
    links, sites = [one.id for one in grid.links], [one.id for one in grid.sites]
    return Avoid(
        links=tuple(draw(st.lists(st.sampled_from(links), max_size=2, unique=True))),
        sites=tuple(draw(st.lists(st.sampled_from(sites), max_size=1))),
    )


@many
@given(st.data())
def test_a_plan_is_that_of_a_grid_whose_links_are_down(data: st.DataObject) -> None:
    world: World = data.draw(worlds())
    snapshot, grid = world.snapshot, world.snapshot.index.grid
    avoid = data.draw(avoided(grid))
    sites = set(avoid.sites)
    shut = {one.id for one in grid.links if one.id in avoid.links or {one.a, one.b} & sites}
    request = world.request.model_copy(update={"avoid": avoid})
    without = replace(snapshot, links_down=snapshot.links_down | shut)
    excluded = world.excluded | frozenset(avoid.sites)
    ask = PlanAsk(TaskId("t"), TENANT, request, 1, None, world.excluded)
    plain = PlanAsk(TaskId("t"), TENANT, world.request, 1, None, excluded)
    made = plan(snapshot, [ask], NOW, 0, Ids())[0].plan
    wanted = plan(without, [plain], NOW, 0, Ids())[0].plan
    swept = plan_batch(snapshot, [ask], NOW, 0, Ids())[0].plan
    assert swept == made
    if made is None or wanted is None:
        assert made is wanted
        return
    same = {"verdicts": made.verdicts, "alternatives": made.alternatives}
    assert wanted.model_copy(update=same) == made
    assert verify(made, request, snapshot, TENANT) == []
