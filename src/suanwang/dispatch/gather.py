"""The inputs of a task whose makers have succeeded: objects in the place of `task:` sources. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from pydantic import ValidationError

from suanwang.model.event import OutputFile
from suanwang.model.globs import is_pattern, matches
from suanwang.model.ids import SiteId, TaskId
from suanwang.model.reason import FailureReason
from suanwang.model.record import Lies
from suanwang.model.task import Edge, Input, TaskRequest, edge_of
from suanwang.observe.following import Made

INPUTS_MAX: Final = 1_000  # as many as a task may name


class Gathered(NamedTuple):
    """What a task takes, and where it was made."""

    inputs: tuple[Input, ...]
    lies: tuple[Lies, ...]


class Lacking(NamedTuple):
    """Why it cannot be had."""

    reason: FailureReason
    detail: str


def gather(request: TaskRequest, made: Mapping[TaskId, Sequence[Made]]) -> Gathered | Lacking | None:
    """The inputs with everything that other tasks made; None where it takes nothing of others.

    No size is given to what others made: the size of an input is what comes from the origin.
    """
    inputs: list[Input] = []
    bytes_at: dict[SiteId, int] = {}
    seen: dict[SiteId, set[str]] = {}  # one object comes once from a site, however many places it is put at
    takes = False
    for one in request.inputs:
        edge = edge_of(one.source)
        if edge is None:
            inputs.append(one)
            continue
        takes, before = True, len(inputs)
        for site, file, path in _files(edge, one.path, made.get(TaskId(edge.task), ())):
            if len(inputs) >= INPUTS_MAX:
                detail = f"{one.source} is more than {INPUTS_MAX} inputs in all; let the other task pack them"
                return Lacking(FailureReason.INPUT_FORBIDDEN, detail)
            try:
                inputs.append(Input(source=f"object:{file.blake3}", path=path, blake3=one.blake3 or file.blake3))
            except ValidationError:
                return Lacking(FailureReason.INPUT_FORBIDDEN, f"{one.source}: {path[:200]!r} cannot be a path here")
            if file.blake3 not in seen.setdefault(site, set()):
                seen[site].add(file.blake3)
                bytes_at[site] = bytes_at.get(site, 0) + file.size_bytes
        if len(inputs) == before:
            return Lacking(FailureReason.INPUT_MISSING, f"{edge.task} left nothing of {edge.path}")
    if not takes:
        return None
    clash = _clash([one.path for one in inputs])
    if clash is not None:
        return Lacking(
            FailureReason.INPUT_FORBIDDEN, f"two inputs cannot both be put at {clash}, or one below the other"
        )
    return Gathered(tuple(inputs), tuple(Lies(site=site, size_bytes=size) for site, size in bytes_at.items() if size))


def _clash(paths: Sequence[str]) -> str | None:
    """A path that is there twice, or that another one is below. What a pattern takes is known only now."""
    known: set[str] = set()
    for path in paths:
        if path in known:
            return path
        known.add(path)
    for path in paths:
        parts = path.split("/")
        above = next((up for n in range(1, len(parts)) if (up := "/".join(parts[:n])) in known), None)
        if above is not None:
            return above
    return None


def _files(edge: Edge, place: str, made: Sequence[Made]) -> Iterator[tuple[SiteId, OutputFile, str]]:
    """Each file that is wanted, with where it was made and where it is to be put: at `place` itself, or below it."""
    pattern, taken = edge.path.split("/"), set[str]()
    fixed = next((at for at, part in enumerate(pattern) if is_pattern(part)), len(pattern))
    for site, files in made:
        for file in files:
            parts = file.path.split("/")
            if file.path in taken or not matches(pattern, parts):
                continue  # one path is there more than once where it is delivered to many targets
            taken.add(file.path)
            below = "/".join(parts[fixed:])
            yield site, file, f"{place}/{below}" if below else place
