"""Grids to grid files: YAML, one line a site, pool or link, units as people write them where that is exact."""

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

from pydantic import BaseModel

from suanwang.model.grid import Grid, Site
from suanwang.model.units import GIB, KIB, MIB, MICRO_PER_YUAN, PIB, TIB

_PLAIN = re.compile(r"[^\W\d_][\w./+-]*(?: [\w./+-]+)*\Z")
_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}  # of YAML 1.2, and of 1.1 for other readers
_BYTES = (("PiB", PIB), ("TiB", TIB), ("GiB", GIB), ("MiB", MIB), ("KiB", KIB))
_RATES = (("Tbps", 10**12), ("Gbps", 10**9), ("Mbps", 10**6), ("kbps", 10**3))
_SPANS = (("h", 3_600_000_000), ("s", 1_000_000), ("ms", 1_000))
_NESTED = ("pools", "security_pools", "storage_pools")  # of a site: a line each


def dump_grid(grid: Grid) -> str:
    """The text of a grid file; `load_grid(dump_grid(grid)) == grid`."""
    return "\n".join(_lines(grid)) + "\n"


def _lines(grid: Grid) -> Iterator[str]:
    for name in ("id", "name", "version", "route_factor_permille", "default_origin"):
        yield f"{name}: {_value(name, getattr(grid, name))}"
    if grid.notes.facts or grid.notes.assumptions:
        yield "notes:"
    for name in ("facts", "assumptions"):
        if getattr(grid.notes, name):
            yield f"  {name}:"
            yield from (f"  - {_text(one)}" for one in getattr(grid.notes, name))
    for name in ("price_books", "tenants", "sites", "links", "data_sets"):
        parts: Sequence[BaseModel] = getattr(grid, name)
        yield f"{name}:" if parts else f"{name}: []"
        for one in parts:
            yield from _site(one) if isinstance(one, Site) else (f"- {_flow(one, ())}",)


def _site(site: Site) -> Iterator[str]:
    """The site's own fields on one line, then a line for each pool."""
    lists = [(name, getattr(site, name)) for name in _NESTED if getattr(site, name)]
    if not lists:
        yield f"- {_flow(site, ())}"
        return
    yield f"- {_flow(site, _NESTED)[:-1]},"
    for at, (name, pools) in enumerate(lists):
        yield f"   {name}: ["
        for place, pool in enumerate(pools):
            end = "," if place < len(pools) - 1 else "]," if at < len(lists) - 1 else "]}"
            yield f"    {_flow(pool, ())}{end}"


def _flow(one: BaseModel, without: tuple[str, ...]) -> str:
    """A flow mapping of the fields that differ from their default."""
    parts = []
    for name, info in type(one).model_fields.items():
        value = getattr(one, name)
        if name in without or (not info.is_required() and value == info.get_default(call_default_factory=True)):
            continue
        parts.append(f"{name}: {_value(name, value)}")
    return "{" + ", ".join(parts) + "}"


def _value(name: str, value: Any) -> str:
    if isinstance(value, BaseModel):
        return _flow(value, ())
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(key)}: {_value(name, one)}" for key, one in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_value(name, one) for one in value) + "]"
    if isinstance(value, Enum):
        return _text(str(value.value))
    if isinstance(value, str):
        return _text(value)
    return _quantity(name, value) if isinstance(value, int) else repr(value)


def _quantity(name: str, value: int) -> str:
    """A whole number with the largest unit that divides it; the field's name says what it measures."""
    if "micro_yuan" in name:
        whole, part = divmod(value, MICRO_PER_YUAN)
        return f"{whole}.{part:06d}".rstrip("0").rstrip(".") + " yuan"
    units: tuple[tuple[str, int], ...] = ()
    if "bytes" in name:
        units = _BYTES
    elif name.endswith("_bps"):
        units = _RATES
    elif name.endswith("_us"):
        units = _SPANS
    for unit, size in units:
        if value and value % size == 0:
            return f"{value // size} {unit}"
    return str(value)


def _text(text: str) -> str:
    """A plain scalar where every YAML reader takes it for this text, else a double-quoted one."""
    if _PLAIN.match(text) and text.lower() not in _WORDS and text.isprintable():
        return text
    return '"' + "".join(_escape(ch) for ch in text) + '"'


def _escape(ch: str) -> str:
    if ch in '"\\':
        return "\\" + ch
    if ch.isprintable():
        return ch
    return f"\\U{ord(ch):08x}"
