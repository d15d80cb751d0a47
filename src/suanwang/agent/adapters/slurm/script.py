"""What Slurm is given for an attempt: the job's script, the options of sbatch, and the files that the script reads. Pure.

The script gives each element its folder, runs the work in a session of its own, writes down its exit status and its CPU
time, and ends at once what it runs when Slurm ends the job. `licence` is a file of the agent's with a number: the work
begins only where it still says this script's, so a submission that the agent has given up for lost never works twice.
"""

import shlex
from pathlib import Path
from typing import Final

from suanwang.agent import command
from suanwang.agent.adapter import StartOrder
from suanwang.agent.adapters.slurm.parse import spans
from suanwang.agent.adapters.slurm.settings import PoolRoute
from suanwang.model.grid import PoolKind
from suanwang.model.ids import AttemptId
from suanwang.model.task import pool_kind
from suanwang.model.units import MIB, US_PER_MINUTE

RUN_FILE: Final = "work.sh"
STATUS_FILE: Final = "run/status"
PROGRESS_FILE: Final = "run/progress"

_SCRIPT: Final = r"""#!/bin/sh
here=@here@
licence=@licence@
turn=@turn@
index=$((@first@ + ${SLURM_ARRAY_TASK_ID:-0}))
cell=$here/$index
work=

# The job ends now: by the grid, by the site, or at its time.
over() {
  trap '' TERM
  [ -z "$work" ] || kill -KILL "-$work" 2>/dev/null
  exit 143
}

# Ask the work to write its checkpoint and end: those of its processes that handle SIGTERM; where none does, all.
ask() {
  again=1 all= hear=
  for one in /proc/[0-9]*; do
    { read -r line <"$one/stat"; } 2>/dev/null || continue
    set -- ${line##*) }
    [ "$4" = "$work" ] || continue
    all="$all ${one#/proc/}"
    caught=
    while read -r name value; do
      if [ "$name" = SigCgt: ]; then caught=$value; break; fi
    done 2>/dev/null <"$one/status"
    case $caught in *[4-7c-f]???) hear="$hear ${one#/proc/}" ;; esac
  done
  all=${hear:-$all}
  [ -z "$all" ] || kill -TERM $all 2>/dev/null
}

trap over TERM
trap ask USR1
now=
{ read -r now <"$licence"; } 2>/dev/null
# Nobody waits for this job any more. It says so to nobody: what it prints stands in the log of the job that counts.
[ "$now" = "$turn" ] || exit 75
mkdir -p "$cell/task" "$cell/tmp" "$cell/run" && cd "$cell/task" && : >"$cell/@progress@" || exit 1
[ ! -d "$here/inputs" ] || cp -R "$here/inputs/." . || exit 1
SUANWANG_RESUMES=@resumes@
if [ -d "$here/kept/$index" ]; then
  cp -R "$here/kept/$index/." . || exit 1
  SUANWANG_RESUMES=1
fi
HOME=$cell/task TMPDIR=$cell/tmp SUANWANG_ARRAY_INDEX=$index SUANWANG_PROGRESS=$cell/@progress@
export HOME TMPDIR SUANWANG_ARRAY_INDEX SUANWANG_PROGRESS SUANWANG_RESUMES
setsid /bin/sh "$here/@run@" &
work=$!
# A wait that USR1 breaks off says 138 and is made again; one made again after its answer says 127.
status=
while :; do
  again=
  wait "$work" 2>/dev/null
  now=$?
  if [ "$now" = 127 ] && [ -n "$status" ] && [ "$status" != 138 ]; then break; fi
  status=$now
  [ -n "$again" ] || break
done
kill -KILL "-$work" 2>/dev/null
{ echo "$status"; times; } >"$cell/@status@.new" && mv "$cell/@status@.new" "$cell/@status@"
exit "$status"
"""


def job_script(order: StartOrder, here: Path, licence: Path, turn: int, first: int) -> str:
    """The script of an attempt; `first` is the number of the element that Slurm counts as 0."""
    resumes = order.request.array == 1 and bool(command.files_of(order, 0))
    values = {
        "here": shlex.quote(str(here)),
        "licence": shlex.quote(str(licence)),
        "turn": str(turn),
        "first": str(first),
        "resumes": "1" if resumes else "0",
        "progress": PROGRESS_FILE,
        "run": RUN_FILE,
        "status": STATUS_FILE,
    }
    text = _SCRIPT
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def work_script(order: StartOrder, here: Path, path: str) -> bytes:
    """The environment and the command, for the script to run. Raises BackendError where they hold a NUL character."""
    request = order.request
    environment = command.environment_of(order, 0, max(1, request.resources.cpu), path, run_folder=str(here))
    # Of each element its own, and set by the job's script.
    for name in ("SUANWANG_ARRAY_INDEX", "SUANWANG_PROGRESS", "SUANWANG_RESUMES"):
        del environment[name]
    for name in ("HOME", "TMPDIR"):
        if name not in request.environment:
            del environment[name]
    words = command.command_of(order, str(here))
    line = "exec " + " ".join(shlex.quote(word) for word in words) + "\n"
    return command.environment_script(environment) + line.encode("utf-8", "surrogateescape")


def log_name(array: int, task: int) -> str:
    """The file below the attempt's folder that Slurm writes what the element of its number `task` prints into."""
    return "log" if array == 1 else f"log-{task}"


def job_name(attempt_id: AttemptId, turn: int) -> str:
    """Of one submission: an earlier one of the same attempt, which turns up late, is not taken for it."""
    return f"{attempt_id}.{turn}"


def attempt_of(job: str) -> str:
    """The attempt that a job's name is of."""
    return job.rpartition(".")[0]


def options(order: StartOrder, route: PoolRoute, here: Path, left: list[int], turn: int) -> list[str]:
    """The options of sbatch. `left`: the elements to run, by the task's own numbers."""
    request, asked = order.request, order.request.resources
    array = request.array > 1
    place = str(here).replace("\\", "\\\\").replace("%", "%%")
    out = [
        "--parsable",
        "--no-requeue",  # the brain decides what is tried again, and where
        f"--job-name={job_name(order.attempt_id, turn)}",
        f"--chdir={here}",
        f"--output={place}/{'log-%a' if array else 'log'}",
        "--open-mode=append",
        f"--time={max(1, -(-asked.wall_time // US_PER_MINUTE))}",
        f"--nodes={asked.nodes}",
        "--ntasks-per-node=1",
        f"--cpus-per-task={max(1, asked.cpu)}",
        f"--mem={max(1, -(-asked.memory // MIB))}M",
    ]
    if pool_kind(asked) is PoolKind.HPC:
        out.append("--exclusive")
    if asked.accelerators:
        out.append(f"--gres={route.gres}:{asked.accelerators}")
    for name, value in (("partition", route.partition), ("account", route.account), ("qos", route.qos)):
        if value is not None:
            out.append(f"--{name}={value}")
    if array:
        out.append(f"--array={spans(number - left[0] for number in left)}")
    return [*out, *route.options]
