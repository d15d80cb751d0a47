"""What a Kubernetes cluster could lend to the grid: shapes of nodes, accelerators, priority classes and quotas."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from suanwang.agent.adapter import Limit
from suanwang.agent.adapters.kubernetes.api import Api, Object, RefusedError
from suanwang.agent.adapters.kubernetes.gang import KEEPS_OUT, is_ready, milli
from suanwang.agent.adapters.kubernetes.limits import missing_limits
from suanwang.model.grid import PoolKind
from suanwang.model.joining import NOTES_MAX, POOLS_MAX, FoundPool, Inventory

# Resources that are accelerators, by the end of their names, and the labels that say which model they are.
CARDS: Final = re.compile(r"/(gpu|npu|mlu|dcu|xpu|gcu|vcuda-core|Ascend[A-Za-z0-9]*)$", re.IGNORECASE)
MODEL_LABELS: Final = (
    "nvidia.com/gpu.product",
    "cloud.google.com/gke-accelerator",
    "k8s.amazonaws.com/accelerator",
    "amd.com/gpu.product-name",
    "accelerator",
    "node.kubernetes.io/npu.chip.name",
)
# Labels that an operator would choose nodes by, the best first. What names one node alone is never one.
SELECTORS: Final = (*MODEL_LABELS, "node.kubernetes.io/instance-type", "agentpool", "eks.amazonaws.com/nodegroup")
ONE_NODE: Final = frozenset({"kubernetes.io/hostname"})


class Shape(NamedTuple):
    """What nodes have in common that are one pool."""

    cores: int
    memory_bytes: int
    model: str  # empty: no accelerators
    cards: int
    resource: str  # what a pod asks for them by


def discover(api: Api, enforces: frozenset[Limit] = frozenset()) -> Inventory:
    """Every node that is ready, by shapes. `enforces`: limits that the site keeps by other means. Raises AwayError; RefusedError
    where nodes may not be listed."""
    nodes, _ = api.all_of("/api/v1/nodes")
    notes: list[str] = []
    found: defaultdict[Shape, list[Object]] = defaultdict(list)
    out_of_it: list[str] = []
    for node in nodes:
        shape = shape_of(node)
        if shape is None:
            out_of_it.append(str(node["metadata"]["name"]))
        else:
            found[shape].append(node)
    if out_of_it:
        notes.append(f"not counted, since not ready, cordoned or tainted: {', '.join(sorted(out_of_it))}"[:300])
    pools = [_pool(shape, found, number, notes) for number, shape in enumerate(sorted(found), 1)]
    notes += [*_quotas(api), *_priorities(api)]
    missing = missing_limits(enforces)
    notes += [f"cannot hold a task to its {limit.value}: {why}"[:300] for limit, why in missing.items()]
    return Inventory(
        adapter="kubernetes",
        version=f"Kubernetes {api.version().text}"[:80],
        pools=tuple(pools[:POOLS_MAX]),
        limits=tuple(sorted(limit.value for limit in Limit if limit not in missing)),
        notes=tuple(notes[:NOTES_MAX]),
    )


def shape_of(node: Object) -> Shape | None:
    """None for a node that takes no work of ours now."""
    has = (node.get("status") or {}).get("allocatable") or {}
    cards = next((name for name in sorted(has) if CARDS.search(name) and milli(has[name])), "")
    taints = [one for one in (node.get("spec") or {}).get("taints") or [] if one.get("effect") in KEEPS_OUT]
    cores, memory = milli(has.get("cpu", 0)) // 1000, milli(has.get("memory", 0)) // 1000
    # A node of cards is often tainted with their resource, so that nothing else comes there.
    if not is_ready(node) or not cores * memory or any(one.get("key") != cards for one in taints):
        return None
    count = milli(has[cards]) // 1000 if cards else 0
    labels = (node.get("metadata") or {}).get("labels") or {}
    model = next((slug(str(labels[key])) for key in MODEL_LABELS if labels.get(key)), slug(cards.partition("/")[2]))
    return Shape(cores, memory, model if cards else "", min(count, 64), cards)


def slug(text: str) -> str:
    """A name as the grid has them."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("._-")[:30].strip("._-") or "x"


def _pool(shape: Shape, found: Mapping[Shape, list[Object]], number: int, notes: list[str]) -> FoundPool:
    name = f"{shape.model or 'general'}-{number}" if len(found) > 1 else (shape.model or "general")
    selector = "" if len(found) == 1 else selector_of(shape, found)
    if len(found) > 1 and not selector:
        notes.append(f"{name}: no label tells its nodes from others; give them one, or its work goes anywhere"[:300])
    return FoundPool(
        name=name,
        kind=PoolKind.AI if shape.cards else PoolKind.GENERAL,
        nodes=len(found[shape]),
        cores_per_node=shape.cores,
        memory_bytes_per_node=shape.memory_bytes,
        accelerator_model=shape.model or None,
        accelerators_per_node=shape.cards,
        queue=selector,
        resource=shape.resource,
    )


def selector_of(shape: Shape, found: Mapping[Shape, list[Object]]) -> str:
    """`key=value` of a label that all nodes of a shape have and no other has; empty where there is none."""
    own = [_labels(node) for node in found[shape]]
    others = [_labels(node) for other, nodes in found.items() if other != shape for node in nodes]
    common = {key: value for key, value in own[0].items() if all(one.get(key) == value for one in own)}
    apart = {key for key, value in common.items() if value and all(one.get(key) != value for one in others)} - ONE_NODE
    chosen = next((key for key in (*SELECTORS, *sorted(apart)) if key in apart), None)
    return f"{chosen}={common[chosen]}" if chosen is not None and len(chosen) + len(common[chosen]) < 100 else ""


def _labels(node: Object) -> Mapping[str, str]:
    return (node.get("metadata") or {}).get("labels") or {}


def _quotas(api: Api) -> Iterable[str]:
    try:
        quotas, _ = api.all_of(f"/api/v1/namespaces/{api.namespace}/resourcequotas")
    except RefusedError:
        return
    for quota in quotas:
        hard: Mapping[str, Any] = (quota.get("spec") or {}).get("hard") or {}
        text = ", ".join(f"{name} {amount}" for name, amount in sorted(hard.items()))
        yield f"quota {quota['metadata']['name']} of namespace {api.namespace}: {text}"[:300]


def _priorities(api: Api) -> Iterable[str]:
    try:
        classes, _ = api.all_of("/apis/scheduling.k8s.io/v1/priorityclasses")
    except RefusedError:
        return
    own = [one for one in classes if not str(one["metadata"]["name"]).startswith("system-")]
    if own:
        text = ", ".join(f"{one['metadata']['name']} ({one['value']})" for one in own)
        yield f"priority classes: {text}"[:300]
