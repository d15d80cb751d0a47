"""GET /v1/bill: what was charged, by kind, by task and by day."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from suanwang.api.caller import Caller, asked_tenant
from suanwang.api.context import Here
from suanwang.api.documents import answer
from suanwang.api.inputs import TenantQuery
from suanwang.model.ids import SiteId, TaskId
from suanwang.model.plan import ChargeKind
from suanwang.model.units import AT_US_MAX
from suanwang.model.view import Bill, DayTotal, KindTotal, TaskTotal
from suanwang.store.listing import TaskSum, bill_by_day, bill_by_kind, bill_by_task

router = APIRouter(tags=["money"])
From = Annotated[int, Query(alias="from", ge=0, le=AT_US_MAX, description="microseconds since 1970 UTC")]
To = Annotated[int | None, Query(alias="to", ge=0, le=AT_US_MAX, description="not included; now where not given")]


@router.get("/v1/bill", response_model=Bill, summary="The bill of a tenant")
def bill(here: Here, caller: Caller, tenant: TenantQuery = None, from_us: From = 0, to_us: To = None) -> Response:
    """An operator who names no tenant gets the bill of all of them."""
    scope = asked_tenant(caller, tenant)
    end_us = here.brain.clock() + 1 if to_us is None else to_us
    store = here.brain.store
    kinds = bill_by_kind(store, scope, from_us, end_us)
    sums: dict[str, tuple[int, int]] = {}
    for kind, _, lines, amount in kinds:
        before = sums.get(kind, (0, 0))
        sums[kind] = (before[0] + amount, before[1] + lines)
    return answer(
        Bill(
            tenant=scope,
            from_us=from_us,
            to_us=end_us,
            total_micro_yuan=sum(amount for *_, amount in kinds),
            emulated_micro_yuan=sum(amount for _, emulated, _, amount in kinds if emulated),
            lines=sum(lines for _, _, lines, _ in kinds),
            by_kind=tuple(
                KindTotal(kind=ChargeKind(kind), amount_micro_yuan=amount, lines=lines)
                for kind, (amount, lines) in sums.items()
            ),
            by_task=tuple(_task(one) for one in bill_by_task(store, scope, from_us, end_us)),
            by_day=tuple(
                DayTotal(from_us=day_us, amount_micro_yuan=amount)
                for day_us, amount in bill_by_day(store, scope, from_us, end_us)
            ),
        )
    )


def _task(one: TaskSum) -> TaskTotal:
    return TaskTotal(
        task_id=TaskId(one.row.task_id),
        name=one.row.name,
        phase=one.row.phase,
        site=SiteId(one.row.site) if one.row.site else None,
        amount_micro_yuan=one.amount_micro_yuan,
        quote_micro_yuan=one.row.quote_micro_yuan,
        lines=one.lines,
        emulated=one.emulated,
    )
