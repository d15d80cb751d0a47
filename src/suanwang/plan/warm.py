"""Make the compiled parts ready before the first task waits for them."""

from suanwang.model.grid import EnergyMix, Grid, Names, Pool, PoolKind, PriceBook, Site, Tier
from suanwang.model.ids import LeaseId, PlanId, PoolId, PriceBookId, SiteId, TaskId, TenantId
from suanwang.model.snapshot import SiteState, Snapshot, index_grid
from suanwang.model.task import TaskRequest
from suanwang.plan.ask import PlanAsk
from suanwang.plan.planner import plan, plan_batch, round_before


class _Ids:
    def plan_id(self) -> PlanId:
        return PlanId("plan-" + 26 * "0")

    def lease_id(self) -> LeaseId:
        return LeaseId("lease-" + 26 * "0")


def warm() -> None:
    """Plan a few small tasks on a grid of one site: loads the compiled kernels, or compiles them the first time."""
    site = Site(
        id=SiteId("warm"),
        names=Names(en="warm", zh_hant="warm", zh_hans="warm"),
        region="CN",
        city="warm",
        latitude=0,
        longitude=0,
        tier=Tier.EDGE,
        security_level=1,
        energy=EnergyMix(carbon_g_per_kwh=0, renewable_permille=0),
        price_book=PriceBookId("warm"),
        pools=(
            Pool(id=PoolId("warm/a"), kind=PoolKind.GENERAL, nodes=1, cores_per_node=9, memory_bytes_per_node=2**40),
        ),
    )
    grid = Grid(
        id="warm", name="warm", default_origin=site.id, price_books=(PriceBook(id=PriceBookId("warm")),), sites=(site,)
    )
    snapshot = Snapshot(0, index_grid(grid), {site.id: SiteState(live=True)}, {})
    tasks = [TaskRequest(run="true", bandwidth=bandwidth, deadline=10**12) for bandwidth in (0, 1)]
    asks = [PlanAsk(TaskId(str(at)), TenantId("warm"), task) for at, task in enumerate(tasks)]
    plan(snapshot, asks, 0, 0, _Ids())
    plain = [PlanAsk(TaskId(str(at)), TenantId("warm"), TaskRequest(run="true", bandwidth=at)) for at in (0, 1)]
    plan_batch(snapshot, plain, 0, 0, _Ids())
    round_before(snapshot, plain, 0)
