"""SkyPilot tasks to task requests, with every fault at its line. Pure. `docs/guide/skypilot.md` says what stands for what.

`any_of` and `ordered` give several requests, of which one is to be submitted: which fits, and for the least, the grid says.
"""

import re
import shlex
from collections.abc import Callable, Sequence
from math import ceil
from typing import Any, Final

from suanwang.intent.document import Document, Loc, parse
from suanwang.intent.foreign import SCRIPT_CHARS_MAX, Draft, Translated, image_of, model_of, place_of, tags_of
from suanwang.intent.mapping import Found, path_text
from suanwang.intent.own_lines import comment_lines, read_own
from suanwang.intent.read import check
from suanwang.intent.slurm_options import OWN_MARK, Own
from suanwang.intent.yaml_parts import Part
from suanwang.model.doors import DoorRules
from suanwang.model.error import Fault, FaultsError
from suanwang.model.skypilot import SkyChoice, SkyRecovery, SkyStorage, SkyTask
from suanwang.model.task import TaskRequest
from suanwang.model.units import GIB

ROOT: Final = "root"
CARDS_MAX: Final = 64
_AMOUNT: Final = re.compile(r"^(\d{1,7}(?:\.\d{1,6})?)\s*(?:gb|gib|g)?(\+?)$", re.ASCII | re.IGNORECASE)
_SCHEMES: Final = ("s3://", "https://", "http://")
_NO_EFFECT: Final = ("disk_tier", "network_tier", "autostop", "accelerator_args", "local_disk")
REFUSED: Final = {
    "ports": "sky_ports",
    "instance_type": "sky_instance",
    "max_hourly_cost": "sky_hourly",
    "volumes": "sky_volumes",
}
_TASK_NO_EFFECT: Final = ("inputs", "outputs", "config", "experimental", "event_callback", "api_server")
TASK_REFUSED: Final = {"service": "sky_ports", "pool": "sky_pool", "volumes": "sky_volumes"}
# Words that only a SkyPilot file has, at its top and in `resources`.
_TOP: Final = frozenset({"setup", "num_nodes", "workdir", "file_mounts", "envs", "service"})
_INSIDE: Final = frozenset(
    {
        "accelerators",
        "cpus",
        "any_of",
        "ordered",
        "infra",
        "cloud",
        "instance_type",
        "use_spot",
        "disk_size",
        "image_id",
    }
) | {"job_recovery"}

# One copy a node, each with its rank: by the site's own `srun` where it has one; on one host (or where a site's nodes are
# emulated by one sandbox) so many copies beside each other. The first that fails is the answer.
_NODES: Final = """\
export SKYPILOT_NUM_NODES={nodes}
if [ "$SKYPILOT_NUM_NODES" -gt 1 ] && [ -n "${{SLURM_JOB_ID:-}}" ] && command -v srun >/dev/null 2>&1; then
  SKYPILOT_NODE_IPS=$(scontrol show hostnames) && export SKYPILOT_NODE_IPS || exit 125
  exec srun --nodes="$SKYPILOT_NUM_NODES" --ntasks="$SKYPILOT_NUM_NODES" --ntasks-per-node=1 \\
    /bin/sh -c 'SKYPILOT_NODE_RANK=$SLURM_NODEID; export SKYPILOT_NODE_RANK; exec /bin/bash "$0"' "$S/task"
fi
SKYPILOT_NODE_IPS=
all= rank=0
while [ "$rank" -lt "$SKYPILOT_NUM_NODES" ]; do
  SKYPILOT_NODE_IPS="${{SKYPILOT_NODE_IPS:+$SKYPILOT_NODE_IPS
}}127.0.0.1"
  rank=$((rank + 1))
done
export SKYPILOT_NODE_IPS
rank=0
while [ "$rank" -lt "$SKYPILOT_NUM_NODES" ]; do
  SKYPILOT_NODE_RANK=$rank /bin/bash "$S/task" &
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
"""

Files = Callable[[str], Sequence[str] | None]  # a local folder -> the files below it; None where it is no folder


def is_skypilot(data: Any) -> bool:
    """Whether a document is one of SkyPilot's: by the words that only those have."""
    if not isinstance(data, dict) or "run" not in data:
        return False
    resources = data.get("resources")
    inside = resources if isinstance(resources, dict) else {}
    counted = isinstance(inside.get("accelerators"), int) and not isinstance(inside.get("accelerators"), bool)
    words = set(inside) - ({"accelerators"} if counted else set())
    return bool(_TOP & set(data)) or bool(_INSIDE & words) or isinstance(data.get("secrets"), dict)


def read_skypilot(part: Part, source: str, rules: DoorRules, files: Files) -> Translated:
    """The task of a file; several requests where it leaves a choice. Raises FaultsError with every fault."""
    document = parse(part.text, source)
    task, found = check(SkyTask, document)
    faults: list[Fault] = []
    requests: list[TaskRequest] = []
    told: list[Found] = []
    if task is not None:
        reader = _Reader(task, rules, files)
        requests = reader.requests(comment_lines(part), faults)
        found, told = _once(reader.found), _once(reader.told)
    faults += [_fault(one, document) for one in found]
    if faults:
        raise FaultsError(sorted(_distinct(faults), key=lambda one: one.line or 0), source)
    return Translated(tuple(requests), tuple(_fault(one, document) for one in told))


def _once(found: Sequence[Found]) -> list[Found]:
    """Each thing once, however many choices have it."""
    out: list[Found] = []
    for one in found:
        if one not in out:
            out.append(one)
    return out


def _distinct(faults: Sequence[Fault]) -> list[Fault]:
    out: list[Fault] = []
    for one in faults:
        if one not in out:
            out.append(one)
    return out


def _fault(one: Found, document: Document) -> Fault:
    if one.loc[:1] == ("#",):
        line = one.loc[1]
        assert isinstance(line, int), "a comment has its line"
        return Fault(one.code, f"{OWN_MARK} {one.loc[2]}", one.shown(), line, one.params)
    return Fault(one.code, path_text(one.loc), one.shown(), document.line_of(one.loc), one.params)


class _Reader:
    """One task on its way; each choice of resources is a request of its own."""

    def __init__(self, task: SkyTask, rules: DoorRules, files: Files) -> None:
        self.task, self.rules, self.files = task, rules, files
        self.found: list[Found] = []
        self.told: list[Found] = []
        self.draft = Draft()

    def requests(self, own: Sequence[Own | Fault], faults: list[Fault]) -> list[TaskRequest]:
        out = []
        for choice, loc in self._choices():
            self.draft = Draft()
            cards = self._resources(choice, loc)
            self._rest(cards)
            read_own(own, self.draft, lambda one: ("#", one.line or 0, one.key), faults)
            request, found = self.draft.finish(None)
            self.found += found
            if request is not None:
                out.append(request)
        return out

    def _tell(self, code: str, loc: Loc, got: Any) -> None:
        self.told.append(Found(code, loc, got))

    # -- resources ---------------------------------------------------------------------------------------------

    def _choices(self) -> list[tuple[SkyChoice, Loc]]:
        """Every set of resources that would do, in order, with where it stands."""
        base = self.task.resources
        if base is None:
            return [(SkyChoice(), ("resources",))]
        if base.any_of is not None and base.ordered is not None:
            self.found.append(Found("sky_any_and_ordered", ("resources", "ordered"), ""))
        name = "ordered" if base.ordered is not None else "any_of"
        many = base.ordered or base.any_of
        if many is None:
            plain: list[tuple[SkyChoice, Loc]] = [(base, ("resources",))]
        else:
            plain = [(_over(base, one), ("resources", name, at)) for at, one in enumerate(many)]
        return [(one, loc) for choice, loc in plain for one in _models(choice)]

    def _resources(self, choice: SkyChoice, loc: Loc) -> int:
        for name, code in REFUSED.items():
            if getattr(choice, name) is not None:
                self.found.append(Found(code, (*loc, name), getattr(choice, name)))
        for name in _NO_EFFECT:
            if getattr(choice, name) is not None:
                self._tell("sky_no_effect", (*loc, name), name)
        self._place(choice, loc)
        for name, field in (("cpus", "cpu"), ("memory", "memory"), ("disk_size", "disk")):
            value = getattr(choice, name)
            if value is not None:
                self._amount(str(value), field, (*loc, name))
        if choice.use_spot:
            self.draft.set(("preemptible",), True, (*loc, "use_spot"))
        self._recovery(choice, loc)
        if choice.image_id is not None:
            self._image(choice.image_id, (*loc, "image_id"))
        self.draft.set(("tags",), {**tags_of(choice.labels or {}), "skypilot": "task"}, (*loc, "labels"))
        if choice.priority is not None:
            self.draft.set(("priority",), max(0, min(100, choice.priority)), (*loc, "priority"))
        return self._cards(choice, (*loc, "accelerators"))

    def _place(self, choice: SkyChoice, loc: Loc) -> None:
        sites: list[str] | None = None
        for name in ("infra", "cloud", "region", "zone"):
            word = getattr(choice, name)
            if word is None or word == "*":
                continue
            found = [value for where, value in place_of(word.rpartition("/")[2], self.rules) if where == ("sites",)]
            if not found:
                self.found.append(Found("sky_place", (*loc, name), word))
                continue
            sites = [one for one in found[0] if sites is None or one in sites]
            if not sites:  # none at all would be any
                self.found.append(Found("sky_place", (*loc, name), word))
            self.draft.set(("sites",), sites, (*loc, name))

    def _amount(self, text: str, field: str, loc: Loc) -> None:
        """At least so much (`4+`) is so much here: what is held is what is paid for."""
        found = _AMOUNT.match(text)
        if found is None:
            self.found.append(Found("sky_amount", loc, text))
            return
        number = float(found[1])
        value = max(1, ceil(number)) if field == "cpu" else int(number * GIB)
        self.draft.set(("resources", field), value, loc)

    def _recovery(self, choice: SkyChoice, loc: Loc) -> None:
        given = choice.job_recovery
        tries = given.max_restarts_on_errors if isinstance(given, SkyRecovery) else None
        self.draft.set(("retries",), tries or 0, (*loc, "job_recovery"))
        if isinstance(given, SkyRecovery) and given.recover_on_exit_codes is not None:
            self._tell("sky_no_effect", (*loc, "job_recovery", "recover_on_exit_codes"), "recover_on_exit_codes")

    def _image(self, given: str | dict[str, str], loc: Loc) -> None:
        if isinstance(given, str) and given.startswith("docker:"):
            self.draft.set(("image",), image_of(given.removeprefix("docker:"), self.rules), loc)
        else:
            self.found.append(Found("sky_image", loc, given))

    def _cards(self, choice: SkyChoice, loc: Loc) -> int:
        given = choice.accelerators
        if given is None:
            return 0
        assert isinstance(given, str), "a choice has one model"
        name, _, count = given.partition(":")
        # `²` is a digit to Python, and no number; nor does it read numbers of thousands of digits.
        counted = not count or (count.isascii() and count.isdigit() and len(count) <= 9)
        if not name or not counted or not 1 <= int(count or 1) <= CARDS_MAX:
            self.found.append(Found("sky_accelerators", loc, given))
            return 0
        self.draft.set(("resources", "accelerator"), model_of(name, self.rules), loc)
        self.draft.set(("resources", "accelerators"), int(count or 1), loc)
        return int(count or 1)

    # -- all else ----------------------------------------------------------------------------------------------

    def _rest(self, cards: int) -> None:
        task = self.task
        for name, code in TASK_REFUSED.items():
            if getattr(task, name) is not None:
                self.found.append(Found(code, (name,), name))
        for name in _TASK_NO_EFFECT:
            if getattr(task, name) is not None:
                self._tell("sky_no_effect", (name,), name)
        self.draft.set(("name",), task.name or "sky-task", ("name",))
        self.draft.set(("resources", "wall_time"), self.rules.wall_time_us, ())
        self.draft.set(("resources", "network"), self.rules.network, ())
        if (task.num_nodes or 1) > 1:
            self.draft.set(("resources", "nodes"), task.num_nodes, ("num_nodes",))
        self._variables()
        self._workdir()
        self._mounts()
        self._command(cards)

    def _variables(self) -> None:
        values: dict[str, str] = {}
        for name, value in (self.task.envs or {}).items():
            if value is None:
                self.found.append(Found("sky_env_unset", ("envs", name), name))
            else:
                values[name] = str(value).lower() if isinstance(value, bool) else str(value)
        self.draft.set(("environment",), values, ("envs",))
        for name, value in (self.task.secrets or {}).items():
            if value:
                self.found.append(Found("sky_secret_value", ("secrets", name), name))
        self.draft.set(("secrets",), list(self.task.secrets or {}), ("secrets",))

    def _workdir(self) -> None:
        given = self.task.workdir
        if isinstance(given, dict):
            self.found.append(Found("sky_workdir_git", ("workdir",), ""))
        elif given is not None:
            self._folder(given, "", ("workdir",))

    def _folder(self, source: str, inside: str, loc: Loc) -> None:
        """Every file below a local folder is an input of its own."""
        found = self.files(source)
        if found is None:
            self.found.append(Found("sky_no_folder", loc, source))
            return
        base = "" if source.rstrip("/") in ("", ".") else source.rstrip("/").removeprefix("./") + "/"
        for one in found:
            self._input(f"{base}{one}", f"{inside}{one}", loc)

    def _input(self, source: str, path: str, loc: Loc) -> None:
        at = len(self.draft.data.get("inputs", ()))
        self.draft.add("inputs", {"source": source, "path": path}, loc)
        self.draft.origins["inputs", at, "source"] = self.draft.origins["inputs", at, "path"] = loc

    def _mounts(self) -> None:
        for target, given in (self.task.file_mounts or {}).items():
            loc: Loc = ("file_mounts", target)
            source = given.source if isinstance(given, SkyStorage) else given
            if isinstance(given, SkyStorage) and (given.mode or "MOUNT").upper() != "COPY":
                self.found.append(Found("sky_mount", (*loc, "mode") if given.mode else loc, given.mode or ""))
            elif not isinstance(source, str):
                self.found.append(Found("sky_mount", loc, ""))
            else:
                self._one_mount(target, source, loc)

    def _one_mount(self, target: str, source: str, loc: Loc) -> None:
        path = target.rstrip("/").removeprefix("~/").removeprefix("./")
        if path.startswith("/"):
            top = f"/{path.split('/')[1]}"
            if all(one["path"] != top for one in self.draft.data.get("mounts", ())):
                self.draft.add("mounts", {"path": top, "folder": f"{ROOT}{top}"}, loc)
            path = f"{ROOT}{path}"
        if source.startswith(_SCHEMES) or "://" in source:
            if source.endswith("/") or (source.startswith("s3://") and source.count("/") < 3):
                self.found.append(Found("sky_bucket", loc, source))
            else:
                self._input(source, path, loc)
        elif self.files(source) is None:
            self._input(source.removeprefix("./"), path, loc)
        else:
            self._folder(source, f"{path}/", loc)

    def _command(self, cards: int) -> None:
        """`setup`, then `run`, in one shell of bash on each node."""
        self.draft.set(("run",), "true", ("run",))  # until there is one: what stands in for it is never run
        script = _script(self.task.setup, self.task.run)
        end = "SUANWANG_SCRIPT_END"
        while end in script.split("\n"):
            end += "_"
        command = (
            'umask 022\nS="$PWD/.sky"\nmkdir -p "$S" || exit 125\n'
            f'export SKYPILOT_NUM_GPUS_PER_NODE={cards} SKYPILOT_TASK_ID="$SUANWANG_TASK_ID"\n'
            f"cat >\"$S/task\" <<'{end}' || exit 125\n{script}{end}\n" + _NODES.format(nodes=self.task.num_nodes or 1)
        )
        if len(command) > SCRIPT_CHARS_MAX:
            self.found.append(Found("too_long", ("run",), f"{len(command)} characters", {"limit": SCRIPT_CHARS_MAX}))
            return
        self.draft.set(("run",), command, ("run",))


def _script(setup: str | None, run: str) -> str:
    """A setup that fails ends the task: in a shell of its own, so that an `exit` in it ends no more than it."""
    first = f"( {shlex.join(['eval', setup])} ) || exit\n" if setup and setup.strip() else ""
    return first + (run if run.endswith("\n") else run + "\n")


def _over(base: SkyChoice, inner: SkyChoice) -> SkyChoice:
    """A choice with what is said outside of it."""
    outside = {name: getattr(base, name) for name in SkyChoice.model_fields}
    given = {name: value for name in SkyChoice.model_fields if (value := getattr(inner, name)) is not None}
    return SkyChoice.model_construct(**{**outside, **given})


def _models(choice: SkyChoice) -> list[SkyChoice]:
    """One choice for each model of a list or a mapping."""
    given = choice.accelerators
    if isinstance(given, dict):
        names = [f"{name}:{_plain(count)}" for name, count in given.items()]
    elif isinstance(given, list):
        names = list(given)
    else:
        return [choice]
    fields = {name: getattr(choice, name) for name in SkyChoice.model_fields}
    return [SkyChoice.model_construct(**{**fields, "accelerators": one}) for one in names]


def _plain(count: int | float) -> str:
    return str(int(count)) if int(count) == count else str(count)
