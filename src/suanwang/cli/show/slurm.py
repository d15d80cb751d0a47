"""Tasks and pools in the words and columns of squeue, sinfo and scontrol. Not translated: programs read them."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from suanwang.model.grid import Grid, Pool, PoolKind, Site
from suanwang.model.reason import FailureReason, WaitReason
from suanwang.model.record import Phase
from suanwang.model.units import MIB
from suanwang.model.view import Panorama, PoolLoad, SiteLoad, TaskView

SHORT: Final = "%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R"
LONG: Final = "%.18i %.9P %.8j %.8u %.8T %.10M %.9l %.6D %R"
START: Final = "%.18i %.9P %.8j %.8u %.2t %.19S %.6D %20N %R"
POOLS: Final = "%9P %.5a %.10l %.6D %.6t %N"

JOB_FIELDS: Final = {
    "A": "JOBID", "i": "JOBID", "F": "ARRAY_JOB_ID", "K": "ARRAY_TASK_ID", "a": "ACCOUNT", "C": "CPUS", "D": "NODES",
    "e": "END_TIME", "j": "NAME", "k": "COMMENT", "L": "TIME_LEFT", "l": "TIME_LIMIT", "m": "MIN_MEMORY", "M": "TIME",
    "N": "NODELIST", "P": "PARTITION", "p": "PRIORITY", "Q": "PRIORITY", "q": "QOS", "R": "NODELIST(REASON)", "r": "REASON",
    "S": "START_TIME", "t": "ST", "T": "STATE", "u": "USER", "V": "SUBMIT_TIME", "b": "TRES_PER_NODE",
}  # fmt: skip
POOL_FIELDS: Final = {
    "P": "PARTITION", "R": "PARTITION", "a": "AVAIL", "l": "TIMELIMIT", "D": "NODES", "t": "STATE", "T": "STATE",
    "N": "NODELIST", "c": "CPUS", "m": "MEMORY", "G": "GRES", "C": "CPUS(A/I/O/T)",
}  # fmt: skip

# Slurm's short word -> its long one. Every end of ours has one of these by its phase and reason.
STATES: Final = {
    "PD": "PENDING", "CF": "CONFIGURING", "R": "RUNNING", "CG": "COMPLETING", "CD": "COMPLETED", "F": "FAILED",
    "CA": "CANCELLED", "TO": "TIMEOUT", "OOM": "OUT_OF_MEMORY", "DL": "DEADLINE", "NF": "NODE_FAIL",
}  # fmt: skip
_OF_PHASE: Final = {
    Phase.WAITING: "PD",
    Phase.PLANNED: "PD",
    Phase.DISPATCHED: "CF",
    Phase.STAGING: "CF",
    Phase.RUNNING: "R",
    Phase.COLLECTING: "CG",
    Phase.DELIVERING: "CG",
    Phase.STOPPING: "CG",
    Phase.SUCCEEDED: "CD",
    Phase.FAILED: "F",
    Phase.CANCELLED: "CA",
    Phase.REFUSED: "F",
    Phase.EXPIRED: "DL",
}
_OF_REASON: Final = {
    FailureReason.WALL_TIME: "TO",
    FailureReason.OUT_OF_MEMORY: "OOM",
    FailureReason.SITE_LOST: "NF",
}
_WAITS: Final = {
    WaitReason.QUEUED: "Priority",
    WaitReason.SITES_DOWN: "ReqNodeNotAvail",
    WaitReason.NETWORK_DOWN: "NetworkDown",
    WaitReason.CAPACITY: "Resources",
    WaitReason.QUOTA: "AssocGrpCpuLimit",
    WaitReason.COMPANY: "Company",
    WaitReason.AFTER: "Dependency",
    WaitReason.RETRY_DELAY: "BeginTime",
    WaitReason.CHECKPOINT: "Cleaning",
}
_UNLIMITED: Final = "infinite"


def phases_of(word: str) -> frozenset[Phase] | None:
    """The phases of a state's short or long word, or of `all`; None for a word that is none."""
    upper = word.upper()
    if upper == "ALL":
        return frozenset(Phase)
    short = next((one for one, long in STATES.items() if upper in (one, long)), None)
    if short is None:
        return None
    return frozenset(phase for phase, state in _OF_PHASE.items() if state == short) or frozenset({Phase.FAILED})


def state_of(view: TaskView) -> str:
    """Slurm's short word for where a task is."""
    if view.phase is Phase.FAILED and view.reason is not None:
        return _OF_REASON.get(view.reason, "F")
    return _OF_PHASE[view.phase]


def rank(view: TaskView) -> int:
    """What runs stands below what waits, as in squeue."""
    return list(STATES).index(state_of(view))


def reason_of(view: TaskView) -> str:
    """Why it waits, or why it ended as it did, in one word."""
    if view.wait is not None:
        return _WAITS[view.wait.reason]
    if view.phase is Phase.PLANNED:
        return "BeginTime"
    if view.reason is not None:
        return "".join(part.capitalize() for part in view.reason.value.split("_"))
    return "None"


def partition_of(view: TaskView) -> str:
    """The pool that it has, by its name at its site; before it has one the kind that it needs."""
    return view.pool.partition("/")[2] if view.pool is not None else view.kind.value


def local_time(at_us: int | None) -> str:
    """`2026-11-27T14:30:05` on this machine's clock; `N/A` where there is none."""
    return "N/A" if at_us is None else time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(at_us // 1_000_000))


def span(value_us: int | None) -> str:
    """`M:SS`, `H:MM:SS` or `D-HH:MM:SS`."""
    if value_us is None:
        return "0:00"
    minutes, seconds = divmod(max(0, value_us) // 1_000_000, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}-{hours:02}:{minutes:02}:{seconds:02}"
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


# -- formats ---------------------------------------------------------------------------------------------------

_FIELD: Final = re.compile(r"%(\.?)(\d*)([A-Za-z])")


def read_format(words: str) -> list[tuple[str, str]]:
    """Pieces of `%[.][width]letter` and the text between them: (how, letter), or (text, "")."""
    out, at = [], 0
    for found in _FIELD.finditer(words):
        if found.start() > at:
            out.append((words[at : found.start()], ""))
        out.append((f"{found[1]}{found[2]}", found[3]))
        at = found.end()
    if at < len(words):
        out.append((words[at:], ""))
    return out


def row(columns: Sequence[tuple[str, str]], value: Callable[[str], str]) -> str:
    """One line: a value is cut to its width, and right of it where the format has a point."""
    out = []
    for how, letter in columns:
        if not letter:
            out.append(how)
            continue
        right, width = how.startswith("."), int(how.lstrip(".") or 0)
        text = value(letter)
        text = text[:width] if width else text
        out.append(text.rjust(width) if right else text.ljust(width))
    return "".join(out).rstrip()


def header(columns: Sequence[tuple[str, str]], names: dict[str, str]) -> str:
    return row(columns, lambda letter: names[letter])


# -- jobs ------------------------------------------------------------------------------------------------------


def job_field(view: TaskView, now_us: int, letter: str) -> str:
    """One column of a job."""
    return str(_JOB[letter](view, now_us))


def _used_us(view: TaskView, now_us: int) -> int | None:
    if view.run_start_us is None or view.phase in (Phase.WAITING, Phase.PLANNED, Phase.DISPATCHED):
        return None
    return (view.ended_us or now_us) - view.run_start_us


def _limit_us(view: TaskView) -> int:
    return view.request.resources.wall_time if view.request is not None else 0


def _left_us(view: TaskView, now_us: int) -> int:
    return _limit_us(view) - (_used_us(view, now_us) or 0)


def _nodes(view: TaskView) -> int:
    return view.request.resources.nodes if view.request is not None else 1


def _cpus(view: TaskView) -> int:
    return 0 if view.request is None else view.request.resources.cpu * view.request.resources.nodes * view.array


def _memory(view: TaskView) -> str:
    return "0" if view.request is None else f"{view.request.resources.memory // MIB}M"


def _gres(view: TaskView) -> str:
    has = view.request.resources if view.request is not None else None
    if has is None or not has.accelerators:
        return "N/A"
    return (
        f"gres/gpu:{has.accelerators}"
        if has.accelerator in (None, "any")
        else f"gres/gpu:{has.accelerator}:{has.accelerators}"
    )


def _where(view: TaskView) -> str:
    if view.site is not None and state_of(view) in ("CF", "R", "CG", "CD"):
        return view.site
    return f"({reason_of(view)})" if state_of(view) != "CD" else ""


_JOB: Final[dict[str, Callable[[TaskView, int], object]]] = {
    "A": lambda view, _: view.number,
    "i": lambda view, _: view.number,
    "F": lambda view, _: view.number,
    "K": lambda view, _: f"0-{view.array - 1}" if view.array > 1 else "N/A",
    "a": lambda view, _: view.tags.get("slurm.account", view.tenant),
    "C": lambda view, _: _cpus(view),
    "D": lambda view, _: _nodes(view),
    "e": lambda view, _: local_time(view.ended_us or view.end_us),
    "j": lambda view, _: view.name,
    "k": lambda view, _: view.tags.get("slurm.comment", "(null)"),
    "L": lambda view, now_us: span(_left_us(view, now_us)),
    "l": lambda view, _: span(_limit_us(view)),
    "m": lambda view, _: _memory(view),
    "M": lambda view, now_us: span(_used_us(view, now_us)),
    "N": lambda view, _: view.site or "",
    "P": lambda view, _: partition_of(view),
    "p": lambda view, _: view.priority,
    "Q": lambda view, _: view.priority,
    "q": lambda view, _: view.tags.get("slurm.qos", "normal"),
    "R": lambda view, _: _where(view),
    "r": lambda view, _: reason_of(view),
    "S": lambda view, _: local_time(view.run_start_us),
    "t": lambda view, _: state_of(view),
    "T": lambda view, _: STATES[state_of(view)],
    "u": lambda view, _: view.tenant,
    "V": lambda view, _: local_time(view.submitted_us),
    "b": lambda view, _: _gres(view),
}


def job_document(view: TaskView) -> dict[str, Any]:
    """One job of `squeue --json`, under Slurm's names."""
    return {
        "job_id": view.number,
        "task_id": view.task_id,
        "name": view.name,
        "user_name": view.tenant,
        "job_state": [STATES[state_of(view)]],
        "state_reason": reason_of(view),
        "partition": partition_of(view),
        "cluster": view.site,
        "submit_time": view.submitted_us // 1_000_000,
        "start_time": (view.run_start_us or 0) // 1_000_000,
        "end_time": (view.ended_us or view.end_us or 0) // 1_000_000,
        "time_limit": _limit_us(view) // 60_000_000,
        "cpus": _cpus(view),
        "node_count": _nodes(view),
        "priority": view.priority,
        "array_size": view.array,
        "exit_code": view.exit_code,
    }


def job_lines(view: TaskView) -> str:
    """What `scontrol show job` prints of one."""
    code = f"{view.exit_code or 0}:0"
    depends = (
        ",".join(f"{one.when.value}:{one.task}" for one in (view.request.after if view.request else ())) or "(null)"
    )
    lines = [
        f"JobId={view.number} JobName={view.name}",
        f"   UserId={view.tenant} Account={view.tags.get('slurm.account', view.tenant)} QOS={view.tags.get('slurm.qos', 'normal')}",
        f"   Priority={view.priority} Dependency={depends}",
        f"   JobState={STATES[state_of(view)]} Reason={reason_of(view)}",
        f"   Requeue=1 Restarts={max(0, view.attempts - 1)} BatchFlag=1 ExitCode={code}",
        f"   TimeLimit={span(_limit_us(view))}",
        f"   SubmitTime={local_time(view.submitted_us)} StartTime={local_time(view.run_start_us)} EndTime={local_time(view.ended_us or view.end_us)}",
        f"   Partition={partition_of(view)} NodeList={view.site or '(null)'}",
        f"   NumNodes={_nodes(view)} NumCPUs={_cpus(view)} MinMemoryNode={_memory(view)} TresPerNode={_gres(view)}",
        f"   TaskId={view.task_id}",
    ]
    return "\n".join(lines)


# -- pools -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PoolRow:
    """One pool of a site: a partition with its nodes."""

    site: Site
    pool: Pool
    load: PoolLoad | None
    seen: SiteLoad | None

    @property
    def name(self) -> str:
        return self.pool.id.partition("/")[2]

    @property
    def live(self) -> bool:
        return self.seen is not None and self.seen.live

    @property
    def state(self) -> str:
        """`idle`, `mix`, `alloc` or `down`."""
        if not self.live:
            return "down"
        permille = self.load.load_permille if self.load is not None else 0
        return "idle" if not permille else "alloc" if permille >= 1000 else "mix"


def pool_rows(grid: Grid, panorama: Panorama) -> list[PoolRow]:
    """Every pool with compute, in the order of the grid."""
    seen = {one.id: one for one in panorama.sites}
    loads = {pool.id: pool for one in panorama.sites for pool in one.pools}
    return [PoolRow(site, pool, loads.get(pool.id), seen.get(site.id)) for site in grid.sites for pool in site.pools]


def pool_field(one: PoolRow, letter: str) -> str:
    """One column of a pool."""
    return str(_POOL[letter](one))


def _cards(one: PoolRow) -> str:
    pool = one.pool
    return f"gpu:{pool.accelerator_model}:{pool.accelerators_per_node}" if pool.accelerator_model else "(null)"


def _cores(one: PoolRow) -> str:
    """Allocated, idle, other, total."""
    if one.pool.kind is PoolKind.QUANTUM:
        return "0/0/0/0"
    total = one.pool.cores_per_node * one.pool.nodes
    used = one.load.used.cores if one.load is not None else 0
    return f"{used}/{total - used}/0/{total}" if one.live else f"0/0/{total}/{total}"


_POOL: Final[dict[str, Callable[[PoolRow], object]]] = {
    "P": lambda one: one.name,
    "R": lambda one: one.name,
    "a": lambda one: "up" if one.live else "down",
    "l": lambda one: _UNLIMITED,
    "D": lambda one: one.pool.nodes,
    "t": lambda one: one.state,
    "T": lambda one: {"mix": "mixed", "alloc": "allocated"}.get(one.state, one.state),
    "N": lambda one: one.site.id,
    "c": lambda one: one.pool.cores_per_node,
    "m": lambda one: one.pool.memory_bytes_per_node // MIB,
    "G": _cards,
    "C": _cores,
}
assert set(_JOB) == set(JOB_FIELDS) and set(_POOL) == set(POOL_FIELDS), "a name and a value for each letter"


def pool_document(one: PoolRow) -> dict[str, Any]:
    """One pool of `sinfo --json`."""
    return {
        "partition": one.name,
        "cluster": one.site.id,
        "kind": one.pool.kind.value,
        "available": one.live,
        "state": one.state,
        "nodes": one.pool.nodes,
        "cpus": one.pool.cores_per_node,
        "memory_mib": one.pool.memory_bytes_per_node // MIB,
        "gres": _cards(one),
    }
