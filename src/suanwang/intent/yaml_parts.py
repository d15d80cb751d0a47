"""A text of several YAML documents as its parts, each with its lines where they were. Pure."""

from dataclasses import dataclass

from suanwang.intent.document import TASK_BYTES_MAX
from suanwang.model.error import Fault, FaultsError

PARTS_MAX = 1_000


@dataclass(frozen=True)
class Part:
    """One document; its text begins with as many empty lines as stand before it, so that its faults have their lines."""

    text: str
    first_line: int


def parts_of(text: str | bytes, source: str) -> list[Part]:
    """The documents that have anything in them. Raises FaultsError where the text is none, is too large, or has too many."""
    if len(text) > TASK_BYTES_MAX:
        limit = f"{TASK_BYTES_MAX // 1024**2} MiB"
        raise FaultsError([Fault("too_large", "", f"{len(text)} B", None, {"limit": limit})], source)
    try:
        whole = text.decode() if isinstance(text, bytes) else text
    except UnicodeDecodeError as error:
        raise FaultsError([Fault("not_utf8", "", f"byte {error.start}")], source) from None
    out: list[Part] = []
    lines: list[str] = []
    first = 1
    for number, line in enumerate([*whole.removeprefix("\ufeff").split("\n"), "---"], start=1):
        if line == "---" or line.startswith(("--- ", "---\t", "---\r")):
            if any(one.strip() and not one.lstrip().startswith("#") for one in lines):
                out.append(Part("\n" * (first - 1) + "\n".join(lines) + "\n", first))
            lines, first = [], number + 1
        else:
            lines.append(line)
    if not out:
        raise FaultsError([Fault("empty", "")], source)
    if len(out) > PARTS_MAX:
        raise FaultsError([Fault("too_many_values", "", "", None, {"limit": PARTS_MAX})], source)
    return out
