"""Rules as text -> signatures: a subset of the Suricata rule language (docs.suricata.io, "Rules Format").

    alert tcp any any -> any 80 (msg:"a shell"; content:"/bin/sh"; nocase; sid:1; rev:1;)

One rule a line; `#` begins a comment line. What the subset has not is refused, with its line: a rule that is half
understood would be a promise that nobody keeps.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Literal, cast

from suanwang.lab.sensor import values
from suanwang.lab.sensor.values import Addresses, Flags, Ranges
from suanwang.model.error import Fault, FaultsError

RULES_MAX: Final = 1_000  # each is tried on each packet that its ports let pass
TEXT_BYTES_MAX: Final = 1024**2
SID_MAX: Final = 2**31 - 1
HEAD: Final = re.compile(
    r"(\S+)\s+(\S+)\s+(\[[^\]]*\]|!\[[^\]]*\]|\S+)\s+(\[[^\]]*\]|!\[[^\]]*\]|\S+)\s+(->|<>)\s+"
    r"(\[[^\]]*\]|!\[[^\]]*\]|\S+)\s+(\[[^\]]*\]|!\[[^\]]*\]|\S+)\s*\((.*)\)"
)
Protocol = Literal["tcp", "udp", "ip"]
PROTOCOLS: Final = ("tcp", "udp", "ip")
# Said of a rule, and without any effect on what it matches.
REMARKS: Final = frozenset({"classtype", "reference", "metadata"})


@dataclass(frozen=True)
class Content:
    """Bytes that the payload has, or (`no`) has not, from `offset` on, within `depth` bytes from there."""

    bytes: bytes
    no: bool = False
    nocase: bool = False
    offset: int = 0
    depth: int | None = None

    @property
    def anywhere(self) -> bool:
        return self.offset == 0 and self.depth is None


@dataclass(frozen=True)
class Threshold:
    """`limit`: the first `count` matches of a window alert. `threshold`: each `count`-th. `both`: the `count`-th only."""

    kind: Literal["limit", "threshold", "both"]
    by: Literal["by_src", "by_dst"]
    count: int
    seconds: int


@dataclass(frozen=True)
class Signature:
    """None for an address or ports is any."""

    line: int
    protocol: Protocol
    source: Addresses | None
    source_ports: Ranges | None
    target: Addresses | None
    target_ports: Ranges | None
    both_ways: bool = False
    message: str = ""
    contents: tuple[Content, ...] = ()
    flags: Flags | None = None
    threshold: Threshold | None = None
    sid: int = 0
    rev: int = 1
    priority: int = 3


def read(text: str, source: str = "rules") -> tuple[Signature, ...]:
    """Raises FaultsError with every fault, each with its line."""
    found: list[Signature] = []
    faults: list[Fault] = []
    seen: dict[int, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            one = _signature(line.strip(), number)
        except _RefusedError as error:
            faults.append(error.fault)
            continue
        if one.sid in seen:
            faults.append(_fault("lab_rule_twice", number, str(one.sid), first=seen[one.sid]))
        seen.setdefault(one.sid, number)
        found.append(one)
    if not found and not faults:
        faults.append(_fault("lab_rule_none", 1, ""))
    if len(found) > RULES_MAX:
        faults.append(_fault("lab_rule_many", found[RULES_MAX].line, str(len(found)), limit=RULES_MAX))
    if faults:
        raise FaultsError(faults, source)
    return tuple(found)


class _RefusedError(Exception):
    """A rule's first fault."""

    def __init__(self, code: str, line: int, got: str, **params: object) -> None:
        super().__init__(code)
        self.fault = _fault(code, line, got, **params)


def _fault(code: str, line: int, got: str, **params: object) -> Fault:
    return Fault(code, "rule", got[:100], line, dict(params))


def _signature(text: str, line: int) -> Signature:
    head = HEAD.fullmatch(text)
    if head is None:
        raise _RefusedError("lab_rule_form", line, text)
    action, protocol, source, source_ports, way, target, target_ports, body = head.groups()
    if action != "alert":
        raise _RefusedError("lab_rule_action", line, action)
    if protocol not in PROTOCOLS:
        raise _RefusedError("lab_rule_protocol", line, protocol)

    def value(name: str, call: Callable[[str], Any], given: str) -> Any:
        try:
            return call(given)
        except ValueError as error:
            raise _RefusedError("lab_rule_value", line, given, name=name, form=str(error)) from None

    one = Signature(
        line,
        cast(Protocol, protocol),
        value("address", values.addresses, source),
        value("port", values.ports, source_ports),
        value("address", values.addresses, target),
        value("port", values.ports, target_ports),
        way == "<>",
    )
    if protocol == "ip" and (one.source_ports or one.target_ports):
        raise _RefusedError("lab_rule_ports", line, f"{source_ports} -> {target_ports}")
    for name, given in _options(body, line):
        one = value(name, partial(_with, one, name, line), given)
    if one.sid == 0:
        raise _RefusedError("lab_rule_sid", line, text)
    for content in one.contents:
        if content.depth is not None and content.depth < len(content.bytes):
            raise _RefusedError("lab_rule_depth", line, str(content.depth), size=len(content.bytes))
    return one


def _options(body: str, line: int) -> Iterator[tuple[str, str]]:
    """`name:value;` or `name;`: a semicolon inside quotes or after a backslash ends nothing."""
    at, begin, inside = 0, 0, False
    while at < len(body):
        one = body[at]
        if one == "\\":
            at += 1
        elif one == '"':
            inside = not inside
        elif one == ";" and not inside:
            name, _, given = body[begin:at].partition(":")
            yield name.strip(), given.strip()
            begin = at + 1
        at += 1
    if body[begin:].strip():
        raise _RefusedError("lab_rule_end", line, body[begin:].strip())


def _with(one: Signature, name: str, line: int, given: str) -> Signature:
    """The signature with one option more. Raises ValueError with the right form."""
    if name in ("nocase", "offset", "depth"):
        if not one.contents:
            raise _RefusedError("lab_rule_order", line, name)
        *before, last = one.contents
        if name == "nocase":
            if given:
                raise ValueError("nocase;")
            last = replace(last, nocase=True)
        elif name == "offset":
            last = replace(last, offset=values.number(given, 0, values.PORT_MAX))
        else:
            last = replace(last, depth=values.number(given, 1, values.PORT_MAX))
        return replace(one, contents=(*before, last))
    if name == "msg":
        inner = values.quoted(given)
        if inner is None:
            raise ValueError('"text"')
        return replace(one, message=values.unescaped(inner))
    if name == "content":
        found, no = values.content(given)
        return replace(one, contents=(*one.contents, Content(found, no)))
    if name == "flags":
        if one.protocol != "tcp":
            raise ValueError("alert tcp ...")
        return replace(one, flags=values.flags(given))
    if name == "threshold":
        return replace(one, threshold=_threshold(given))
    if name == "sid":
        return replace(one, sid=values.number(given, 1, SID_MAX))
    if name == "rev":
        return replace(one, rev=values.number(given, 1, SID_MAX))
    if name == "priority":
        return replace(one, priority=values.number(given, 1, 255))
    if name in REMARKS:
        return one
    raise _RefusedError("lab_rule_option", line, name)


def _threshold(given: str) -> Threshold:
    """`type both, track by_src, count 20, seconds 10`"""
    rows = [part.split() for part in given.split(",")]
    form = "type limit|threshold|both, track by_src|by_dst, count N, seconds N"
    if any(len(row) != 2 for row in rows) or sorted(row[0] for row in rows) != ["count", "seconds", "track", "type"]:
        raise ValueError(form)
    found = dict(rows)
    kind, by = found["type"], found["track"]
    if kind not in ("limit", "threshold", "both") or by not in ("by_src", "by_dst"):
        raise ValueError(form)
    count, seconds = values.number(found["count"], 1, 1_000_000), values.number(found["seconds"], 1, 86_400)
    return Threshold(cast(Any, kind), cast(Any, by), count, seconds)
