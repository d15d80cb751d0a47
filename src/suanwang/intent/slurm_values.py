"""The values of Slurm's options: times, amounts of memory, arrays, generic resources, dependencies, instants. Pure.

Each reader takes a text and gives a value, or raises BadValueError with the code of the fault. The forms are those of sbatch(1).
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final

from suanwang.model.units import SPAN_US_MAX, US_PER_MINUTE, US_PER_S

ARRAY_MAX: Final = 1_000_000  # elements
INDEX_MAX: Final = 4_000_000  # of an element: Slurm's own bound of MaxArraySize
COUNT_MAX: Final = 1_000_000
_KIB: Final = 1024
_UNITS: Final = {"K": _KIB, "M": _KIB**2, "G": _KIB**3, "T": _KIB**4}
_TIMES: Final = (
    (re.compile(r"^(?P<m>\d{1,9})$", re.ASCII)),
    (re.compile(r"^(?P<m>\d{1,9}):(?P<s>\d{1,2})$", re.ASCII)),
    (re.compile(r"^(?P<h>\d{1,7}):(?P<m>\d{1,2}):(?P<s>\d{1,2})$", re.ASCII)),
    (re.compile(r"^(?P<d>\d{1,6})-(?P<h>\d{1,2})(?::(?P<m>\d{1,2})(?::(?P<s>\d{1,2}))?)?$", re.ASCII)),
)
_ENDLESS: Final = frozenset({"UNLIMITED", "INFINITE", "-1", "0"})
_MEMORY: Final = re.compile(r"^(\d{1,12})([KMGT]?)B?$", re.ASCII | re.IGNORECASE)
_WHOLE: Final = re.compile(r"^\d{1,9}$", re.ASCII)
_RANGE: Final = re.compile(r"^(\d{1,7})(?:-(\d{1,7})(?::(\d{1,7}))?)?$", re.ASCII)


class BadValueError(Exception):
    """A text that is not of the form. `code` is the fault's."""

    def __init__(self, code: str, **params: object) -> None:
        super().__init__(code)
        self.code, self.params = code, params


def whole(text: str, least: int = 0) -> int:
    """A whole number."""
    if not _WHOLE.match(text) or not least <= int(text) <= COUNT_MAX:
        raise BadValueError("slurm_count_form", least=least, most=f"{COUNT_MAX:,}")
    return int(text)


def time_limit_us(text: str) -> int:
    """A time limit in microseconds, a begun minute being a whole one, as for Slurm."""
    if text.upper() in _ENDLESS:
        raise BadValueError("slurm_time_endless")
    found = next((match for form in _TIMES if (match := form.match(text))), None)
    if found is None:
        raise BadValueError("slurm_time_form")
    part = {name: int(value) for name, value in found.groupdict().items() if value is not None}
    seconds = part.get("d", 0) * 86_400 + part.get("h", 0) * 3_600 + part.get("m", 0) * 60 + part.get("s", 0)
    limit_us = -(-seconds // 60) * US_PER_MINUTE
    if not 0 < limit_us <= SPAN_US_MAX:
        raise BadValueError("slurm_time_form")
    return limit_us


def memory_bytes(text: str) -> int:
    """An amount of memory in bytes; MiB where it has no unit."""
    found = _MEMORY.match(text)
    if found is None:
        raise BadValueError("slurm_memory_form")
    return int(found[1]) * _UNITS[found[2].upper() or "M"]


@dataclass(frozen=True)
class ArrayIds:
    """The numbers of an array's elements, in order, and how many may run at once."""

    ids: tuple[int, ...]
    at_once: int | None

    @property
    def step(self) -> int | None:
        """From each number to the next; None where that differs."""
        steps = {after - before for before, after in zip(self.ids, self.ids[1:], strict=False)}
        return 1 if not steps else steps.pop() if len(steps) == 1 else None


def array_ids(text: str) -> ArrayIds:
    """`1-10`, `0-15:4`, `1,3,7-9`, each with `%limit`."""
    numbers, percent, limit = text.partition("%")
    at_once = None
    if percent:
        if not _WHOLE.match(limit) or int(limit) < 1:
            raise BadValueError("slurm_array_form")
        at_once = int(limit)
    ids: set[int] = set()
    for part in numbers.split(","):
        found = _RANGE.match(part)
        if found is None:
            raise BadValueError("slurm_array_form")
        first = int(found[1])
        last, step = int(found[2] or first), int(found[3] or 1)
        if step < 1 or last < first:
            raise BadValueError("slurm_array_form")
        if last > INDEX_MAX or len(ids) + (last - first) // step >= ARRAY_MAX:
            raise BadValueError("slurm_array_large", limit=f"{ARRAY_MAX:,}")
        ids.update(range(first, last + 1, step))
    return ArrayIds(tuple(sorted(ids)), at_once)


@dataclass(frozen=True)
class Cards:
    """Accelerators: a model, or any, and how many."""

    model: str | None
    count: int


def cards(text: str) -> Cards:
    """`2`, `a100:2` or `a100`: what stands in `--gpus` and behind `gpu` in `--gres`."""
    parts = text.split(":")
    last = parts[-1]
    if len(parts) > 2 or not all(parts):
        raise BadValueError("slurm_gres_form")
    if _WHOLE.match(last):
        return Cards(parts[0] if len(parts) == 2 else None, whole(last))
    if len(parts) == 2:
        raise BadValueError("slurm_gres_form")
    return Cards(last, 1)


def gres_cards(text: str) -> Cards:
    """`gpu:2`, `gpu:a100:2`, `gres/gpu:1`. Other resources of a site are none of the grid's."""
    if text.lower() in ("none", "0"):
        return Cards(None, 0)
    words = text.split(",")
    if len(words) != 1:
        raise BadValueError("slurm_gres_other", other=words[1])
    name, colon, rest = text.removeprefix("gres/").replace("=", ":").partition(":")
    if name.lower() != "gpu":
        raise BadValueError("slurm_gres_other", other=name)
    return cards(rest) if colon else Cards(None, 1)


@dataclass(frozen=True)
class Follows:
    """One job that another comes after."""

    kind: str
    job: int


KINDS: Final = {"after": "started", "afterok": "succeeded", "afternotok": "failed", "afterany": "ended"}


def dependencies(text: str) -> list[Follows]:
    """`afterok:12:13,afterany:14`: all of them, separated by commas."""
    if "?" in text:
        raise BadValueError("slurm_dependency_any")
    out: list[Follows] = []
    for part in text.split(","):
        kind, *jobs = part.split(":")
        if kind.lower() not in KINDS:
            raise BadValueError("slurm_dependency_kind", kind=kind, known=", ".join(f"`{one}`" for one in KINDS))
        if not jobs:
            raise BadValueError("slurm_dependency_form")
        for job in jobs:
            if not _WHOLE.match(job) or int(job) < 1:
                raise BadValueError("slurm_dependency_form")
            out.append(Follows(KINDS[kind.lower()], int(job)))
    return out


# -- instants --------------------------------------------------------------------------------------------------

_CLOCK: Final = re.compile(r"^(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([AP]M)?$", re.ASCII | re.IGNORECASE)
_DATES: Final = (
    re.compile(r"^(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})$", re.ASCII),
    re.compile(r"^(?P<m>\d{1,2})[/.](?P<d>\d{1,2})(?:[/.](?P<y>\d{2}))?$", re.ASCII),
    re.compile(r"^(?P<m>\d{2})(?P<d>\d{2})(?P<y>\d{2})$", re.ASCII),
)
_NOW: Final = re.compile(r"^now(?:\s*\+\s*(\d{1,9})\s*([a-z]*))?$", re.ASCII)
_NAMED: Final = {"midnight": time(0), "noon": time(12), "elevenses": time(11), "fika": time(15), "teatime": time(16)}
_SPANS: Final = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}


def instant_us(text: str, now_us: int, zone: tzinfo) -> int:
    """An instant of `--begin` or `--deadline` in microseconds since 1970 UTC, read on the user's clock."""
    words = text.strip().lower()
    relative = _NOW.match(words)
    if relative is not None:
        return now_us + int(relative[1] or 0) * _seconds(relative[2] or "second") * US_PER_S
    now = datetime.fromtimestamp(now_us // US_PER_S, zone)
    day, clock = _day_and_clock(words, now)
    if day is None and clock is None:
        raise BadValueError("slurm_instant_form")
    at = datetime.combine(day or now.date(), clock or time(0), zone)
    if day is None and at < now:
        at += timedelta(days=1)  # an hour that has passed is tomorrow's
    return int(at.timestamp()) * US_PER_S


def _seconds(unit: str) -> int:
    found = [value for name, value in _SPANS.items() if unit and (f"{name}s").startswith(unit)]
    if len(found) != 1:
        raise BadValueError("slurm_instant_form")
    return found[0]


def _day_and_clock(words: str, now: datetime) -> tuple[date | None, time | None]:
    parts = re.sub(r"(?<=\d)t(?=\d)", " ", re.sub(r"\s+([ap]m)\b", r"\1", words)).split()
    if not 1 <= len(parts) <= 2:
        raise BadValueError("slurm_instant_form")
    day: date | None = None
    clock: time | None = None
    for part in parts:
        as_day, as_clock = _day(part, now), _clock(part)
        if (as_day is not None and day is None) == (as_clock is not None and clock is None):
            raise BadValueError("slurm_instant_form")
        day, clock = as_day or day, clock if as_clock is None else as_clock
    return day, clock


def _day(word: str, now: datetime) -> date | None:
    if word in ("today", "tomorrow"):
        return now.date() + timedelta(days=word == "tomorrow")
    found = next((match for form in _DATES if (match := form.match(word))), None)
    if found is None:
        return None
    year = found.groupdict().get("y")
    try:
        if year is None:
            day = date(now.year, int(found["m"]), int(found["d"]))
            return day if day >= now.date() else day.replace(year=now.year + 1)
        return date(int(year) + (2000 if len(year) == 2 else 0), int(found["m"]), int(found["d"]))
    except ValueError:
        raise BadValueError("slurm_instant_form") from None


def _clock(word: str) -> time | None:
    if word in _NAMED:
        return _NAMED[word]
    found = _CLOCK.match(word)
    if found is None:
        return None
    hour, half = int(found[1]), (found[4] or "").lower()
    if half and not 1 <= hour <= 12:
        raise BadValueError("slurm_instant_form")
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    try:
        return time(hour, int(found[2]), int(found[3] or 0))
    except ValueError:
        raise BadValueError("slurm_instant_form") from None
