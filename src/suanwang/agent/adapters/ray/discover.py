"""What a Ray cluster could lend to the grid: its nodes by their shapes, with the accelerators that Ray counts."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from suanwang.agent.adapter import Limit
from suanwang.agent.adapters.ray import limits
from suanwang.agent.adapters.ray.server import Node, RayServer
from suanwang.agent.adapters.remote.names import free, slug
from suanwang.agent.readable import readable
from suanwang.model.grid import PoolKind
from suanwang.model.joining import NOTES_MAX, POOLS_MAX, FoundPool, Inventory

ACCELERATORS: Final = ("GPU", "NPU", "TPU", "HPU", "neuron_cores")
_TYPE: Final = "accelerator_type:"
_MEMORY_STEP: Final = 2**30  # nodes of one kind differ by some of what their system takes


class Shape(NamedTuple):
    """What nodes have in common that are one pool."""

    accelerator: str  # as Ray counts it; empty: none
    model: str  # Ray's name of the accelerator's type; empty: it says none
    cards: int
    cores: int
    memory_bytes: int


def discover(server: RayServer, enforces: Iterable[Limit]) -> Inventory:
    """Every node that lives and lends cores, by shapes. Raises AwayError where the head does not answer."""
    kept = frozenset(enforces)
    nodes = server.nodes()
    found = Counter(shape for one in nodes if (shape := shape_of(one)) is not None)
    notes = []
    idle = sum(1 for one in nodes if shape_of(one) is None)
    if idle:
        notes.append(f"nodes that lend no cores or no memory, and so are not counted: {idle}")
    missing = limits.missing(kept)
    notes += [f"cannot hold a task to its {limit.value}: {why}" for limit, why in missing.items()]
    pools = tuple(one.model_copy(update={"lacks": limits.lacks(kept)}) for one in _pools(found))
    return Inventory(
        adapter="ray",
        version=f"Ray {server.version()}"[:80],
        pools=pools[:POOLS_MAX],
        limits=tuple(sorted(limit.value for limit in Limit if limit not in missing)),
        notes=tuple(one[:300] for one in notes[:NOTES_MAX]),
    )


def shape_of(node: Node) -> Shape | None:
    """None for a node that lends no cores or no memory, as heads often do."""
    cores, memory = int(node.resources.get("CPU", 0)), int(node.resources.get("memory", 0))
    memory = memory // _MEMORY_STEP * _MEMORY_STEP or memory
    if cores < 1 or memory < 1:
        return None
    accelerator = next((one for one in ACCELERATORS if node.resources.get(one, 0) >= 1), "")
    if not accelerator:
        return Shape("", "", 0, cores, memory)
    types = sorted(name for name in node.resources if name.startswith(_TYPE))
    return Shape(accelerator, types[0] if types else "", int(node.resources[accelerator]), cores, memory)


def _pools(found: Counter[Shape]) -> Iterator[FoundPool]:
    taken: set[str] = set()
    for shape, nodes in sorted(found.items()):
        model = slug(shape.model.removeprefix(_TYPE) if shape.model else shape.accelerator)
        name = free(model if shape.cards else "general", taken)
        yield FoundPool(
            name=name,
            kind=PoolKind.AI if shape.cards else PoolKind.GENERAL,
            nodes=nodes,
            cores_per_node=shape.cores,
            memory_bytes_per_node=shape.memory_bytes,
            accelerator_model=model if shape.cards else None,
            accelerators_per_node=min(shape.cards, 64),
            queue=shape.accelerator,
            resource=readable(shape.model),
        )
