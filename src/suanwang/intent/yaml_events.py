"""YAML events to plain data and a tree of lines. Iterative, bounded, and without tags, anchors or aliases."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from suanwang.model.error import Fault

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where the wheel has it: ten times as fast

# The core schema of YAML 1.2.2, section 10.3.2.
_CONSTANTS: dict[str, bool | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_CONSTANTS |= {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_WHOLE = re.compile(r"[-+]?[0-9]+\Z")
_OTHER_BASE = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
_NUMBER_START = frozenset("0123456789+-.")
_DIGITS_MAX = 40  # no bound of the model has more than 19 digits


class Trouble(Exception):  # noqa: N818 - it never leaves this package
    """One fault that stops the reading."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.code)
        self.fault = fault


@dataclass(slots=True)
class Marks:
    """The line of a value, and the marks of what is inside it."""

    line: int
    inner: "dict[str, Marks] | list[Marks] | None" = None


@dataclass(slots=True)
class _Open:
    """A mapping or sequence that is being read."""

    data: Any
    marks: Marks
    key: str | None = None
    key_line: int = 0


@dataclass(slots=True)
class _Builder:
    depth_max: int
    values_max: int
    stack: list[_Open] = field(default_factory=list)
    data: Any = None
    marks: Marks | None = None
    count: int = 0

    def where(self) -> str:
        """The path of the value that is being read: `sites[3].pools`."""
        out = ""
        for one in self.stack:
            if isinstance(one.data, list):
                out += f"[{len(one.data)}]"
            elif one.key is not None:
                out += f".{one.key[:80]}" if out else one.key[:80]
        return out

    def fail(self, code: str, got: str, line: int, **params: Any) -> NoReturn:
        raise Trouble(Fault(code, self.where(), got[:80], line, params))

    def value(self, value: Any, marks: Marks) -> None:
        """A complete or just opened value takes its place in its parent."""
        self.count += 1
        if self.count > self.values_max:
            self.fail("too_many_values", "", marks.line, limit=self.values_max)
        if not self.stack:
            self.data, self.marks = value, marks
            return
        top = self.stack[-1]
        if isinstance(top.data, list):
            top.data.append(value)
            top.marks.inner.append(marks)  # type: ignore[union-attr]
        elif top.key is None:
            self.key(top, value, marks.line)
        else:
            marks.line = top.key_line
            top.data[top.key] = value
            top.marks.inner[top.key] = marks  # type: ignore[index, call-overload]
            top.key = None

    def key(self, top: _Open, value: Any, line: int) -> None:
        if not isinstance(value, str):
            self.fail("key_not_text", str(value), line)
        if value in top.data:
            top.key = value
            self.fail("duplicate_key", value, line, first=top.marks.inner[value].line)  # type: ignore[index,call-overload]
        if value == "<<":
            self.fail("yaml_merge", value, line)
        top.key, top.key_line = value, line

    def open(self, data: Any, marks: Marks) -> None:
        if len(self.stack) >= self.depth_max:
            self.fail("too_deep", "", marks.line, limit=self.depth_max)
        if self.stack and isinstance(self.stack[-1].data, dict) and self.stack[-1].key is None:
            self.fail("key_not_text", "", marks.line)
        self.value(data, marks)
        self.stack.append(_Open(data, marks))

    def scalar(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if "\0" in event.value:
            self.fail("nul_in_text", repr(event.value[:40]), line)  # no process and no database takes it
        is_key = bool(self.stack) and isinstance(self.stack[-1].data, dict) and self.stack[-1].key is None
        plain = event.implicit[0] and not is_key
        self.value(self.resolve(event.value, line) if plain else event.value, Marks(line))

    def resolve(self, text: str, line: int) -> Any:
        """A plain scalar by the core schema."""
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if text[0] not in _NUMBER_START:
            return text
        if _WHOLE.match(text):
            if len(text) > _DIGITS_MAX:
                self.fail("number_size", text, line)
            return int(text)
        if _OTHER_BASE.match(text):
            if len(text) > _DIGITS_MAX:
                self.fail("number_size", text, line)
            return int(text, 0)
        if _NOT_FINITE.match(text):
            self.fail("not_finite", text, line)
        if _REAL.match(text):
            number = float(text)
            if number - number != 0:
                self.fail("not_finite", text, line)
            return number
        return text


def read_yaml(text: str, depth_max: int, values_max: int) -> tuple[Any, Marks]:
    """Data and marks of the one document in `text`. Raises Trouble."""
    builder = _Builder(depth_max, values_max)
    try:
        for event in _events(text):
            _take(builder, event)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Trouble(_syntax_fault(error)) from None
    if builder.marks is None:
        raise Trouble(Fault("empty", ""))
    return builder.data, builder.marks


def _events(text: str) -> Iterator[Any]:
    loader = _LOADER(text)
    try:
        while True:
            event = loader.get_event()
            if event is None or isinstance(event, yaml.StreamEndEvent):
                return
            yield event
    finally:
        loader.dispose()


def _take(builder: _Builder, event: Any) -> None:
    """Dispatch on the event's class; the commonest first."""
    kind = type(event)
    if kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
        builder.stack.pop()
        return
    if kind not in (yaml.ScalarEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent):
        if kind is yaml.AliasEvent:
            builder.fail("yaml_alias", "*" + event.anchor, event.start_mark.line + 1)
        if kind is yaml.DocumentStartEvent and builder.marks is not None:
            builder.fail("two_documents", "---", event.start_mark.line + 1)
        return
    line = event.start_mark.line + 1
    if event.anchor:
        builder.fail("yaml_alias", "&" + event.anchor, line)
    if event.tag:
        builder.fail("yaml_tag", event.tag, line)
    if kind is yaml.ScalarEvent:
        builder.scalar(event)
    elif kind is yaml.MappingStartEvent:
        builder.open({}, Marks(line, {}))
    else:
        builder.open([], Marks(line, []))


def _syntax_fault(error: Exception) -> Fault:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line = mark.line + 1 if mark is not None else None
    said = str(getattr(error, "problem", None) or getattr(error, "reason", None) or type(error).__name__)
    column = mark.column + 1 if mark is not None else 0
    return Fault("yaml_syntax", "", said[:120], line, {"column": column})
