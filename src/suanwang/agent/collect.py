"""Outputs out of the task's folder. Its files belong to the task's user, so nothing in it is trusted."""

import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from suanwang.agent import beneath
from suanwang.agent.objects import ObjectStore
from suanwang.agent.readable import readable
from suanwang.model.error import BackendError, SuanwangError
from suanwang.model.event import OutputFile
from suanwang.model.globs import is_pattern, matches
from suanwang.model.reason import FailureReason
from suanwang.model.task import Output

FILES_MAX: Final = 10_000  # of one attempt: they all travel in one event
SKIPPED_SHOWN: Final = 5


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
    out, taken, room_bytes = Collected(), set[tuple[str, tuple[str, str] | None]](), limit_bytes
    for output in wanted:
        found = _matching(output, entries, out)
        for entry in found:
            # A file goes to each of its places; without one it is kept once.
            place = _place(output, entry.path)
            if (entry.path, place) in taken:
                continue
            taken |= {(entry.path, place), (entry.path, None)}
            room_bytes -= entry.size_bytes
            if room_bytes < 0 or len(out.files) >= FILES_MAX:
                detail = f"the outputs are over {limit_bytes} bytes or {FILES_MAX} files"
                raise BackendError(FailureReason.OUTPUT_FORBIDDEN, detail)
            out.files.append(_store(folder, entry.path, output, objects, prefix))
    return out


def _place(output: Output, path: str) -> tuple[str, str] | None:
    """Where a file is delivered: its target, and the path there."""
    return None if output.target is None else (output.target.rstrip("/"), name_at_target(output, path))


def _matching(output: Output, entries: list[beneath.Entry], out: Collected) -> list[beneath.Entry]:
    pattern = output.path.split("/")
    found = [entry for entry in entries if matches(pattern, entry.path.split("/"))]
    plain = [entry for entry in found if entry.is_file]
    odd = [entry.path for entry in found if not entry.is_file]
    if odd and (not plain or not is_pattern(output.path)):
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
    return OutputFile(
        path=readable(prefix + path),
        blake3=stored.blake3,
        size_bytes=stored.size_bytes,
        target=output.target,
        delivered_as=None if output.prefix is None else readable(prefix + name_at_target(output, path)),
    )


def name_at_target(output: Output, path: str) -> str:
    """The path of a file at the target: `name` in the place of `prefix`. A file that is all prefix keeps its last part."""
    rest = path
    if output.prefix is not None and f"{path}/".startswith(f"{output.prefix}/"):
        rest = path[len(output.prefix) + 1 :]
    named = "/".join(part for part in (output.name, rest) if part)
    return named or path.rpartition("/")[2]


def collect_failed(folder: int, wanted: tuple[Output, ...], objects: ObjectStore, limit_bytes: int) -> Collected:
    """What there is of the outputs that are kept whatever the end is. Nothing that goes wrong with one of them is told:
    the attempt has failed for a reason of its own."""
    out = Collected()
    for output in wanted:
        if output.always:
            with suppress(BackendError):
                found = collect(folder, (output,), objects, max(0, limit_bytes - out.size_bytes), "")
                out.files += [file for file in found.files if file.path not in {one.path for one in out.files}]
    return out
