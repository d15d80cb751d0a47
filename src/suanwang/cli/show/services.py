"""The catalogue of services, one service with its parameters, and the verdict on a result."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from suanwang.cli.words import name_of, t
from suanwang.model.service import (
    Expected,
    Parameter,
    ServiceLine,
    ServiceResult,
    ServiceView,
    Verdict,
    range_of,
    show_number,
)


def lines(found: Sequence[ServiceLine]) -> RenderableType:
    """Group by group."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column(t("cli.service.col.group"), no_wrap=True, style="dim")
    table.add_column(t("cli.service.col.service"), no_wrap=True, style="bold")
    table.add_column(t("cli.service.col.name"), overflow="fold")
    before = None
    for one in found:
        group = t(f"service_group.{one.group.value}") if one.group is not before else ""
        table.add_row(group, one.id, name_of(one.name))
        before = one.group
    return Group(table, Text(t("cli.service.count", count=len(found)), "dim"))


def whole(found: ServiceView) -> RenderableType:
    """A service: what it does, its parameters, what is expected, what a site must have."""
    head = Text.assemble(
        (name_of(found.name), "bold"), (f"  {found.id} · {t(f'service_group.{found.group.value}')}", "dim")
    )
    parts: list[RenderableType] = [head, Text(name_of(found.about)), _parameters(found.parameters)]
    parts += [Text(f"  {one}", "dim") for one in found.relations]
    parts += [Text(t("cli.service.expected"), "bold"), *(_expected(one) for one in found.expected)]
    if found.circuit:
        parts.append(Text(t("cli.service.circuit"), "dim"))
    elif found.needs:
        parts.append(Text(t("cli.service.needs", packages=", ".join(found.needs)), "dim"))
    return Group(*parts)


def _parameters(found: Sequence[Parameter]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for name in ("parameter", "form", "default", "meaning"):
        table.add_column(t(f"cli.service.col.{name}"), overflow="fold")
    for one in found:
        table.add_row(
            Text(one.name, "bold"), range_of(one), f"{_value(one.default)} {one.unit}".strip(), name_of(one.title)
        )
    return table


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return show_number(float(f"{value:.5g}")) if isinstance(value, float) else str(value)


def bounds(one: Expected | Verdict) -> str:
    """`≥ 1, ≤ 2`; a formula of the parameters with what it is at their defaults, `≤ keep (40)`."""
    shown = []
    for sign, name in (("≥", "at_least"), ("≤", "at_most"), ("=", "equals")):
        bound = getattr(one, name)
        by_default = one.at_defaults.get(name) if isinstance(one, Expected) else None
        if by_default is not None:
            shown.append(f"{sign} {str(bound).removeprefix('=')} ({_value(by_default)})")
        elif bound is not None:
            shown.append(f"{sign} {_value(bound)}")
    return ", ".join(shown)


def _expected(one: Expected) -> Text:
    return Text.assemble("  ", (one.figure, "bold"), f" {bounds(one)}  ", (name_of(one.says), "dim"))


def verdicts(found: ServiceResult) -> RenderableType:
    """Each expected figure with what came out."""
    table = Table(box=SIMPLE_HEAD)
    for name in ("", "figure", "got", "expected", "meaning"):
        table.add_column(t(f"cli.service.col.{name}") if name else "", overflow="fold")
    for one in found.verdicts:
        sign = Text("✓", "green") if one.ok else Text("✗", "bold red")
        table.add_row(sign, one.figure, "—" if one.got is None else _value(one.got), bounds(one), name_of(one.says))
    words = t("cli.service.as_expected") if found.ok else t("cli.service.not_as_expected")
    return Group(table, Text(words, "green" if found.ok else "bold red"))
