"""What the operator decides about work on a Ray cluster: the operator's file, and what the adapter makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field

from suanwang.agent.adapter import Limit
from suanwang.model.base import Value
from suanwang.model.ids import PoolId
from suanwang.model.units import MIB

POLL_US: Final = 1_000_000  # between two looks at the jobs that live
TIMEOUT_S: Final = 20.0  # of one question
GRACE_US: Final = 10_000_000  # from asking work to write its checkpoint to ending it
JOBS_MAX: Final = 32  # of one array that Ray has at once: each is an actor of its own, and a question at each look

# What a runtime environment may have. Ray takes other words too and does nothing about them.
RUNTIME_ENV: Final = frozenset(
    {"working_dir", "py_modules", "excludes", "pip", "uv", "conda", "env_vars", "image_uri", "config", "py_executable"}
)
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:/@+-]{1,100}$")]


class RayPool(Value):
    """How the work of one pool is put on the cluster. What is not given is Ray's own default."""

    runtime_env: dict[str, Any] = Field(default_factory=dict)  # as Ray has it: pip, conda, env_vars, working_dir, ...
    # What Ray calls the pool's accelerators: GPU, NPU, TPU, HPU, neuron_cores or a resource of the cluster's own.
    accelerator: Name = "GPU"
    resources: dict[Name, Annotated[float, Field(gt=0, le=10**6)]] = Field(
        default_factory=dict
    )  # besides, for each job
    labels: dict[Name, Annotated[str, Field(max_length=200)]] = Field(default_factory=dict)  # that the node has to have
    scales: bool = False  # Ray brings nodes when work waits for them: what fits on no node of now may fit later


class RayFile(Value):
    """The operator's file. `pools` are pools of the grid, by their ids."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s?#]{1,500}$")]  # of the dashboard
    folder: Annotated[str, Field(pattern=r"^/[^\x00-\x1f\"]{1,200}$")]  # that every node sees under the same name
    pools: Annotated[dict[PoolId, RayPool], Field(min_length=1)]
    token_file: Annotated[str, Field(pattern=r"^/[^\x00-\x1f]{1,500}$")] | None = None  # holds the cluster's token
    user: Annotated[str, Field(pattern=r"^([a-z_][a-z0-9_-]{0,31}|[0-9]{1,10})$")] | None = None  # whom Ray runs as
    python: Annotated[str, Field(pattern=r"^[^\s\x00-\x1f]{1,200}$")] = "python3"  # of the nodes, 3.8 or newer
    path: tuple[Annotated[str, Field(pattern=r"^/[^\x00-\x1f:]{0,500}$")], ...] = ()  # in front of the tasks' PATH
    enforces: tuple[Limit, ...] = ()  # limits that the cluster keeps by means that Ray does not tell of


@dataclass(frozen=True, slots=True)
class RaySettings:
    """`folder` is the adapter's own, on a file system that every node has. `user`: uid and gid of whom Ray runs as, or
    None: who the agent is."""

    folder: Path
    url: str
    pools: Mapping[PoolId, RayPool]
    user: tuple[int, int] | None = None
    token: str = ""
    scope: str = ""  # in front of an attempt's name at the cluster
    python: str = "python3"
    path: tuple[str, ...] = ()
    enforces: frozenset[Limit] = frozenset()
    log_bytes_max: int = 16 * MIB
    grace_us: int = GRACE_US
    poll_us: int = POLL_US
    timeout_s: float = TIMEOUT_S
    jobs_max: int = JOBS_MAX
