"""Which loader reads what: by the name that was given, else by how the text begins."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from suanwang.model.error import Fault, FaultsError
from suanwang.model.trace import Trace
from suanwang.traces import azure_llm, openb
from suanwang.traces.azure_llm import read_azure_llm
from suanwang.traces.openb import read_openb
from suanwang.traces.rules import Rules, first_line
from suanwang.traces.swf import FIELDS, HEADER_MARK
from suanwang.traces.swf_tasks import read_swf

FORMATS: Final[dict[str, Callable[[Iterable[str], str, Rules], Trace]]] = {
    "swf": read_swf,
    "openb": read_openb,
    "azure-llm": read_azure_llm,
}


def read_trace(lines: Sequence[str], source: str, rules: Rules, name: str | None = None) -> Trace:
    """The trace in these lines. Raises FaultsError with every fault, or where no loader knows the form."""
    chosen = name if name is not None else format_of(lines)
    if chosen not in FORMATS:
        got, known = chosen or first_line(lines)[:80], ", ".join(FORMATS)
        raise FaultsError([Fault("trace_format", "", got, 1, {"known": known})], source)
    return FORMATS[chosen](lines, source, rules)


def format_of(lines: Sequence[str]) -> str | None:
    """The format of a text by its first line, or None."""
    head = first_line(lines)
    if openb.MARK in head.split(","):
        return "openb"
    if azure_llm.MARK in head.split(","):
        return "azure-llm"
    words = head.split()
    # Some of the eighteen may be missing or wrong: the loader says which.
    looks_swf = head.startswith(HEADER_MARK) or (len(words) > len(FIELDS) // 2 and words[0].lstrip("-").isdigit())
    return "swf" if looks_swf else None
