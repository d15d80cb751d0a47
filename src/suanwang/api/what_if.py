"""/v1/what-if: a day played again, before and after a change, beside the running brain."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from suanwang.api.caller import Caller
from suanwang.api.context import Here
from suanwang.api.documents import JSON, answer, check_media
from suanwang.api.guard import WHAT_IF_BYTES_MAX
from suanwang.api.inputs import RawBody, check_json
from suanwang.api.openapi import json_body
from suanwang.api.problem import problem
from suanwang.intent.document import parse
from suanwang.intent.read import validate
from suanwang.model.error import SuanwangError
from suanwang.model.view import Page
from suanwang.model.what_if_ask import WhatIfAsk, WhatIfRun, WhatIfView
from suanwang.texts import choose_language

router = APIRouter(tags=["what-if"])
RunPath = Annotated[str, Path(max_length=200, examples=["what-if-01jd0000000000000000000000"])]


@router.post(
    "/v1/what-if",
    status_code=202,
    response_model=WhatIfView,
    openapi_extra=json_body(WhatIfAsk, "Which day, what changes, and how much of it is played."),
    summary="Play a day again with something changed",
)
def start(request: Request, here: Here, caller: Caller, raw: RawBody) -> Response:
    """Begins in a process of its own and answers at once; one at a time. A `history` day is of this brain's store, on
    the grid that it has now. Nothing of the running grid changes."""
    check_media(request, frozenset({JSON}))
    check_json(raw)
    ask = validate(WhatIfAsk, parse(raw, "body", WHAT_IF_BYTES_MAX))
    run = here.brain.what_if(caller, ask)
    return answer(_view(request, run, None), 202, {"Location": f"/v1/what-if/{run.run_id}"})


@router.get("/v1/what-if", response_model=Page[WhatIfView], summary="The last few what-ifs, newest first")
def runs(request: Request, here: Here, caller: Caller) -> Response:
    """Without their answers; kept until the brain ends."""
    found = tuple(_view(request, run, None) for run in here.brain.what_if_runs(caller))
    return answer(Page[WhatIfView](items=found))


@router.get("/v1/what-if/{run_id}", response_model=WhatIfView, summary="How far a what-if is, and its answer")
def read(request: Request, here: Here, caller: Caller, run_id: RunPath) -> Response:
    """`ended` of `tasks` of both sides have been played. A failed one says why in `problem`."""
    run, error = here.brain.what_if_run(caller, run_id)
    return answer(_view(request, run, error))


@router.delete("/v1/what-if/{run_id}", status_code=204, response_class=Response, summary="End a what-if")
def cancel(here: Here, caller: Caller, run_id: RunPath) -> Response:
    here.brain.cancel_what_if(caller, run_id)
    return Response(status_code=204)


def _view(request: Request, run: WhatIfRun, error: SuanwangError | None) -> WhatIfView:
    lang = choose_language(request.headers.get("accept-language"))
    why = problem(error, lang) if error is not None else None
    # The answer was made by us and is large: it is not checked again on its way out.
    return WhatIfView.model_construct(**{name: getattr(run, name) for name in WhatIfRun.model_fields}, problem=why)
