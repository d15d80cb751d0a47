"""What must hold between the fields of one task. Pure; every relation is one small generator in RELATIONS."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

from suanwang.intent.document import Loc
from suanwang.intent.mapping import Found
from suanwang.model.error import FaultsError
from suanwang.model.grid import PoolKind
from suanwang.model.ids import TASK_PATTERN
from suanwang.model.task import (
    AFTER_MAX,
    OWN_TAGS,
    CircuitEntry,
    PythonEntry,
    TaskRequest,
    When,
    edge_of,
    pool_kind,
)
from suanwang.qasm import read_circuit

INPUT_SCHEMES = ("http", "https", "s3", "dataset", "object", "task")
WAVES_MAX = 1_000  # each is a task of its own
LABELS_MAX = 1_000  # of environment, secrets and tags each


def relations(request: TaskRequest, now_us: int | None) -> list[Found]:
    """Every broken relation. `now_us` None: nothing is compared with the present."""
    found = [one for relation in RELATIONS for one in relation(request)]
    if now_us is not None and request.deadline is not None and request.deadline <= now_us:
        found.append(Found("deadline_past", ("deadline",)))
    return found


def _one(code: str, loc: Loc, got: Any = "", *fields: str, **params: Any) -> Found:
    return Found(code, loc, got, params, fields)


def _entry(request: TaskRequest) -> Iterator[Found]:
    run = request.run
    if isinstance(run, PythonEntry) and (run.module is None) == (run.script is None):
        yield _one("python_entry", ("run",), "module + script" if run.module else "")
    texts = run if isinstance(run, tuple) else run.arguments if isinstance(run, PythonEntry) else (run,)
    if any(isinstance(one, str) and "\0" in one for one in texts):
        yield _one("nul_in_text", ("run",))
    if isinstance(run, str) and not run.strip():
        yield _one("run_blank", ("run",))
    if isinstance(run, tuple) and not run[0].strip():
        yield _one("run_blank", ("run", 0))


def _circuit(request: TaskRequest) -> Iterator[Found]:
    run, has = request.run, request.resources
    if not isinstance(run, CircuitEntry):
        return
    if (run.circuit is None) == (run.file is None):
        yield _one("circuit_entry", ("run",), "circuit + file" if run.circuit is not None else "")
    if run.file is not None and run.file not in {one.path for one in request.inputs}:
        yield _one("circuit_file", ("run", "file"), run.file, "inputs")
    usual = TaskRequest(run="true")
    for name in ("image", "environment", "secrets", "mounts", "checkpoint"):
        if getattr(request, name) != getattr(usual, name):
            yield _one("circuit_with", (name,), name)
    if has.network:
        yield _one("circuit_with", ("resources", "network"), "network")
    if run.circuit is not None:
        yield from _circuit_text(run.circuit, has.qubits)
    elif not has.qubits:
        yield _one("circuit_qubits", ("resources", "qubits"), 0, "resources", needed=1)


def _circuit_text(text: str, qubits: int) -> Iterator[Found]:
    """Each fault of the circuit stands at its own line in it; too few qubits where it has none."""
    try:
        circuit = read_circuit(text)
    except FaultsError as error:
        for one in error.faults:
            line = (f"line {one.line}",) if one.line is not None else ()
            yield Found(one.code, ("run", "circuit", *line), one.got, one.params)
        return
    if circuit.qubits > qubits:
        yield _one("circuit_qubits", ("resources", "qubits"), qubits, "resources", needed=circuit.qubits)


def _accelerators(request: TaskRequest) -> Iterator[Found]:
    has = request.resources
    if has.accelerator is not None and has.accelerators == 0:
        yield _one("accelerators_missing", ("resources", "accelerator"), has.accelerator)
    if has.accelerators and has.accelerator is None:
        yield _one("accelerator_missing", ("resources", "accelerators"), has.accelerators)


def _kinds(request: TaskRequest) -> Iterator[Found]:
    has, kind = request.resources, request.resources.kind
    if kind is PoolKind.AI and not has.accelerators:
        yield _one("ai_without_accelerators", ("resources", "kind"), kind.value)
    if has.accelerators and pool_kind(has) is not PoolKind.AI:
        yield _one("accelerators_elsewhere", ("resources", "accelerators"), has.accelerators, kind=pool_kind(has).value)
    if kind is PoolKind.QUANTUM and not has.qubits:
        yield _one("quantum_without_qubits", ("resources", "kind"), kind.value)
    if kind not in (None, PoolKind.QUANTUM) and (has.qubits or has.shots):
        yield _one("qubits_elsewhere", ("resources", "kind"), kind.value)


def _quantum(request: TaskRequest) -> Iterator[Found]:
    has = request.resources
    if has.shots and not has.qubits:
        yield _one("shots_without_qubits", ("resources", "shots"), has.shots)
    if has.qubits and not has.shots:
        yield _one("qubits_without_shots", ("resources", "qubits"), has.qubits)
    if has.qubits and has.nodes > 1:
        yield _one("qubits_with_nodes", ("resources", "nodes"), has.nodes)


def _times(request: TaskRequest) -> Iterator[Found]:
    start, deadline, span = request.earliest_start, request.deadline, request.resources.wall_time
    if deadline is None or start is None:
        return
    if deadline <= start:
        yield _one("deadline_before_start", ("deadline",), "", "earliest_start")
    elif deadline - start < span:
        yield _one("deadline_too_near", ("deadline",), "", "earliest_start", "resources", wall_time_s=span // 10**6)


def _inputs(request: TaskRequest) -> Iterator[Found]:
    first: dict[str, int] = {}
    for at, one in enumerate(request.inputs):
        if one.path in first:
            yield _one("path_twice", ("inputs", at, "path"), one.path, first=first[one.path])
        first.setdefault(one.path, at)
        yield from _source(one.source, ("inputs", at, "source"))
    for path, at in first.items():
        parts = path.split("/")
        above = next((up for n in range(1, len(parts)) if (up := "/".join(parts[:n])) in first), None)
        if above is not None:
            yield _one("path_under_file", ("inputs", at, "path"), path, file=above)


def _source(source: str, loc: Loc) -> Iterator[Found]:
    scheme, colon, rest = source.partition(":")
    if any(ord(ch) < 32 for ch in source):
        yield _one("source_form", loc, source)
    elif not colon or "/" in scheme:
        return  # a path beside the task file
    elif scheme == "file" or scheme not in INPUT_SCHEMES:
        yield _one("source_scheme", loc, source, scheme=scheme[:20])
    elif scheme in ("http", "https", "s3") and (not rest.startswith("//") or not rest[2:].split("/")[0]):
        yield _one("source_form", loc, source)
    elif scheme == "object" and (len(rest) != 64 or set(rest) - set("0123456789abcdef")):
        yield _one("object_form", loc, source)
    elif scheme == "task" and not _is_edge(rest):
        yield _one("task_source_form", loc, source)
    elif scheme == "dataset" and not rest:
        yield _one("source_form", loc, source)


def _is_edge(rest: str) -> bool:
    """A task's id and a path below its folder."""
    task, slash, path = rest.partition("/")
    parts = path.split("/")
    return bool(slash and re.match(TASK_PATTERN, task)) and not any(part in ("", ".", "..") for part in parts)


def _outputs(request: TaskRequest) -> Iterator[Found]:
    seen: set[tuple[str | None, ...]] = set()
    for at, one in enumerate(request.outputs):
        # One path may go to a target twice, under two names.
        place = (one.path, None) if one.target is None else (one.path, one.target, one.prefix, one.name)
        if place in seen:
            yield _one("output_twice", ("outputs", at, "path"), one.path)
        seen.add(place)
        if one.prefix is not None and not f"{one.path}/".startswith(f"{one.prefix}/"):
            yield _one("output_prefix", ("outputs", at, "prefix"), one.prefix, path=one.path)
        if one.name is not None and one.prefix is None:
            yield _one("output_name_alone", ("outputs", at, "name"), one.name)


def _mounts(request: TaskRequest) -> Iterator[Found]:
    first: dict[str, int] = {}
    for at, one in enumerate(request.mounts):
        if one.path in first:
            yield _one("mount_twice", ("mounts", at, "path"), one.path)
        first.setdefault(one.path, at)
    files = {one.path for one in request.inputs}
    for at, one in enumerate(request.mounts):
        parts = one.folder.split("/")
        above = next((up for n in range(1, len(parts) + 1) if (up := "/".join(parts[:n])) in files), None)
        if above is not None:
            yield _one("path_under_file", ("mounts", at, "folder"), one.folder, file=above)


def _checkpoint(request: TaskRequest) -> Iterator[Found]:
    if request.checkpoint_every is not None and request.checkpoint is None:
        yield _one(
            "checkpoint_every_alone", ("checkpoint_every",), f"{request.checkpoint_every // 10**6} s", "checkpoint"
        )


def _secrets(request: TaskRequest) -> Iterator[Found]:
    seen: set[str] = set()
    for at, name in enumerate(request.secrets):
        if name in request.environment:
            yield _one("secret_in_environment", ("environment", name), name, "secrets")
        if name in seen:
            yield _one("listed_twice", ("secrets", at), name)
        seen.add(name)
    for name, value in request.environment.items():
        if "\0" in value:
            yield _one("nul_in_text", ("environment", name))


def _lists(request: TaskRequest) -> Iterator[Found]:
    lists: dict[str, tuple[str, ...]] = {
        "protection": tuple(request.protection),
        "residency": tuple(request.residency),
        "sites": tuple(request.sites),
        "owners": tuple(request.owners),
    }
    for name, values in lists.items():
        for at, value in enumerate(values):
            if value in values[:at]:
                yield _one("listed_twice", (name, at), str(value))


def _company(request: TaskRequest) -> Iterator[Found]:
    """Whoever it must run with bears all that it keeps apart from: no site could ever do."""
    apart, together = request.apart_from, request.together_with
    if apart and apart.items() <= together.items():
        shown = ", ".join(f"{name}: {value}" for name, value in apart.items())
        yield _one("apart_and_together", ("apart_from",), f"{{{shown}}}", "together_with")


def _standby(request: TaskRequest) -> Iterator[Found]:
    """Whoever it must run with stands at the first place: at the second it could not go on."""
    if request.standby is not None and request.together_with:
        yield _one("standby_and_together", ("standby",), request.standby.value, "together_with")


def _spread(request: TaskRequest) -> Iterator[Found]:
    wish, own = request.spread, request.elements
    if own is not None and own.first + own.count > request.array:
        yield _one("elements_beyond", ("elements",), f"{own.first} + {own.count}", "array", array=request.array)
    if wish is None:
        return
    if (wish.sites is None) == (wish.per_site_max is None):
        yield _one("spread_form", ("spread",), "")
    if request.array == 1:
        yield _one("spread_alone", ("spread",), "", "array")
    if request.apart_from:
        yield _one("spread_and_apart", ("spread",), "", "apart_from")
    if wish.per_site_max is not None and request.array > 1_000 * wish.per_site_max:
        yield _one("spread_wide", ("spread", "per_site_max"), wish.per_site_max, "array", array=request.array)


def _after(request: TaskRequest) -> Iterator[Found]:
    if len(request.after) > AFTER_MAX:
        yield _one("too_long", ("after",), f"{len(request.after)}", limit=AFTER_MAX)
    seen: set[tuple[str, str]] = set()  # of plain texts: models are compared field by field
    for at, one in enumerate(request.after):
        if (one.task, one.when) in seen:
            yield _one("listed_twice", ("after", at), one.task)
        seen.add((one.task, one.when))
    makers = {edge.task for one in request.inputs if (edge := edge_of(one.source)) is not None}
    for at, one in enumerate(request.after):
        if one.when is When.FAILED and one.task in makers:
            yield _one("after_and_input", ("after", at), one.task, "inputs")


def _waves(request: TaskRequest) -> Iterator[Found]:
    most = request.at_once
    if most is None:
        return
    if request.array == 1:
        yield _one("at_once_alone", ("at_once",), most, "array")
    if request.spread is not None:
        yield _one("at_once_and_spread", ("at_once",), most, "spread")
    if request.array > WAVES_MAX * most:
        yield _one("at_once_waves", ("at_once",), most, "array", array=request.array, limit=WAVES_MAX)


def _own_tags(request: TaskRequest) -> Iterator[Found]:
    for field in ("tags", "together_with", "apart_from"):
        for name in getattr(request, field):
            if name.startswith(OWN_TAGS):
                yield _one("tag_reserved", (field, name), name)


def _labels(request: TaskRequest) -> Iterator[Found]:
    """What lists and terminals show must not act on them."""
    labels: list[tuple[str, Loc]] = [(request.name, ("name",))]
    for field in ("tags", "together_with", "apart_from"):
        labels += [(value, (field, name)) for name, value in getattr(request, field).items()]
    for value, loc in labels:
        if any(unicodedata.category(ch) == "Cc" for ch in value):
            yield _one("control_in_text", loc, repr(value)[:80])


def _sizes(request: TaskRequest) -> Iterator[Found]:
    for name, held in (("environment", request.environment), ("secrets", request.secrets), ("tags", request.tags)):
        if len(held) > LABELS_MAX:
            yield _one("too_long", (name,), f"{len(held)}", limit=LABELS_MAX)
    has = request.resources
    if has.nodes * request.array > 10**8:
        yield _one("gang_too_large", ("array",), request.array, "resources", nodes=has.nodes)


RELATIONS: tuple[Callable[[TaskRequest], Iterator[Found]], ...] = (
    _entry,
    _circuit,
    _accelerators,
    _kinds,
    _quantum,
    _times,
    _inputs,
    _outputs,
    _mounts,
    _checkpoint,
    _secrets,
    _lists,
    _company,
    _standby,
    _spread,
    _after,
    _waves,
    _own_tags,
    _labels,
    _sizes,
)
