"""Kubernetes Jobs to task requests, with every fault at its line. Pure. `docs/guide/kubernetes.md` says what stands for what.

A file may hold several Jobs, and the ConfigMaps that they take files and variables from.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from suanwang.intent.document import Document, Loc, parse
from suanwang.intent.foreign import SCRIPT_CHARS_MAX, Draft, Translated, image_of, known_fault, model_of, tags_of
from suanwang.intent.kubernetes_fields import judged, quantity, whole_up
from suanwang.intent.mapping import Found, path_text
from suanwang.intent.own_lines import Place, comment_lines, read_own
from suanwang.intent.read import check
from suanwang.intent.slurm_options import OWN_MARK, Own
from suanwang.intent.slurm_values import BadValueError
from suanwang.intent.yaml_parts import Part, parts_of
from suanwang.model.doors import DoorRules
from suanwang.model.error import Fault, FaultsError
from suanwang.model.kubernetes import K8sConfigMap, K8sContainer, K8sEnv, K8sJob, K8sVolume
from suanwang.model.task import TaskRequest
from suanwang.model.units import US_PER_S

JOB, MAP = ("batch/v1", "Job"), ("v1", "ConfigMap")
ANNOTATION: Final = "suanwang.org/"  # `suanwang.org/latency: metro` asks for what `#SUANWANG latency=metro` does
ROOT: Final = "root"  # of the task's folder: where absolute folders lie in it
BACKOFF_DEFAULT: Final = 6  # of Kubernetes
RETRIES_MAX: Final = 20
NAME_MAX: Final = 200
_TEMPLATE: Final = ("spec", "template", "spec")
_BOX: Final = (*_TEMPLATE, "containers", 0)
_INDEX: Final = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
_INDEX_NAME: Final = "JOB_COMPLETION_INDEX"
_INDEX_WORD: Final = '"$SUANWANG_ARRAY_INDEX"'
_ENV_NAME: Final = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
_REFERENCE: Final = re.compile(r"\$(\$?)\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
# Labels of nodes that mean something to the grid. Of the others a Job that selects by them would be promised what nobody keeps.
_PLACES: Final = frozenset({"topology.kubernetes.io/region", "topology.kubernetes.io/zone", f"{ANNOTATION}site"})
_MODELS: Final = frozenset(
    {"nvidia.com/gpu.product", "cloud.google.com/gke-accelerator", "accelerator", f"{ANNOTATION}accelerator"}
)
_ANYWHERE: Final = frozenset({"kubernetes.io/os"})


def read_kubernetes(text: str | bytes, source: str, rules: DoorRules) -> Translated:
    """The tasks of a file. Raises FaultsError with every fault of every document."""
    documents, faults = _documents(text, source)
    maps: dict[str, K8sConfigMap] = {}
    jobs: list[tuple[Document, Part, K8sJob]] = []
    for document, part in documents:
        found: list[Found] = []
        kind = (document.data.get("apiVersion"), document.data.get("kind")) if isinstance(document.data, dict) else ()
        if kind == MAP:
            one, found = check(K8sConfigMap, document)
            if one is not None:
                maps[one.metadata.name or ""] = one
                found = [Found(code, loc, "") for loc, code in judged(one) if code]
        elif kind == JOB:
            job, found = check(K8sJob, document)
            if job is not None:
                jobs.append((document, part, job))
        else:
            found = [Found("k8s_kind", ("kind",), "/".join(str(word) for word in kind if word))]
        faults += _faults(found, document)
    requests: list[TaskRequest] = []
    warnings: list[Fault] = []
    for document, part, job in jobs:
        reader = _Reader(job, maps, rules)
        request = reader.request(part, partial(_place_in, document), faults)
        faults += _faults(reader.found, document)
        warnings += [_fault(one, document) for one in reader.told]
        if request is not None:
            requests.append(request)
    if not jobs and not faults:
        faults.append(Fault("k8s_no_job", "kind", "ConfigMap"))
    if faults:
        raise FaultsError(sorted(faults, key=lambda one: one.line or 0), source)
    return Translated(tuple(requests), tuple(warnings))


def _documents(text: str | bytes, source: str) -> tuple[list[tuple[Document, Part]], list[Fault]]:
    out: list[tuple[Document, Part]] = []
    faults: list[Fault] = []
    for part in parts_of(text, source):
        try:
            out.append((parse(part.text, source), part))
        except FaultsError as error:
            faults += error.faults
    return out, faults


def _place_in(document: Document, one: Own) -> tuple[str, int | None]:
    """Where a wish stands: a comment, or an annotation with its line."""
    if one.line is not None:
        return f"{OWN_MARK} {one.key}", one.line
    loc = _origin_of(one)
    return path_text(loc), document.line_of(loc)


def _origin_of(one: Own) -> Loc:
    """Where a wish stands: a comment with its line, or an annotation."""
    return ("#", one.line, one.key) if one.line is not None else ("metadata", "annotations", ANNOTATION + one.key)


def _faults(found: Sequence[Found], document: Document) -> list[Fault]:
    return [_fault(one, document) for one in found]


def _fault(one: Found, document: Document) -> Fault:
    if one.loc[:1] == ("#",):
        line = one.loc[1]
        assert isinstance(line, int), "a comment has its line"
        return Fault(one.code, f"{OWN_MARK} {one.loc[2]}", one.shown(), line, one.params)
    return Fault(one.code, path_text(one.loc), one.shown(), document.line_of(one.loc), one.params)


@dataclass(frozen=True)
class _File:
    """A file of a ConfigMap, to be there before the command."""

    path: str  # inside the task's folder
    content: str


class _Reader:
    """One Job on its way."""

    def __init__(self, job: K8sJob, maps: Mapping[str, K8sConfigMap], rules: DoorRules) -> None:
        self.job, self.maps, self.rules = job, maps, rules
        self.found: list[Found] = []
        self.told: list[Found] = []  # what has no effect
        self.draft = Draft()
        self.files: list[_File] = []
        self.variables: dict[str, str] = {}
        self.by_index: list[str] = []  # variables that hold the element's number
        self.late: dict[str, str] = {}  # what only the shell knows where it runs -> the shell word for it
        self.made: list[str] = []  # variables that are made of such

    @property
    def pod(self) -> Any:
        return self.job.spec.template.spec

    @property
    def box(self) -> K8sContainer:
        return self.job.spec.template.spec.containers[0]

    def request(self, part: Part, place: Place, faults: list[Fault]) -> TaskRequest | None:
        for loc, code in judged(self.job):
            if code:
                self.found.append(Found(code, loc, loc[-1]))
            else:
                self._tell("k8s_no_effect", loc, loc[-1])
        if len(self.pod.containers) > 1:
            self.found.append(Found("k8s_containers", (*_TEMPLATE, "containers", 1), self.pod.containers[1].name))
        self._labels()
        self._counts()
        self._times()
        self._resources()
        self._place()
        self._environment()
        self._volumes()
        self._command()
        own = [*comment_lines(part), *self._annotations()]
        read_own(own, self.draft, _origin_of, faults, place)
        request, found = self.draft.finish(None)
        self.found += found
        return request

    def _tell(self, code: str, loc: Loc, got: Any, **params: Any) -> None:
        """A word on what has no effect."""
        self.told.append(Found(code, loc, got, params))

    def _labels(self) -> None:
        meta = self.job.metadata
        name = (meta.name or (meta.generateName or "job").rstrip("-"))[:NAME_MAX]
        self.draft.set(("name",), name, ("metadata", "name"))
        template = self.job.spec.template.metadata
        labels = {**((template.labels if template else None) or {}), **(meta.labels or {})}
        tags = tags_of(labels)
        tags["kubernetes"] = meta.namespace or "default"
        self.draft.set(("tags",), tags, ("metadata", "labels"))

    def _annotations(self) -> Iterator[Own]:
        for name, value in (self.job.metadata.annotations or {}).items():
            if name.startswith(ANNOTATION):
                yield Own(name.removeprefix(ANNOTATION), value, None)

    def _counts(self) -> None:
        """So many elements, so many at once, so many tries."""
        spec = self.job.spec
        many, at_once = spec.completions, spec.parallelism
        if spec.suspend or at_once == 0 or many == 0:
            loc = "suspend" if spec.suspend else "parallelism" if at_once == 0 else "completions"
            self.found.append(Found("k8s_suspend", ("spec", loc), getattr(spec, loc)))
        elif many is None and (at_once or 1) > 1:
            self.found.append(Found("k8s_work_queue", ("spec", "parallelism"), at_once))
        elif (many or 1) > 1:
            self.draft.set(("array",), many, ("spec", "completions"))
            if (at_once or 1) < (many or 1):
                self.draft.set(("at_once",), at_once or 1, ("spec", "parallelism"))
        if spec.completionMode == "Indexed" and many is None:
            self.found.append(Found("missing", ("spec", "completions"), "", {"field": "completions"}))
        tries = BACKOFF_DEFAULT if spec.backoffLimit is None else spec.backoffLimit
        if tries > RETRIES_MAX:
            self._tell("k8s_backoff", ("spec", "backoffLimit"), tries, limit=RETRIES_MAX)
        self.draft.set(("retries",), min(tries, RETRIES_MAX), ("spec", "backoffLimit"))

    def _times(self) -> None:
        given = [
            (seconds, loc)
            for seconds, loc in (
                (self.job.spec.activeDeadlineSeconds, ("spec", "activeDeadlineSeconds")),
                (self.pod.activeDeadlineSeconds, (*_TEMPLATE, "activeDeadlineSeconds")),
            )
            if seconds is not None
        ]
        wall_us, loc = min(((seconds * US_PER_S, loc) for seconds, loc in given), default=(self.rules.wall_time_us, ()))
        self.draft.set(("resources", "wall_time"), wall_us, loc)
        self.draft.set(("resources", "network"), self.rules.network, ())
        name = self.pod.priorityClassName
        if name is not None and name in self.rules.priorities:
            self.draft.set(("priority",), self.rules.priorities[name], (*_TEMPLATE, "priorityClassName"))
        elif name is not None:
            self._tell("k8s_priority_unknown", (*_TEMPLATE, "priorityClassName"), name)

    # -- what it holds, and where ------------------------------------------------------------------------------

    def _resources(self) -> None:
        """What is a limit is held; without a limit the request is, since here they are one."""
        given = self.box.resources
        limits, requests = (given.limits or {}) if given else {}, (given.requests or {}) if given else {}
        cards = 0
        for name in dict.fromkeys((*limits, *requests)):
            side = "limits" if name in limits else "requests"
            loc = (*_BOX, "resources", side, name)
            try:
                amount = whole_up({**requests, **limits}[name])
            except BadValueError as bad:
                self.found.append(Found(bad.code, loc, {**requests, **limits}[name]))
                continue
            field = {"cpu": "cpu", "memory": "memory", "ephemeral-storage": "disk"}.get(name)
            if field is not None:
                self.draft.set(("resources", field), max(1, amount) if field == "cpu" else amount, loc)
            elif "/" in name:
                cards += self._cards(name, amount, cards, loc)
            else:
                self.found.append(Found("k8s_resource", loc, name))

    def _cards(self, name: str, amount: int, before: int, loc: Loc) -> int:
        """`nvidia.com/gpu`, `huawei.com/Ascend910`: cards of any model, or of the one that the name is of."""
        if before:
            self.found.append(Found("k8s_cards_twice", loc, name))
        if not amount:
            return 0
        last = name.rpartition("/")[2]
        model = model_of(last, self.rules)
        self.draft.set(("resources", "accelerators"), amount, loc)
        self.draft.set(("resources", "accelerator"), model if model in self.rules.accelerators else "any", loc)
        return amount

    def _place(self) -> None:
        for label, value in (self.pod.nodeSelector or {}).items():
            loc = (*_TEMPLATE, "nodeSelector", label)
            if label in _PLACES and value in self.rules.zones:
                before = self.draft.data.get("sites")
                sites = [one for one in self.rules.zones[value] if before is None or one in before]
                if not sites:
                    self.found.append(Found("k8s_selector", loc, value))
                self.draft.set(("sites",), sites, loc)
            elif label in _MODELS and self.draft.data["resources"].get("accelerators"):
                self.draft.set(("resources", "accelerator"), model_of(value, self.rules), loc)
            elif label not in _ANYWHERE or value != "linux":
                names = sorted(_PLACES | _MODELS | _ANYWHERE)
                self.found.append(known_fault("k8s_selector", loc, f"{label}: {value}", names))

    # -- variables and files -----------------------------------------------------------------------------------

    def _environment(self) -> None:
        secrets: list[str] = []
        for at, one in enumerate(self.box.envFrom or ()):
            loc: Loc = (*_BOX, "envFrom", at)
            if one.secretRef is not None or one.configMapRef is None:
                self.found.append(Found("k8s_secret_all", loc, one.secretRef.name if one.secretRef else ""))
            else:
                for key, value in self._map(
                    one.configMapRef.name, one.configMapRef.optional, (*loc, "configMapRef")
                ).items():
                    self.variables[f"{one.prefix or ''}{key}"] = value
        for at, env in enumerate(self.box.env or ()):
            self._variable(env, (*_BOX, "env", at), secrets)
        for name in (*self.variables, *self.by_index, *self.made):
            if not _ENV_NAME.match(name):
                self.found.append(Found("env_name_form", (*_BOX, "env"), name))
        self.draft.set(
            ("environment",), {k: v for k, v in self.variables.items() if _ENV_NAME.match(k)}, (*_BOX, "env")
        )
        self.draft.set(("secrets",), secrets, (*_BOX, "env"))

    def _variable(self, one: K8sEnv, loc: Loc, secrets: list[str]) -> None:
        source = one.valueFrom
        if source is None:
            self._written(one.name, one.value or "")
        elif source.configMapKeyRef is not None:
            ref, where = source.configMapKeyRef, (*loc, "valueFrom", "configMapKeyRef")
            values = self._map(ref.name, ref.optional, where)
            if ref.key in values:
                self._forget(one.name)
                self.variables[one.name] = values[ref.key]
            elif not ref.optional and ref.name in self.maps:
                self.found.append(Found("k8s_key", (*where, "key"), ref.key, {"map": ref.name}))
        elif source.secretKeyRef is not None:
            secrets.append(one.name)
            self.late[one.name] = f'"${one.name}"'
        elif source.fieldRef is not None and source.fieldRef.fieldPath == _INDEX:
            self._forget(one.name)
            self.by_index.append(one.name)
            self.late[one.name] = _INDEX_WORD
        else:
            got = source.fieldRef.fieldPath if source.fieldRef is not None else ""
            self.found.append(Found("k8s_value_from", (*loc, "valueFrom"), got))

    def _map(self, name: str, optional: bool | None, loc: Loc) -> dict[str, str]:
        if name not in self.maps and not optional:
            self.found.append(Found("k8s_map_missing", (*loc, "name"), name))
        return (self.maps[name].data or {}) if name in self.maps else {}

    def _written(self, name: str, value: str) -> None:
        """A variable with a value of its own; where that names a secret or the element's number it is made in the shell."""
        word, plain = self._expanded(value)
        self._forget(name)
        if plain is None:
            self.late[name] = word
            self.made.append(name)
        else:
            self.variables[name] = plain

    def _forget(self, name: str) -> None:
        """Of several variables of one name the last counts."""
        self.late.pop(name, None)
        self.variables.pop(name, None)
        for names in (self.made, self.by_index):
            if name in names:
                names.remove(name)

    def _expanded(self, text: str) -> tuple[str, str | None]:
        """The shell word for a text with `$(NAME)` as Kubernetes expands it, and the text itself where none of it is known in
        the shell only. `$$(NAME)` is `$(NAME)`, and what a variable brings in is expanded no more."""
        out: list[str] = []
        plain, at = "", 0
        for found in _REFERENCE.finditer(text):
            plain, at = plain + text[at : found.start()], found.end()
            if found[1]:
                plain += found[0][1:]
            elif found[2] in self.late:
                out += [shlex.quote(plain) if plain else "", self.late[found[2]]]
                plain = ""
            else:
                plain += self.variables.get(found[2], found[0])
        plain += text[at:]
        if not out:
            return shlex.quote(plain), plain
        return "".join([*out, shlex.quote(plain) if plain else ""]), None

    def _volumes(self) -> None:
        volumes = {one.name: (at, one) for at, one in enumerate(self.pod.volumes or ())}
        for at, one in enumerate(self.pod.volumes or ()):
            if one.emptyDir is None and one.configMap is None:
                kind = next(
                    (name for name in K8sVolume.model_fields if name != "name" and getattr(one, name) is not None), ""
                )
                self.found.append(Found("k8s_volume", (*_TEMPLATE, "volumes", at), kind or one.name))
        for at, mount in enumerate(self.box.volumeMounts or ()):
            loc: Loc = (*_BOX, "volumeMounts", at)
            if mount.name not in volumes:
                self.found.append(Found("k8s_volume_missing", (*loc, "name"), mount.name))
                continue
            path = self._mount(mount.mountPath, (*loc, "mountPath"))
            where, volume = volumes[mount.name]
            if volume.configMap is not None:
                self._map_files(volume, path, (*_TEMPLATE, "volumes", where, "configMap"))
            elif volume.emptyDir is not None and volume.emptyDir.sizeLimit is not None:
                self._empty(volume, (*_TEMPLATE, "volumes", where, "emptyDir", "sizeLimit"))

    def _empty(self, volume: K8sVolume, loc: Loc) -> None:
        """A limit of its own is not kept, but room for it is made."""
        assert volume.emptyDir is not None and volume.emptyDir.sizeLimit is not None, "asked where there is one"
        try:
            size = whole_up(quantity_text(volume.emptyDir.sizeLimit))
        except BadValueError as bad:
            self.found.append(Found(bad.code, loc, volume.emptyDir.sizeLimit))
            return
        if self.draft.data["resources"].get("disk", 2**30) < size:
            self.draft.set(("resources", "disk"), size, loc)

    def _mount(self, path: str, loc: Loc) -> str:
        """A folder at an absolute path; where it lies in the task's folder."""
        clean = path.rstrip("/") or path
        inner = f"{ROOT}{clean}"
        if all(one["path"] != clean for one in self.draft.data.get("mounts", ())):
            at = len(self.draft.data.get("mounts", ()))
            self.draft.add("mounts", {"path": clean, "folder": inner}, loc)
            self.draft.origins["mounts", at, "path"] = self.draft.origins["mounts", at, "folder"] = loc
        return inner

    def _map_files(self, volume: K8sVolume, folder: str, loc: Loc) -> None:
        given = volume.configMap
        assert given is not None, "asked where there is one"
        data = self._map(given.name, given.optional, loc)
        items = {one.key: one.path for one in given.items} if given.items is not None else {key: key for key in data}
        for key, path in items.items():
            if key not in data:
                if given.name in self.maps and not given.optional:
                    self.found.append(Found("k8s_key", (*loc, "items"), key, {"map": given.name}))
            elif path.startswith("/") or ".." in path.split("/"):
                self.found.append(Found("inner_path_form", (*loc, "items"), path))
            else:
                self.files.append(_File(f"{folder}/{path}", data[key]))

    # -- the command -------------------------------------------------------------------------------------------

    def _command(self) -> None:
        box = self.box
        self.draft.set(("image",), image_of(box.image, self.rules), (*_BOX, "image"))
        self.draft.set(("run",), "true", _BOX)  # until there is one: what stands in for it is never run
        if not box.command:
            self.found.append(Found("k8s_command", _BOX, box.image))
            return
        if self.job.spec.completionMode == "Indexed":
            self.late[_INDEX_NAME] = _INDEX_WORD
        words = [self._expanded(one)[0] for one in (*box.command, *(box.args or ()))]
        if any("\0" in one for one in words):
            self.found.append(Found("nul_in_text", (*_BOX, "command")))
            return
        lines = [_file(one, number) for number, one in enumerate(self.files)]
        names = [*self.by_index, *([_INDEX_NAME] if self.job.spec.completionMode == "Indexed" else [])]
        lines += [f"export {name}={_INDEX_WORD}\n" for name in names]
        lines += [f"export {name}={self.late[name]}\n" for name in self.made]
        if box.workingDir and box.workingDir.strip("/"):
            where = box.workingDir.rstrip("/")
            if where.startswith("/"):
                self._working_mount(where)
            lines.append(f"mkdir -p {shlex.quote(where)} && cd {shlex.quote(where)} || exit 125\n")
        command = "".join(lines) + f"exec {' '.join(words)}\n"
        if len(command) > SCRIPT_CHARS_MAX:
            got = f"{len(command)} characters"
            self.found.append(Found("too_long", (*_BOX, "command"), got, {"limit": SCRIPT_CHARS_MAX}))
            return
        self.draft.set(("run",), command, (*_BOX, "command"))

    def _working_mount(self, where: str) -> None:
        """Below a folder that is mounted already nothing is to be done."""
        mounts = [one["path"] for one in self.draft.data.get("mounts", ())]
        if not any(where == one or where.startswith(f"{one}/") for one in mounts):
            self._mount(where, (*_BOX, "workingDir"))


def quantity_text(value: Any) -> str | int | float:
    """An amount, checked."""
    quantity(value)
    found: str | int | float = value
    return found


def _file(one: _File, number: int) -> str:
    """Shell that writes a file of a ConfigMap, byte for byte."""
    path = shlex.quote(one.path)
    return f'mkdir -p "$(dirname -- {path})" && printf %s {shlex.quote(one.content)} >{path} || exit 125\n'
