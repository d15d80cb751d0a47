"""Units: integers inside, the forms that people write at the edge.

Bytes are binary (KiB, MiB, GiB, TiB, PiB), rates are decimal bit/s (kbps, Mbps, Gbps, Tbps), spans are
microseconds, money is micro-yuan. Each `Annotated` type below takes an integer in the base unit or a text with
a unit, and its JSON Schema says so. A wrong form raises `PydanticCustomError`, whose type is a fault code of
`suanwang.texts` and whose context holds what was got.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

KIB, MIB, GIB, TIB, PIB = (1024**n for n in range(1, 6))
US_PER_MS = 1_000
US_PER_S = 1_000_000
US_PER_MINUTE = 60 * US_PER_S
US_PER_HOUR = 3_600 * US_PER_S
US_PER_DAY = 24 * US_PER_HOUR
MICRO_PER_YUAN = 1_000_000
INT64_MAX = 2**63 - 1
# Bounds that keep every product of the planner inside 64-bit integers with room to spare.
BYTES_MAX = 2**60  # one exbibyte
BPS_MAX = 10**15  # one petabit per second
SPAN_US_MAX = 366 * US_PER_DAY
MICRO_YUAN_MAX = 10**18  # a million million yuan
AT_US_MAX = 4_102_444_800 * US_PER_S  # the year 2100

_BYTES = {"b": 1, "kib": KIB, "mib": MIB, "gib": GIB, "tib": TIB, "pib": PIB}
_BYTES |= {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "pb": 10**15}
_RATES = {"bps": 1, "kbps": 10**3, "mbps": 10**6, "gbps": 10**9, "tbps": 10**12}
_SPANS = {"us": 1, "ms": US_PER_MS, "s": US_PER_S, "m": US_PER_MINUTE, "min": US_PER_MINUTE}
_SPANS |= {"h": US_PER_HOUR, "d": US_PER_DAY}
_MONEY = {"yuan": MICRO_PER_YUAN, "cny": MICRO_PER_YUAN, "micro-yuan": 1}
_QUANTITY = re.compile(r"^\s*([0-9]{1,18}(?:\.[0-9]{1,9})?)\s*([A-Za-z/-]+)\s*$")


def _parse(text: str, table: Mapping[str, int], code: str, form: str) -> int:
    match = _QUANTITY.match(text)
    scale = table.get(match.group(2).lower()) if match else None
    if match is None or scale is None:
        raise PydanticCustomError(code, "{got} is not understood; write {form}", {"got": repr(text[:80]), "form": form})
    exact = Decimal(match.group(1)) * scale
    if exact != exact.to_integral_value():
        raise PydanticCustomError(
            code, "{got} is finer than one unit; write {form}", {"got": repr(text[:80]), "form": form}
        )
    return int(exact)


def _reader(table: Mapping[str, int], code: str, form: str) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if isinstance(value, bool | float):
            raise PydanticCustomError(code, "{got} is not understood; write {form}", {"got": repr(value), "form": form})
        return _parse(value, table, code, form) if isinstance(value, str) else value

    return read


def parse_yuan(value: Any) -> Any:
    """`12.5 yuan`, `¥12.5` or an integer number of micro-yuan."""
    if isinstance(value, str) and value.strip()[:1] in ("¥", "￥"):
        value = value.strip()[1:] + " yuan"
    return _reader(_MONEY, "money_form", "`12.5 yuan`, `¥12.5`, or whole micro-yuan")(value)


def parse_instant(value: Any) -> Any:
    """An RFC 3339 instant with its offset, or an integer of microseconds since 1970 UTC."""
    form = "`2026-12-01T08:00:00+08:00`"
    if isinstance(value, dt.datetime):
        value = value.isoformat()
    if isinstance(value, bool | float | dt.date):
        raise PydanticCustomError(
            "instant_form", "{got} is not an instant; write {form}", {"got": repr(value), "form": form}
        )
    if not isinstance(value, str):
        return value
    try:
        moment = dt.datetime.fromisoformat(value.strip())
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise PydanticCustomError(
            "instant_form",
            "{got} is not an instant with an offset; write {form}",
            {"got": repr(value[:80]), "form": form},
        )
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def _schema(form: str, example: str) -> WithJsonSchema:
    text = {"type": "string", "description": form, "examples": [example]}
    return WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, text]}, mode="validation")


Bytes = Annotated[
    int,
    BeforeValidator(_reader(_BYTES, "bytes_form", "`4 GiB`, `500 MiB`, or whole bytes")),
    Field(ge=0, le=BYTES_MAX),
    _schema("bytes with a unit", "4 GiB"),
]
Bps = Annotated[
    int,
    BeforeValidator(_reader(_RATES, "rate_form", "`10 Gbps`, `200 Mbps`, or whole bit/s")),
    Field(ge=0, le=BPS_MAX),
    _schema("bit/s with a unit", "10 Gbps"),
]
SpanUs = Annotated[
    int,
    BeforeValidator(_reader(_SPANS, "span_form", "`20 ms`, `90 s`, `2 h`, or whole microseconds")),
    Field(ge=0, le=SPAN_US_MAX),
    _schema("a span with a unit", "90 s"),
]
MicroYuan = Annotated[int, BeforeValidator(parse_yuan), Field(ge=0, le=MICRO_YUAN_MAX), _schema("money", "12.5 yuan")]
AtUs = Annotated[
    int,
    BeforeValidator(parse_instant),
    Field(ge=0, le=AT_US_MAX),
    _schema("an RFC 3339 instant", "2026-12-01T08:00:00+08:00"),
]


def div_half_up(numerator: int, denominator: int) -> int:
    """`numerator / denominator` rounded half up, for numerator >= 0: the one rounding of a billed line."""
    assert numerator >= 0, "a billed quantity is never negative"
    assert denominator > 0, "a denominator is positive"
    return (2 * numerator + denominator) // (2 * denominator)


def show_bytes(value: int) -> str:
    """The shortest exact-enough form: `1.5 GiB`."""
    for unit, size in (("PiB", PIB), ("TiB", TIB), ("GiB", GIB), ("MiB", MIB), ("KiB", KIB)):
        if value >= size:
            return f"{value / size:.4g} {unit}"
    return f"{value} B"


def show_bps(value: int) -> str:
    """`10 Gbps`."""
    for unit, size in (("Tbps", 10**12), ("Gbps", 10**9), ("Mbps", 10**6), ("kbps", 10**3)):
        if value >= size:
            return f"{value / size:.4g} {unit}"
    return f"{value} bps"


def show_span(value_us: int) -> str:
    """`1.5 h`, `20 ms`."""
    for unit, size in (
        ("d", US_PER_DAY),
        ("h", US_PER_HOUR),
        ("min", US_PER_MINUTE),
        ("s", US_PER_S),
        ("ms", US_PER_MS),
    ):
        if value_us >= size:
            return f"{value_us / size:.4g} {unit}"
    return f"{value_us} us"


def show_yuan(value_micro_yuan: int) -> str:
    """`¥1.234567` with the zeros at the end cut, two decimals at least."""
    sign = "-" if value_micro_yuan < 0 else ""
    whole, part = divmod(abs(value_micro_yuan), MICRO_PER_YUAN)
    decimals = f"{part:06d}".rstrip("0").ljust(2, "0")
    return f"{sign}¥{whole:,}.{decimals}"


def show_at(value_us: int) -> str:
    """An instant in RFC 3339, in China Standard Time (UTC+8, no daylight saving)."""
    zone = dt.timezone(dt.timedelta(hours=8))
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=value_us)
    return moment.astimezone(zone).isoformat(timespec="milliseconds")
