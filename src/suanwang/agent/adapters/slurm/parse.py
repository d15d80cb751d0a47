"""What Slurm's commands print, as values. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from suanwang.model.units import US_PER_S

# Fields of `squeue -O` with their widths: fixed places, so that no name can forge a line's other fields.
QUEUE_FIELDS: Final = (
    ("ArrayJobID", 16),
    ("JobID", 16),
    ("ArrayTaskID", 24),
    ("State", 24),
    ("exit_code", 12),
    ("TimeUsed", 20),
    ("Name", 64),
)
QUEUE_FORMAT: Final = ",".join(f"{name}:{width}" for name, width in QUEUE_FIELDS)
ACCOUNT_FORMAT: Final = "JobID,State,ExitCode,ElapsedRaw,TotalCPU,MaxRSS"

# The states in which Slurm still holds something for a job, or may.
ACTIVE: Final = frozenset(
    {
        "PENDING", "RUNNING", "SUSPENDED", "COMPLETING", "CONFIGURING", "RESIZING", "REQUEUED", "REQUEUE_FED",
        "REQUEUE_HOLD", "RESV_DEL_HOLD", "SIGNALING", "SPECIAL_EXIT", "STAGE_OUT", "STOPPED", "POWER_UP_NODE",
    }
)  # fmt: skip
# Those in which the work has begun and has not ended.
RUNNING: Final = frozenset({"RUNNING", "SUSPENDED", "COMPLETING", "STOPPED", "SIGNALING"})
_SIZES: Final = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True, slots=True)
class JobRow:
    """One line of squeue: a job, one element of an array, or the elements that still wait together (`task` None)."""

    job_id: int  # of an array: of the whole
    array: bool
    task: int | None
    state: str
    status: int  # as wait(2) has it
    used_us: int
    name: str

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    @property
    def runs(self) -> bool:
        return self.state in RUNNING


@dataclass(frozen=True, slots=True)
class Account:
    """What the accounting says of one job or element."""

    state: str
    status: int
    elapsed_us: int
    core_us: int
    memory_peak_bytes: int


def queue_rows(text: str) -> list[JobRow]:
    """The lines of `squeue --noheader -O QUEUE_FORMAT`; those that are none are left out."""
    return [row for line in text.splitlines() if (row := _row(line)) is not None]


def _row(line: str) -> JobRow | None:
    found: dict[str, str] = {}
    at = 0
    for name, width in QUEUE_FIELDS:
        found[name] = line[at : at + width].strip()
        at += width
    task, job_id = found["ArrayTaskID"], found["ArrayJobID"]
    array = task not in ("", "N/A")
    if not array and not job_id.isdecimal():
        job_id = found["JobID"]
    if not job_id.isdecimal() or not found["State"]:
        return None
    return JobRow(
        job_id=int(job_id),
        array=array,
        task=int(task) if task.isdecimal() else None,
        state=found["State"].split(" ")[0].rstrip("+"),
        status=_status(found["exit_code"]),
        used_us=span_us(found["TimeUsed"]),
        name=found["Name"],
    )


def _status(text: str) -> int:
    """A wait status from a number, or from `code:signal`."""
    code, colon, signal = text.partition(":")
    if not code.isdecimal():
        return 0
    return int(code) << 8 | (int(signal) if signal.isdecimal() else 0) if colon else int(code)


def span_us(text: str) -> int:
    """`[days-]hours:minutes:seconds[.fraction]`, `minutes:seconds`; 0 for what is none (INVALID, UNLIMITED)."""
    days, dash, rest = text.partition("-")
    if not dash:
        days, rest = "0", text
    try:
        parts = [float(part) for part in rest.split(":")]
        seconds = sum(part * 60**place for place, part in enumerate(reversed(parts)))
        return int((int(days) * 86_400 + seconds) * US_PER_S)
    except (ValueError, OverflowError):
        return 0


def size_bytes(text: str) -> int:
    """`1234K`, `1.5G`, `99`; 0 for what is none."""
    unit = _SIZES.get(text[-1:].upper(), 0)
    try:
        return int(float(text[:-1] if unit else text) * (unit or 1))
    except (ValueError, OverflowError):
        return 0


def accounts(text: str) -> dict[tuple[int, int | None], Account]:
    """The lines of `sacct --parsable2 --noheader --format=ACCOUNT_FORMAT`, by job and element. Memory is of the
    largest step; the CPU time of all steps is in the job's own line."""
    jobs: dict[tuple[int, int | None], Account] = {}
    peaks: dict[tuple[int, int | None], int] = {}
    for line in text.splitlines():
        fields = line.split("|")
        key = _job_key(fields[0].partition(".")[0])
        if len(fields) != 6 or key is None:
            continue
        peaks[key] = max(peaks.get(key, 0), size_bytes(fields[5]))
        if "." not in fields[0]:
            state = fields[1].split(" ")[0].rstrip("+")
            elapsed_us = int(fields[3]) * US_PER_S if fields[3].isdecimal() else 0
            jobs[key] = Account(state, _status(fields[2]), elapsed_us, span_us(fields[4]), 0)
    return {key: Account(one.state, one.status, one.elapsed_us, one.core_us, peaks[key]) for key, one in jobs.items()}


def _job_key(text: str) -> tuple[int, int | None] | None:
    """`12` -> (12, None); `12_3` -> (12, 3)."""
    job, under, task = text.partition("_")
    if not job.isdecimal() or (under and not task.isdecimal()):
        return None
    return int(job), int(task) if under else None


def config(text: str) -> Mapping[str, str]:
    """`scontrol show config` as names and values; of a name that stands twice, the first."""
    out: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            out.setdefault(name.strip(), value.strip())
    return out


def spans(numbers: Iterable[int]) -> str:
    """Numbers as `sbatch --array` takes them: 0-3,7."""
    out: list[list[int]] = []
    for number in sorted(numbers):
        if out and number == out[-1][1] + 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in out)
