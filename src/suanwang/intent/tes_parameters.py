"""The backend parameters of TES: what the grid can be asked for and TES has no field for. Pure.

Values are texts, in the forms of the task file: `90 s`, `4 GiB`, `12.5 yuan`, `metro`, `true`, `a, b`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from suanwang.intent.document import Loc
from suanwang.intent.mapping import Found


@dataclass(frozen=True)
class Parameter:
    """`field`: where it goes in a task request. `kind`: how its text is read."""

    field: Loc
    kind: str  # text, whole, flag or list


PARAMETERS: Final[Mapping[str, Parameter]] = {
    "bandwidth": Parameter(("bandwidth",), "text"),
    "budget": Parameter(("price_limit",), "text"),
    "deadline": Parameter(("deadline",), "text"),
    "earliest_start": Parameter(("earliest_start",), "text"),
    "gpu": Parameter(("resources", "accelerators"), "whole"),
    "gpu_model": Parameter(("resources", "accelerator"), "text"),
    "latency": Parameter(("latency",), "text"),
    "network": Parameter(("resources", "network"), "flag"),
    "nodes": Parameter(("resources", "nodes"), "whole"),
    "on_budget": Parameter(("on_budget",), "text"),
    "origin": Parameter(("origin",), "text"),
    "owners": Parameter(("owners",), "list"),
    "preference": Parameter(("preference",), "text"),
    "priority": Parameter(("priority",), "whole"),
    "processes": Parameter(("resources", "processes"), "whole"),
    "protection": Parameter(("protection",), "list"),
    "qpu": Parameter(("resources", "qubits"), "whole"),
    "residency": Parameter(("residency",), "list"),
    "retries": Parameter(("retries",), "whole"),
    "security_level": Parameter(("security_level",), "whole"),
    "shots": Parameter(("resources", "shots"), "whole"),
    "sites": Parameter(("sites",), "list"),
    "standby": Parameter(("standby",), "text"),
    "wall_time": Parameter(("resources", "wall_time"), "text"),
}
_FLAGS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_NAMES: Final = ", ".join(f"`{name}`" for name in PARAMETERS)


@dataclass(frozen=True)
class Asked:
    """What the parameters of a task say. `values` by field, with the name as the client spelled it."""

    values: tuple[tuple[Loc, Any, str], ...]
    unknown: tuple[str, ...]
    found: tuple[Found, ...]


def read_parameters(given: Mapping[str, str], strict: bool, where: Loc) -> Asked:
    """Names count in any case. One that is not known is a fault where `strict`, else it is told and has no effect."""
    values: list[tuple[Loc, Any, str]] = []
    unknown: list[str] = []
    found: list[Found] = []
    seen: dict[str, str] = {}
    for spelled, text in given.items():
        name = spelled.lower()
        parameter = PARAMETERS.get(name)
        if parameter is None:
            unknown.append(spelled)
            if strict:
                found.append(Found("tes_parameter", (*where, spelled), spelled, {"known": _NAMES}))
        elif name in seen:
            found.append(Found("listed_twice", (*where, spelled), spelled))
        else:
            value = _read(parameter.kind, text)
            if value is None:
                found.append(Found(_FAULT_OF[parameter.kind], (*where, spelled), text))
            else:
                values.append((parameter.field, value, spelled))
        seen.setdefault(name, spelled)
    return Asked(tuple(_with_model(values)), tuple(unknown), tuple(found))


_FAULT_OF: Final = {"whole": "not_whole", "flag": "not_boolean"}


def _with_model(values: list[tuple[Loc, Any, str]]) -> Iterator[tuple[Loc, Any, str]]:
    """Cards without a model are of any; shots are a thousand where only qubits are asked for."""
    fields = {field: spelled for field, _, spelled in values}
    yield from values
    count, model = PARAMETERS["gpu"].field, PARAMETERS["gpu_model"].field
    if count in fields and model not in fields and any(value for field, value, _ in values if field == count):
        yield model, "any", fields[count]
    qubits, shots = PARAMETERS["qpu"].field, PARAMETERS["shots"].field
    if qubits in fields and shots not in fields:
        yield shots, SHOTS, fields[qubits]


SHOTS: Final = 1_000


def _read(kind: str, text: str) -> Any:
    """The value, or None where the text has not the form."""
    words = text.strip()
    if kind == "whole":
        return int(words) if words.isascii() and words.isdigit() and len(words) <= 18 else None
    if kind == "flag":
        return _FLAGS.get(words.lower())
    if kind == "list":
        return [part.strip() for part in words.split(",") if part.strip()]
    return words
