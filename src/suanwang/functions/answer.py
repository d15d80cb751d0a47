"""From what came back to values and exceptions. No network here: both kinds of handles use it."""

from __future__ import annotations

import builtins
import json
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final, TypeVar

from blake3 import blake3

from suanwang.functions.prepare import spool
from suanwang.functions.site.frames import END, HEAD, RAISED, VALUES, BadFileError, read_result
from suanwang.functions.site.gate import FAULT_EXIT, FAULT_MARK
from suanwang.model.error import (
    FunctionError,
    RaisedError,
    ResultError,
    RunCancelledError,
    RunFailedError,
    RunRefusedError,
    SiteUnfitError,
)
from suanwang.model.event import OutputFile
from suanwang.model.record import Phase
from suanwang.model.view import TaskView
from suanwang.texts import text

# What the gate says, and beside what.
_FAULTS: Final = {
    "absent": (),
    "python": ("here", "wanted"),
    "module": ("module", "detail", "here"),
    "unpack": ("detail", "here"),
}
UNFIT_EXITS: Final = frozenset({FAULT_EXIT, 127})  # of the gate, and of a shell that finds no Python
LOG_TAIL: Final = 4_000  # characters of the log that an error shows
FunctionErrorT = TypeVar("FunctionErrorT", bound=FunctionError)


class RemoteTraceback(Exception):  # noqa: N818 - it is a text, as the cause of what was raised
    """Where on the site an exception was raised; shown above it."""

    def __init__(self, told: str) -> None:
        super().__init__(told)
        self.told = told

    def __str__(self) -> str:
        return f"\n\n{self.told.rstrip()}\n"


class Raised:
    """An item's exception in the stream of results, to tell it from a value that is an exception."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


def made(kind: type[FunctionErrorT], code: str, lang: str, **params: Any) -> FunctionErrorT:
    """An error with its words. What a site wrote may be among the params."""
    params = {name: _printable(value) for name, value in params.items()}
    return kind(code, text=text(f"error.{code}", lang, **params), **params)


@dataclass(frozen=True)
class Untrusted:
    """Why a pickled result is not opened here."""

    code: str
    owner: str = ""

    def error(self, task: str, lang: str) -> ResultError:
        return made(ResultError, self.code, lang, task=task, owner=self.owner)


class Fetched:
    """A result on its way here: no longer than it was said to be, and with the hash that was said. Closed where it was not `whole`."""

    def __init__(self, output: OutputFile, task: str, lang: str) -> None:
        self._output, self._task, self._lang = output, task, lang
        self._file, self._digest, self._left = spool(), blake3(), output.size_bytes
        self._is_whole = False

    def __enter__(self) -> Fetched:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._is_whole:
            self._file.close()

    def write(self, piece: bytes) -> None:
        self._left -= len(piece)
        if self._left < 0:
            raise self._damaged("it is longer than was said")
        self._digest.update(piece)
        self._file.write(piece)

    def whole(self) -> BinaryIO:
        """The file, at its beginning."""
        if self._digest.hexdigest() != self._output.blake3:
            raise self._damaged("its hash is another one")
        self._is_whole = True
        self._file.seek(0)
        return self._file

    def _damaged(self, detail: str) -> ResultError:
        return made(ResultError, "result_damaged", self._lang, task=self._task, detail=detail)


def has_raised(file: BinaryIO) -> bool:
    """Whether an item has no value; so does a file that cannot be read."""
    try:
        return any(kind == RAISED for kind, _ in read_result(file))
    except BadFileError:
        return True


def results(file: BinaryIO, task: str, form: str, lang: str, count: int) -> Iterator[Any]:
    """The values of one element in order, exceptions as `Raised`; `count` of them. `form` is what was asked for: a file that
    says another is not opened. Raises ResultError."""
    head, seen = dict[str, Any](), 0
    try:
        for kind, payload in read_result(file):
            if kind == HEAD:
                head = json.loads(payload)
                if head["format"] != form:
                    raise BadFileError(f"the result is {str(head['format'])[:20]!r} and not {form!r}")
            elif kind == VALUES:
                values = _values(payload, form)
                seen += len(values)
                yield from values
            elif kind == RAISED:
                seen += 1
                yield Raised(_exception(payload, form, task, head, lang))
            elif kind != END:
                raise BadFileError(f"a frame of kind {kind!r}")
        if seen != count:
            raise BadFileError(f"it has {seen} values, and {count} were asked for")
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:  # whatever a site may write there
        raise made(ResultError, "result_damaged", lang, task=task, detail=str(error)) from error


def _values(payload: bytes, form: str) -> list[Any]:
    # Only what was asked for as pickle, from sites that are trusted with it, comes here as pickle: see `Asked.untrusted`.
    found = json.loads(payload) if form == "json" else _unpickled(payload)
    if not isinstance(found, list):
        raise BadFileError("a block that is no list")
    return found


def _unpickled(payload: bytes) -> Any:
    try:
        return pickle.loads(payload)  # noqa: S301
    except Exception as error:  # any class may refuse in its own way
        raise BadFileError(f"it cannot be unpickled here: {type(error).__name__}: {error}") from error


def _exception(payload: bytes, form: str, task: str, head: dict[str, Any], lang: str) -> BaseException:
    line, _, packed = payload.partition(b"\n")
    said = json.loads(line)
    told = {name: _line_of(said[name]) for name in ("kind", "type", "message")}
    if told["kind"] == "result":
        return made(ResultError, "result_form", lang, task=task, form=form, detail=f"{told['type']}: {told['message']}")
    told |= {name: _line_of(said[name]) for name in ("module", "traceback")}
    told["args"] = _printable(said["args"])
    error = _unpacked(packed) if packed and form == "pickle" else _built_in(told)
    if error is None or not _may_be_raised(error):
        name = told["type"] if told["module"] in ("builtins", "__main__") else f"{told['module']}.{told['type']}"
        params = {"task": task, "message": told["message"]}
        words = text("error.raised", lang, kind=name, **params)
        error = RaisedError("raised", kind=name, traceback=told["traceback"], text=words, **params)
    error.__cause__ = RemoteTraceback(told["traceback"])
    if said.get("module_missing"):
        where = {"site": _line_of(head["site"]), "here": _line_of(head["python"])}
        error.add_note(text("error.site_module", lang, module=_line_of(said["module_missing"]), **where))
    return error


def _line_of(value: Any) -> str:
    """What a site wrote where a text is due."""
    return str(_printable(value if isinstance(value, str) else repr(value)))


def _may_be_raised(error: BaseException) -> bool:
    """Not what would end the caller's program or loop in the name of the function: an exit, an interrupt, the end of an iterator."""
    return isinstance(error, Exception) and not isinstance(error, StopIteration | StopAsyncIteration)


def _printable(value: Any) -> Any:
    """Texts of a site end on a terminal: nothing in them may command it."""
    if isinstance(value, list):
        return [_printable(one) for one in value]
    if isinstance(value, dict):
        return {_printable(name): _printable(one) for name, one in value.items()}
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(ch if ch.isprintable() or ch in "\n\t" else "\N{REPLACEMENT CHARACTER}" for ch in value)


def _unpacked(packed: bytes) -> BaseException | None:
    try:
        found = pickle.loads(packed)  # noqa: S301 - as for values
    except Exception:  # its text is shown in its place
        return None
    return found if isinstance(found, BaseException) else None


def _built_in(told: dict[str, Any]) -> BaseException | None:
    """An exception of Python's own by its name: that runs nothing of the site's."""
    kind = getattr(builtins, str(told["type"]), None) if told["module"] == "builtins" else None
    if not (isinstance(kind, type) and issubclass(kind, BaseException)) or not isinstance(told["args"], list):
        return None
    try:
        return kind(*told["args"])
    except TypeError:
        return None


# -- tasks without an answer --------------------------------------------------------------------------------------


def outcome(view: TaskView, log: str, lang: str) -> FunctionError:
    """Why a task that has ended gave no value."""
    task, tail = view.task_id, _printable(log[-LOG_TAIL:].strip())
    if view.phase is Phase.REFUSED:
        return made(RunRefusedError, "run_refused", lang, task=task, detail=_refusals(view, lang))
    if view.phase is Phase.CANCELLED:
        return made(RunCancelledError, "run_cancelled", lang, task=task, detail=view.detail)
    fault = site_fault(log) if view.exit_code in UNFIT_EXITS else None
    if fault is not None:
        return unfit(fault, view, lang)
    reason = text(f"failure.{view.reason.value}", lang) if view.reason is not None else view.phase.value
    detail = " ".join(part for part in (_printable(view.detail), _exit_words(view)) if part)
    params = {"task": task, "why": reason, "detail": detail, "log": tail, "phase": view.phase.value}
    words = text("error.run_failed", lang, **params)
    return RunFailedError("run_failed", reason=view.reason, text=words, **params)


def _exit_words(view: TaskView) -> str:
    return f"(exit status {view.exit_code})" if view.exit_code else ""


def _refusals(view: TaskView, lang: str) -> str:
    out = [
        text(f"refusal.{one.reason.value}", lang, got=one.got, limit=one.limit, field=one.field)
        for one in view.refusals
    ]
    return " ".join(out) or view.detail


def site_fault(log: str) -> dict[str, Any] | None:
    """What the gate on the site said, in the last line of the log that it wrote. Only its words are used."""
    for line in reversed(log.splitlines()):
        _, mark, rest = line.partition(FAULT_MARK)
        if mark:
            try:
                found = json.loads(rest)
            except ValueError:
                continue
            if isinstance(found, dict):
                return found
    return None


def unfit(fault: dict[str, Any], view: TaskView, lang: str) -> SiteUnfitError:
    """The fault with its words. The log is a site's: only the words that the gate has are taken from it."""
    told = fault.get("code")
    names = _FAULTS.get(told, ()) if isinstance(told, str) else ()
    code = f"site_{told}" if isinstance(told, str) and told in _FAULTS else "site_unfit"
    params = {name: str(fault.get(name, "?"))[:500] for name in names}
    return made(SiteUnfitError, code, lang, **params, task=view.task_id, site=view.site or "?")


def result_path(array: int, part: int, path: str) -> str:
    """Where the result of an element stands among the outputs: below its number, where the task is an array."""
    return path if array == 1 else str(PurePosixPath(str(part), path))


def part_of(path: str, result: str) -> int | None:
    """The element whose result an output of an array is; None: it is something else."""
    number, _, rest = path.partition("/")
    return int(number) if rest == result and number.isdecimal() else None
