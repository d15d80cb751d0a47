"""A batch script with `#SBATCH` lines, and the command line of sbatch, to a task request. Pure: every fault has its line.

`docs/guide/sbatch.md` says what stands for what. The options of the command line win over those of the script.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from typing import Any, Final

from suanwang.intent.document import Loc
from suanwang.intent.foreign import SCRIPT_CHARS_MAX, Draft, partition_of, place_of
from suanwang.intent.mapping import Found, path_text
from suanwang.intent.own_lines import read_own
from suanwang.intent.slurm_options import (
    OWN_MARK,
    OWN_OPTION,
    Given,
    Own,
    late_warning,
    own_of,
    read_script,
    read_words,
)
from suanwang.intent.slurm_resources import shape_of
from suanwang.intent.slurm_script import Batch, check_pattern, command_of, glob_of, input_names
from suanwang.intent.slurm_values import (
    ArrayIds,
    BadValueError,
    array_ids,
    dependencies,
    instant_us,
    memory_bytes,
    time_limit_us,
)
from suanwang.model.doors import DoorRules
from suanwang.model.error import Fault, FaultsError
from suanwang.model.ids import TaskId
from suanwang.model.task import AFTER_MAX, TaskRequest

SCRIPT_BYTES_MAX: Final = 48 * 1024  # of a script: with what is put around it the command of a task
NAME_MAX: Final = 200
WRAP_NAME: Final = "wrap"
_CONSTRAINT, _CLUSTERS = "slurm_constraint", "slurm_clusters"
_JOB_TAG: Final = "slurm"  # of all tasks that came by this door
_ABSOLUTE: Final = "root"  # of the task's folder: where absolute folders lie in it


@dataclass(frozen=True)
class Desk:
    """Who submits, when, and from where. `job`: the task of a job's number, or None."""

    user: str = "user"
    now_us: int = 0
    zone: tzinfo = UTC
    environment: Mapping[str, str] = field(default_factory=dict)  # of the terminal: for `--export=NAME`
    job: Callable[[int], TaskId | None] = lambda _: None


@dataclass(frozen=True)
class Command:
    """A command line of sbatch: what is asked of sbatch itself, and which script is to be read."""

    given: tuple[Given, ...]
    own: tuple[Own, ...]
    script: str | None  # its path; None: from the standard input, or `--wrap`
    arguments: tuple[str, ...]

    def has(self, name: str) -> bool:
        return any(one.option.name == name for one in self.given)

    @property
    def wrapped(self) -> str | None:
        """The command of `--wrap`."""
        return next((one.value for one in reversed(self.given) if one.option.name == "wrap"), None)


@dataclass(frozen=True)
class SbatchRead:
    request: TaskRequest
    warnings: tuple[Fault, ...]
    waits: bool  # `--wait`, in the script or on the command line
    parsable: bool
    test_only: bool


def read_command(words: Sequence[str]) -> Command:
    """The words behind `sbatch`. Raises FaultsError."""
    read = read_words(words)
    faults, own = list(read.faults), []
    for one in read.given:
        if one.option.name == OWN_OPTION:
            found = own_of(one.value, None)
            if isinstance(found, Fault):
                faults.append(found)
            else:
                own.append(found)
    wrapped = any(one.option.name == "wrap" for one in read.given)
    if wrapped and read.rest:
        faults.append(Fault("slurm_wrap_script", "--wrap", read.rest[0]))
    if faults:
        raise FaultsError(faults, "sbatch")
    script = read.rest[0] if read.rest else None
    return Command(read.given, tuple(own), script, read.rest[1:])


def read_sbatch(text: str | bytes, source: str, command: Command, desk: Desk, rules: DoorRules) -> SbatchRead:
    """The task of a batch script. Raises FaultsError with every fault of the script and of the command line."""
    script = _checked(text, source)
    reader = _Reader(script, source, command, desk, rules)
    request = reader.request()
    if reader.faults:
        raise FaultsError(sorted(reader.faults, key=lambda one: one.line or 0), source)
    assert request is not None, "no fault means a request"
    names = reader.options
    return SbatchRead(request, tuple(reader.warnings), "wait" in names, "parsable" in names, "test-only" in names)


def _checked(text: str | bytes, source: str) -> str:
    """The script, if it is one."""
    if len(text) > SCRIPT_BYTES_MAX:
        limit = f"{SCRIPT_BYTES_MAX // 1024} KiB"
        raise FaultsError([Fault("too_large", "", f"{len(text)} B", None, {"limit": limit})], source)
    try:
        script = text.decode() if isinstance(text, bytes) else text
    except UnicodeDecodeError as error:
        raise FaultsError([Fault("not_utf8", "", f"byte {error.start}")], source) from None
    if "\0" in script:
        raise FaultsError([Fault("not_utf8", "", "NUL", script.count("\n", 0, script.index("\0")) + 1)], source)
    if "\r\n" in script:
        raise FaultsError([Fault("slurm_dos_lines", "", "", script.count("\n", 0, script.index("\r\n")) + 1)], source)
    if not script.startswith("#!") or not script.split("\n", 1)[0][2:].strip():
        raise FaultsError([Fault("slurm_no_shebang", "", script.split("\n", 1)[0][:80], 1)], source)
    return script


class _Reader:
    """One script on its way."""

    def __init__(self, script: str, source: str, command: Command, desk: Desk, rules: DoorRules) -> None:
        lines = read_script(script)
        self.script, self.command, self.desk, self.rules = script, command, desk, rules
        self.faults = list(lines.faults)
        self.warnings = [late_warning(line) for line in lines.late[:1]]
        self.options: dict[str, Given] = {}
        for one in (*lines.given, *command.given):
            self._take(one)
        self.own = (*lines.own, *command.own)
        self.sources: list[Given | Own] = []
        self.draft = Draft()
        self.default_name = source.rpartition("/")[2] or "sbatch"

    def _take(self, one: Given) -> None:
        fate = one.option.fate
        if fate == "used":
            self.options.pop(one.option.name, None)  # the last one counts, and stands last
            self.options[one.option.name] = one
        elif fate == "none":
            self.warnings.append(one.warning("slurm_no_effect"))
        elif fate != "quiet":
            self.faults.append(one.fault(fate))

    # -- from an option to fields ------------------------------------------------------------------------------

    def _from(self, one: Given | Own) -> tuple[int]:
        """The place that a field came from: a number in `sources`."""
        self.sources.append(one)
        return (len(self.sources) - 1,)

    def _value(self, name: str, read: Callable[[str], Any]) -> Any:
        """The value of an option, or None where it is not given or has a fault."""
        one = self.options.get(name)
        if one is None:
            return None
        try:
            return read(one.value)
        except BadValueError as bad:
            self.faults.append(one.fault(bad.code, **bad.params))
            return None

    def _set(self, loc: tuple[str | int, ...], value: Any, name: str) -> None:
        one = self.options.get(name)
        self.draft.set(loc, value, self._from(one) if one is not None else ())

    def request(self) -> TaskRequest | None:
        job_name = self._name()
        self._resources()
        self._time()
        self._place()
        array = self._array()
        self._labels()
        self._environment()
        self._after()
        self._run(job_name, array)
        read_own(self.own, self.draft, self._from, self.faults)
        request, found = self.draft.finish(None)
        self.faults += [self._fault(one) for one in found]
        return request

    def _fault(self, found: Found) -> Fault:
        first = found.loc[0] if found.loc else None
        if not isinstance(first, int):
            return Fault(found.code, path_text(found.loc), found.shown(), None, found.params)
        one = self.sources[first]
        where = one.spelled if isinstance(one, Given) else f"{OWN_MARK if one.line else '--suanwang'} {one.key}"
        return Fault(found.code, where, found.shown() or one.value, one.line, found.params)

    def _name(self) -> str:
        one = self.options.get("job-name")
        wrapped = WRAP_NAME if self.command.wrapped is not None else self.default_name
        name = "".join(ch for ch in (one.value if one is not None else wrapped) if ch.isprintable())[:NAME_MAX]
        self._set(("name",), name or WRAP_NAME, "job-name")
        return name or WRAP_NAME

    def _resources(self) -> None:
        shape = shape_of(self.options, self.rules, self.faults, self.warnings)
        for name, (value, option) in shape.fields.items():
            self._set(("resources", name), value, option)
        self.variables = dict(shape.variables)
        self._set(("resources", "network"), self.rules.network, "")
        disk = self._value("tmp", memory_bytes)
        if disk is not None:
            self._set(("resources", "disk"), disk, "tmp")

    def _time(self) -> None:
        limit_us = self._value("time", time_limit_us)
        self._set(("resources", "wall_time"), limit_us or self.rules.wall_time_us, "time")
        for option, name in (("begin", "earliest_start"), ("deadline", "deadline")):
            at_us = self._value(option, lambda text: instant_us(text, self.desk.now_us, self.desk.zone))
            if at_us is not None:
                self._set((name,), at_us, option)
        # Slurm gives a failed job back to nobody; that a site is lost is no failure of the job.
        self._set(("retries",), 0, "")
        if "no-requeue" in self.options and "requeue" not in self.options:
            self.warnings.append(self.options["no-requeue"].warning("slurm_no_requeue"))

    def _place(self) -> None:
        """Constraints and clusters have to be met; of a partition only what they leave is a hint."""
        sites: list[str] | None = None
        for option, split, code in (("constraint", "&", _CONSTRAINT), ("clusters", ",", _CLUSTERS)):
            one = self.options.get(option)
            if one is None:
                continue
            words = [self._word(word.strip(), option, code) for word in one.value.split(split)]
            groups = [word for word in words if word]
            if option == "clusters":  # any of them
                groups = [[site for group in groups for site in group]] if groups else []
            for group in groups:
                sites = list(dict.fromkeys(site for site in group if sites is None or site in sites))
                if not sites:
                    self.faults.append(one.fault(code))
            if sites:
                self._set(("sites",), sites, option)
        self._partition(sites)

    def _word(self, word: str, option: str, code: str) -> list[str]:
        """The sites of a word of `--constraint` or `--clusters`; a kind or a model is noted, and is no site."""
        places = list(place_of(word, self.rules))
        sites = [site for loc, value in places if loc == ("sites",) for site in value]
        if not places or (option == "clusters" and not sites):
            self.faults.append(self.options[option].fault(code))
        for loc, value in places:
            if loc != ("sites",):
                self._note(loc, value, option)
        return sites

    def _partition(self, sites: list[str] | None) -> None:
        one = self.options.get("partition")
        if one is None:
            return
        self.variables["SLURM_JOB_PARTITION"] = one.value
        found = [place for name in one.value.split(",") for place in partition_of(name, self.rules)]
        if not found:
            self.warnings.append(one.warning("slurm_partition_hint"))
        hinted = [site for loc, value in found if loc == ("sites",) for site in value]
        hinted = list(dict.fromkeys(site for site in hinted if sites is None or site in sites))
        if hinted:
            self._set(("sites",), hinted, "partition")
        for loc, value in found:
            if loc != ("sites",):
                self._note(loc, value, "partition")

    def _note(self, loc: Loc, value: Any, option: str) -> None:
        """A model is taken where cards are asked for and none was named; a kind where none stands."""
        resources = self.draft.data["resources"]
        if loc[-1] == "accelerator":
            if resources.get("accelerators") and resources.get("accelerator") in (None, "any"):
                self._set(loc, value, option)
        elif "kind" not in resources and not resources.get("accelerators"):
            self._set(loc, value, option)

    def _array(self) -> ArrayIds | None:
        found: ArrayIds | None = self._value("array", array_ids)
        if found is None:
            return None
        count = len(found.ids)
        self._set(("array",), count, "array")
        if found.at_once is not None and found.at_once < count:
            self._set(("at_once",), found.at_once, "array")
        return found

    def _labels(self) -> None:
        tags = {_JOB_TAG: "sbatch"}
        for option in ("account", "comment", "qos"):
            one = self.options.get(option)
            if one is not None and one.value:
                tags[f"{_JOB_TAG}.{option}"] = one.value[:NAME_MAX]
        self._set(("tags",), tags, "comment" if "comment" in self.options else "account")
        one = self.options.get("qos")
        if one is not None and one.value in self.rules.priorities:
            self._set(("priority",), self.rules.priorities[one.value], "qos")
        elif one is not None:
            self.warnings.append(one.warning("slurm_qos_unknown"))
        for option, name in (("account", "SLURM_JOB_ACCOUNT"), ("qos", "SLURM_JOB_QOS")):
            if option in self.options:
                self.variables[name] = self.options[option].value

    def _environment(self) -> None:
        """`--export`: the variables that it names. The terminal's whole environment would bring secrets into the log."""
        one = self.options.get("export")
        values: dict[str, str] = {}
        for word in one.value.split(",") if one is not None else ():
            name, equals, value = word.partition("=")
            if not equals and name in ("NONE", "NIL", ""):
                continue
            if not equals and name == "ALL":
                self.warnings.append(self.options["export"].warning("slurm_export_all"))
            elif not equals and name not in self.desk.environment:
                self.faults.append(self.options["export"].fault("slurm_export_unset", name=name))
            else:
                values[name] = value if equals else self.desk.environment[name]
        if values:
            self._set(("environment",), values, "export")

    def _after(self) -> None:
        one = self.options.get("dependency")
        kill = self.options.get("kill-on-invalid-dep")
        if kill is not None and kill.value.lower() not in ("yes", "y"):
            self.faults.append(kill.fault("slurm_dependency_kept"))
        asked = list(dict.fromkeys(self._value("dependency", dependencies) or ()))
        if one is not None and len(asked) > AFTER_MAX:  # each would be a question to the brain
            self.faults.append(Fault("too_long", one.spelled, f"{len(asked)}", one.line, {"limit": AFTER_MAX}))
            return
        found = {job: self.desk.job(job) for job in dict.fromkeys(follows.job for follows in asked)}
        for follows in asked:
            assert one is not None, "it has a value"
            task_id = found[follows.job]
            if task_id is None:
                self.faults.append(one.fault("slurm_job_unknown", job=follows.job))
            else:
                self.draft.add("after", {"task": task_id, "when": follows.kind}, self._from(one))

    # -- the command and its files -----------------------------------------------------------------------------

    def _run(self, job_name: str, array: ArrayIds | None) -> None:
        batch = Batch(self.script, self.command.arguments, job_name, self.desk.user, self.variables, array)
        batch = replace(batch, folder=self._folder())
        output, error, stdin = (self._file(name) for name in ("output", "error", "input"))
        default = "slurm-%j.out" if array is None else "slurm-%A_%a.out"
        output = None if output == "/dev/null" else self._inner(output or default)
        error = None if error is None or error == "/dev/null" else self._inner(error)
        if error == output:
            error = None
        stdin = None if stdin in (None, "/dev/null") else self._inner(stdin)
        batch = replace(batch, output=output, error=error, input=stdin)
        inside = self._inside(batch.folder)
        for name, path in (("output", output), ("error", error)):
            if path is not None:
                one = self.options.get(name)
                kept = {"path": f"{inside}{glob_of(path, batch)}", "always": True}
                self.draft.add("outputs", kept, self._from(one) if one is not None else ())
        if stdin is not None:
            self._input(stdin, inside, batch)
        command = command_of(batch)
        if len(command) > SCRIPT_CHARS_MAX:
            self.faults.append(Fault("too_long", "", f"{len(command)} characters", None, {"limit": SCRIPT_CHARS_MAX}))
            command = "true"
        self._set(("run",), command, "")

    def _input(self, pattern: str, inside: str, batch: Batch) -> None:
        """The file of `--input`, or with `%a` the file of each element."""
        one = self.options["input"]
        try:
            paths = input_names(pattern, batch)
        except BadValueError as bad:
            self.faults.append(one.fault(bad.code, **bad.params))
            return
        for path in paths:
            self.draft.add("inputs", {"source": path, "path": f"{inside}{path}"}, self._from(one))

    def _file(self, name: str) -> str | None:
        one = self.options.get(name)
        if one is None or not one.value:
            return None
        try:
            check_pattern(one.value)
        except BadValueError as bad:
            self.faults.append(one.fault(bad.code, **bad.params))
            return None
        return one.value

    @staticmethod
    def _inner(path: str) -> str:
        """There is no shared file system: an absolute name lies below the folder of the task."""
        return "/".join(part for part in path.split("/") if part not in ("", "."))

    def _folder(self) -> str:
        """`--chdir`: inside the task's folder, or absolute and shown there."""
        one = self.options.get("chdir")
        if one is None or one.value.strip("/") in ("", "."):
            return ""
        path = one.value.rstrip("/")
        if path.startswith("/"):
            mount = {"path": path, "folder": f"{_ABSOLUTE}{path}"}
            self.draft.add("mounts", mount, self._from(one))
            return path
        if ".." in path.split("/"):
            self.faults.append(one.fault("inner_path_form"))
        return self._inner(path)

    @staticmethod
    def _inside(folder: str) -> str:
        """The same in the task's folder, to put before a path."""
        inner = f"{_ABSOLUTE}{folder}" if folder.startswith("/") else folder
        return f"{inner}/" if inner else ""


def used_options() -> Iterator[str]:
    """The options that mean something here, for the guide's test."""
    from suanwang.intent.slurm_options import OPTIONS

    yield from (name for name, one in OPTIONS.items() if one.fate == "used")
