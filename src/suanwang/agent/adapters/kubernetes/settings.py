"""What the operator decides about work on a Kubernetes cluster: the operator's file, and what the adapter makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from suanwang.agent.adapter import Limit
from suanwang.model.base import Value
from suanwang.model.ids import PoolId
from suanwang.model.units import MIB

POLL_US: Final = 1_000_000  # between two looks at the folder, and at attempts of which the server has told nothing new
GRACE_US: Final = 10_000_000  # from asking work to write its checkpoint to ending it
NODE_LOST_US: Final = (
    300_000_000  # of a node that says no more, to giving its work up: as long as Kubernetes waits itself
)
GANG_WAIT_US: Final = 30_000_000  # for all members of a gang to stand; then all are taken back
HERE: Final = "/suanwang"  # where a pod sees the folder of its attempt

DnsName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
DottedName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
LabelName = Annotated[str, Field(pattern=r"^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$")]
LabelValue = Annotated[str, Field(pattern=r"^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$")]
ImageName = Annotated[str, Field(pattern=r"^[a-z0-9][a-zA-Z0-9._:/@-]{0,250}$")]


class Toleration(Value):
    """As in a pod."""

    key: LabelName | None = None
    operator: Literal["Exists", "Equal"] = "Equal"
    value: LabelValue | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None


class PoolRoute(Value):
    """Where the work of one pool goes on the cluster. What is not given is the cluster's own default."""

    namespace: DnsName | None = None  # the kubeconfig's, where not given
    image: ImageName | None = None  # of tasks that name none, as their `host`
    node_selector: dict[LabelName, LabelValue] = Field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    priority_class: DottedName | None = None
    runtime_class: DottedName | None = None
    # The extended resource that the pool's accelerators are: nvidia.com/gpu.
    resource: LabelName | None = None
    pull_secrets: tuple[DottedName, ...] = ()
    # Whether each member of a gang has a node of its own, or several may share one.
    gang: Literal["nodes", "pods"] = "nodes"


class Volume(Value):
    """What the shared folder is to a pod: one of these."""

    claim: DottedName | None = None  # a PersistentVolumeClaim in the namespace of the work
    host_path: Annotated[str, Field(pattern=r"^/[^\x00-\x1f]{1,500}$")] | None = None  # the same path on every node
    nfs_server: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:-]{1,250}$")] | None = None
    nfs_path: Annotated[str, Field(pattern=r"^/[^\x00-\x1f]{0,500}$")] | None = None

    def source(self) -> dict[str, Any]:
        """As in a pod."""
        if self.claim is not None:
            return {"persistentVolumeClaim": {"claimName": self.claim}}
        if self.nfs_server is not None:
            return {"nfs": {"server": self.nfs_server, "path": self.nfs_path or "/"}}
        return {"hostPath": {"path": self.host_path, "type": "Directory"}}

    @property
    def kinds(self) -> int:
        """How many of the ways are given: one is right."""
        return sum(one is not None for one in (self.claim, self.host_path, self.nfs_server))


class KubernetesFile(Value):
    """The operator's file. `pools` are pools of the grid, by their ids."""

    pools: Annotated[dict[PoolId, PoolRoute], Field(min_length=1)]
    # A folder of this host that pods reach as `volume`.
    folder: Annotated[str, Field(pattern=r"^/[^\x00-\x1f\"]{1,200}$")]
    volume: Volume
    # Whom the work runs as in its containers. Never 0.
    user: Annotated[int, Field(ge=1, le=2**31 - 1)]
    group: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None  # the same number, where not given
    kubeconfig: Annotated[str, Field(pattern=r"^/[^\x00-\x1f]{1,500}$")] | None = None
    context: Annotated[str, Field(max_length=200)] | None = None
    # Images that tasks may name: whole, or the beginning of one with `*` at its end.
    images: tuple[Annotated[str, Field(pattern=r"^[a-z0-9][a-zA-Z0-9._:/@-]{0,250}\*?$")], ...] = ()
    # Folders in front of the tasks' PATH: where `python` is in the images.
    path: tuple[Annotated[str, Field(pattern=r"^/[^\x00-\x1f:]{0,500}$")], ...] = ()
    # Limits that the site keeps by means that the cluster does not tell of: network policies, pod limits, quotas.
    enforces: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True)
class KubernetesSettings:
    """`folder` is the adapter's own, on what pods reach as `volume`. `instance` tells this adapter's jobs from those of
    others in the same namespaces, and outlives its process. `user`: uid and gid of the work."""

    folder: Path
    volume: Volume
    pools: Mapping[PoolId, PoolRoute]
    instance: str
    user: tuple[int, int]
    images: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    enforces: frozenset[Limit] = frozenset()
    log_bytes_max: int = 16 * MIB
    grace_us: int = GRACE_US
    poll_us: int = POLL_US
    gang_wait_us: int = GANG_WAIT_US
    node_lost_us: int = NODE_LOST_US
    labels: Mapping[str, str] = field(default_factory=dict)  # on every job, besides the adapter's own
