"""Every example can be planned on the reference grid, and the plan does what its README promises."""

import functools

import pytest
from tests.examples.test_example_tasks import NAMES, request_of

from suanwang.grids.load import china_path, load_grid
from suanwang.model.grid import PoolKind
from suanwang.model.ids import LeaseId, PlanId, TaskId, TenantId
from suanwang.model.plan import Plan
from suanwang.model.snapshot import SiteState, Snapshot, index_grid
from suanwang.model.task import latency_us_max
from suanwang.plan import PlanAsk, plan
from suanwang.verify import verify

NOW_US = 1_795_000_000_000_000  # 2026-11-18 14:26:40 in UTC+8


class Ids:
    def plan_id(self) -> PlanId:
        return PlanId("plan-" + "0" * 26)

    def lease_id(self) -> LeaseId:
        return LeaseId("lease-" + "0" * 26)


@functools.cache
def snapshot() -> Snapshot:
    grid = load_grid(china_path())
    return Snapshot(1, index_grid(grid), {site.id: SiteState(True, True) for site in grid.sites}, {}, frozenset())


@functools.cache
def plan_of(name: str) -> Plan:
    ask = PlanAsk(TaskId("task-" + "0" * 26), TenantId("demo"), request_of(name), 1, None, frozenset())
    answer = plan(snapshot(), [ask], NOW_US, 0, Ids())[0]
    assert answer.plan is not None, answer.report().clauses
    return answer.plan


@pytest.mark.parametrize("name", NAMES)
def test_has_a_sound_plan_that_starts_now(name: str) -> None:
    request, made = request_of(name), plan_of(name)
    assert verify(made, request, snapshot()) == []
    assert made.run_start_us == NOW_US
    assert made.path.latency_us <= (latency_us_max(request) or made.path.latency_us)


def test_examples_spread_over_the_grid() -> None:
    assert len({plan_of(name).site for name in NAMES}) >= 6
    kinds = {snapshot().index.pools[plan_of(name).pool][0].kind for name in NAMES}
    assert kinds == set(PoolKind)


def test_work_goes_to_the_data() -> None:
    for name in ("pulsar-search", "backup-verify"):
        moves = [move for move in plan_of(name).data if move.data_set != "origin-inputs"]
        assert [move.path.links for move in moves] == [()]


def test_a_gang_holds_its_nodes_and_an_array_its_elements() -> None:
    assert plan_of("nbody-cluster").demand.nodes == 4
    assert plan_of("render-frames").demand.cores == 4


def test_greenest_is_no_dirtier_than_any_alternative() -> None:
    for name in ("render-frames", "power-dispatch"):
        made = plan_of(name)
        assert made.alternatives
        assert all(other.carbon_mg is None or made.carbon_mg <= other.carbon_mg for other in made.alternatives)


def test_the_desk_stays_in_its_city_behind_its_guards() -> None:
    made = plan_of("price-option")
    assert snapshot().index.sites[made.site].region == "CN-SH"
    assert [step.function.value for step in made.protection] == ["firewall", "ids"]
    assert made.path.latency_us <= 1_000
