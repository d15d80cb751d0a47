"""From a call to a task: what is pickled, what is uploaded, and what the site is told to do."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import pickle
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, BinaryIO, Final, cast

import cloudpickle
from blake3 import blake3

from suanwang.client.says import explained
from suanwang.functions.asked import FORMATS, RETRIES, Asked
from suanwang.functions.bundle import runner
from suanwang.functions.digest import TAG, digest_of
from suanwang.functions.site.frames import write_items
from suanwang.functions.site.gate import family, here
from suanwang.model.error import Fault, FaultsError
from suanwang.model.task import TaskRequest
from suanwang.model.units import GIB, MIB

FOLDER: Final = ".suanwang"
RESULT: Final = f"{FOLDER}/result"
RUNNER: Final = "runner.pyz"
ELEMENTS: Final = 100  # of a map, where nothing is said: enough to use a pool, few enough that their starts cost little
ELEMENTS_MAX: Final = 10_000  # results of one attempt: they all travel in one event
SOURCE_MAX: Final = 256 * 1024  # of a function's lines, for its tracebacks
SPOOL_BYTES: Final = 8 * MIB
PIECE_BYTES: Final = MIB
SMALL_BYTES: Final = 256 * MIB  # what fits on the disk that a task has without asking
# The site's own `python` first, then the one that is named as ours, then what else is called so.
LAUNCH: Final = (
    'wanted="$1"; shift; for one in python "$wanted" python3; do command -v "$one" >/dev/null 2>&1 && '
    'exec "$one" .suanwang/runner.pyz "$@"; done; '
    """echo 'suanwang-fault {"code": "absent"}' >&2; exit 127"""
)
_LAUNCHED: Final = 6  # arguments of `run` before the runner's own
_NUMBERS: Final = 3  # of a map: inputs, chunk, retries
_DIGITS_MAX: Final = 18
_BY_VALUE = threading.RLock()  # what cloudpickle pickles by value is one list of the whole process


@dataclass(frozen=True)
class Blob:
    """Bytes to bring to the grid. A file is a temporary one without a name, gone with the object."""

    blake3: str
    size_bytes: int
    file: BinaryIO

    def pieces(self) -> Iterator[bytes]:
        self.file.seek(0)
        while piece := self.file.read(PIECE_BYTES):
            yield piece


@dataclass(frozen=True)
class Shape:
    """How the results of a task are laid out."""

    form: str
    items: int | None  # None: one call
    chunk: int
    elements: int

    def items_of(self, part: int) -> int:
        """How many values the element has."""
        return 1 if self.items is None else min(self.chunk, self.items - part * self.chunk)


@dataclass(frozen=True)
class Prepared:
    """One task and what it needs. Leave it (`with`) when that is uploaded."""

    request: TaskRequest
    shape: Shape
    uploads: Sequence[Blob]
    key: str | None  # of what stands for the same call, where results are kept for it

    def __enter__(self) -> Prepared:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.uploads:
            one.file.close()


def shape_of(request: TaskRequest) -> Shape | None:
    """The shape of a task that was made here, now or in another process; None: it is no function's."""
    run = request.run
    if not isinstance(run, tuple) or len(run) < _LAUNCHED or run[2] != LAUNCH:
        return None
    match run[_LAUNCHED - 1 : -1]:
        case ("call", form) if form in FORMATS and request.array == 1:
            return Shape(form, None, 1, 1)
        case ("map", form, *numbers) if form in FORMATS and len(numbers) == _NUMBERS and all(map(_is_count, numbers)):
            items, chunk, _ = map(int, numbers)
            fits = chunk > 0 and items > 0 and request.array == -(-items // chunk)
            return Shape(form, items, chunk, request.array) if fits else None
    return None


def _is_count(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= _DIGITS_MAX


def is_our_runner(request: TaskRequest) -> bool:
    """Whether the program that the function travels with is the one of this version here."""
    sent = [one.blake3 for one in request.inputs if one.path == f"{FOLDER}/{RUNNER}"]
    return sent == [blake3(runner()).hexdigest()]


def call(asked: Asked, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Prepared:
    """One call. Raises FaultsError; TypeError where the arguments do not fit the function or cannot be pickled."""
    with _by_value(_whole(function, asked.modules)):
        packed = _packed({"function": function, "args": args, "kwargs": kwargs}, "the call")
        key = digest_of(function, (args, kwargs)) if asked.cache else None
    blob = _blob([pickle.dumps((_sources(function), packed))])
    return _prepared(
        asked, function, ["call", asked.results], Shape(asked.results, None, 1, 1), [("function", blob)], key
    )


def mapped(
    asked: Asked, function: Callable[..., Any], inputs: Sequence[Iterable[Any]], chunk: int | None, at_once: int | None
) -> Prepared:
    """One task for all inputs, which are packed once. None of them is kept: an iterator of millions may be given."""
    with ExitStack() as stack:
        file = stack.enter_context(spool())
        whole = _whole(function, asked.modules)
        with _by_value(whole):
            packed = _packed({"function": function}, "the function")

        def pack(one: Any) -> bytes:  # the caller's iterators run between these, and may wait for another thread's
            with _by_value(whole):
                return _packed(one, "an input")

        count = write_items(zip(*inputs, strict=True), pack, file)
        items = _hashed(file)
        with _by_value(whole):
            key = digest_of(function, (items.blake3, chunk)) if asked.cache else None
        if count == 0:
            raise explained(FaultsError([Fault("map_empty", "inputs")], "map"))
        size = chunk_of(count, chunk)
        shape = Shape(asked.results, count, size, -(-count // size))
        run = ["map", asked.results, str(count), str(size), str(asked.fields.get("retries", RETRIES))]
        blobs = [("function", _blob([pickle.dumps((_sources(function), packed))])), ("items", items)]
        made = _prepared(asked, function, run, shape, blobs, key, at_once)
        stack.pop_all()
        return made


def chunk_of(count: int, chunk: int | None) -> int:
    """How many inputs an element takes."""
    if chunk is None:
        return -(-count // ELEMENTS)
    if isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 1 or -(-count // chunk) > ELEMENTS_MAX:
        least = -(-count // ELEMENTS_MAX)
        fault = Fault("map_chunk", "chunk", str(chunk)[:80], None, {"count": count, "least": least})
        raise explained(FaultsError([fault], "map"))
    return chunk


def _prepared(
    asked: Asked,
    function: Callable[..., Any],
    run: list[str],
    shape: Shape,
    blobs: list[tuple[str, Blob]],
    key: str | None,
    at_once: int | None = None,
) -> Prepared:
    blobs = [(RUNNER, _blob([runner()])), *blobs]
    minor = family(here()).split("-")[1]
    made: dict[str, Any] = {
        "name": getattr(function, "__qualname__", type(function).__qualname__)[:200] or "function",
        "run": ["/bin/sh", "-c", LAUNCH, "suanwang", f"python{minor}", *run, here()],
        "inputs": [
            {
                "source": f"object:{blob.blake3}",
                "path": f"{FOLDER}/{name}",
                "blake3": blob.blake3,
                "size": f"{blob.size_bytes} B",
            }
            for name, blob in blobs
        ],
        "outputs": [{"path": RESULT, "always": True}],
    }
    if shape.elements > 1:
        made["array"] = shape.elements
        made |= {} if at_once is None else {"at_once": at_once}
    if key is not None:
        made["tags"] = {TAG: key}
    size_bytes = sum(blob.size_bytes for _, blob in blobs)
    more = size_bytes > SMALL_BYTES and "disk" not in asked.fields.get("resources", {})
    with ExitStack() as stack:
        for _, blob in blobs:
            stack.callback(blob.file.close)
        enough = asked.change(disk=f"{GIB + 2 * size_bytes} B") if more else asked
        request = enough.request(**made)
        stack.pop_all()
    return Prepared(request, shape, [blob for _, blob in blobs], key)


def _packed(value: Any, what: str) -> bytes:
    try:
        packed: bytes = cloudpickle.dumps(value)
    except Exception as error:  # whatever an object's own pickling raises
        error.add_note(f"{what} is pickled to be sent to a site, and this cannot be")
        raise
    return packed


def spool() -> BinaryIO:
    """A file without a name: in memory while it is small."""
    return cast(BinaryIO, tempfile.SpooledTemporaryFile(SPOOL_BYTES))


def _blob(pieces: Iterable[bytes]) -> Blob:
    file = spool()
    for piece in pieces:
        file.write(piece)
    return _hashed(file)


def _hashed(file: BinaryIO) -> Blob:
    digest, size = blake3(), 0
    file.seek(0)
    while piece := file.read(PIECE_BYTES):
        digest.update(piece)
        size += len(piece)
    return Blob(digest.hexdigest(), size, file)


_Defined = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


# -- the function --------------------------------------------------------------------------------------------------


def _whole(function: Callable[..., Any], modules: Sequence[ModuleType]) -> tuple[ModuleType, ...]:
    """The modules whose definitions are pickled whole, since the site does not have them. The user's own one counts."""
    own = sys.modules.get(getattr(function, "__module__", None) or "")
    users = [own] if own is not None and _is_users(own) and sys.modules.get(own.__name__) is own else []
    return tuple(dict.fromkeys([*modules, *users]))


@contextmanager
def _by_value(modules: Iterable[ModuleType]) -> Iterator[None]:
    """Pickle what these modules define whole. Hold it for no longer than one pickling takes: there is one of it."""
    with ExitStack() as stack:
        stack.enter_context(_BY_VALUE)
        for module in modules:
            if module.__name__ not in cloudpickle.list_registry_pickle_by_value():
                try:
                    cloudpickle.register_pickle_by_value(module)
                except ValueError:  # it is not, or no longer, among the imported ones
                    fault = Fault("function_module", "modules", repr(module)[:80])
                    raise explained(FaultsError([fault], "task")) from None
                stack.callback(cloudpickle.unregister_pickle_by_value, module)
        yield


def _is_users(module: ModuleType) -> bool:
    """Neither the standard library nor installed: a file of the user's, which no site has."""
    path = getattr(module, "__file__", None)
    if path is None or module.__name__ == "__main__":
        return False
    places = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return not any(Path(path).is_relative_to(one) for one in places if one)


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives something to await."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


def _sources(function: Callable[..., Any]) -> dict[str, str]:
    """The text of a function, at its place in its file, for its tracebacks on the site. Nothing else of the file goes along, its
    decorators neither: a script may hold what a site has no business to see."""
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        return {}
    found = _own_text("".join(linecache.getlines(code.co_filename)), code)
    return {code.co_filename: found} if found and len(found) <= SOURCE_MAX else {}


@functools.lru_cache(maxsize=64)
def _own_text(text: str, code: CodeType) -> str:
    """From `def`, `async def` or `lambda` on, behind as many blank lines and columns as stand before it; nothing where it is not
    certain which it is."""
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (
        SyntaxError,
        ValueError,
        RecursionError,
        MemoryError,
    ):  # a cell with commands of its shell; no Python at all
        return ""
    found = [one for one in nodes if isinstance(one, _Defined) and _is_of(one, code)]
    inner = [one for one in found if isinstance(one, ast.Lambda) and _holds(one, code)]
    chosen = found if len(found) == 1 else inner[-1:]  # the walk comes to what lies inside after what it lies in
    if not chosen:
        return ""
    node = chosen[0]
    segment = ast.get_source_segment(text, node, padded=False) or ""
    return "\n" * (node.lineno - 1) + " " * node.col_offset + segment + "\n"


def _is_of(node: _Defined, code: CodeType) -> bool:
    if isinstance(node, ast.Lambda):
        return code.co_name == "<lambda>" and node.lineno == code.co_firstlineno
    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])  # code begins at its first decorator
    return code.co_name == node.name and first == code.co_firstlineno


def _holds(node: ast.Lambda, code: CodeType) -> bool:
    """Whether the code is that of what the lambda gives, of several lambdas on a line."""
    body = node.body
    begin, end = (body.lineno, body.col_offset), (body.end_lineno or 0, body.end_col_offset or 0)
    for line, last, column, column_last in code.co_positions():
        if line is None or last is None or column is None or column_last is None:
            continue
        if column_last > 0 and not (begin <= (line, column) and (last, column_last) <= end):
            return False
    return True
