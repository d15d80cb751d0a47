"""One element at work on the site: reads the function and its share of the inputs, calls, writes down what comes of it."""

import inspect
import json
import linecache
import os
import pickle
import sys
import traceback
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

import cloudpickle

from .frames import ResultWriter, plain, read_items
from .gate import here

FOLDER: Final = ".suanwang"
FUNCTION, ITEMS, RESULT = f"{FOLDER}/function", f"{FOLDER}/items", f"{FOLDER}/result"
TEXT_MAX: Final = 100_000  # characters of a traceback that travel
SHOWN_MAX: Final = 10  # tracebacks of one element in its log; the caller gets all
PARTS: Final = 100  # looks at the progress of an element


def work(arguments: list[str], fault: Callable[..., None]) -> int:
    """`call FORMAT`, or `map FORMAT COUNT CHUNK RETRIES`; the exit status. `fault` ends the process: the site is not fit."""
    sys.path.insert(1, os.getcwd())
    form = arguments[1]
    dumps = plain if form == "json" else cloudpickle.dumps
    called = _load(fault)
    with open(f"{RESULT}.part", "wb") as file:
        writer = ResultWriter(file, dumps, {"format": form, "python": here(), "site": os.environ["SUANWANG_SITE"]})
        told = Told(writer, form)
        if arguments[0] == "map":
            raised = _map(called["function"], told, fault, *(int(one) for one in arguments[2:5]))
        else:
            raised = not told.call(called["function"], called["args"], called["kwargs"], 0)
        writer.end(told.unfit)
        raised = raised or (arguments[0] == "call" and told.unfit_values > 0)  # a call without a value has failed
    os.replace(f"{RESULT}.part", RESULT)  # whole or not at all
    return 1 if raised else 0


def _map(
    function: Callable[..., Any], told: "Told", fault: Callable[..., None], count: int, chunk: int, retries: int
) -> bool:
    """The share of this element. An item that raises is an answer: the element has not failed."""
    first = int(os.environ["SUANWANG_ARRAY_INDEX"]) * chunk
    many = min(chunk, count - first)
    with open(ITEMS, "rb") as file:
        step = max(1, many // PARTS)
        for number, item in enumerate(read_items(file, first, many, lambda packed: _unpack(packed, fault))):
            told.call(function, item, {}, retries)
            if number % step == 0:
                _progress(number * 1000 // many)
    return False


def _progress(permille: int) -> None:
    with suppress(OSError, KeyError), open(os.environ["SUANWANG_PROGRESS"], "w") as file:
        file.write(str(permille))


def _load(fault: Callable[..., None]) -> dict[str, Any]:
    with open(FUNCTION, "rb") as file:
        sources, packed = pickle.load(file)  # noqa: S301 - what the user sent
    for name, text in sources.items():
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    found: dict[str, Any] = _unpack(packed, fault)
    return found


def _unpack(packed: bytes, fault: Callable[..., None]) -> Any:
    """What the user sent. What it needs and this Python does not have is no fault of the function."""
    try:
        return pickle.loads(packed)  # noqa: S301
    except ImportError as error:
        fault("module", module=error.name or "", detail=str(error), here=here())
        raise
    except Exception as error:  # whatever an object does when it is made again
        fault("unpack", detail=f"{type(error).__name__}: {error}", here=here())
        raise


class Told:
    """Calls the function and puts what comes of it into the result."""

    def __init__(self, writer: ResultWriter, form: str) -> None:
        self._writer, self._form = writer, form
        self._shown = 0
        self.unfit_values = 0

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], retries: int) -> bool:
        """Once, and again up to `retries` times where it raises; whether there is a value."""
        while True:
            try:
                value = function(*args, **kwargs)
                if inspect.iscoroutine(value):
                    value = _awaited(value)
            except BaseException as error:  # an exit is an answer too, and takes no other item with it
                if retries > 0 and isinstance(error, Exception):
                    retries -= 1
                    continue
                self._writer.raised(*self._raised(error), self.unfit)
                return False
            self._writer.value(value, self.unfit)
            return True

    def unfit(self, error: Exception) -> tuple[dict[str, Any], bytes]:
        """In the place of a value that cannot be sent."""
        self.unfit_values += 1
        return {"kind": "result", "type": type(error).__name__, "message": str(error)[:2000]}, b""

    def _raised(self, error: BaseException) -> tuple[dict[str, Any], bytes]:
        shown = error.with_traceback(error.__traceback__.tb_next if error.__traceback__ else None)
        text = _shortened("".join(traceback.format_exception(shown)))
        told = {
            "kind": "raised",
            "module": type(error).__module__,
            "type": type(error).__qualname__,
            "message": _text_of(error),
            "traceback": text,
            "args": _plain_args(error),
            "module_missing": error.name if isinstance(error, ModuleNotFoundError) else None,
        }
        if self._shown < SHOWN_MAX:
            self._shown += 1
            sys.stderr.write(text)
        return told, self._packed(error)

    def _packed(self, error: BaseException) -> bytes:
        """The exception itself, where it survives being packed and unpacked."""
        if self._form == "json":
            return b""
        try:
            packed: bytes = cloudpickle.dumps(error.with_traceback(None))
            pickle.loads(packed)  # noqa: S301 - our own
        except Exception:  # any class may refuse in its own way; the text goes in its place
            return b""
        return packed


def _shortened(text: str) -> str:
    half = TEXT_MAX // 2
    return text if len(text) <= TEXT_MAX else f"{text[:half]}\n...\n{text[-half:]}"


def _awaited(value: Coroutine[Any, Any, Any]) -> Any:
    import asyncio  # half as long as all other imports together, and few functions need it

    return asyncio.run(value)


def _text_of(error: BaseException) -> str:
    try:
        return str(error)[:10_000]
    except Exception as fault:  # a message that cannot be made is the user's fault, not the end of the element
        return f"<no message: {type(fault).__name__}>"


def _plain_args(error: BaseException) -> list[Any] | None:
    """The arguments of the exception, where JSON has them: for making one of a built-in type again."""
    try:
        found: list[Any] = json.loads(plain(error.args))
    except (TypeError, ValueError, RecursionError):
        return None
    return found
