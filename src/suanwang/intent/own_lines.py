"""Lines of `#SUANWANG key=value`: what the grid can be asked for and other systems have no field for. Pure."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from suanwang.intent.document import Loc
from suanwang.intent.foreign import Draft
from suanwang.intent.slurm_options import OWN_MARK, OWN_OPTION, Own, own_of
from suanwang.intent.tes_parameters import PARAMETERS, read_parameters
from suanwang.intent.yaml_parts import Part
from suanwang.model.error import Fault

# Beside the parameters that TES has: what a task without a shared file system needs, and what the task file has.
Place = Callable[[Own], tuple[str, int | None]]  # where a wish stands, and its line
LISTS: Final = ("inputs", "outputs", "secrets")
TEXTS: Final = ("checkpoint", "checkpoint_every", "image")
KEYS: Final = tuple(sorted((*PARAMETERS, *LISTS, *TEXTS)))


def read_own(
    lines: Sequence[Own | Fault],
    draft: Draft,
    source: Callable[[Own], Loc],
    faults: list[Fault],
    place: "Place | None" = None,
) -> None:
    """Put what the lines say into the draft. Of a key that stands twice the last one counts; lists are added up."""
    place = place or _place
    parameters: dict[str, Own] = {}
    for one in lines:
        if isinstance(one, Fault):
            faults.append(one)
        elif one.key in LISTS:
            for word in one.value.split(","):
                if word.strip():
                    draft.add(one.key, _item(one.key, word.strip()), source(one))
        elif one.key in TEXTS:
            draft.set((one.key,), one.value, source(one))
        elif one.key in PARAMETERS:
            parameters[one.key] = one
        else:
            known = ", ".join(f"`{name}`" for name in KEYS)
            faults.append(Fault("suanwang_key", place(one)[0], one.key, place(one)[1], {"known": known}))
    asked = read_parameters({name: one.value for name, one in parameters.items()}, True, ())
    for found in asked.found:
        where, line = place(parameters[str(found.loc[-1])])
        faults.append(Fault(found.code, where, found.shown(), line))
    for loc, value, name in asked.values:
        draft.set(loc, value, source(parameters[name]))


def comment_lines(part: Part) -> list[Own | Fault]:
    """The lines of a document that other systems take for comments."""
    return [
        own_of(line.strip().removeprefix(OWN_MARK).strip(), number)
        for number, line in enumerate(part.text.split("\n"), start=1)
        if line.strip().startswith((f"{OWN_MARK} ", f"{OWN_MARK}\t"))
    ]


def _place(one: Own) -> tuple[str, int | None]:
    """Where a wish stands, for a fault."""
    return f"{OWN_MARK if one.line else f'--{OWN_OPTION}'} {one.key}", one.line


def _item(key: str, word: str) -> Any:
    """`path` or `path=source` of an input, `path` or `path=target` of an output."""
    if key == "secrets":
        return word
    path, equals, other = word.partition("=")
    if key == "inputs":
        return {"source": other if equals else path, "path": path}
    return {"path": path, "target": other} if equals else {"path": path}


def keys() -> Iterator[str]:
    """Every key, for the guide's test."""
    yield from KEYS
