"""Whether each pool is of one kind, has what its kind needs, and stays inside 64-bit sums."""

from collections.abc import Iterator

from suanwang.intent.document import Loc
from suanwang.intent.mapping import Found
from suanwang.model.grid import Grid, Pool, PoolKind

# Sums over a pool and prices times them stay inside int64 kernels.
POOL_BYTES_MAX = 2**60
POOL_CORES_MAX = 2**40


def check_pools(grid: Grid) -> Iterator[Found]:
    """Every fault of the pools of every site."""
    for at, site in enumerate(grid.sites):
        for place, pool in enumerate(site.pools):
            loc: Loc = ("sites", at, "pools", place)
            yield from _shape(pool, loc)
            yield from _size(pool, loc)
        for place, security in enumerate(site.security_pools):
            if security.capacity_bps == 0:
                yield Found("no_capacity", ("sites", at, "security_pools", place, "capacity_bps"), "0")
        for place, storage in enumerate(site.storage_pools):
            if storage.capacity_bytes == 0:
                yield Found("no_capacity", ("sites", at, "storage_pools", place, "capacity_bytes"), "0")


def _shape(pool: Pool, loc: Loc) -> Iterator[Found]:
    needs: dict[PoolKind, tuple[str, ...]] = {
        PoolKind.GENERAL: ("cores_per_node", "memory_bytes_per_node"),
        PoolKind.AI: ("cores_per_node", "memory_bytes_per_node", "accelerator_model", "accelerators_per_node"),
        PoolKind.HPC: ("cores_per_node", "memory_bytes_per_node"),
        PoolKind.QUANTUM: ("qubits_per_node",),
    }
    foreign: dict[PoolKind, tuple[str, ...]] = {
        PoolKind.GENERAL: ("accelerator_model", "accelerators_per_node", "qubits_per_node"),
        PoolKind.AI: ("qubits_per_node",),
        PoolKind.HPC: ("qubits_per_node",),
        PoolKind.QUANTUM: ("accelerator_model", "accelerators_per_node"),
    }
    for name in needs[pool.kind]:
        if not getattr(pool, name):
            yield Found("pool_lacks", (*loc, name), "", {"field": name, "kind": pool.kind.value})
    for name in foreign[pool.kind]:
        if getattr(pool, name):
            yield Found("pool_foreign", (*loc, name), getattr(pool, name), {"field": name, "kind": pool.kind.value})
    if pool.kind is PoolKind.HPC and bool(pool.accelerator_model) != bool(pool.accelerators_per_node):
        yield Found(
            "pool_lacks", (*loc, "accelerators_per_node"), "", {"field": "accelerators_per_node", "kind": "hpc"}
        )
    if bool(pool.gflops_per_node) != (pool.precision != "none"):
        yield Found("precision_missing", (*loc, "precision"), pool.precision)


def _size(pool: Pool, loc: Loc) -> Iterator[Found]:
    if pool.nodes * pool.memory_bytes_per_node > POOL_BYTES_MAX or pool.nodes * pool.cores_per_node > POOL_CORES_MAX:
        yield Found("pool_too_large", (*loc, "nodes"), pool.nodes)
