"""Text to plain data, safely: YAML 1.2 core or JSON, with the line of every value.

The reader takes events from libyaml and builds dicts, lists, texts, numbers, booleans and None itself. Nothing is
ever evaluated: no tag, no anchor, no alias, no merge key. `NO` and `12:30` are texts, as in YAML 1.2 (yaml.org/spec/1.2.2,
section 10.3), and not a boolean and a base-60 number, as in YAML 1.1.

Raises FaultsError, and nothing else, whatever the text is.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NoReturn

from suanwang.intent.yaml_events import Marks, Trouble, read_yaml
from suanwang.model.error import Fault, FaultsError

Loc = tuple[str | int, ...]

TASK_BYTES_MAX = 4 * 1024**2  # a script of 256 KiB and a thousand inputs fit many times over
GRID_BYTES_MAX = 64 * 1024**2  # a hundred thousand sites
DEPTH_MAX = 64  # the deepest true document has nine levels
VALUES_MAX_PER_MIB = 100_000  # about ten bytes a value; more is an attack on the reader's time
TEXT_SHOWN = 80


@dataclass(frozen=True)
class Document:
    """Plain data read from `source`. `marks` are the lines of its values; JSON finds them only when asked."""

    data: Any
    source: str
    read_marks: Callable[[], Marks | None] = field(repr=False)

    @cached_property
    def marks(self) -> Marks | None:
        """The tree of lines, parallel to `data`; None where no lines can be told."""
        return self.read_marks()

    def line_of(self, loc: Loc) -> int | None:
        """The line (from 1) of the value at `loc`; of its nearest known parent where it is not in the text."""
        marks = self.marks
        if marks is None:
            return None
        for part in loc:
            inner = marks.inner
            if isinstance(inner, dict) and part in inner:
                marks = inner[str(part)]
            elif isinstance(inner, list) and isinstance(part, int) and 0 <= part < len(inner):
                marks = inner[part]
            else:
                break
        return marks.line


def show(value: Any) -> str:
    """A value as one short line, for a fault's `got`."""
    text = value if isinstance(value, str) else _compact(value)
    text = "".join(ch if ch.isprintable() else "�" for ch in text[: TEXT_SHOWN + 1])
    return text[:TEXT_SHOWN] + "…" if len(text) > TEXT_SHOWN else text


def _compact(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(show(key) for key in list(value)[:5]) + "}"
    if isinstance(value, list):
        return f"[{len(value)}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and abs(value) >= 10**TEXT_SHOWN:
        return "a number of more than 80 digits"  # str() of a huge int is slow, or refused
    return str(value)


def parse(text: str | bytes, source: str = "text", limit_bytes: int = TASK_BYTES_MAX) -> Document:
    """Read one document. JSON is tried first where the text looks like it, since YAML's escapes are fewer."""
    clean = _decode(text, source, limit_bytes)
    values_max = max(1, limit_bytes // 1024**2) * VALUES_MAX_PER_MIB
    trouble: Fault | None = None
    if clean.lstrip(" \t\r\n")[:1] in ("{", "["):
        try:
            data = _read_json(clean, values_max)
        except _NotJsonError:
            pass
        except Trouble as problem:
            trouble = problem.fault
        else:
            return Document(data, source, lambda: _marks_of(clean, values_max))
    try:
        data, marks = read_yaml(clean, DEPTH_MAX, values_max)
    except Trouble as problem:
        fault = problem.fault if trouble is None or problem.fault.code != "yaml_syntax" else trouble
        raise FaultsError([fault], source) from None
    if trouble is not None:
        raise FaultsError([trouble], source)
    return Document(data, source, lambda: marks)


def _decode(text: str | bytes, source: str, limit_bytes: int) -> str:
    """UTF-8 text within the size limit, without a byte order mark and without control characters."""

    def refuse(code: str, got: str, line: int | None = None, **params: Any) -> NoReturn:
        raise FaultsError([Fault(code, "", got, line, params)], source)

    if len(text) > limit_bytes:
        refuse("too_large", f"{len(text)} B", limit=f"{limit_bytes // 1024**2} MiB")
    try:
        raw = text.encode() if isinstance(text, str) else text
        clean = raw.decode()
    except UnicodeError as error:
        refuse("not_utf8", f"byte {getattr(error, 'start', 0)}")
    if len(raw) > limit_bytes:
        refuse("too_large", f"{len(raw)} B", limit=f"{limit_bytes // 1024**2} MiB")
    clean = clean.removeprefix("\ufeff")
    if not clean.strip():
        refuse("empty", "")
    if "\0" in clean:
        refuse("not_utf8", "NUL", clean.count("\n", 0, clean.index("\0")) + 1)
    return clean


class _NotJsonError(Exception):
    """The text is not JSON; it may be YAML in flow style."""


def _read_json(text: str, values_max: int) -> Any:
    """Strict JSON: no NaN, no repeated key, bounded depth. Raises Trouble or _NotJsonError."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        out = dict(items)
        if len(out) != len(items):
            seen: set[str] = set()
            twice = next(key for key, _ in items if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            raise Trouble(Fault("duplicate_key", show(twice), show(twice)))
        return out

    def constant(name: str) -> NoReturn:
        raise Trouble(Fault("not_finite", "", name))

    def whole(digits: str) -> int:
        if len(digits) > 40:  # no bound of the model has more than 19 digits
            raise Trouble(Fault("number_size", "", show(digits)))
        return int(digits)

    try:
        data = json.loads(text, object_pairs_hook=pairs, parse_constant=constant, parse_int=whole)
    except RecursionError:
        raise Trouble(Fault("too_deep", "", "", None, {"limit": DEPTH_MAX})) from None
    except json.JSONDecodeError:
        raise _NotJsonError from None
    _check_tree(data, values_max)
    return data


def _check_tree(data: Any, values_max: int) -> None:
    """Depth, count, finite numbers and whole characters of a tree that JSON made."""
    level, depth, count = [data], 0, 0
    while level:
        depth += 1
        count += len(level)
        if depth > DEPTH_MAX:
            raise Trouble(Fault("too_deep", "", "", None, {"limit": DEPTH_MAX}))
        if count > values_max:
            raise Trouble(Fault("too_many_values", "", "", None, {"limit": values_max}))
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                below += one.values()
                below += one.keys()
            elif isinstance(one, list):
                below += one
            elif isinstance(one, float) and one - one != 0:
                raise Trouble(Fault("not_finite", "", str(one)))
            elif isinstance(one, str) and not one.isascii():
                _check_characters(one)
        level = below


def _check_characters(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Trouble(Fault("not_utf8", "", "half of a surrogate pair")) from None


def _marks_of(text: str, values_max: int) -> Marks | None:
    try:
        return read_yaml(text, DEPTH_MAX, values_max)[1]
    except Trouble:
        return None  # JSON that libyaml cannot read, such as one with surrogate escapes: faults carry no line
