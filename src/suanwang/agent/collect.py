"""Outputs out of the task's folder. Its files belong to the task's user, so nothing in it is trusted."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from suanwang.agent import beneath
from suanwang.agent.objects import ObjectStore
from suanwang.model.error import BackendError, SuanwangError
from suanwang.model.event import OutputFile
from suanwang.model.reason import FailureReason
from suanwang.model.task import Output

FILES_MAX: Final = 10_000  # of one attempt: they all travel in one event
SKIPPED_SHOWN: Final = 5
_GLOB: Final = frozenset("*?[")


@dataclass(slots=True)
class Collected:
    """What was found. `skipped` are things that a pattern matched but that are no plain files."""

    files: list[OutputFile] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    @property
    def note(self) -> str:
        """One line on what was skipped, or nothing."""
        if not self.skipped:
            return ""
        more = len(self.skipped) - SKIPPED_SHOWN
        shown = ", ".join(self.skipped[:SKIPPED_SHOWN]) + (f" and {more} more" if more > 0 else "")
        return f"not plain files, so not kept: {shown}"


def matches(pattern: Sequence[str], parts: Sequence[str]) -> bool:
    """True where the path, or a folder above it, fits the pattern. `**` stands for any number of folders.

    Walks all ways at once, so a pattern of many `**` costs its length times the path's and no more.
    """
    at = _with_gaps({0}, pattern)
    for part in parts:
        if len(pattern) in at:
            return True  # the pattern named a folder above: what is below it belongs to it
        stay = {i for i in at if pattern[i] == "**"}
        step = {i + 1 for i in at - stay if fnmatchcase(part, pattern[i])}
        at = _with_gaps(stay | step, pattern)
    return len(pattern) in at


def _with_gaps(at: set[int], pattern: Sequence[str]) -> set[int]:
    """The positions, and those behind each `**` that stands for no folder at all."""
    out = set(at)
    for i, word in enumerate(pattern):
        if i in out and word == "**":
            out.add(i + 1)
    return out


def collect(folder: int, wanted: tuple[Output, ...], objects: ObjectStore, limit_bytes: int, prefix: str) -> Collected:
    """Hash and store what `wanted` names below the open `folder`; `prefix` goes in front of each path.

    Raises BackendError: OUTPUT_MISSING for a pattern that nothing matches, OUTPUT_FORBIDDEN for a named path that
    is no plain file and for more than `limit_bytes` in all (a sparse file may claim any size).
    """
    if not wanted:
        return Collected()
    try:
        entries = list(beneath.walk(folder))
    except beneath.OutsideError as fault:
        raise BackendError(FailureReason.OUTPUT_FORBIDDEN, str(fault)) from fault
    out, taken, room_bytes = Collected(), set[str](), limit_bytes
    for output in wanted:
        found = _matching(output, entries, out)
        for entry in found:
            if entry.path in taken:
                continue
            taken.add(entry.path)
            room_bytes -= entry.size_bytes
            if room_bytes < 0 or len(taken) > FILES_MAX:
                detail = f"the outputs are over {limit_bytes} bytes or {FILES_MAX} files"
                raise BackendError(FailureReason.OUTPUT_FORBIDDEN, detail)
            out.files.append(_store(folder, entry.path, output, objects, prefix))
    return out


def _matching(output: Output, entries: list[beneath.Entry], out: Collected) -> list[beneath.Entry]:
    pattern = output.path.split("/")
    found = [entry for entry in entries if matches(pattern, entry.path.split("/"))]
    plain = [entry for entry in found if entry.is_file]
    odd = [entry.path for entry in found if not entry.is_file]
    if odd and (not plain or not _GLOB & set(output.path)):
        raise BackendError(FailureReason.OUTPUT_FORBIDDEN, f"{odd[0]} is a link or a special file, not a plain file")
    if not plain:
        raise BackendError(FailureReason.OUTPUT_MISSING, f"nothing matches {output.path}")
    out.skipped += odd
    return plain


def _store(folder: int, path: str, output: Output, objects: ObjectStore, prefix: str) -> OutputFile:
    try:
        descriptor = beneath.open_file(folder, path)
        with os.fdopen(descriptor, "rb") as stream:
            stored = objects.put(stream)
    except beneath.OutsideError as fault:
        raise BackendError(FailureReason.OUTPUT_FORBIDDEN, str(fault)) from fault
    except (OSError, SuanwangError) as fault:
        raise BackendError(FailureReason.BACKEND, f"{path}: {fault}") from fault
    shown = (prefix + path).encode("utf-8", "replace").decode("utf-8")
    return OutputFile(path=shown, blake3=stored.blake3, size_bytes=stored.size_bytes, target=output.target)
