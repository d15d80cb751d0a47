"""The Standard Workload Format v2.2 (Feitelson's Parallel Workloads Archive), read and written.

Header lines begin with `;` and hold `Key: value`. A job is a line of 18 numbers with blanks between; -1: not known.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

HEADER_MARK = ";"
UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class SwfJob:
    """The 18 fields in their order. Seconds, processors, kilobytes a processor."""

    job: int
    submit_s: float
    wait_s: float
    run_s: float
    processors: int  # allocated
    cpu_s: float  # average of the processors
    memory_kb: float  # used, a processor
    processors_asked: int
    time_asked_s: float
    memory_asked_kb: float
    status: int  # 1 completed, 0 failed, 5 cancelled, 2..4 a part of a job
    user: int
    group: int
    program: int
    queue: int
    partition: int
    preceding: int
    think_s: float


FIELDS = tuple((one.name, one.type is float or one.type == "float") for one in fields(SwfJob))
assert len(FIELDS) == 18, "the format has 18 fields"


@dataclass(frozen=True, slots=True)
class BadLine:
    """What is wrong with a line: a fault's code, the field, and what was got."""

    line: int
    code: str
    where: str
    got: str
    params: dict[str, str | int]


def parse_swf(lines: Iterable[str], header: dict[str, str]) -> Iterator[tuple[int, SwfJob] | BadLine]:
    """Every job with the number of its line, or what is wrong with the line. Fills `header` as it goes."""
    for number, raw in enumerate(lines, start=1):
        line = raw.strip().removeprefix("\ufeff")
        if line.startswith(HEADER_MARK):
            key, colon, value = line[1:].partition(":")
            if colon:
                header.setdefault(key.strip(), value.strip())
        elif line:
            yield from _job(number, line.split())


def _job(number: int, words: list[str]) -> Iterator[tuple[int, SwfJob] | BadLine]:
    if len(words) != len(FIELDS):
        yield BadLine(number, "trace_fields", "", str(len(words)), {"need": len(FIELDS)})
        return
    values: list[float | int] = []
    for (name, is_float), word in zip(FIELDS, words, strict=True):
        value = _number(word)
        if value is None or (not is_float and value != int(value)):
            yield BadLine(number, "trace_number", name, word, {})
        elif value < UNKNOWN:
            yield BadLine(number, "trace_negative", name, word, {})
        else:
            values.append(value if is_float else int(value))
    if len(values) == len(FIELDS):
        yield number, SwfJob(*values)  # type: ignore[arg-type]


def _number(word: str) -> float | None:
    try:
        value = float(word)
    except ValueError:
        return None
    return value if value - value == 0 else None  # neither infinite nor NaN


def write_swf(jobs: Iterable[SwfJob], header: dict[str, str] | None = None) -> str:
    """The text of some jobs; reading it gives the same jobs."""
    lines = [f"; {key}: {value}" for key, value in (header or {"Version": "2.2"}).items()]
    for job in jobs:
        lines.append(" ".join(_shown(getattr(job, name)) for name, _ in FIELDS))
    return "\n".join(lines) + "\n"


def _shown(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
