"""A GA4GH TES task to a task request, with every fault at once. Pure: its files are handed back beside it.

The document itself is handed back too, whole, to be kept: what a user sent is never lost in a translation.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from math import ceil
from typing import Any, Final

from blake3 import blake3

from suanwang.intent.document import TASK_BYTES_MAX, Document, Loc, parse
from suanwang.intent.mapping import Found
from suanwang.intent.read import check, check_task, raise_found
from suanwang.intent.tes_parameters import read_parameters
from suanwang.intent.tes_script import KEPT_FOLDER, script_of
from suanwang.intent.tes_tags import DOCUMENT_TAG, tag_name, tag_value
from suanwang.model.task import MOUNTS_MAX, OWN_FOLDERS, PATH_CHARS_MAX, TaskRequest
from suanwang.model.tes import TesOutput, TesTask
from suanwang.model.units import GIB

ROOT_FOLDER: Final = "root"  # of the task's folder: `/data/x` of TES is `root/data/x` there
PATH_MAX: Final = PATH_CHARS_MAX - len(ROOT_FOLDER)
OBJECT: Final = "object:"
NAME_MAX: Final = 200
SCRIPT_CHARS_MAX: Final = 64 * 1024  # what `run` takes
_PARAMETERS: Final = ("resources", "backend_parameters")
_GLOB: Final = frozenset("*?[")
_ENV: Final = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,127}\Z")


@dataclass(frozen=True)
class TesRules:
    """What the operator and the grid say about tasks of TES."""

    host_images: tuple[str, ...] = ()  # patterns of images that stand for the site's own system
    network: bool = False  # such tasks ask for a network
    wall_time_us: int = 3_600_000_000  # of a task that does not say
    zones: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # a site or a region -> its sites


@dataclass(frozen=True)
class TesRead:
    """`contents`: bytes by their blake3, to be objects before the task is submitted; the document is one of them."""

    request: TaskRequest
    digest: str  # of the document
    contents: dict[str, bytes]
    warnings: tuple[tuple[str, str], ...]  # the key of a text below `tes.`, and what it is about


def tes_document(raw: bytes | str) -> dict[str, Any]:
    """A kept document."""
    found: dict[str, Any] = json.loads(raw)
    return found


def tes_warnings(document: Mapping[str, Any], rules: TesRules) -> tuple[tuple[str, str], ...]:
    """What of a document that was taken has no effect here."""
    resources = document.get("resources") or {}
    given = resources.get("backend_parameters") or {}
    out = [("parameter_unknown", name) for name in read_parameters(given, False, ()).unknown]
    out += [("zone_unknown", zone) for zone in resources.get("zones") or () if zone not in rules.zones]
    return tuple(out)


def read_tes(text: str | bytes, rules: TesRules, now_us: int | None = None) -> TesRead:
    """The task of a TES document. Raises FaultsError with every fault, each at its place in the document."""
    document = parse(text, "body", TASK_BYTES_MAX)
    task, found = check(TesTask, document)
    if task is None:
        raise_found(found, document)
    assert task is not None, "no fault means a task"
    reader = _Reader(task, rules)
    request = reader.request(now_us)
    raise_found(reader.found, document)
    assert request is not None, "no fault means a request"
    kept = json.dumps(document.data, ensure_ascii=False, separators=(",", ":")).encode()
    digest = blake3(kept).hexdigest()
    tags = {**request.tags, **reader.hashed_tags, DOCUMENT_TAG: digest}
    return TesRead(
        request.model_copy(update={"tags": tags}),
        digest,
        {**reader.contents, digest: kept},
        tes_warnings(document.data, rules),
    )


class _Reader:
    """One document on its way. `origins`: a field of the request -> the field of the document that it came from."""

    def __init__(self, task: TesTask, rules: TesRules) -> None:
        self.task = task
        self.rules = rules
        self.found: list[Found] = []
        self.contents: dict[str, bytes] = {}
        self.hashed_tags: dict[str, str] = {}
        self.origins: dict[Loc, Loc] = {}
        self.data: dict[str, Any] = {}
        self.folders: set[str] = set()  # absolute, made before the first executor
        self.tops: dict[str, Loc] = {}  # `/data` -> who needs it first

    def request(self, now_us: int | None) -> TaskRequest | None:
        self._labels()
        self._resources()
        self._parameters()
        self._inputs()
        self._outputs()
        self._executors()
        self._mounts()
        request, found = check_task(Document(self.data, "body", lambda: None), now_us)
        self.found += [
            Found(one.code, self._origin(one.loc), one.got, one.params, one.fields)
            for one in found
            if not one.loc or one.loc[0] != "mounts"  # `_inner` and `_mounts` have judged them where they came from
        ]
        return request

    def _mounts(self) -> None:
        if len(self.tops) > MOUNTS_MAX:
            first_over = list(self.tops.values())[MOUNTS_MAX]
            self.found.append(Found("tes_tops", first_over, len(self.tops), {"limit": MOUNTS_MAX}))
            return
        self.data["mounts"] = [{"path": top, "folder": f"{ROOT_FOLDER}{top}"} for top in sorted(self.tops)]

    def _set(self, loc: Loc, value: Any, origin: Loc) -> None:
        place: dict[Any, Any] = self.data
        for part in loc[:-1]:
            place = place.setdefault(part, {})
        place[loc[-1]] = value
        self.origins[loc] = origin

    def _origin(self, loc: Loc) -> Loc:
        for size in range(len(loc), 0, -1):
            if loc[:size] in self.origins:
                return (*self.origins[loc[:size]], *loc[size:])
        return loc

    def _labels(self) -> None:
        task = self.task
        name = "".join(ch for ch in task.name or "" if ch.isprintable())[:NAME_MAX].strip()
        self._set(("name",), name or "task", ("name",))
        plain: dict[str, str] = {}
        for key, value in (task.tags or {}).items():
            ours = tag_name(key)
            (plain if ours == key else self.hashed_tags)[ours] = tag_value(value)
        self._set(("tags",), plain, ("tags",))

    def _resources(self) -> None:
        asked = self.task.resources
        self._set(("resources", "wall_time"), self.rules.wall_time_us, _PARAMETERS)
        self._set(("resources", "network"), self.rules.network, _PARAMETERS)
        self._set(("retries",), 0, _PARAMETERS)  # workflow engines try again by themselves
        if asked is None:
            return
        if asked.cpu_cores:
            self._set(("resources", "cpu"), asked.cpu_cores, ("resources", "cpu_cores"))
        # GB is written and 2^30 bytes are meant: Snakemake and Nextflow both count so.
        if asked.ram_gb:
            self._set(("resources", "memory"), ceil(asked.ram_gb * GIB), ("resources", "ram_gb"))
        if asked.disk_gb:
            self._set(("resources", "disk"), ceil(asked.disk_gb * GIB), ("resources", "disk_gb"))
        if asked.preemptible:
            self._set(("preemptible",), True, ("resources", "preemptible"))
        sites = [site for zone in asked.zones or () for site in self.rules.zones.get(zone, ())]
        if sites:
            self._set(("sites",), list(dict.fromkeys(sites)), ("resources", "zones"))

    def _parameters(self) -> None:
        asked = self.task.resources
        if asked is None or not asked.backend_parameters:
            return
        read = read_parameters(asked.backend_parameters, bool(asked.backend_parameters_strict), _PARAMETERS)
        self.found += read.found
        for loc, value, spelled in read.values:
            self._set(loc, value, (*_PARAMETERS, spelled))

    def _inputs(self) -> None:
        out: list[dict[str, Any]] = []
        for at, one in enumerate(self.task.inputs or ()):
            where: Loc = ("inputs", at)
            if one.type == "DIRECTORY":
                self.found.append(Found("tes_directory", (*where, "type"), one.path))
            elif one.content is None and not one.url:
                self.found.append(Found("tes_input_empty", where, one.path))
            source = one.url or ""
            if one.content is not None:
                raw = one.content.encode()
                digest = blake3(raw).hexdigest()
                self.contents[digest] = raw
                source = OBJECT + digest
            self.origins["inputs", at, "source"] = (*where, "url")
            inner = self._inner(one.path, (*where, "path"))
            out.append({"source": source or "object:", "path": inner or f"unread/{at}"})
        faulty = {one.loc for one in self.found}
        if not any(loc[:1] == ("inputs",) for loc in faulty):
            self.data["inputs"] = out

    def _outputs(self) -> None:
        out: list[dict[str, Any]] = [{"path": f"{KEPT_FOLDER}/*", "always": True}]
        for at, one in enumerate(self.task.outputs or ()):
            where: Loc = ("outputs", at)
            made = self._output(one, where)
            if made is not None:
                self.origins["outputs", len(out)] = where
                self.origins["outputs", len(out), "target"] = (*where, "url")
                out.append(made)
        self.data["outputs"] = out

    def _output(self, one: TesOutput, where: Loc) -> dict[str, Any] | None:
        """One of ours, or None with its fault noted. What matches is delivered under `url`, without `prefix`."""
        url = one.url.rstrip("/")
        folder, slash, last = url.rpartition("/")
        if _GLOB & set(one.path):
            inner = self._inner(one.path, (*where, "path"))
            prefix = self._inner_folder(one.path_prefix or "", (*where, "path_prefix")) if one.path_prefix else None
            if inner is None or prefix is None or not inner.startswith(f"{prefix}/"):
                self.found.append(
                    Found("tes_path_prefix", (*where, "path_prefix"), one.path_prefix or "", {"path": one.path})
                )
                return None
            return {"path": inner, "target": url, "prefix": prefix}
        if one.type == "DIRECTORY":
            inner = self._inner_folder(one.path, (*where, "path"))
            return None if inner is None else {"path": inner, "target": url, "prefix": inner}
        inner = self._inner(one.path, (*where, "path"))
        if not slash or folder.endswith(("/", ":")) or one.url.endswith("/"):
            self.found.append(Found("tes_output_url", (*where, "url"), one.url))
            return None
        return None if inner is None else {"path": inner, "target": folder, "prefix": inner, "name": last}

    def _executors(self) -> None:
        executors = self.task.executors
        images = [self._image(one.image) for one in executors]
        self._set(("image",), images[0], ("executors", 0, "image"))
        for at, image in enumerate(images):
            if image != images[0]:
                got = executors[at].image
                self.found.append(Found("tes_images", ("executors", at, "image"), got, {"first": executors[0].image}))
        for at, one in enumerate(executors):
            where: Loc = ("executors", at)
            for name in ("stdin", "stdout", "stderr"):
                value = getattr(one, name)
                if value is not None:
                    self._inner(value, (*where, name))
            if one.workdir is not None and one.workdir.strip("/"):
                self._folder(one.workdir, (*where, "workdir"))
            self._texts(one.command, one.env or {}, where)
        for at, volume in enumerate(self.task.volumes or ()):
            self._folder(volume, ("volumes", at))
        script = script_of(executors, sorted(self.folders))
        if len(script) > SCRIPT_CHARS_MAX:
            got = f"{len(script)} characters"
            self.found.append(Found("too_long", ("executors",), got, {"limit": SCRIPT_CHARS_MAX}))
            script = "true"
        self._set(("run",), script, ("executors",))

    def _texts(self, command: Iterable[str], env: Mapping[str, str], where: Loc) -> None:
        words = tuple(command)
        if not words[0].strip():
            self.found.append(Found("run_blank", (*where, "command", 0)))
        self.found += [Found("env_name_form", (*where, "env", name), name) for name in env if not _ENV.match(name)]

    def _image(self, image: str) -> str:
        """`host` for an image that the operator has named as standing for it."""
        return "host" if any(fnmatchcase(image, pattern) for pattern in self.rules.host_images) else image

    def _folder(self, path: str, where: Loc) -> None:
        """A folder that has to be there; one of the system's own is only gone to."""
        clean = path.rstrip("/")
        if where[0] == "executors" and clean.split("/")[1:2] and clean.split("/")[1] in OWN_FOLDERS:
            return
        if self._inner_folder(path, where) is not None:
            self.folders.add(clean)

    def _inner_folder(self, path: str, where: Loc) -> str | None:
        """The same of a folder, which may stand directly in `/`."""
        inner = self._inner(f"{path.rstrip('/')}/x", where, shown=path)
        return None if inner is None else inner.removesuffix("/x")

    def _inner(self, path: str, where: Loc, shown: str | None = None) -> str | None:
        """Where an absolute path lies in the task's folder, or a fault."""
        shown = shown or path
        parts = path.rstrip("/").split("/")
        bad = parts[0] != "" or any(part in ("", ".", "..") for part in parts[1:])
        if bad or any(ord(ch) < 32 or ch == "\\" for ch in path):
            self.found.append(Found("tes_path_form", where, shown))
        elif len(shown) > PATH_MAX:
            self.found.append(Found("too_long", where, f"{len(shown)} characters", {"limit": PATH_MAX}))
        elif len(parts) < 3:
            self.found.append(Found("tes_path_root", where, shown))
        elif parts[1] in OWN_FOLDERS or _GLOB & set(parts[1]):
            self.found.append(Found("tes_path_own", where, shown, {"folder": f"/{parts[1]}"}))
        else:
            self.tops.setdefault(f"/{parts[1]}", where)
            return ROOT_FOLDER + "/".join(parts)
        return None
