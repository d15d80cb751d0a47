"""A routed network as a document that other tools can read: nodes and directed links with every figure."""

from typing import Annotated, Literal

from pydantic import Field

from suanwang.model.base import Value
from suanwang.model.grid import Maintenance

NODES_MAX = 4_000
LINKS_MAX = 100_000
Text = Annotated[str, Field(min_length=1, max_length=200)]


class TopologyNode(Value):
    id: Text
    label: str = ""
    longitude: Annotated[float, Field(ge=-180, le=180)] = 0.0
    latitude: Annotated[float, Field(ge=-90, le=90)] = 0.0
    region: str | None = None  # of a grid's site


class TopologyLink(Value):
    """One direction. `reverse` is the other direction of the same cable. The last four are of a grid's link alone."""

    id: Text
    source: Text
    target: Text
    reverse: str | None = None
    capacity_bps: Annotated[int, Field(ge=0, le=10**15)]
    latency_us: Annotated[int, Field(ge=0, le=10**13)]
    igp_weight: Annotated[int, Field(ge=1, le=2**24 - 1)]
    satellite: bool = False
    shared_risk_groups: tuple[str, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    kind: str | None = None
    length_km: int | None = None
    price_micro_yuan_per_gbps_hour: int | None = None
    price_micro_yuan_per_gib: int | None = None


class TopologyDocument(Value):
    format: Literal["suanwang-topology"] = "suanwang-topology"
    version: Literal[1] = 1
    name: str
    nodes: Annotated[tuple[TopologyNode, ...], Field(max_length=NODES_MAX)]
    links: Annotated[tuple[TopologyLink, ...], Field(max_length=LINKS_MAX)]
