"""What tenants share: how much of each resource a task takes, and how much of it the whole grid has."""

from suanwang.model.grid import PoolKind
from suanwang.model.snapshot import GridIndex
from suanwang.model.task import TaskRequest, elements_of, places_of, pool_kind

# The order of every vector below. Whole nodes of hpc and quantum are taken whole, so only nodes count there.
RESOURCES = ("cores", "memory_bytes", "accelerators", "hpc_nodes", "quantum_nodes")
Amounts = tuple[int, int, int, int, int]
NOTHING: Amounts = (0, 0, 0, 0, 0)


def amounts_of(request: TaskRequest) -> Amounts:
    """What a task takes while it has a plan: every node of every element of its array, at every place."""
    res = request.resources
    kind, nodes = pool_kind(res), res.nodes * elements_of(request) * places_of(request)
    if kind is PoolKind.HPC:
        return (0, 0, 0, nodes, 0)
    if kind is PoolKind.QUANTUM:
        return (0, 0, 0, 0, nodes)
    return (res.cpu * nodes, res.memory * nodes, res.accelerators * nodes, 0, 0)


def totals_of(index: GridIndex) -> Amounts:
    """What the whole grid has, with every site up."""
    cores = memory_bytes = accelerators = 0
    nodes = {PoolKind.HPC: 0, PoolKind.QUANTUM: 0}
    for pool, _site in index.pools.values():
        if pool.kind in nodes:
            nodes[pool.kind] += pool.nodes
        else:
            cores += pool.nodes * pool.cores_per_node
            memory_bytes += pool.nodes * pool.memory_bytes_per_node
            accelerators += pool.nodes * pool.accelerators_per_node
    return (cores, memory_bytes, accelerators, nodes[PoolKind.HPC], nodes[PoolKind.QUANTUM])


def plus(one: Amounts, two: Amounts) -> Amounts:
    """Both together."""
    return (one[0] + two[0], one[1] + two[1], one[2] + two[2], one[3] + two[3], one[4] + two[4])


def minus(one: Amounts, two: Amounts) -> Amounts:
    """One without two."""
    return (one[0] - two[0], one[1] - two[1], one[2] - two[2], one[3] - two[3], one[4] - two[4])
