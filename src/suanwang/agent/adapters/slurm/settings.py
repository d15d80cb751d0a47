"""What the operator decides about work on a Slurm cluster: the operator's file, and what the adapter makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from suanwang.agent.adapter import Limit
from suanwang.model.base import Value
from suanwang.model.ids import PoolId
from suanwang.model.units import MIB

POLL_US: Final = 1_000_000  # between two questions to the controller, however many jobs there are
TIMEOUT_S: Final = 10.0  # of one command: a controller that is away lets its clients hang for minutes
GRACE_US: Final = 10_000_000  # from asking work to write its checkpoint to ending it

SlurmName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.@+-]{1,100}$")]

# Options of sbatch that the adapter sets itself: an operator's would break what it promises.
TAKEN_OPTIONS: Final = frozenset(
    {
        "--array", "--batch", "--chdir", "--cpus-per-task", "--error", "--exclusive", "--export", "--export-file",
        "--get-user-env", "--gres", "--help", "--hold", "--input", "--job-name", "--mem", "--mem-per-cpu", "--mem-per-gpu",
        "--nodes", "--no-requeue", "--ntasks", "--ntasks-per-node", "--open-mode", "--output", "--parsable", "--partition",
        "--account", "--qos", "--requeue", "--test-only", "--time", "--time-min", "--uid", "--gid", "--usage", "--version",
        "--wait", "--wrap",
    }
)  # fmt: skip


class PoolRoute(Value):
    """Where the work of one pool goes on the cluster. What is not given is the cluster's own default."""

    partition: SlurmName | None = None
    account: SlurmName | None = None
    qos: SlurmName | None = None
    # The generic resource that the pool's accelerators are, as `sbatch --gres` names it, without a count: gpu:a100.
    gres: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,60}(:[A-Za-z0-9_.-]{1,60})?$")] | None = None
    options: tuple[Annotated[str, Field(pattern=r"^--[a-z][a-z0-9-]*(=[^\x00-\x1f]{1,500})?$")], ...] = ()


class SlurmFile(Value):
    """The operator's file. `pools` are pools of the grid, by their ids."""

    pools: Annotated[dict[PoolId, PoolRoute], Field(min_length=1)]
    # A folder that every node sees under the same name.
    folder: Annotated[str, Field(pattern=r"^/[^\x00-\x1f\"]{1,200}$")] | None = None
    # Whom the work runs as. An agent that is root needs one; another is who it is.
    user: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")] | None = None
    # Folders in front of the tasks' PATH: where `python` is.
    path: tuple[Annotated[str, Field(pattern=r"^/[^\x00-\x1f:]{0,500}$")], ...] = ()
    # Limits that the site keeps by means that Slurm does not tell of: quotas, namespaces.
    enforces: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True)
class SlurmSettings:
    """`folder` is the adapter's own, on a file system that every node has. `user`: name, uid and gid of whom the work
    runs as, or None: who the agent is."""

    folder: Path
    pools: Mapping[PoolId, PoolRoute]
    user: tuple[str, int, int] | None = None
    path: tuple[str, ...] = ()
    enforces: frozenset[Limit] = frozenset()
    log_bytes_max: int = 16 * MIB
    grace_us: int = GRACE_US
    poll_us: int = POLL_US
    timeout_s: float = TIMEOUT_S
    tools: str = "/usr/local/bin:/usr/bin:/bin"  # where sbatch, squeue, scancel, scontrol and sacct are looked for
    conf: str | None = None  # SLURM_CONF of the commands
    environment: Mapping[str, str] = field(default_factory=dict)  # besides, for the commands alone
