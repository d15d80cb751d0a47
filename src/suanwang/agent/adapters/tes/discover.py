"""What a TES server says of itself for joining, and what the operator has to say: TES has no word for what a site has."""

from collections.abc import Iterable

from suanwang.agent.adapter import Limit
from suanwang.agent.adapters.tes import limits
from suanwang.agent.adapters.tes.server import TesServer
from suanwang.model.grid import PoolKind
from suanwang.model.joining import FoundPool, Inventory


def discover(
    server: TesServer, nodes: int, cores: int, memory_bytes: int, images: bool, network: bool, enforces: Iterable[Limit]
) -> Inventory:
    """One pool of the size that the operator says. Raises AwayError where the server does not answer as TES does."""
    said, kept = server.service_info(), frozenset(enforces)
    kind = said.get("type") if isinstance(said.get("type"), dict) else {}
    version = kind.get("version") if isinstance(kind, dict) else None
    missing = limits.missing(kept)
    notes = [f"{said.get('name') or 'the server'}: TES {version or '1.0'}; what it has is as its operator says"]
    notes += [f"cannot hold a task to its {limit.value}: {why}" for limit, why in missing.items()]
    pool = FoundPool(
        name="general",
        kind=PoolKind.GENERAL,
        nodes=nodes,
        cores_per_node=cores,
        memory_bytes_per_node=memory_bytes,
        lacks=limits.lacks(network, images, kept),
    )
    return Inventory(
        adapter="tes",
        version=f"{said.get('name') or 'TES'} {said.get('version') or ''}".strip()[:80],
        pools=(pool,),
        limits=tuple(sorted(limit.value for limit in Limit if limit not in missing)),
        notes=tuple(one[:300] for one in notes),
    )
