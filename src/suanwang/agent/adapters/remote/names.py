"""Names that backends use, as the grid has them. Pure."""

import re


def slug(text: str) -> str:
    """A name as the grid has them."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("._-")[:30].strip("._-") or "x"


def free(name: str, taken: set[str]) -> str:
    """The name, or with a number where it is taken; it is taken from here on."""
    number, out = 2, name
    while out in taken:
        out = f"{name[:27]}-{number}"
        number += 1
    taken.add(out)
    return out
