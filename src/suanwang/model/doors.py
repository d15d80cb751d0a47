"""What the operator and the grid say about tasks in the forms of other systems: `#SBATCH` scripts, Kubernetes Jobs, SkyPilot."""

from typing import Annotated

from pydantic import Field

from suanwang.model.base import Value
from suanwang.model.ids import SiteId, Slug


class DoorRules(Value):
    """The same for all forms, so that a reader needs to know nothing else of the grid."""

    host_images: tuple[str, ...] = ()  # patterns of images that stand for the site's own system
    network: bool = False  # such tasks ask for a network
    wall_time_us: int = 3_600_000_000  # of a task that does not say
    zones: dict[str, tuple[SiteId, ...]] = Field(default_factory=dict)  # a site or a region -> its sites
    accelerators: tuple[Slug, ...] = ()  # models that the grid has
    partitions: dict[str, str] = Field(
        default_factory=dict
    )  # a partition -> sites, regions, kinds and models, with `+`
    priorities: dict[str, Annotated[int, Field(ge=0, le=100)]] = Field(default_factory=dict)  # QOS, priority classes
