"""A task as GA4GH TES 1.1.0 writes it (ga4gh/task-execution-schemas, openapi/task_execution_service.openapi.yaml).

What a client sends is kept as it came; these types say what it may hold. `id`, `state`, `logs` and `creation_time` are
the server's to say: what a client writes there is not looked at.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from suanwang.model.base import Value


class TesState(StrEnum):
    """Every state of TES 1.1.0, said of our tasks or not; `docs/guide/tes.md` says which and when."""

    UNKNOWN = "UNKNOWN"
    QUEUED = "QUEUED"
    INITIALIZING = "INITIALIZING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETE = "COMPLETE"
    EXECUTOR_ERROR = "EXECUTOR_ERROR"
    SYSTEM_ERROR = "SYSTEM_ERROR"
    CANCELED = "CANCELED"
    PREEMPTED = "PREEMPTED"
    CANCELING = "CANCELING"


FileType = Literal["FILE", "DIRECTORY"]
Text = Annotated[str, Field(max_length=64 * 1024)]
Path = Annotated[str, Field(min_length=1, max_length=1024)]
Url = Annotated[str, Field(max_length=2048)]


class TesInput(Value):
    """A file before the first executor: from `url`, or with `content`, which wins."""

    name: Text | None = None
    description: Text | None = None
    url: Url | None = None
    path: Path
    type: FileType | None = None
    content: str | None = None
    streamable: bool | None = None


class TesOutput(Value):
    """A file, a folder or what wildcards match, after the last executor."""

    name: Text | None = None
    description: Text | None = None
    url: Url
    path: Path
    path_prefix: Path | None = None
    type: FileType | None = None


class TesExecutor(Value):
    """One command; the executors of a task run one after the other over the same files."""

    image: Annotated[str, Field(min_length=1, max_length=200)]
    command: Annotated[tuple[Text, ...], Field(min_length=1, max_length=1024)]
    workdir: Path | None = None
    stdin: Path | None = None
    stdout: Path | None = None
    stderr: Path | None = None
    env: dict[str, Text] | None = None
    ignore_error: bool | None = None


class TesResources(Value):
    """0 counts as not given, as older clients write it."""

    cpu_cores: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    preemptible: bool | None = None
    ram_gb: Annotated[float, Field(ge=0, le=2**30)] | None = None
    disk_gb: Annotated[float, Field(ge=0, le=2**30)] | None = None
    zones: Annotated[tuple[Text, ...], Field(max_length=1000)] | None = None
    backend_parameters: dict[str, Text] | None = None
    backend_parameters_strict: bool | None = None


class TesTask(Value):
    """What a client may send."""

    id: Any = None
    state: Any = None
    name: Text | None = None
    description: Text | None = None
    inputs: Annotated[tuple[TesInput, ...], Field(max_length=1000)] | None = None
    outputs: Annotated[tuple[TesOutput, ...], Field(max_length=900)] | None = None
    resources: TesResources | None = None
    executors: Annotated[tuple[TesExecutor, ...], Field(min_length=1, max_length=100)]
    volumes: Annotated[tuple[Path, ...], Field(max_length=100)] | None = None
    tags: Annotated[dict[str, Text], Field(max_length=500)] | None = None
    logs: Any = None
    creation_time: Any = None


class TesExecutorLog(Value):
    start_time: str | None = None
    end_time: str | None = None
    stdout: str | None = None
    stderr: str | None = None
    exit_code: int


class TesOutputLog(Value):
    url: str
    path: str
    size_bytes: str  # an int64 in text, since JSON numbers are not exact so far


class TesTaskLog(Value):
    """One attempt."""

    logs: tuple[TesExecutorLog, ...] = ()
    metadata: dict[str, str] | None = None
    start_time: str | None = None
    end_time: str | None = None
    outputs: tuple[TesOutputLog, ...] = ()
    system_logs: tuple[str, ...] | None = None


class TesTaskView(Value):
    """A task as it is answered: what the client sent, and what became of it."""

    id: str
    state: TesState
    name: str | None = None
    description: str | None = None
    inputs: tuple[TesInput, ...] | None = None
    outputs: tuple[TesOutput, ...] | None = None
    resources: TesResources | None = None
    executors: tuple[TesExecutor, ...] | None = None
    volumes: tuple[str, ...] | None = None
    tags: dict[str, str] | None = None
    logs: tuple[TesTaskLog, ...] | None = None
    creation_time: str | None = None


class TesCreated(Value):
    id: str


class TesCancelled(Value):
    """An empty object."""


class TesPage(Value):
    tasks: tuple[TesTaskView, ...]
    next_page_token: str | None = None


class TesServiceType(Value):
    group: str = "org.ga4gh"
    artifact: str = "tes"
    version: str = "1.1.0"


class TesOrganization(Value):
    name: str
    url: str


class TesServiceInfo(Value):
    id: str
    name: str
    type: TesServiceType
    description: str
    organization: TesOrganization
    version: str
    storage: tuple[str, ...]
    tesResources_backend_parameters: tuple[str, ...]  # noqa: N815 - as TES writes it
