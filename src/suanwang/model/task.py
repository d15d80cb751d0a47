"""What a user asks for. The same type is read from a task file, a JSON body and the SDK; see `intent/`."""

from enum import StrEnum
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from suanwang.model.base import Value
from suanwang.model.grid import PoolKind, ProtectionFunction, Region, SecurityLevel
from suanwang.model.ids import TASK_PATTERN, LinkId, SiteId, Slug
from suanwang.model.units import GIB, MIB, US_PER_MINUTE, AtUs, Bps, Bytes, MicroYuan, SpanUs

Word = Annotated[str, Field(min_length=1, max_length=200)]
Tags = dict[Slug, Annotated[str, Field(max_length=200)]]
OthersTags = Annotated[Tags, Field(max_length=20)]  # of the same tenant's tasks
EnvName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]


def _inner_path(value: str) -> str:
    parts = value.split("/")
    bad = value.startswith("/") or any(part in ("", ".", "..") for part in parts)
    if bad or any(ord(ch) < 32 or ch == "\\" for ch in value):
        raise PydanticCustomError(
            "inner_path_form",
            "{got} leaves the task's folder; write a relative path such as `data/in.csv`",
            {"got": repr(value[:80])},
        )
    return value


PATH_CHARS_MAX = 1024
MOUNTS_MAX = 100
AFTER_MAX = 1_000  # tasks that one comes after: the width of any workflow that people draw
# Relative, inside the task's folder: no leading slash, no empty, "." or ".." part, no control character or backslash.
InnerPath = Annotated[str, Field(min_length=1, max_length=PATH_CHARS_MAX), AfterValidator(_inner_path)]


def _outer_path(value: str) -> str:
    parts = value.split("/")[1:]
    bad = not value.startswith("/") or any(part in ("", ".", "..") for part in parts)
    if bad or parts[0] in OWN_FOLDERS or any(ord(ch) < 32 or ch == "\\" for ch in value):
        raise PydanticCustomError(
            "outer_path_form",
            "{got} cannot be a folder of the task's own; write an absolute path such as `/data`",
            {"got": repr(value[:80])},
        )
    return value


# The system's own folders, and the sandbox's: nothing else is shown there.
OWN_FOLDERS = frozenset(
    {"bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "proc", "dev", "sys", "run", "task", ".suanwang"}
)
# Absolute, without "." and "..", below none of the system's folders.
OuterPath = Annotated[str, Field(min_length=2, max_length=PATH_CHARS_MAX), AfterValidator(_outer_path)]


class Circle(StrEnum):
    """Latency circles: one way, origin to site."""

    METRO = "metro"
    PROVINCIAL = "provincial"
    NATIONAL = "national"

    __hash__ = str.__hash__  # the key of tables that every task goes through: an Enum's own is Python


# In `owners`: every owner that is not "own" and not named beside it.
THIRD_PARTY = "third-party"
# Tags with this beginning are the grid's own. `PART_OF` names the task whose array a task runs a part of.
OWN_TAGS = "suanwang."
PART_OF = "suanwang.part-of"
OWN = "own"

CIRCLE_LATENCY_US = {Circle.METRO: 1_000, Circle.PROVINCIAL: 5_000, Circle.NATIONAL: 20_000}


class Preference(StrEnum):
    """What the planner minimises first; the ties are in `docs/guide/planning.md`."""

    CHEAPEST = "cheapest"
    FASTEST = "fastest"
    GREENEST = "greenest"

    __hash__ = str.__hash__  # the key of tables that every task goes through: an Enum's own is Python


class Standby(StrEnum):
    """How far from the first place a second one is held."""

    SITE = "site"  # at another site
    REGION = "region"  # in another region


class Spread(Value):
    """How an array is shared out over sites: over so many, or so that no site has more than so many elements."""

    sites: Annotated[int, Field(ge=2, le=1_000)] | None = None
    per_site_max: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class Elements(Value):
    """A part of an array, by the numbers of its elements."""

    first: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    count: Annotated[int, Field(ge=1, le=1_000_000)]


class When(StrEnum):
    """What has to become of another task before one begins that comes after it."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"  # it ended in any other way
    ENDED = "ended"  # in whatever way
    STARTED = "started"  # it has begun to run, or has ended without


class After(Value):
    """Another task of the same tenant, and what has to become of it."""

    task: Annotated[str, Field(pattern=TASK_PATTERN)]
    when: When = When.SUCCEEDED


TASK_SOURCE = "task:"


class Edge(NamedTuple):
    """What a source of the form `task:<id>/<path>` names."""

    task: str
    path: str


def edge_of(source: str) -> Edge | None:
    """The other task and what of its outputs, or None for a source of another kind."""
    if not source.startswith(TASK_SOURCE):
        return None
    return Edge(*source.removeprefix(TASK_SOURCE).partition("/")[::2])


class PythonEntry(Value):
    """`module:function` or a script's text, run by the site's Python with `arguments` on its command line."""

    module: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*(:[A-Za-z_]\w*)?$")] | None = None
    script: Annotated[str, Field(max_length=256 * 1024)] | None = None
    arguments: tuple[Annotated[str, Field(max_length=4096)], ...] = ()


SimulationMethod = Literal["automatic", "statevector", "matrix_product_state", "stabilizer"]
Ppm = Annotated[int, Field(ge=0, le=1_000_000)]  # parts of a million


class Noise(Value):
    """How often a device errs, in parts of a million: a gate on one qubit or on more leaves nothing of the state, a bit is
    read as the other one."""

    gate1_ppm: Ppm = 0
    gate2_ppm: Ppm = 0
    readout_ppm: Ppm = 0


class CircuitEntry(Value):
    """A circuit in OpenQASM 2 or 3 for a quantum device: its text, or a file of that name among the task's inputs. Runs it
    `resources.shots` times and writes how often each row of bits came to `result`, which is kept without being asked for."""

    circuit: Annotated[str, Field(min_length=1, max_length=256 * 1024)] | None = None
    file: InnerPath | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None  # the same seed gives the same counts on one release
    method: SimulationMethod = "automatic"  # of a device that is simulated
    noise: Noise | None = None  # of a device that is simulated: instead of its own; `{}` is none
    result: InnerPath = "counts.json"
    max_queue: Annotated[SpanUs, Field(ge=0)] | None = None  # the longest wait at the device; then it is planned again


class Resources(Value):
    """What one element of the task holds while it runs. `nodes` > 1 is a gang: all at once, or not at all."""

    cpu: Annotated[int, Field(ge=0, le=1_000_000)] = 1  # cores on each node
    memory: Bytes = 512 * MIB  # on each node
    disk: Bytes = 1 * GIB
    accelerator: Slug | None = None  # a model, or "any"
    accelerators: Annotated[int, Field(ge=0, le=64)] = 0  # on each node
    nodes: Annotated[int, Field(ge=1, le=100_000)] = 1
    qubits: Annotated[int, Field(ge=0, le=100_000)] = 0
    shots: Annotated[int, Field(ge=0, le=10**9)] = 0
    processes: Annotated[int, Field(ge=1, le=100_000)] = 256
    kind: PoolKind | None = None  # derived from the rest where it is not given
    network: bool = False
    wall_time: Annotated[SpanUs, Field(ge=1_000_000)] = 10 * US_PER_MINUTE


class Input(Value):
    """A file put into the task's folder before it starts. `source`: a path beside the task file (uploaded on
    submit), `http://`, `https://`, `s3://`, `dataset:<id>`, `object:<blake3>` (already uploaded), or `task:<id>/<path>`: what
    another task leaves, one file, or all below a folder or that a pattern matches, which then come below `path`."""

    source: Annotated[str, Field(min_length=1, max_length=2048)]
    path: InnerPath
    blake3: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    size: Bytes | None = None  # needed to plan the transfer of an http or s3 input


class Mount(Value):
    """A folder of the task's folder that is shown at an absolute path too."""

    path: OuterPath
    folder: InnerPath


class Output(Value):
    """Files to keep: a path or a glob inside the task's folder. `target`: nothing (kept by the grid, fetched
    with the CLI, the page or the SDK), or an `s3://` or `file://` folder to deliver to. There each file has its path,
    with `name` in the place of `prefix`."""

    path: InnerPath
    target: Annotated[str, Field(min_length=1, max_length=2048, pattern=r"^(s3|file)://")] | None = None
    prefix: InnerPath | None = None  # the beginning of the paths that is left out at the target
    name: InnerPath | None = None  # what stands there instead; nothing where not given
    always: bool = False  # collected when the work fails too, as far as it is there


AVOID_MAX = 100


class Avoid(Value):
    """What a task's traffic must not cross: its path, that to a standby place, its data on their way. A site or a region (and
    what lies in it) is left out with its ends too, so no such place is chosen; a risk group with all its links."""

    links: Annotated[tuple[LinkId, ...], Field(max_length=AVOID_MAX)] = ()
    sites: Annotated[tuple[SiteId, ...], Field(max_length=AVOID_MAX)] = ()
    risks: Annotated[tuple[Slug, ...], Field(max_length=AVOID_MAX)] = ()
    regions: Annotated[tuple[Region, ...], Field(max_length=AVOID_MAX)] = ()


class TaskRequest(Value):
    """One task. Everything but `run` has a default, so the smallest task file is one line."""

    name: Word = "task"
    run: (
        Annotated[str, Field(min_length=1, max_length=64 * 1024)]
        | Annotated[tuple[Annotated[str, Field(max_length=4096)], ...], Field(min_length=1, max_length=1024)]
        | PythonEntry
        | CircuitEntry
    )
    image: Annotated[str, Field(max_length=200, pattern=r"^[a-z0-9][a-z0-9._:/@-]*$")] = "host"
    environment: dict[EnvName, Annotated[str, Field(max_length=32 * 1024)]] = Field(default_factory=dict)
    secrets: tuple[EnvName, ...] = ()  # names; the values travel beside the request and are never logged
    resources: Resources = Resources()
    inputs: Annotated[tuple[Input, ...], Field(max_length=1000)] = ()
    outputs: Annotated[tuple[Output, ...], Field(max_length=1000)] = ()
    mounts: Annotated[tuple[Mount, ...], Field(max_length=MOUNTS_MAX)] = ()  # its folders, at absolute paths too
    checkpoint: InnerPath | None = None  # a path or a glob: what the next attempt needs to go on where this one stopped
    checkpoint_every: Annotated[SpanUs, Field(ge=1_000_000)] | None = None  # one minute where not given
    origin: SiteId | None = None  # where the user is; the grid's default origin where not given
    latency: Circle | SpanUs | None = None  # a circle, or a span; nothing: no bound
    bandwidth: Bps = 0  # held between origin and site while the task runs
    security_level: SecurityLevel = 1
    residency: tuple[Region, ...] = ()  # regions the task and its data may be in; empty: anywhere
    protection: Annotated[tuple[ProtectionFunction, ...], Field(max_length=4)] = ()  # in this order, origin to site
    avoid: Avoid | None = None  # what its traffic must not cross; nothing: it may cross anything
    standby: Standby | None = None  # a second place is held too, for when the first one or its path is lost
    sites: tuple[SiteId, ...] = ()  # only these; empty: any
    owners: tuple[Slug, ...] = ()  # only sites of these, the first preferred; third-party: all but own; empty: any
    # Not planned before all of these have come true. A wave of an array has one more than its user may write.
    after: Annotated[tuple[After, ...], Field(max_length=AFTER_MAX + 1)] = ()
    earliest_start: AtUs | None = None
    deadline: AtUs | None = None
    price_limit: MicroYuan | None = None
    preference: Preference = Preference.CHEAPEST
    array: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    elements: Elements | None = None  # only these of the array; they keep their numbers
    spread: Spread | None = None  # the array is shared out over sites
    at_once: Annotated[int, Field(ge=1, le=1_000_000)] | None = None  # so many elements run at the same time, in waves
    retries: Annotated[int, Field(ge=0, le=20)] = 2
    priority: Annotated[int, Field(ge=0, le=100)] = 10
    preemptible: bool = False  # may give way to a task of higher priority; it is planned again, and no retry is used
    on_budget: Literal["continue", "stop"] = "continue"
    tags: Tags = Field(default_factory=dict)
    together_with: OthersTags = Field(default_factory=dict)  # only at a site of another live task with all these tags
    apart_from: OthersTags = Field(default_factory=dict)  # at no site of another live task with all these tags


# How often a checkpoint is collected where the task does not say.
CHECKPOINT_EVERY_US = US_PER_MINUTE


def elements_of(request: TaskRequest) -> int:
    """How many elements of its array a task runs."""
    return request.array if request.elements is None else request.elements.count


def places_of(request: TaskRequest) -> int:
    """At how many places a task holds what it asks for."""
    return 1 if request.standby is None else 2


def comes_after(request: TaskRequest) -> tuple[After, ...]:
    """All that a task comes after: what it says, and the success of each task whose outputs it takes."""
    makers = dict.fromkeys(edge.task for one in request.inputs if (edge := edge_of(one.source)) is not None)
    named = {one.task for one in request.after if one.when is When.SUCCEEDED}
    return request.after + tuple(After(task=one) for one in makers if one not in named)


def latency_us_max(request: TaskRequest) -> int | None:
    """The latency bound of a request in microseconds, or None where it has none."""
    if request.latency is None:
        return None
    return CIRCLE_LATENCY_US[request.latency] if isinstance(request.latency, Circle) else request.latency


def pool_kind(resources: Resources) -> PoolKind:
    """The kind of pool that a request needs: as given, else by what it asks for."""
    if resources.kind is not None:
        return resources.kind
    if resources.qubits or resources.shots:
        return PoolKind.QUANTUM
    if resources.accelerators:
        return PoolKind.AI
    return PoolKind.HPC if resources.nodes > 1 else PoolKind.GENERAL
