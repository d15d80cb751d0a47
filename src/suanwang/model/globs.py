"""Patterns of paths, as outputs are named by them. Pure."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

GLOB: Final = frozenset("*?[")


def is_pattern(path: str) -> bool:
    """Whether a path stands for any number of files."""
    return not GLOB.isdisjoint(path)


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


def may_meet(one: str, other: str) -> bool:
    """Whether some file may be named by both, each a path, a folder or a pattern. Says yes where only a search could tell."""
    for left, right in zip(one.split("/"), other.split("/"), strict=False):
        if "**" in (left, right):
            return True
        if is_pattern(left) and is_pattern(right):
            continue
        if not (fnmatchcase(left, right) or fnmatchcase(right, left)):
            return False
    return True  # one is the folder, or the end, of the other
