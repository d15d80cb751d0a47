"""POST /v1/plan: what submitting this task now would give. Holds nothing, writes nothing."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from suanwang.api.caller import Caller
from suanwang.api.context import Here
from suanwang.api.documents import answer, read_request
from suanwang.api.inputs import RawBody
from suanwang.api.openapi import plan_body
from suanwang.model.view import PlanView

router = APIRouter(tags=["plan"])


@router.post(
    "/v1/plan", response_model=PlanView, openapi_extra=plan_body(), summary="Plan a task without submitting it"
)
def dry_plan(request: Request, here: Here, caller: Caller, raw: RawBody) -> Response:
    """The plan and the reason for every pool; `report.verdicts` is left empty, the counts are in `report.clauses`."""
    asked = read_request(request, raw)
    found = here.brain.dry_plan(caller, asked)
    report = found.report.model_copy(update={"verdicts": ()}) if found.report else None
    return answer(PlanView(request=asked, refusals=found.refusals, plan=found.plan, report=report, parts=found.parts))
