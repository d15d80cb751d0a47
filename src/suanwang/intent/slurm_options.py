"""The options of sbatch: which there are, how a command line and the `#SBATCH` lines of a script are read into them. Pure."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Final

from suanwang.model.error import Fault

MARK: Final = "#SBATCH"
OWN_MARK: Final = "#SUANWANG"
OWN_OPTION: Final = "suanwang"  # `--suanwang key=value` is a line `#SUANWANG key=value`


class Takes(StrEnum):
    """What stands behind an option."""

    NOTHING = "nothing"
    VALUE = "value"
    MAYBE = "maybe"  # a value only behind `=`


@dataclass(frozen=True)
class Option:
    """`fate`: `used`, `none` (it has no effect here, which is told), `quiet` (and is not worth a word), or the code of the
    fault that says why it cannot be had."""

    name: str
    short: str = ""
    takes: Takes = Takes.VALUE
    fate: str = "used"


def _options() -> Iterator[Option]:
    used = (
        "job-name:J time:t nodes:N ntasks:n ntasks-per-node: cpus-per-task:c mem: mem-per-cpu: mem-per-gpu: gres: gpus:G "
        "gpus-per-node: gpus-per-task: cpus-per-gpu: array:a output:o error:e input:i partition:p dependency:d begin:b "
        "deadline: export: chdir:D constraint:C qos:q account:A clusters:M tmp: wrap: comment: mincpus: suanwang: url: home: lang:"
    )
    for word in used.split():
        name, _, short = word.partition(":")
        yield Option(name, short)
    for word in ["requeue", "no-requeue", "parsable", "wait:W", "test-only", "help:h", "usage", "version:V", "json"]:
        name, _, short = word.partition(":")
        yield Option(name, short, Takes.NOTHING)
    yield Option("exclusive", takes=Takes.MAYBE)
    silent = "quiet:Q verbose:v ignore-pbs oversubscribe:s share overcommit:O contiguous spread-job use-min-nodes"
    for word in silent.split():
        name, _, short = word.partition(":")
        yield Option(name, short, Takes.NOTHING, "quiet" if name in ("quiet", "verbose", "ignore-pbs") else "none")
    without = (
        "mail-type mail-user open-mode time-min priority switches wckey hint threads-per-core distribution:m cpu-freq "
        "extra-node-info:B cores-per-socket sockets-per-node ntasks-per-core ntasks-per-socket gpu-bind gpu-freq mem-bind "
        "cpu-bind core-spec:S thread-spec profile acctg-freq delay-boot mcs-label prefer network power batch "
        "gres-flags"
    )
    for word in without.split():
        name, _, short = word.partition(":")
        yield Option(name, short, Takes.VALUE, "none")
    for name, short in (("nice", ""), ("get-user-env", ""), ("no-kill", "k"), ("propagate", ""), ("reboot", "")):
        yield Option(name, short, Takes.MAYBE, "none")
    yield Option("kill-on-invalid-dep")
    refused = {
        "slurm_no_nodelist": "nodelist:w exclude:x nodefile:F",
        "slurm_no_licenses": "licenses:L",
        "slurm_no_reservation": "reservation:",
        "slurm_no_signal": "signal:",
        "slurm_no_user": "uid: gid:",
        "slurm_no_container": "container: bb: bbf: export-file: ntasks-per-gpu: sockets-per-gpu:",
    }
    for code, words in refused.items():
        for word in words.split():
            name, _, short = word.partition(":")
            yield Option(name, short, Takes.VALUE, code)
    yield Option("hold", "H", Takes.NOTHING, "slurm_no_hold")
    yield Option("immediate", "I", Takes.MAYBE, "slurm_no_hold")


OPTIONS: Final[Mapping[str, Option]] = {one.name: one for one in _options()}
_SHORT: Final = {one.short: one for one in OPTIONS.values() if one.short}


@dataclass(frozen=True)
class Given:
    """An option as it was written. `line`: of the script; None on the command line."""

    option: Option
    value: str
    spelled: str
    line: int | None

    def fault(self, code: str, **params: object) -> Fault:
        """A fault of it."""
        return Fault(code, self.spelled, self.value, self.line, params)

    def warning(self, code: str, **params: object) -> Fault:
        """A word on it that stops nothing: its text is `warning.<code>`."""
        return self.fault(code, **params)


@dataclass(frozen=True)
class Read:
    """`rest`: what is behind the options: of a command line the script and its arguments."""

    given: tuple[Given, ...]
    rest: tuple[str, ...]
    faults: tuple[Fault, ...]


def read_words(words: Sequence[str], line: int | None = None) -> Read:
    """Options as getopt reads them: `-n4`, `-n 4`, `--ntasks=4`, `--ntasks 4`, beginnings of long names; up to the first
    word that is none."""
    given: list[Given] = []
    faults: list[Fault] = []
    todo = list(words)
    while todo and todo[0].startswith("-") and todo[0] != "-":
        word = todo.pop(0)
        if word == "--":
            break
        one = _long(word, todo, line) if word.startswith("--") else _short(word, todo, line)
        for found in one:
            (faults if isinstance(found, Fault) else given).append(found)  # type: ignore[arg-type]
    return Read(tuple(given), tuple(todo), tuple(faults))


def _long(word: str, todo: list[str], line: int | None) -> Iterator[Given | Fault]:
    name, equals, value = word[2:].partition("=")
    option = OPTIONS.get(name)
    if option is None:
        longer = [one for one in OPTIONS if name and one.startswith(name)]
        option = OPTIONS[longer[0]] if len(longer) == 1 else None
    spelled = f"--{name}"
    if option is None:
        yield _unknown(name, spelled, line)
    elif option.takes is Takes.NOTHING and equals:
        yield Fault("slurm_value_unwanted", spelled, value, line)
    elif option.takes is Takes.VALUE and not equals:
        yield from _with_next(option, spelled, todo, line)
    else:
        yield Given(option, value, spelled, line)


def _short(word: str, todo: list[str], line: int | None) -> Iterator[Given | Fault]:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        option, spelled = _SHORT.get(letter), f"-{letter}"
        if option is None:
            yield _unknown(letter, spelled, line)
            return
        if option.takes is Takes.NOTHING:
            yield Given(option, "", spelled, line)
        elif letters or option.takes is Takes.MAYBE:
            yield Given(option, letters.removeprefix("="), spelled, line)
            return
        else:
            yield from _with_next(option, spelled, todo, line)


def _with_next(option: Option, spelled: str, todo: list[str], line: int | None) -> Iterator[Given | Fault]:
    if not todo:
        yield Fault("slurm_value_missing", spelled, "", line)
    else:
        yield Given(option, todo.pop(0), spelled, line)


def _unknown(name: str, spelled: str, line: int | None) -> Fault:
    near = get_close_matches(name, OPTIONS, n=1, cutoff=0.6) if len(name) > 1 else []
    if near:
        return Fault("slurm_option_near", spelled, spelled, line, {"near": f"--{near[0]}"})
    return Fault("slurm_option_unknown", spelled, spelled, line)


@dataclass(frozen=True)
class Own:
    """What is asked of the grid beyond Slurm: a line `#SUANWANG key=value`, or `--suanwang key=value`."""

    key: str
    value: str
    line: int | None


@dataclass(frozen=True)
class ScriptLines:
    """What the lines at the top of a script say. `late`: lines of `#SBATCH` behind the first command, which count for nothing."""

    given: tuple[Given, ...]
    own: tuple[Own, ...]
    faults: tuple[Fault, ...]
    late: tuple[int, ...]


def read_script(script: str) -> ScriptLines:
    """Lines up to the first command, as sbatch reads them."""
    given: list[Given] = []
    own: list[Own] = []
    faults: list[Fault] = []
    late: list[int] = []
    begun = False
    for number, line in enumerate(script.split("\n"), start=1):
        text = line.strip()
        begun = begun or (bool(text) and not text.startswith("#"))
        mark = next((one for one in (MARK, OWN_MARK) if line == one or line.startswith((f"{one} ", f"{one}\t"))), None)
        if mark is None:
            continue
        if begun:
            late.append(number)
        elif mark == OWN_MARK:
            _own_line(line.removeprefix(mark), number, own, faults)
        else:
            found = _option_line(line.removeprefix(mark), number)
            given += found.given
            faults += found.faults
            faults += [_stray(one, number) for one in found.rest[:1]]
    return ScriptLines(tuple(given), tuple(own), tuple(faults), tuple(late))


def late_warning(line: int) -> Fault:
    """Of the first line of `#SBATCH` behind a command."""
    code = "slurm_late"
    return Fault(code, MARK, "", line)


def _stray(word: str, number: int) -> Fault:
    """A word that is no option."""
    code = "slurm_no_hetjob" if word in ("hetjob", "packjob") else "slurm_option_unknown"
    return Fault(code, MARK, word, number)


def _option_line(text: str, number: int) -> Read:
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        return Read((), (), (Fault("slurm_quote_open", MARK, text.strip(), number),))
    return read_words(words, number)


def _own_line(text: str, number: int, own: list[Own], faults: list[Fault]) -> None:
    one = own_of(text.strip(), number)
    if isinstance(one, Fault):
        faults.append(one)
    else:
        own.append(one)


def own_of(text: str, line: int | None) -> Own | Fault:
    """`key=value`, `key: value`."""
    at = min((where for sign in "=:" if (where := text.find(sign)) >= 0), default=-1)
    if at <= 0:
        return Fault("suanwang_line_form", OWN_MARK if line else f"--{OWN_OPTION}", text, line)
    return Own(text[:at].strip().lower(), text[at + 1 :].strip(), line)
