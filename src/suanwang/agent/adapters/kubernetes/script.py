"""What a pod of an attempt reads from the attempt's folder: the script that is its process 1, and the work. Pure.

The script gives each element its folder, lets the work begin once and never a second time, waits with the other members of a
gang for the word of the agent, and writes down its exit status and what its control group has used. When it ends, the
kernel ends all that it has left in the pod.
"""

import shlex
from typing import Final

from suanwang.agent import command
from suanwang.agent.adapter import StartOrder
from suanwang.agent.adapters.kubernetes.settings import HERE

JOB_FILE: Final = "job.sh"
WORK_FILE: Final = "work.sh"
PARTS_FILE: Final = "parts"
ASK_FILE: Final = "ask"  # there: a pod that is ended asks its work for the checkpoint first
GO_FILE: Final = "go"  # holds the number of the submission whose gang stands whole
PROGRESS_FILE: Final = "run/progress"
NOT_AGAIN: Final = 112  # the exit code of a pod in the place of one that had begun

_SCRIPT: Final = r"""here=@here@
part=${JOB_COMPLETION_INDEX:-$SUANWANG_PART}
index= rank= at=0
while read -r one two; do
  if [ "$at" = "$part" ]; then index=$one rank=$two; break; fi
  at=$((at + 1))
done <"$here/@parts@"
[ -n "$index" ] || exit @again@
cell=$here/$index
work=

# The pod ends now: by the grid, by the site, or at its time.
over() { exit 143; }

# Ask the work to write its checkpoint and end: those of its processes that handle SIGTERM; where none does, all.
ask() {
  [ -e "$here/@ask@" ] && [ -n "$work" ] || over
  again=1 all= hear=
  for one in /proc/[0-9]*; do
    [ "${one#/proc/}" != "$$" ] || continue
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

trap ask TERM
exec >>"$here/log-$part" 2>&1
mkdir -p "$cell/task" "$cell/tmp" "$cell/run" && cd "$cell/task" || exit 1
if [ "$SUANWANG_GANG" -gt 1 ]; then
  now=
  while [ "$now" != "$SUANWANG_TURN" ]; do
    { read -r now <"$here/@go@"; } 2>/dev/null
    [ "$now" = "$SUANWANG_TURN" ] || sleep 0.2
  done
fi
# A pod in the place of another that was deleted finds that the work has begun: it is not done twice.
mkdir "$cell/run/begun-$rank" 2>/dev/null || { echo "suanwang: begun before; not again"; exit @again@; }
if [ "$rank" = 0 ]; then
  : >"$cell/@progress@"
  [ ! -d "$here/inputs" ] || cp -R "$here/inputs/." . || exit 1
  [ ! -d "$here/kept/$index" ] || cp -R "$here/kept/$index/." . || exit 1
  : >"$cell/run/ready"
fi
while [ ! -e "$cell/run/ready" ]; do sleep 0.2; done
SUANWANG_RESUMES=@resumes@
[ ! -d "$here/kept/$index" ] || SUANWANG_RESUMES=1
HOME=$cell/task TMPDIR=$cell/tmp SUANWANG_ARRAY_INDEX=$index SUANWANG_NODE_RANK=$rank SUANWANG_PROGRESS=$cell/@progress@
export HOME TMPDIR SUANWANG_ARRAY_INDEX SUANWANG_NODE_RANK SUANWANG_PROGRESS SUANWANG_RESUMES
/bin/sh "$here/@work@" &
work=$!
# A wait that TERM breaks off says 143 and is made again; one made again after its answer says 127.
status=
while :; do
  again=
  wait "$work" 2>/dev/null
  now=$?
  if [ "$now" = 127 ] && [ -n "$status" ] && [ "$status" != 143 ]; then break; fi
  status=$now
  [ -n "$again" ] || break
done
cpu=0 peak=0
{ read -r cpu </sys/fs/cgroup/cpuacct/cpuacct.usage; } 2>/dev/null ||
  while read -r name value; do
    if [ "$name" = usage_usec ]; then cpu=${value}000; break; fi
  done 2>/dev/null </sys/fs/cgroup/cpu.stat
{ read -r peak </sys/fs/cgroup/memory/memory.max_usage_in_bytes; } 2>/dev/null ||
  { read -r peak </sys/fs/cgroup/memory.peak; } 2>/dev/null
echo "$status ${cpu:-0} ${peak:-0}" >"$cell/run/status-$rank.new"
mv "$cell/run/status-$rank.new" "$cell/run/status-$rank"
exit "$status"
"""


def job_script(order: StartOrder) -> bytes:
    """What is the same for every pod of an attempt."""
    resumes = order.request.array == 1 and bool(command.files_of(order, 0))
    values = {
        "here": HERE,
        "parts": PARTS_FILE,
        "work": WORK_FILE,
        "ask": ASK_FILE,
        "go": GO_FILE,
        "again": str(NOT_AGAIN),
        "progress": PROGRESS_FILE,
        "resumes": "1" if resumes else "0",
    }
    text = _SCRIPT
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text.encode()


def work_script(order: StartOrder, path: str) -> bytes:
    """The environment and the command. Raises BackendError where they hold a NUL character."""
    request = order.request
    environment = command.environment_of(order, 0, max(1, request.resources.cpu), path, run_folder=HERE)
    # Of each element its own, and set by the pod's script.
    for name in ("SUANWANG_ARRAY_INDEX", "SUANWANG_PROGRESS", "SUANWANG_RESUMES"):
        del environment[name]
    for name in ("HOME", "TMPDIR"):
        if name not in request.environment:
            del environment[name]
    words = command.command_of(order, HERE)
    line = "exec " + " ".join(shlex.quote(word) for word in words) + "\n"
    return command.environment_script(environment) + line.encode("utf-8", "surrogateescape")


def parts_of(left: list[int], nodes: int) -> list[tuple[int, int]]:
    """(element, rank in its gang) of each pod, in order."""
    return [(index, rank) for index in left for rank in range(nodes)]


def parts_text(parts: list[tuple[int, int]]) -> bytes:
    return "".join(f"{index} {rank}\n" for index, rank in parts).encode()


def log_name(part: int) -> str:
    """The file below the attempt's folder that a pod's output goes into."""
    return f"log-{part}"
