"""The Jobs of an attempt, as they are written to the API server. Pure."""

from dataclasses import dataclass
from typing import Any, Final

from suanwang.agent.adapter import StartOrder
from suanwang.agent.adapters.kubernetes.api import Object
from suanwang.agent.adapters.kubernetes.limits import image_of
from suanwang.agent.adapters.kubernetes.script import JOB_FILE
from suanwang.agent.adapters.kubernetes.settings import HERE, KubernetesSettings, PoolRoute
from suanwang.model.grid import PoolKind
from suanwang.model.task import pool_kind

INSTANCE: Final = "suanwang.io/instance"  # labels
ATTEMPT: Final = "suanwang.io/attempt"
PART: Final = "suanwang.io/part"
TURN: Final = "suanwang.io/turn"
COMPLETION_INDEX: Final = "batch.kubernetes.io/job-completion-index"  # the annotation on a pod of an Indexed Job
KEPT_S: Final = 86_400  # a Job that nobody takes away goes by itself, where the server does that
# What the pod's own deadline leaves to the adapter's exact one. It counts from the moment the node has the pod: the image's
# way to the node and the wait of a gang are in it.
SLACK_S: Final = 3600
FOLDER_BELOW: Final = "attempts"


@dataclass(frozen=True, slots=True)
class Shape:
    """How the pods of an attempt are put into Jobs."""

    parts: int  # pods, in all
    indexed: bool  # one Indexed Job for all of them, begun when they are admitted; else one Job each


def job_name(attempt_id: str, turn: int, part: int | None) -> str:
    """Of one submission; creating it a second time is refused by the server. `part` None: of all of them."""
    name = f"{attempt_id}-{turn}"
    return name if part is None else f"{name}-{part}"


def jobs_of(
    order: StartOrder, settings: KubernetesSettings, route: PoolRoute, turn: int, shape: Shape
) -> dict[int, Object]:
    """Each Job by its first part. Raises BackendError for an image that the site does not run."""
    if shape.indexed:
        body = _job(order, settings, route, turn, None)
        body["spec"].update(completionMode="Indexed", completions=shape.parts, parallelism=shape.parts)
        body["spec"]["suspend"] = order.request.resources.nodes > 1  # a gang is begun when there is room for all of it
        return {0: body}
    return {part: _job(order, settings, route, turn, part) for part in range(shape.parts)}


def _job(
    order: StartOrder, settings: KubernetesSettings, route: PoolRoute, turn: int, part: int | None
) -> dict[str, Any]:
    labels = {**settings.labels, INSTANCE: settings.instance, ATTEMPT: order.attempt_id, TURN: str(turn)}
    if part is not None:
        labels[PART] = str(part)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(order.attempt_id, turn, part),
            "labels": labels,
            "annotations": {"suanwang.io/task": order.task_id, "suanwang.io/site": order.site},
        },
        "spec": {
            "backoffLimit": 0,  # the brain decides what is tried again, and where
            "ttlSecondsAfterFinished": KEPT_S,
            "template": {"metadata": {"labels": dict(labels)}, "spec": _pod(order, settings, route, turn, part)},
        },
    }


def _pod(
    order: StartOrder, settings: KubernetesSettings, route: PoolRoute, turn: int, part: int | None
) -> dict[str, Any]:
    asked = order.request.resources
    uid, gid = settings.user
    out: dict[str, Any] = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": -(-asked.wall_time // 1_000_000) + SLACK_S,
        "terminationGracePeriodSeconds": max(1, -(-settings.grace_us // 1_000_000)),
        "automountServiceAccountToken": False,  # the work has no rights in the cluster
        "enableServiceLinks": False,
        "securityContext": {
            "runAsUser": uid,
            "runAsGroup": gid,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(order, settings, route, turn, part)],
        "volumes": [{"name": "site", **settings.volume.source()}],
    }
    if route.node_selector:
        out["nodeSelector"] = dict(route.node_selector)
    if route.tolerations:
        out["tolerations"] = [one.model_dump(exclude_none=True) for one in route.tolerations]
    if route.priority_class is not None:
        out["priorityClassName"] = route.priority_class
    if route.runtime_class is not None:
        out["runtimeClassName"] = route.runtime_class
    if route.pull_secrets:
        out["imagePullSecrets"] = [{"name": name} for name in route.pull_secrets]
    if apart(order, route):
        term = {"labelSelector": {"matchLabels": {ATTEMPT: order.attempt_id}}, "topologyKey": "kubernetes.io/hostname"}
        out["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    return out


def apart(order: StartOrder, route: PoolRoute) -> bool:
    """Whether each pod has a node of its own, of all the attempt's."""
    asked = order.request.resources
    return (asked.nodes > 1 or pool_kind(asked) is PoolKind.HPC) and route.gang == "nodes"


def _container(
    order: StartOrder, settings: KubernetesSettings, route: PoolRoute, turn: int, part: int | None
) -> dict[str, Any]:
    asked = order.request.resources
    held = {"cpu": str(max(1, asked.cpu)), "memory": str(max(4 << 20, asked.memory))}
    if asked.accelerators and route.resource is not None:
        held[route.resource] = str(asked.accelerators)
    environment = [
        {"name": "SUANWANG_GANG", "value": str(asked.nodes)},
        {"name": "SUANWANG_TURN", "value": str(turn)},
    ]
    if part is not None:
        environment.append({"name": "SUANWANG_PART", "value": str(part)})
    return {
        "name": "work",
        "image": image_of(order.request, route, settings.images),
        "command": ["/bin/sh", f"{HERE}/{JOB_FILE}"],
        "env": environment,
        "resources": {"requests": held, "limits": dict(held)},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        # Of the shared folder a pod sees its own attempt's part alone.
        "volumeMounts": [{"name": "site", "mountPath": HERE, "subPath": f"{FOLDER_BELOW}/{order.attempt_id}"}],
    }
