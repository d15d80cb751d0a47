"""GET /v1/doors: what the operator and the grid say about tasks in the forms of other systems, for whoever translates them."""

from fastapi import APIRouter
from fastapi.responses import Response

from suanwang.api.context import Context, Here
from suanwang.api.documents import answer
from suanwang.model.doors import DoorRules
from suanwang.model.ids import SiteId

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
