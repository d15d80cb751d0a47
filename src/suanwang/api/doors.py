"""/v1/doors: tasks in the forms of other systems. GET: what the operator and the grid say about them, for whoever translates;
POST: the translation. Nothing is submitted."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from suanwang.api.caller import Caller
from suanwang.api.context import Context, Here
from suanwang.api.documents import TASK_MEDIA, answer, check_media
from suanwang.api.inputs import RawBody
from suanwang.api.openapi import raw_body
from suanwang.api.problem import fault_view
from suanwang.intent.doors import Form, form_of, read_any
from suanwang.intent.slurm import Desk
from suanwang.model.doors import DoorRules
from suanwang.model.ids import SiteId
from suanwang.model.view import DoorTasks
from suanwang.texts import choose_language

SHELL: Final = "text/x-shellscript"
router = APIRouter(tags=["plan"])


def door_rules(here: Context) -> DoorRules:
    """The rules of this brain."""
    settings, grid = here.brain.settings, here.brain.index.grid
    zones: dict[str, tuple[SiteId, ...]] = {}
    for site in grid.sites:
        zones[site.region] = (*zones.get(site.region, ()), site.id)
    zones |= {site.id: (site.id,) for site in grid.sites}
    models = {pool.accelerator_model for site in grid.sites for pool in site.pools if pool.accelerator_model}
    return DoorRules(
        host_images=settings.tes_host_images,
        network=settings.tes_network,
        wall_time_us=settings.tes_wall_time_s * 1_000_000,
        zones=zones,
        accelerators=tuple(sorted(models)),
        partitions=dict(settings.door_partitions),
        priorities=dict(settings.door_priorities),
    )


@router.get("/v1/doors", response_model=DoorRules, summary="How tasks in the forms of other systems are read")
def doors(here: Here) -> Response:
    return answer(door_rules(here))


@router.post(
    "/v1/doors",
    response_model=DoorTasks,
    openapi_extra=raw_body("A batch script, Kubernetes Jobs, a SkyPilot task, or a task file.", "text/plain", SHELL),
    summary="Translate tasks from the form of another system",
)
def translate(
    request: Request,
    here: Here,
    caller: Caller,
    raw: RawBody,
    form: Annotated[Form | None, Query(description="what it is; told by itself where not given")] = None,
    name: Annotated[
        str, Query(min_length=1, max_length=200, description="of the file; a script's job is called so")
    ] = "body",
) -> Response:
    """The tasks as `POST /v1/tasks` takes them, or every fault with its line. Times are read as UTC; there are no files and no
    terminal here, so a local folder and a variable without a value are faults."""
    check_media(request, TASK_MEDIA | {SHELL})
    desk = Desk(caller.tenant, here.brain.clock(), job=lambda number: here.brain.numbered(caller, number))
    found = read_any(raw, name, form or form_of(raw, name), door_rules(here), desk)
    lang = choose_language(request.headers.get("accept-language"))
    warnings = tuple(fault_view(one, lang, "warning") for one in found.warnings)
    return answer(DoorTasks(form=found.form.value, tasks=found.wishes, warnings=warnings))
