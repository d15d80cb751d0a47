"""Jobs of an SWF file as tasks. `docs/guide/what-if.md` has the table of what becomes what."""

from collections.abc import Iterable
from typing import Final

from suanwang.model.error import Fault
from suanwang.model.ids import TenantId
from suanwang.model.task import Resources, TaskRequest
from suanwang.model.trace import Arrival, Note, Run, Trace
from suanwang.model.units import AT_US_MAX, KIB, MIB, US_PER_S
from suanwang.traces.rules import Reader, Rules, span_us, spread
from suanwang.traces.swf import BadLine, SwfJob, parse_swf

COMPLETED, FAILED, CANCELLED = 1, 0, 5
PARTS: Final = (2, 3, 4)  # of a job that was checkpointed or swapped out; the job has a line of its own as well
NODES_MAX: Final = 100_000
MEMORY_BYTES: Final = 512 * MIB  # a node, where the trace does not say


def read_swf(lines: Iterable[str], source: str, rules: Rules) -> Trace:
    """The tasks of an SWF file. Raises FaultsError with every bad line."""
    reader, header = Reader(rules, source), dict[str, str]()
    jobs: list[SwfJob] = []
    for one in parse_swf(lines, header):
        if isinstance(one, BadLine):
            reader.faults.append(Fault(one.code, one.where, one.got[:80], one.line, dict(one.params)))
        elif _is_task(one[1], reader, one[0]):
            jobs.append(one[1])
    start_us = _start_us(header, reader)
    follows = 0
    for number, job in enumerate(jobs):
        reader.arrivals.append(_arrival(job, number, start_us, reader))
        follows += job.preceding > 0
    reader.counts["swf_follows"] = follows
    return reader.done()


def _start_us(header: dict[str, str], reader: Reader) -> int:
    """When the log begins: its UnixStartTime, else the day of a trace without a date."""
    word = header.get("UnixStartTime", "").split(" ")[0]
    if word.isdigit() and 0 < int(word) * US_PER_S < AT_US_MAX:
        return int(word) * US_PER_S
    reader.notes.append(Note("no_date"))
    return reader.rules.start_us


def _is_task(job: SwfJob, reader: Reader, line: int) -> bool:
    """Whether a line is a job that ran; others are counted."""
    if job.status in PARTS:
        reader.counts["swf_parts"] += 1
        return False
    if job.run_s <= 0:
        reader.counts["never_ran"] += 1
        return False
    if _processors(job) <= 0:
        reader.counts["swf_no_size"] += 1
        return False
    if job.submit_s < 0:
        reader.bad("trace_negative", line, "submit_s", str(job.submit_s))
        return False
    return True


def _processors(job: SwfJob) -> int:
    return job.processors_asked if job.processors_asked > 0 else job.processors


def _arrival(job: SwfJob, number: int, start_us: int, reader: Reader) -> Arrival:
    nodes, cores = spread(_processors(job), reader.rules.node_cores)
    kb = job.memory_asked_kb if job.memory_asked_kb > 0 else job.memory_kb
    asked_s = job.time_asked_s
    if asked_s <= 0:
        reader.counts["no_wall_time"] += 1
    elif asked_s < job.run_s:
        reader.counts["overran"] += 1
    if nodes > 1:
        reader.counts["gangs"] += 1
    run = Run(span_us(job.run_s), "ok" if job.status != FAILED else "exit:1")
    request = TaskRequest(
        name=f"swf {job.job}",
        run="true",
        resources=Resources(
            cpu=cores,
            nodes=min(nodes, NODES_MAX),
            memory=int(kb * KIB) * cores if kb > 0 else MEMORY_BYTES,
            wall_time=span_us(max(asked_s, job.run_s)),
        ),
        origin=reader.origin(),
        retries=0,
    )
    at_us = min(start_us + round(job.submit_s * US_PER_S), AT_US_MAX)
    return Arrival(f"{number}:{job.job}", at_us, _tenant(job), request, (run,))


def _tenant(job: SwfJob) -> TenantId:
    if job.group >= 0:
        return TenantId(f"group-{job.group}")
    return TenantId(f"user-{job.user}" if job.user >= 0 else "trace")
