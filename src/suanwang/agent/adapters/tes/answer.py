"""What a FULL view of a task says, read with care: all of its fields may be missing, and none is of a sure type. Pure."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from suanwang.agent.readable import readable

NOTES_CHARS: Final = 1_000
EXIT_CODE_MAX: Final = 255
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Answer:
    """Of the last attempt that the server made. `printed`: what it kept of the output."""

    code: int | None = None
    ran_us: int = 0  # from the begin to the end of the work, by the server's clock
    began: bool = False
    told: str = ""
    notes: str = ""
    printed: bytes = b""


def read(task: Mapping[str, Any]) -> Answer:
    """The first executor is the work; what comes behind it only packs."""
    log = _last(task.get("logs"))
    work = _first(log.get("logs"))
    code = work.get("exit_code")
    metadata = log.get("metadata")
    notes = log.get("system_logs")
    began, ended = _us(work.get("start_time")), _us(work.get("end_time"))
    if began is None:
        began, ended = _us(log.get("start_time")), _us(log.get("end_time"))
    every = [one for one in log.get("logs") or () if isinstance(one, dict)] if isinstance(log.get("logs"), list) else []
    printed = "".join(str(one.get(name) or "") for one in every for name in ("stdout", "stderr"))
    return Answer(
        code=code if type(code) is int and 0 <= code <= EXIT_CODE_MAX else None,
        ran_us=max(0, ended - began) if began is not None and ended is not None else 0,
        began=bool(work) or began is not None,
        told=str(metadata.get("reason") or "") if isinstance(metadata, dict) else "",
        notes=readable(" ".join(str(one) for one in notes)[:NOTES_CHARS]) if isinstance(notes, list) else "",
        printed=printed.encode("utf-8", "replace"),
    )


def _last(value: Any) -> dict[str, Any]:
    return value[-1] if isinstance(value, list) and value and isinstance(value[-1], dict) else {}


def _first(value: Any) -> dict[str, Any]:
    return value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else {}


def _us(text: Any) -> int | None:
    """RFC 3339 to microseconds; None for what is no such text."""
    try:
        at = dt.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return (at.replace(tzinfo=at.tzinfo or dt.UTC) - _EPOCH) // dt.timedelta(microseconds=1)
