"""Grid files to grids: every fault at once, with its line."""

import copy
import json
import os
import stat
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from suanwang.grids.check import check_all
from suanwang.intent.document import GRID_BYTES_MAX, Document, Loc, parse
from suanwang.intent.mapping import Found
from suanwang.intent.read import check, raise_found
from suanwang.model.error import Fault, FaultsError
from suanwang.model.grid import Grid

# Faults that the absence of another part makes: not reported where a faulty part had to be left out.
OF_ABSENCE = ("unreachable_site", "residency_nowhere")
CHINA = "china-4n31x.yaml"
SUFFIXES = (".yaml", ".yml", ".json", ".graphml")


def china_path() -> Path:
    """The reference grid, in the installed package or in the source tree."""
    installed = Path(__file__).parent / "data" / CHINA
    return installed if installed.exists() else Path(__file__).parents[3] / "grids" / CHINA


def load_grid(path_or_text: "os.PathLike[str] | str | bytes", source: str | None = None) -> Grid:
    """The grid of a file (a path object, or one line that ends in one of SUFFIXES) or of a text.

    Raises FaultsError, and nothing else, with every fault: of the text, the fields and the parts together.
    """
    path = as_path(path_or_text)
    if path is None:
        assert isinstance(path_or_text, str | bytes), "what is no path is a text"
        text: str | bytes = path_or_text
    else:
        text = read_file(path, GRID_BYTES_MAX)
    document = parse(text, source or (str(path) if path else "grid"), GRID_BYTES_MAX)
    grid, found = check(Grid, document)
    if grid is not None:
        raise_found(check_all(grid), document)
        return grid
    raise_found(found + _check_rest(document, found), document)
    raise AssertionError("a grid that pydantic refused has a fault")


def as_path(given: "os.PathLike[str] | str | bytes") -> Path | None:
    """The path that was given, or None where the text itself was."""
    if isinstance(given, str):
        return Path(given) if "\n" not in given and given.endswith(SUFFIXES) else None
    return None if isinstance(given, bytes) else Path(given)


def read_file(path: Path, limit_bytes: int) -> bytes:
    """The bytes of a regular file within the limit. Raises FaultsError; a large one is refused before reading."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # a pipe must not hold us
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise FaultsError(
                    [Fault("file_unreadable", "", str(path)[:200], None, {"why": "not a file"})], str(path)
                )
            if status.st_size <= limit_bytes:
                return file.read(limit_bytes + 1)
            size = status.st_size
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        why = getattr(error, "strerror", None) or "not a file name"
        raise FaultsError([Fault("file_unreadable", "", str(path)[:200], None, {"why": why})], str(path)) from None
    limit = f"{limit_bytes // 1024**2} MiB"
    raise FaultsError([Fault("too_large", "", f"{size} B", None, {"limit": limit})], str(path))


def _check_rest(document: Document, found: list[Found]) -> list[Found]:
    """Check what is left without the faulty parts, so that one slip in a price does not hide a lost link.

    A faulty site, link, ... leaves its list; a fault that only its absence makes is not reported.
    """
    if not isinstance(document.data, dict):
        return []
    data: dict[str, Any] = copy.copy(document.data)
    gone: dict[str, set[int]] = {}
    for one in found:
        if len(one.loc) > 1 and isinstance(one.loc[1], int):
            gone.setdefault(str(one.loc[0]), set()).add(one.loc[1])
        elif one.loc and one.code.startswith("unknown_field"):
            data.pop(str(one.loc[0]), None)
        elif one.loc[:1] not in (("id",), ("name",)):
            return []  # a whole list is not one: nothing sensible is left
    kept = {
        name: [at for at in range(len(data[name])) if at not in places]
        for name, places in gone.items()
        if isinstance(data.get(name), list)
    }
    lost = {str(data[n][at].get("id")) for n in kept for at in gone[n] if isinstance(data[n][at], dict)}
    data |= {name: [data[name][at] for at in places] for name, places in kept.items()}
    data |= {"id": "grid", "name": "grid"}
    try:
        grid = Grid.model_validate_json(json.dumps(data), strict=True)
    except ValidationError:
        return []
    rest = (one for one in check_all(grid) if not (gone and one.code in OF_ABSENCE))
    return [_moved(one, kept) for one in rest if str(one.got) not in lost]


def _moved(one: Found, kept: dict[str, list[int]]) -> Found:
    """The same fault at its place in the file."""
    if len(one.loc) < 2 or one.loc[0] not in kept:
        return one
    head, at = str(one.loc[0]), one.loc[1]
    assert isinstance(at, int), "the parts of a grid are lists"
    loc: Loc = (head, kept[head][at], *one.loc[2:])
    return Found(one.code, loc, one.got, one.params, one.fields)
