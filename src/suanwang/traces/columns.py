"""Comma separated text with a header: rows as mappings, every fault with its line."""

import csv
from collections.abc import Iterable, Iterator, Sequence

from suanwang.model.error import Fault, FaultsError
from suanwang.traces.rules import Reader


def rows(lines: Iterable[str], need: Sequence[str], reader: Reader) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row with its line. Raises FaultsError where a column that is needed is not in the header."""
    found = csv.reader(lines)
    header = [one.strip().removeprefix("\ufeff") for one in next(found, [])]
    missing = [name for name in need if name not in header]
    if missing:
        raise FaultsError(
            [Fault("trace_column", name, "", 1, {"need": ", ".join(need)}) for name in missing], reader.source
        )
    for row in found:
        if not row:
            continue
        if len(row) != len(header):
            reader.bad("trace_fields", found.line_num, "", str(len(row)), need=len(header))
        else:
            yield found.line_num, dict(zip(header, row, strict=True))


def whole(row: dict[str, str], name: str, line: int, reader: Reader) -> int | None:
    """A whole number that is not negative; None, and a fault, where it is none."""
    word = row[name].strip()
    try:
        value = float(word)
        exact = int(value)
    except (ValueError, OverflowError):
        reader.bad("trace_number", line, name, word)
        return None
    if exact != value:
        reader.bad("trace_number", line, name, word)
        return None
    if exact < 0:
        reader.bad("trace_negative", line, name, word)
        return None
    return exact
