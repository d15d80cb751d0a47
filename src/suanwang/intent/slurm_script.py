"""A batch script as the command of a task: its variables, its streams and its file names, in POSIX shell. Pure.

What runs is the script of the user by the interpreter that its first line names, unchanged, with the `SLURM_*` variables that a
job has. What it prints is in the task's log and, under the name that Slurm would give it, among its outputs.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from suanwang.intent.slurm_values import ArrayIds, BadValueError

FOLDER: Final = ".slurm"
_DRAIN_S: Final = 2  # for what was printed last; who holds the pipe for longer was left behind in the background
_PATTERN: Final = re.compile(r"%(?:(\d{0,2})([aAjJnNstuxbh%]))?")
_COMMON: Final = {  # a pattern -> the shell variable that has its value
    "j": "number",
    "J": "number",
    "A": "array_job",
    "a": "SLURM_ARRAY_TASK_ID",
    "N": "SUANWANG_SITE",
    "h": "SUANWANG_SITE",
}
_FIXED: Final = {"n": "0", "t": "0", "s": "batch", "b": "0"}
_WIDTH_MAX: Final = 10  # of a number in a file's name
INPUTS_MAX: Final = 1_000  # that a task takes
_PADDED: Final = frozenset("jAan")

# Where the site itself is a Slurm cluster the job's own number stands, since `srun` needs it; the array's numbers are always ours.
_HEAD: Final = f"""\
umask 022
S="$PWD/{FOLDER}"
mkdir -p "$S/bin" || exit 125
number=${{SUANWANG_TASK_NUMBER:-0}} array_job=${{SUANWANG_TASK_NUMBER:-0}}
export SLURM_JOB_ID="${{SLURM_JOB_ID:-$number}}" SLURM_CLUSTER_NAME="$SUANWANG_SITE" SLURM_SUBMIT_DIR="$PWD"
export SLURM_JOBID="$SLURM_JOB_ID" SLURM_JOB_NODELIST="${{SLURM_JOB_NODELIST:-$SUANWANG_SITE}}"
export SLURM_NODELIST="$SLURM_JOB_NODELIST" SLURMD_NODENAME="${{SLURMD_NODENAME:-$SUANWANG_SITE}}"
export SLURM_CPUS_ON_NODE="${{SLURM_CPUS_ON_NODE:-$SUANWANG_CORES}}"
export SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0 SLURM_RESTART_COUNT="${{SUANWANG_RESUMES:-0}}"
"""
# Slurm's `srun` where there is none: so many copies on this one node, each with its number; the first that fails is the
# answer. What takes its value from the next word has to be known, or that value would be run: a long option that is not
# known stops it.
_SRUN: Final = """\
if ! command -v srun >/dev/null 2>&1; then
cat >"$S/bin/srun" <<'SRUN_END'
#!/bin/sh
many=${SLURM_NTASKS:-1}
while :; do
  case ${1-} in
    -n|--ntasks) many=${2:?a value is missing}; shift 2 ;;
    -n[0-9]*) many=${1#-n}; shift ;;
    --ntasks=*) many=${1#*=}; shift ;;
    --) shift; break ;;
    --*=*) shift ;;
    --overlap|--exact|--exclusive|--unbuffered|--label|--quiet|--verbose|--oversubscribe|--overcommit|--pty|--contiguous|\\
    --kill-on-bad-exit|--no-kill|--preserve-env|--immediate|--disable-status) shift ;;
    --account|--chdir|--comment|--constraint|--core-spec|--cpu-bind|--cpu-freq|--cpus-per-gpu|--cpus-per-task|--distribution|\\
    --error|--exclude|--export|--gpu-bind|--gpus|--gpus-per-node|--gpus-per-task|--gres|--hint|--input|--job-name|--jobid|\\
    --mem|--mem-bind|--mem-per-cpu|--mem-per-gpu|--mpi|--nodelist|--nodes|--ntasks-per-node|--ntasks-per-socket|\\
    --open-mode|--output|--partition|--qos|--reservation|--threads-per-core|--time|--wait|-[ABCDFGJLMNSTWcdeimopqrtwx])
      [ $# -gt 1 ] || { echo "srun: behind $1 a value is missing" >&2; exit 1; }
      shift 2 ;;
    --*)
      echo "srun: this site has no srun, and what stands in for it does not know $1; write --name=value, or leave it out" >&2
      exit 1 ;;
    -[EHOQXZlsuv]?*) rest=-${1#-?}; shift; set -- "$rest" "$@" ;;
    -?*) shift ;;
    *) break ;;
  esac
done
if [ "${SLURM_NNODES:-1}" != 1 ]; then
  echo "srun: this site has no srun, and a job over several nodes needs one" >&2
  exit 127
fi
all= rank=0
while [ "$rank" -lt "$many" ]; do
  SLURM_NTASKS=$many SLURM_NPROCS=$many SLURM_PROCID=$rank SLURM_LOCALID=$rank "$@" &
  all="$all $!" rank=$((rank + 1))
done
trap 'kill $all 2>/dev/null' TERM
code=0
for one in $all; do
  wait "$one"
  now=$?
  [ "$now" = 0 ] || [ "$code" != 0 ] || code=$now
done
exit "$code"
SRUN_END
chmod +x "$S/bin/srun" && PATH="$PATH:$S/bin"
fi
"""
_STREAMS: Final = f"""\
into() {{ mkdir -p "$(dirname -- "$1")" && : >>"$1" || exit 125; }}
drain() {{ ( sleep {_DRAIN_S}; kill "$@" ) >/dev/null 2>&1 & }}
"""


@dataclass(frozen=True)
class Batch:
    """Everything that the command is made of. Names of files are Slurm's patterns, inside the task's folder."""

    script: str
    arguments: Sequence[str]
    job_name: str
    user: str
    variables: Mapping[str, str]  # SLURM_* with fixed values
    array: ArrayIds | None = None
    folder: str = ""  # where it runs: inside the task's folder, or absolute
    output: str | None = None  # None: in the log alone
    error: str | None = None  # None: with the output
    input: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)


def check_pattern(path: str) -> None:
    """Raises BadValueError for a `%` that stands for nothing."""
    for found in _PATTERN.finditer(path):
        if found[2] is None or (found[1] and found[2] not in _PADDED):
            raise BadValueError("slurm_pattern", pattern=path[found.start() : found.start() + 3])
    if "\\" in path or any(ord(ch) < 32 for ch in path):
        raise BadValueError("slurm_pattern", pattern="\\")


def input_names(path: str, batch: Batch) -> list[str]:
    """The files that a pattern of `--input` stands for: they are sent before the job has a number or a site, so of what is
    known later only the element's own number can be in it. Raises BadValueError."""
    letters = {found[2] for found in _PATTERN.finditer(path)}
    late = letters & set(_COMMON) - ({"a"} if batch.array is not None else set())
    if late:
        raise BadValueError("slurm_input_pattern", pattern=f"%{min(late)}")
    if "a" not in letters or batch.array is None:
        return [_known_name(path, batch, 0)]
    if len(batch.array.ids) > INPUTS_MAX:
        raise BadValueError("slurm_input_many", count=f"{len(batch.array.ids):,}", limit=INPUTS_MAX)
    return [_known_name(path, batch, one) for one in batch.array.ids]


def _known_name(path: str, batch: Batch, element: int) -> str:
    fixed = {**_fixed(batch), "a": str(element)}

    def word(found: re.Match[str]) -> str:
        width = min(int(found[1] or 0), _WIDTH_MAX)
        return fixed[found[2]].zfill(width)

    return _PATTERN.sub(word, path)


def _fixed(batch: Batch) -> dict[str, str]:
    """What a pattern stands for that is known before the job is."""
    return {**_FIXED, "%": "%", "x": batch.job_name.replace("/", "_"), "u": batch.user}


def shell_name(path: str, batch: Batch) -> str:
    """A shell word for a file name of Slurm's: what is known only when it runs stands in it as a variable."""
    out, at = [], 0
    for found in _PATTERN.finditer(path):
        out.append(shlex.quote(path[at : found.start()]) if path[at : found.start()] else "")
        out.append(_word(found[2], found[1], batch))
        at = found.end()
    out.append(shlex.quote(path[at:]) if path[at:] else "")
    return "".join(out)


def _word(letter: str, width: str, batch: Batch) -> str:
    fixed = _fixed(batch)
    if letter in fixed:
        return shlex.quote(fixed[letter].zfill(min(int(width or 0), _WIDTH_MAX)))
    name = "number" if letter == "a" and batch.array is None else _COMMON[letter]
    if width and int(width):
        return f'"$(printf %0{min(int(width), _WIDTH_MAX)}d "${name}")"'
    return f'"${name}"'


def glob_of(path: str, batch: Batch) -> str:
    """The glob that finds a file of Slurm's naming among the outputs."""
    fixed = _fixed(batch)

    def word(found: re.Match[str]) -> str:
        return _plain(fixed[found[2]]) if found[2] in fixed else "*"

    parts, at = [], 0
    for found in _PATTERN.finditer(path):
        parts += [_plain(path[at : found.start()]), word(found)]
        at = found.end()
    return "".join([*parts, _plain(path[at:])])


def _plain(text: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", text)


def command_of(batch: Batch) -> str:
    """The whole command."""
    parts = [_HEAD, _variables(batch), _array(batch.array), _SRUN, _STREAMS, _script(batch)]
    if batch.folder:
        where = shlex.quote(batch.folder)
        parts.append(f"mkdir -p {where} && cd {where} || exit 125\n")
    parts.append(_run(batch))
    return "".join(parts)


def _variables(batch: Batch) -> str:
    values = {"SLURM_JOB_NAME": batch.job_name, "SLURM_JOB_USER": batch.user, **batch.variables}
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())


def _array(array: ArrayIds | None) -> str:
    """The element's own number, by its place in the array."""
    if array is None:
        return ""
    ids, step = array.ids, array.step
    place = "${SUANWANG_ARRAY_INDEX:-0}"
    if step is not None:
        own = f"$(({ids[0]} + {step} * {place}))"
        first = f"SLURM_ARRAY_TASK_ID={own}\n"
    else:
        first = f"set -- {' '.join(str(one) for one in ids)}\nshift {place}\nSLURM_ARRAY_TASK_ID=$1\n"
    bounds = f"SLURM_ARRAY_TASK_COUNT={len(ids)} SLURM_ARRAY_TASK_MIN={ids[0]} SLURM_ARRAY_TASK_MAX={ids[-1]}"
    step_word = f" SLURM_ARRAY_TASK_STEP={step}" if step is not None else ""
    return f'{first}export SLURM_ARRAY_TASK_ID SLURM_ARRAY_JOB_ID="$array_job" {bounds}{step_word}\n'


def _script(batch: Batch) -> str:
    """The script in a file of its own. The word that ends it is none of its lines."""
    end = "SUANWANG_SCRIPT_END"
    lines = set(batch.script.split("\n"))
    while end in lines:
        end += "_"
    body = batch.script if batch.script.endswith("\n") else batch.script + "\n"
    return f"cat >\"$S/script\" <<'{end}' || exit 125\n{body}{end}\n"


def _run(batch: Batch) -> str:
    """Run it by its interpreter, and keep what it prints: through pipes, so that the log is live and the exit code its own."""
    first = batch.script.split("\n", 1)[0][2:].strip()
    interpreter, _, option = first.partition(" ")
    words = [interpreter, *([option.strip()] if option.strip() else [])]
    command = f'{shlex.join(words)} "$S/script"' + (f" {shlex.join(batch.arguments)}" if batch.arguments else "")
    stdin = f"<{shell_name(batch.input, batch)}" if batch.input else "</dev/null"
    lines = []
    if batch.output is not None:
        lines += [f"out={shell_name(batch.output, batch)}", 'into "$out"', 'mkfifo "$S/1" || exit 125']
        lines += ['tee -a -- "$out" <"$S/1" &', "pipes=$!"]
    if batch.error is not None:
        lines += [f"err={shell_name(batch.error, batch)}", 'into "$err"', 'mkfifo "$S/2" || exit 125']
        lines += ['tee -a -- "$err" <"$S/2" >&2 &', 'pipes="${pipes-} $!"']
    to = '>"$S/1"' if batch.output is not None else ""
    also = '2>"$S/2"' if batch.error is not None else "2>&1"
    lines += [f"{command} {stdin} {to} {also}".replace("  ", " ").rstrip(), "code=$?"]
    if batch.output is not None or batch.error is not None:
        lines += ["drain $pipes", "late=$!", "wait $pipes", "kill $late 2>/dev/null"]
    return "\n".join([*lines, 'exit "$code"', ""])
