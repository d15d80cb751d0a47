"""pydantic's errors to our faults: one code each, union branches folded, the nearest name for an unknown one."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from suanwang.intent.document import Loc, show
from suanwang.model.ids import SLUG_PATTERN, TASK_PATTERN
from suanwang.model.task import CircuitEntry, PythonEntry
from suanwang.model.units import AT_US_MAX, BPS_MAX, BYTES_MAX, MICRO_YUAN_MAX, SPAN_US_MAX, US_PER_S

FAULTS_MAX = 1_000  # more than a person reads; the rest are counted
NEAREST_MIN = 0.6  # difflib's ratio: `memroy` finds `memory`, `gpu` finds nothing and is in OTHER_WORDS
KEY_MARK = "[key]"  # pydantic's last part of the location of a faulty dict key

# Words of other systems for ours.
OTHER_WORDS = {
    "command": "run", "cmd": "run", "exec": "run", "script": "run", "entrypoint": "run", "args": "run",
    "env": "environment", "container": "image", "cpus": "cpu", "cores": "cpu", "vcpu": "cpu", "mem": "memory",
    "ram": "memory", "gpu": "accelerator", "gpus": "accelerators", "gpu_count": "accelerators",
    "storage": "disk", "time": "wall_time", "timeout": "wall_time", "walltime": "wall_time", "count": "array",
    "replicas": "array", "budget": "price_limit", "max_price": "price_limit", "region": "residency",
    "regions": "residency", "labels": "tags", "retry": "retries", "start": "earliest_start", "prefer": "preference",
    "url": "source", "dest": "path", "to": "target", "destination": "target", "lat": "latitude", "lon": "longitude",
    "lng": "longitude", "depends_on": "after", "dependency": "after", "needs": "after", "capacity": "capacity_bps", "latency": "latency_us", "length": "length_km", "count_nodes": "nodes",
}  # fmt: skip

# A regular expression teaches nobody; each pattern of the model has a fault of its own.
PATTERN_CODES = {
    SLUG_PATTERN: "slug_form",
    TASK_PATTERN: "task_id_form",
    r"^[A-Za-z_][A-Za-z0-9_]{0,127}$": "env_name_form",
    r"^[a-z0-9][a-z0-9._:/@-]*$": "image_form",
    r"^[0-9a-f]{64}$": "blake3_form",
    r"^(s3|file)://": "target_form",
    r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$": "region_form",
    r"^[A-Za-z_][\w.]*(:[A-Za-z_]\w*)?$": "module_form",
    r"^(fp64|fp32|fp16|int8|none)$": "precision_form",
}

# pydantic's types of one meaning, under our code. The model's own codes (`bytes_form`, ...) pass as they are.
CODES = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "int_type": "not_whole", "int_from_float": "not_whole", "int_parsing": "not_whole",
    "int_parsing_size": "number_size",
    "float_type": "not_number", "float_parsing": "not_number", "finite_number": "not_finite",
    "string_type": "not_text",
    "bool_type": "not_boolean", "bool_parsing": "not_boolean",
    "model_type": "not_a_mapping", "dict_type": "not_a_mapping", "model_attributes_type": "not_a_mapping",
    "tuple_type": "not_a_list", "list_type": "not_a_list",
    "greater_than_equal": "below", "greater_than": "below",
    "less_than_equal": "above", "less_than": "above",
    "enum": "not_one_of", "literal_error": "not_one_of",
    "string_too_short": "too_short", "too_short": "too_short",
    "string_too_long": "too_long", "too_long": "too_long",
    "string_unicode": "not_text",
}  # fmt: skip

# Unions whose branches mean nothing to a reader: one fault for the whole field.
UNION_CODES = {"run": "run_form", "latency": "latency_form"}
# Bounds of the model's units, in the form that people write.
LIMITS: dict[tuple[str, Any], str] = {
    ("le", BYTES_MAX): "1024 PiB",
    ("le", BPS_MAX): "1000 Tbps",
    ("le", SPAN_US_MAX): "366 d",
    ("le", MICRO_YUAN_MAX): "1000000000000 yuan",
    ("le", AT_US_MAX): "2100-01-01T00:00:00Z",
    ("ge", US_PER_S): "1 s",  # of wall_time
}
_FIELD_ITSELF = ("missing", "extra_forbidden")
_RANGE = ("greater_than_equal", "less_than_equal")


@dataclass(frozen=True)
class Found:
    """A fault before its line is known. `fields` are the other fields that a relation is about."""

    code: str
    loc: Loc
    got: Any = ""
    params: dict[str, Any] = field(default_factory=dict)
    fields: tuple[str, ...] = ()

    def shown(self) -> str:
        return show(self.got)


def path_text(loc: Loc) -> str:
    """`("inputs", 0, "path")` as `inputs[0].path`."""
    out = ""
    for part in loc:
        if isinstance(part, int):
            out += f"[{part}]"
        else:
            out += f".{show(part)}" if out else show(part)
    return out


def faults_of(error: ValidationError, model_type: type[BaseModel], data: Any) -> list[Found]:
    """Every fault in the order pydantic found them; at least one."""
    found: list[Found] = []
    unions: dict[Loc, list[tuple[Loc, str, ErrorDetails]]] = {}
    for one in error.errors(include_url=False):
        loc, tag, inner = _split(one["loc"], data, one["type"] in _FIELD_ITSELF)
        if len(found) >= FAULTS_MAX:
            found.append(Found("wrong_form", loc[:1]))  # only counted: to look for the nearest name takes its time
        elif tag is None:
            found.append(_found(one, loc, model_type))
        else:
            if loc not in unions:
                unions[loc] = []
                found.append(Found("", loc))  # keeps the place of the union in the order
            unions[loc].append((inner, tag, one))
    folded = {loc: _fold(loc, branches, model_type, data) for loc, branches in unions.items()}
    return [real for one in found for real in ([one] if one.code else folded[one.loc])]


def _split(loc: tuple[int | str, ...], data: Any, field_itself: bool) -> tuple[Loc, str | None, Loc]:
    """The part of a location that is in the data, the union's branch after it, and what is inside the branch."""
    value = data
    for at, part in enumerate(loc):
        if _holds(value, part):
            value = value[part]
        elif part == KEY_MARK:
            return loc[:at], None, ()
        elif field_itself and at == len(loc) - 1:
            return loc, None, ()
        else:
            return loc[:at], str(part), loc[at + 1 :]
    return loc, None, ()


def _holds(value: Any, part: int | str) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and part < len(value)


def _fold(
    loc: Loc, branches: list[tuple[Loc, str, ErrorDetails]], model_type: type[BaseModel], data: Any
) -> list[Found]:
    """The faults of the one branch that the value's own type points at; else one fault for the whole field."""
    value = _at(data, loc)
    branch_of: dict[type, str] = {str: "constrained-str", list: "tuple", dict: _entry_of(value)}
    wanted = branch_of.get(type(value))
    chosen = [one for one in branches if wanted is not None and one[1].startswith(wanted)]
    chosen = chosen or [one for one in branches if one[2]["type"] in _RANGE]
    if chosen:
        return [_found(one, (*loc, *inner), model_type) for inner, _, one in chosen]
    name = str(loc[-1]) if loc else ""
    return [Found(UNION_CODES.get(name, "wrong_form"), loc, value)]


def _entry_of(value: Any) -> str:
    """Which of the forms of `run` that are mappings a mapping is closest to."""
    names = set(value) if isinstance(value, dict) else set()
    models: tuple[type[BaseModel], ...] = (PythonEntry, CircuitEntry)
    return max(models, key=lambda model: len(names & set(model.model_fields))).__name__


def _at(data: Any, loc: Loc) -> Any:
    for part in loc:
        data = data[part]
    return data


def _found(one: ErrorDetails, loc: Loc, model_type: type[BaseModel]) -> Found:
    kind, context = one["type"], one.get("ctx") or {}
    code = CODES.get(kind, kind)
    got = one["input"]
    if kind == "string_pattern_mismatch":
        code = PATTERN_CODES.get(str(context.get("pattern")), "wrong_form")
    if kind == "missing":
        return Found(code, loc, "", {"field": str(loc[-1])})
    if kind == "extra_forbidden":
        return _unknown(loc, model_type)
    return Found(code, loc, got, _params(context))


def _params(context: Mapping[str, Any]) -> dict[str, Any]:
    """The bounds and choices that a text may name."""
    for name in ("ge", "gt", "le", "lt", "min_length", "max_length"):
        if name in context:
            return {"limit": LIMITS.get((name, context[name]), context[name])}
    if "expected" in context:
        return {"expected": str(context["expected"]).replace("'", "`").replace(" or ", ", ")}
    return {}


def _unknown(loc: Loc, model_type: type[BaseModel]) -> Found:
    """An unknown field, with the likely one: here, or inside one of the fields here."""
    name = str(loc[-1]).lower()[:40]
    models = _models_at(model_type, loc[:-1])
    names = [known for model in models for known in model.model_fields]
    inside = {deep: f"{up}.{deep}" for model in models for up, deep in _fields_inside(model)}
    other = OTHER_WORDS.get(name)
    near = difflib.get_close_matches(name, names, n=1, cutoff=NEAREST_MIN)
    deep = difflib.get_close_matches(name, inside, n=1, cutoff=NEAREST_MIN)
    guess = next((one for one in (other, *near) if one in names), None)
    guess = guess or next((inside[one] for one in (other, *deep) if one in inside), None)
    if guess is None:
        return Found("unknown_field", loc, loc[-1], {"known": ", ".join(f"`{one}`" for one in names)})
    return Found("unknown_field_near", loc, loc[-1], {"near": guess})


def _fields_inside(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Fields of the plain (not listed) models inside: of a task, those of `resources`."""
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from ((name, deep) for deep in info.annotation.model_fields)


def _models_at(model_type: type[BaseModel], loc: Loc) -> list[type[BaseModel]]:
    """The models that may stand at `loc`."""
    models = [model_type]
    for part in loc:
        if isinstance(part, str):
            models = [
                inner
                for model in models
                if part in model.model_fields
                for inner in _models_in(model.model_fields[part].annotation)
            ]
    return models


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
