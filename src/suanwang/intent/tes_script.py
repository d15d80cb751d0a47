"""The executors of a TES task as one shell script: in their order, over the same files, in one attempt.

POSIX shell and the usual tools alone, so that it runs in small images too. It leaves in `.tes/` of the task's folder: `log`,
a line for each begin and end, and for executor N what it printed first, `N.out` and `N.err`. Pure.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from suanwang.model.tes import TesExecutor
from suanwang.model.units import AT_US_MAX

KEPT_FOLDER: Final = ".tes"
KEPT_BYTES: Final = 64 * 1024  # of what an executor prints; all of it is in the task's log, unless it goes to a file
_DRAIN_S: Final = 2  # for what was printed last; who holds the pipe for longer was left behind in the background

# Two pipes take what the command prints, so that it is kept and shown while it runs; a named pipe leaves the exit code
# alone, and loses its name once both ends are open. The limit of a file's size cuts what `tee` keeps and not what it
# shows; `head` would hold back what it has read. What cannot be made here is our own exit code, 125.
_HEAD: Final = f"""\
umask 022
T="$PWD/{KEPT_FOLDER}"
mkdir -p "$T" && : >"$T/log" || exit 125
now() {{ date -u +%s.%N; }}
keep() {{ (trap "" XFSZ; ulimit -f {KEPT_BYTES // 512}; exec tee "$1" 2>/dev/null) | cat; }}
into() {{ mkdir -p "$(dirname "$1")" && : >"$1" || exit 125; }}
run() {{ # number, ignore_error, stdin, stdout, stderr
  mkfifo "$T/$1.1" "$T/$1.2" || exit 125
  [ -z "$4" ] || into "$4"
  [ -z "$5" ] || into "$5"
  if [ -n "$4" ]; then keep "$T/$1.out" <"$T/$1.1" >>"$4" & else keep "$T/$1.out" <"$T/$1.1" & fi
  out=$!
  if [ -n "$5" ]; then keep "$T/$1.err" <"$T/$1.2" >>"$5" & else keep "$T/$1.err" <"$T/$1.2" >&2 & fi
  err=$!
  exec 3>"$T/$1.1" 4>"$T/$1.2"
  rm -f "$T/$1.1" "$T/$1.2"
  echo "$1 began $(now)" >>"$T/log"
  ( exec >&3 2>&4 3>&- 4>&-; exec <"${{3:-/dev/null}}" || exit; "executor_$1" )
  code=$?
  exec 3>&- 4>&-
  echo "$1 ended $(now) $code" >>"$T/log"
  ( sleep {_DRAIN_S}; kill $out $err ) >/dev/null 2>&1 &
  late=$!
  wait $out $err
  kill $late 2>/dev/null
  [ "$code" = 0 ] || [ "$2" = 1 ] || exit "$code"
}}
"""
_LINE: Final = re.compile(r"^(\d{1,3}) (began|ended) (\d{1,12})(?:\.(\d{1,9}))?\S*(?: (\d{1,3}))?$")


def script_of(executors: Sequence[TesExecutor], folders: Sequence[str]) -> str:
    """The whole script; `folders` are made first."""
    parts = [_HEAD]
    if folders:
        parts.append(f"mkdir -p {shlex.join(folders)} || exit 125\n")
    for number, one in enumerate(executors):
        parts.append(_function(number, one))
    for number, one in enumerate(executors):
        ignore = "1" if one.ignore_error else "0"
        parts.append(f"run {number} {ignore} {shlex.join([one.stdin or '', one.stdout or '', one.stderr or ''])}\n")
    return "".join(parts)


def _function(number: int, executor: TesExecutor) -> str:
    lines = [f"executor_{number}() {{"]
    if executor.workdir:
        where = shlex.quote(executor.workdir)
        lines.append(f"  [ -d {where} ] || mkdir -p {where} || exit 125")
        lines.append(f"  cd {where} || exit 125")
    # A command word may hold "=", so `env` must not be the one that reads it.
    words = [f"{name}={value}" for name, value in (executor.env or {}).items()]
    words += ["/bin/sh", "-c", 'exec "$@"', "sh", *executor.command]
    lines += [f"  exec env {shlex.join(words)}", "}\n"]
    return "\n".join(lines)


@dataclass(frozen=True)
class Ran:
    """What the script noted of one executor. Times in microseconds by the site's clock."""

    began_us: int
    ended_us: int | None = None  # None: it was ended from outside
    exit_code: int | None = None


def read_log(text: str) -> dict[int, Ran]:
    """The script's `log`, by the executor's number; a line that is none of its own, or of a time that nothing
    here can be at, is passed over. The task may write there too: only its owner reads it."""
    out: dict[int, Ran] = {}
    for line in text.splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        number, at_us = int(found[1]), int(found[3]) * 1_000_000 + int((found[4] or "").ljust(6, "0")[:6])
        if at_us > AT_US_MAX:
            continue
        if found[2] == "began":
            out[number] = Ran(at_us)
        elif number in out and found[5] is not None:
            out[number] = Ran(out[number].began_us, at_us, int(found[5]))
    return out
