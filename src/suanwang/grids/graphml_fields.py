"""What our own GraphML says beyond the Topology Zoo's: each field of a node or an edge, if it can be read as one."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from suanwang.model.error import Fault, FaultsError
from suanwang.model.grid import Link, LinkKind
from suanwang.model.ids import SLUG_PATTERN

_REGION = re.compile(r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")
_SLUG = re.compile(SLUG_PATTERN)
FAULTS_MAX = 20


def site_id(data: Mapping[str, str]) -> str | None:
    """The id that a grid's site had."""
    found = data.get("SiteId", "")
    return found if _SLUG.match(found) else None


def region(data: Mapping[str, str]) -> str | None:
    found = data.get("Region", "")
    return found if _REGION.match(found) else None


def _windows(text: str) -> list[dict[str, int]]:
    pairs = [one.split("/") for one in text.split()]
    return [{"start": int(start), "end": int(end)} for start, end in pairs]


_FIELDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "LinkId": ("id", str),
    "LatencyUs": ("latency_us", int),
    "IgpWeight": ("igp_weight", int),
    "LinkKind": ("kind", LinkKind),
    "SharedRiskGroups": ("shared_risk_groups", lambda text: text.split()),
    "Maintenance": ("maintenance", _windows),
    "LengthKm": ("length_km", int),
    "PriceMicroYuanPerGbpsHour": ("price_micro_yuan_per_gbps_hour", int),
    "PriceMicroYuanPerGib": ("price_micro_yuan_per_gib", int),
}


def with_fields(link: Link, data: Mapping[str, str], source: str) -> Link:
    """The link with what its edge says in our own names. Where the edge names a latency, nothing else of ours is drawn: no
    risk group and no maintenance is none. Raises FaultsError for each value that is none of its field."""
    if not any(name in data for name in _FIELDS):
        return link
    faults: list[Fault] = []
    given: dict[str, Any] = {"shared_risk_groups": (), "maintenance": ()} if "LatencyUs" in data else {}
    for name, value in _read(data, faults):
        given[name] = value
    if not faults:
        try:
            return Link.model_validate(link.model_dump() | given)
        except ValidationError as error:
            places = {one["loc"][0] for one in error.errors()}
            faults = [
                Fault("graphml_value", name, data.get(name, "")[:80])
                for name, (to, _) in _FIELDS.items()
                if to in places
            ]
    raise FaultsError(faults[:FAULTS_MAX], source)


def _read(data: Mapping[str, str], faults: list[Fault]) -> Iterator[tuple[str, Any]]:
    for name, (to, read) in _FIELDS.items():
        if name in data:
            try:
                yield to, read(data[name])
            except ValueError:
                faults.append(Fault("graphml_value", name, data[name][:80]))
