"""Azure's traces of requests to a language model (2023): when each came, and its tokens in and out.

The traces do not say how long a request took. Here it holds one card for its tokens at two written rates, of the size
that one card gives a large model; they are an assumption, and a note says so.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Final

from suanwang.model.ids import TenantId
from suanwang.model.task import Resources, TaskRequest
from suanwang.model.trace import Arrival, Note, Run, Trace
from suanwang.model.units import GIB
from suanwang.traces.columns import rows, whole
from suanwang.traces.rules import Reader, Rules, span_us

MARK: Final = "ContextTokens"
NEED: Final = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
PROMPT_TOKENS_PER_S: Final = 2_000
ANSWER_TOKENS_PER_S: Final = 25
TENANT: Final = TenantId("llm")
EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def read_azure_llm(lines: Iterable[str], source: str, rules: Rules) -> Trace:
    """The requests as tasks of one card each. Raises FaultsError with every bad line."""
    reader = Reader(rules, source)
    for line, row in rows(lines, NEED, reader):
        at_us = _instant_us(row["TIMESTAMP"], line, reader)
        context = whole(row, "ContextTokens", line, reader)
        answer = whole(row, "GeneratedTokens", line, reader)
        if at_us is None or context is None or answer is None:
            continue
        held_us = span_us(context / PROMPT_TOKENS_PER_S + answer / ANSWER_TOKENS_PER_S)
        request = TaskRequest(
            name=f"request {line - 1}",
            run="true",
            resources=Resources(cpu=1, memory=8 * GIB, accelerator="any", accelerators=1, wall_time=2 * held_us),
            origin=reader.origin(),
            retries=0,
        )
        reader.arrivals.append(Arrival(str(line - 1), at_us, TENANT, request, (Run(held_us),)))
    reader.notes.append(Note("llm_rates", {"prompt": PROMPT_TOKENS_PER_S, "answer": ANSWER_TOKENS_PER_S}))
    return reader.done()


def _instant_us(word: str, line: int, reader: Reader) -> int | None:
    """`2023-11-16 18:17:03.9799600`, in UTC."""
    whole_s, _, fraction = word.strip().partition(".")
    try:
        moment = dt.datetime.fromisoformat(whole_s)
        micro = int(fraction[:6].ljust(6, "0")) if fraction else 0
    except ValueError:
        reader.bad("trace_instant", line, "TIMESTAMP", word)
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)
    at_us = (moment - EPOCH) // dt.timedelta(microseconds=1) + micro
    if at_us < 0:
        reader.bad("trace_instant", line, "TIMESTAMP", word)
        return None
    return at_us
