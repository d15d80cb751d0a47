"""Services: templates of tasks that do real work, with their parameters and what is expected of their result."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from suanwang.model.base import Value
from suanwang.model.ids import TaskId
from suanwang.model.record import Phase

Text = Annotated[str, Field(min_length=1, max_length=600)]
Scalar = bool | int | float | str
TEXT_MAX = 90  # of a parameter that is a text; its value is a tag of the task too


class Told(Value):
    """A text in the three languages that the project speaks."""

    en: Text
    zh_hant: Text
    zh_hans: Text


class ServiceGroup(StrEnum):
    """The shelves of the catalogue, in the order in which they are shown."""

    BACKUP = "backup"
    RENDERING = "rendering"
    ASTRONOMY = "astronomy"
    LIFE_SCIENCE = "life-science"
    AI = "ai"
    HPC = "hpc"
    QUANTUM = "quantum"
    VIDEO = "video"
    GIS = "gis"
    BIG_DATA = "big-data"
    SECURITY = "security"
    DELIVERY = "delivery"


class Parameter(Value):
    """What a service may be asked for. `minimum` and `maximum` are of numbers, `choices` of texts; of a text without choices
    `maximum` is its greatest length."""

    name: str
    title: Told
    type: Literal["integer", "number", "string", "boolean"]
    default: Scalar
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    unit: str = ""


def show_number(value: float) -> str:
    """The shortest form without an exponent where it is whole: `1000000`, `0.05`, `1e-09`."""
    return str(int(value)) if value == int(value) else f"{value:g}"


def range_of(one: Parameter) -> str:
    """What a parameter takes, in signs that need no language: `8 … 1024`, `none | device`, `string 0 … 95` by its length."""
    if one.choices:
        return " | ".join(one.choices)
    if one.type == "boolean":
        return "true | false"
    if one.type == "string":
        return f"string 0 … {int(one.maximum or TEXT_MAX)}"
    low = "…" if one.minimum is None else show_number(one.minimum)
    high = "…" if one.maximum is None else show_number(one.maximum)
    return f"{low} … {high}"


class Expected(Value):
    """What a figure of the result must be. Bounds are numbers, or formulas of the parameters (`equals` is one where it begins
    with `=`); `at_defaults` has what the formulas are with the defaults, by the name of the bound."""

    figure: str
    at_least: int | float | str | None = None
    at_most: int | float | str | None = None
    equals: Scalar | None = None
    says: Told
    at_defaults: dict[str, Scalar] = Field(default_factory=dict)


class ServiceLine(Value):
    """A service as a list shows it."""

    id: str
    group: ServiceGroup
    name: Told
    about: Told


class ServiceView(ServiceLine):
    """A service in full. `relations` are formulas that must hold between the parameters; `parameters_schema` is the JSON Schema (2020-12) of its parameters; `needs` are the Python packages that
    the site must have; `example` names the folder of `examples/` that the job is of."""

    parameters: tuple[Parameter, ...]
    relations: tuple[str, ...]
    expected: tuple[Expected, ...]
    needs: tuple[str, ...]
    circuit: bool
    example: str | None = None
    parameters_schema: dict[str, Any]


class ServiceAsk(Value):
    """Parameters of a service, and of the task that it becomes whatever a task file may say about place, path, price and time."""

    parameters: dict[str, Any] = Field(default_factory=dict)
    task: dict[str, Any] = Field(default_factory=dict)


class Verdict(Value):
    """One expected figure held against what came out. `got` is null where the result does not tell it."""

    figure: str
    got: Scalar | None
    ok: bool
    at_least: int | float | None = None
    at_most: int | float | None = None
    equals: Scalar | None = None
    says: Told


class ServiceResult(Value):
    """What came of a service's task that has ended. `ok` is that it succeeded, that each of the `array` elements left a result, and that
    their figures are as expected; `elements` have left one."""

    task_id: TaskId
    service: str
    parameters: dict[str, Scalar]
    ok: bool
    figures: dict[str, Any]  # of the first element whose figures are not as expected, else of the first
    verdicts: tuple[Verdict, ...]
    elements: int
    array: int
    phase: Phase
