"""What a service's folder says: `service.yaml`, and the job beside it or in an example's folder."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import BeforeValidator, Field

from suanwang.model.base import Value
from suanwang.model.error import NotFoundError
from suanwang.model.service import Expected, Parameter, Scalar, ServiceGroup, ServiceLine, ServiceView, Told
from suanwang.services.formula import value

CATALOGUE: Final = Path(__file__).parent / "catalogue"
SHARED: Final = Path(__file__).parent / "shared"


def _told(value: Any) -> Any:
    """Manifests write the three languages as a list."""
    if isinstance(value, list) and len(value) == 3:
        return dict(zip(("en", "zh_hant", "zh_hans"), value, strict=True))
    return value


InThree = Annotated[Told, BeforeValidator(_told)]


class Asked(Value):
    """A parameter as a manifest writes it; its name is its key."""

    title: InThree
    type: str
    default: Scalar
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    unit: str = ""


class Hoped(Value):
    figure: str
    at_least: int | float | str | None = None
    at_most: int | float | str | None = None
    equals: Scalar | None = None
    says: InThree


def bounds_of(hoped: Hoped, parameters: Mapping[str, Scalar], *, formulas_only: bool = False) -> dict[str, Any]:
    """The bounds of a figure with the parameters put in. `equals` is a formula where it begins with `=`."""
    out: dict[str, Any] = {}
    for name in ("at_least", "at_most", "equals"):
        bound = getattr(hoped, name)
        formula = isinstance(bound, str) and (name != "equals" or bound.startswith("="))
        if bound is not None and (formula or not formulas_only):
            out[name] = value(bound.removeprefix("="), parameters) if formula else bound
    return out


class Manifest(Value):
    """A folder of the catalogue. `resources` and `array` are numbers or formulas of the parameters; `task` is what a task file
    may say besides; `small` are parameters with which the job ends within seconds; `circuit` names a maker in `circuits.py`."""

    group: ServiceGroup
    name: InThree
    about: InThree
    needs: tuple[str, ...] = ()
    example: str | None = None
    circuit: str | None = None
    shares: tuple[str, ...] = ()  # modules of `shared/` that the job imports
    parameters: dict[str, Asked]
    relations: tuple[str, ...] = ()  # formulas that must hold
    resources: dict[str, int | float | str] = Field(default_factory=dict)
    array: int | str = 1
    task: dict[str, Any] = Field(default_factory=dict)
    expected: Annotated[tuple[Hoped, ...], Field(min_length=1)]
    small: dict[str, Scalar] = Field(default_factory=dict)


def examples_path() -> Path:
    """The examples: inside an installed package, or beside the source. Raises NotFoundError."""
    packaged = Path(__file__).parents[1] / "examples"
    found = packaged if packaged.is_dir() else Path(__file__).parents[3] / "examples"
    if not found.is_dir():
        raise NotFoundError("examples_missing", path=str(found))
    return found


class Service:
    """One service: its manifest, and where its job is."""

    def __init__(self, service_id: str, manifest: Manifest) -> None:
        self.id = service_id
        self.manifest = manifest
        self.parameters = tuple(
            Parameter.model_validate({"name": name, **one.model_dump()}) for name, one in manifest.parameters.items()
        )

    @property
    def job(self) -> Path:
        """The script that a site runs; a circuit has none."""
        example = self.manifest.example
        return (CATALOGUE / self.id if example is None else examples_path() / example) / "job.py"

    @property
    def files(self) -> dict[str, Path]:
        """What a site gets beside the runner: the name in the task's folder -> the file here."""
        return {"job.py": self.job, **{f"{name}.py": SHARED / f"{name}.py" for name in self.manifest.shares}}

    def defaults(self) -> dict[str, Scalar]:
        return {one.name: one.default for one in self.parameters}

    def line(self) -> ServiceLine:
        has = self.manifest
        return ServiceLine(id=self.id, group=has.group, name=has.name, about=has.about)

    def view(self) -> ServiceView:
        from suanwang.services.parameters import schema_of

        has = self.manifest
        return ServiceView(
            **dict(self.line()),
            parameters=self.parameters,
            relations=has.relations,
            expected=tuple(
                Expected(**dict(one), at_defaults=bounds_of(one, self.defaults(), formulas_only=True))
                for one in has.expected
            ),
            needs=has.needs,
            circuit=has.circuit is not None,
            example=has.example,
            parameters_schema=schema_of(self),
        )


@functools.cache
def catalogue() -> dict[str, Service]:
    """Every service by its id, group by group."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = []
    for file in sorted(CATALOGUE.glob("*/service.yaml")):
        data = yaml.load(file.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - both are safe
        found.append(Service(file.parent.name, Manifest.model_validate(data)))
    order = list(ServiceGroup)
    found.sort(key=lambda one: (order.index(one.manifest.group), one.id))
    return {one.id: one for one in found}


def find(service_id: str) -> Service:
    """The service of an id. Raises NotFoundError, with the nearest."""
    import difflib

    known = catalogue()
    if service_id not in known:
        near = difflib.get_close_matches(service_id, known, n=3, cutoff=0.4)
        raise NotFoundError("service_unknown", service=service_id[:80], near=", ".join(near) or "—")
    return known[service_id]
