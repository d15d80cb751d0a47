"""The parameters of a service: their JSON Schema, and the check of what was given. Every fault is found at once."""

import difflib
import math
from collections.abc import Iterator, Mapping
from typing import Any

from suanwang.model.error import Fault
from suanwang.model.service import TEXT_MAX, Parameter, Scalar, range_of
from suanwang.services.formula import names_in, value
from suanwang.services.manifest import Service

SHOWN_MAX = 80


def schema_of(service: Service) -> dict[str, Any]:
    """The parameters as a JSON Schema (2020-12)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": service.manifest.name.en,
        "type": "object",
        "additionalProperties": False,
        "properties": {one.name: _schema(one) for one in service.parameters},
    }


def _schema(one: Parameter) -> dict[str, Any]:
    out: dict[str, Any] = {"type": one.type, "title": one.title.en, "default": one.default}
    if one.choices:
        out["enum"] = list(one.choices)
    elif one.type == "string":
        out["maxLength"] = int(one.maximum or TEXT_MAX)
    for name, bound in (("minimum", one.minimum), ("maximum", one.maximum)):
        if bound is not None and one.type in ("integer", "number"):
            out[name] = int(bound) if one.type == "integer" else bound
    if one.unit:
        out["x-unit"] = one.unit
    return out


def form_of(one: Parameter) -> str:
    """What a parameter takes, in signs that need no language: `integer 8 … 512 (48)`."""
    kind = f"{one.type} " if one.type in ("integer", "number") else ""
    unit = f" {one.unit}" if one.unit else ""
    default = str(one.default).lower() if one.type == "boolean" else one.default
    return f"{kind}{range_of(one)}{unit} ({default})"


def check(service: Service, given: Mapping[str, Any]) -> tuple[dict[str, Scalar], list[Fault]]:
    """The parameters with the defaults filled in, and every fault of what was given."""
    known = {one.name: one for one in service.parameters}
    faults = [_unknown(name, known) for name in given if name not in known]
    values = service.defaults()
    bad = set()
    for name, one in known.items():
        if name not in given:
            continue
        found = fitted(one, given[name])
        if found is None:
            got = _shown(given[name])
            faults.append(
                Fault("service_parameter", f"parameters.{name}", got, None, {"name": name, "form": form_of(one)})
            )
            bad.add(name)
        else:
            values[name] = found
    faults += _unrelated(service, values, bad)
    return values, faults


def of_type(one: Parameter, got: Any) -> Scalar | None:
    """The value as the parameter's type, or None where it is of another. `2.0` is a whole number, `true` is none."""
    if one.type == "boolean":
        return got if isinstance(got, bool) else None
    if one.type == "string":
        return got if isinstance(got, str) else None
    if isinstance(got, bool) or not isinstance(got, int | float):
        return None
    if isinstance(got, int):  # of any size: as a float a large one would overflow
        return got
    if not math.isfinite(got):
        return None
    if one.type == "number":
        return got
    return int(got) if got.is_integer() else None


def fitted(one: Parameter, got: Any) -> Scalar | None:
    """The value as the parameter's type, or None where it is of another or outside of what the parameter takes."""
    found = of_type(one, got)
    if isinstance(found, str):
        fits = found in one.choices if one.choices else len(found) <= (one.maximum or TEXT_MAX)
        return found if fits and found.isprintable() else None
    if found is None or isinstance(found, bool):
        return found
    low = -math.inf if one.minimum is None else one.minimum
    high = math.inf if one.maximum is None else one.maximum
    return found if low <= found <= high else None


def _shown(got: Any) -> str:
    import json

    try:
        return json.dumps(got, ensure_ascii=False, default=str)[:SHOWN_MAX]
    except ValueError:  # Python writes no whole number of more than 4300 digits
        return "…"


def _unknown(name: str, known: Mapping[str, Parameter]) -> Fault:
    near = difflib.get_close_matches(name, known, n=1)
    names = ", ".join(f"`{one}`" for one in known)
    where = f"parameters.{name[:SHOWN_MAX]}"
    if near:
        return Fault("unknown_field_near", where, name[:SHOWN_MAX], None, {"near": near[0]})
    return Fault("unknown_field", where, name[:SHOWN_MAX], None, {"known": names or "—"})


def _unrelated(service: Service, values: Mapping[str, Scalar], bad: set[str]) -> Iterator[Fault]:
    """Relations that do not hold; one about a faulty parameter says nothing."""
    for one in service.manifest.relations:
        names = names_in(one)
        if bad.isdisjoint(names) and not value(one, values):
            got = ", ".join(f"{name} = {_shown(values[name])}" for name in names)
            yield Fault("service_relation", f"parameters.{names[0]}", got, None, {"holds": one})
