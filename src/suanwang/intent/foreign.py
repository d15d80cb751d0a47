"""What the readers of other systems' forms share: where each field came from, what has no effect, images and models. Pure."""

import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

from suanwang.intent.document import Document, Loc
from suanwang.intent.mapping import Found
from suanwang.intent.read import check_task
from suanwang.intent.tes_tags import tag_value
from suanwang.model.doors import DoorRules
from suanwang.model.error import Fault
from suanwang.model.grid import PoolKind
from suanwang.model.task import OWN_TAGS, TaskRequest

SCRIPT_CHARS_MAX: Final = 64 * 1024  # what `run` takes
TAG_MAX: Final = 64
_SLUG_LETTERS: Final = frozenset(string.ascii_lowercase + string.digits + "._-")
_KINDS: Final = frozenset(kind.value for kind in PoolKind)


@dataclass(frozen=True)
class Translated:
    """Tasks in the form of the grid. `warnings` are what was written and has no effect: texts `warning.<code>`."""

    requests: tuple[TaskRequest, ...]
    warnings: tuple[Fault, ...] = ()


@dataclass
class Draft:
    """A task in the making. `origins`: a field of the request -> the place in the document that it came from."""

    data: dict[str, Any] = field(default_factory=dict)
    origins: dict[Loc, Loc] = field(default_factory=dict)

    def set(self, loc: Loc, value: Any, origin: Loc = ()) -> None:
        """Set a field, and say where it came from."""
        place: dict[Any, Any] = self.data
        for part in loc[:-1]:
            place = place.setdefault(part, {})
        place[loc[-1]] = value
        self.origins[loc] = origin

    def add(self, name: str, value: Any, origin: Loc = ()) -> None:
        """Add to a list."""
        values = self.data.setdefault(name, [])
        self.origins[name, len(values)] = origin
        values.append(value)

    def origin(self, loc: Loc) -> Loc:
        """Where a field came from; that of the nearest one above it where it has none of its own."""
        for size in range(len(loc), 0, -1):
            if loc[:size] in self.origins:
                return (*self.origins[loc[:size]], *loc[size:])
        return loc

    def finish(self, now_us: int | None) -> tuple[TaskRequest | None, list[Found]]:
        """The task, and its faults at their places in the document."""
        request, found = check_task(Document(self.data, "task", lambda: None), now_us)
        return request, [Found(one.code, self.origin(one.loc), one.got, one.params, one.fields) for one in found]


def image_of(image: str, rules: DoorRules) -> str:
    """`host` for an image that the operator has named as standing for it."""
    return "host" if any(fnmatchcase(image, pattern) for pattern in rules.host_images) else image


def model_of(name: str, rules: DoorRules) -> str:
    """The grid's model of a card by another system's name for it: the same, or the one that is part of the name or of which the
    name is part, word by word. Where there is none or more than one, the name as it is: the grid says that it has none."""
    slug = "-".join("".join(ch if ch.isalnum() else " " for ch in name.lower()).split())
    if slug in rules.accelerators:
        return slug
    near = [model for model in rules.accelerators if _within(model, slug) or _within(slug, model)]
    return near[0] if len(near) == 1 else slug


def _within(part: str, whole: str) -> bool:
    return bool(part) and f"-{part}-" in f"-{whole}-"


def place_of(word: str, rules: DoorRules) -> Iterator[tuple[Loc, Any]]:
    """What a name stands for: a kind of pool, a model of cards, a site or a region. Nothing where it is none of them."""
    lower = word.lower()
    if lower in _KINDS:
        yield ("resources", "kind"), lower
    elif lower in rules.accelerators:
        yield ("resources", "accelerator"), lower
    elif word in rules.zones or lower in rules.zones:
        yield ("sites",), list(rules.zones.get(word) or rules.zones[lower])


def partition_of(name: str, rules: DoorRules) -> list[tuple[Loc, Any]]:
    """What a partition stands for: as the operator says, else as its own name does."""
    words = rules.partitions.get(name, name).split("+")
    out: dict[Loc, Any] = {}
    for loc, value in (one for word in words for one in place_of(word.strip(), rules)):
        out[loc] = [*out.get(loc, []), *value] if loc == ("sites",) else value
    return list(out.items())


def tags_of(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels of other systems as tags: `app.kubernetes.io/name` is `app.kubernetes.io.name`. One that has no form of ours at
    all is left out: labels are for people, and the task is the same without."""
    out: dict[str, str] = {}
    for key, value in labels.items():
        name = "".join(ch if ch in _SLUG_LETTERS else "." for ch in key.lower()).strip("._-")[:TAG_MAX].strip("._-")
        if name.startswith(OWN_TAGS):
            name = f"label.{name}"[:TAG_MAX].strip("._-")
        if name:
            out[name] = tag_value(value)
    return out


def known_fault(code: str, loc: Loc, got: Any, names: Sequence[str]) -> Found:
    """A fault that lists what would be right."""
    return Found(code, loc, got, {"known": ", ".join(f"`{one}`" for one in names)})
