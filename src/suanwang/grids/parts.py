"""The parts that generated grids share: shapes of nodes, prices, storage, tenants. All of them are assumptions."""

from typing import Protocol

from suanwang.grids.stream import Stream
from suanwang.model.grid import (
    Pool,
    PoolKind,
    PriceBook,
    ProtectionFunction,
    SecurityPool,
    StorageClass,
    StoragePool,
    Tenant,
    Tier,
    TimeOfUse,
)
from suanwang.model.ids import PoolId, PriceBookId, SecurityPoolId, SiteId, StoragePoolId, TenantId
from suanwang.model.units import GIB, MICRO_PER_YUAN, PIB

PROTECTION = tuple(ProtectionFunction)
MODELS = ("ascend-910b", "a100", "l20")
_GFLOPS_FP16 = {"ascend-910b": 320_000, "a100": 312_000, "l20": 119_000}  # a card, dense, data sheets
_MODEL_PRICE = {"ascend-910b": 12_000_000, "a100": 15_000_000, "l20": 6_000_000}  # micro-yuan an hour


class Sizes(Protocol):
    """The bounds that a pool is drawn within."""

    @property
    def nodes_max(self) -> int: ...
    @property
    def cores_max(self) -> int: ...
    @property
    def gib_per_core(self) -> int: ...
    @property
    def accelerators_max(self) -> int: ...
    @property
    def qubits_max(self) -> int: ...


def pool_of(site: SiteId, kind: PoolKind, draw: Stream, sizes: Sizes) -> Pool:
    """One pool of `kind`, named after it."""
    pool_id = PoolId(f"{site}/{kind.value}")
    if kind is PoolKind.QUANTUM:
        qubits = draw.between(2, sizes.qubits_max)
        return Pool(id=pool_id, kind=kind, nodes=draw.between(1, 3), qubits_per_node=qubits, power_w_per_node=25_000)
    cores = max(2, draw.between(1, sizes.cores_max) // 2 * 2)
    model = draw.pick(MODELS)
    cards = draw.between(1, sizes.accelerators_max)
    is_ai = kind is PoolKind.AI
    return Pool(
        id=pool_id,
        kind=kind,
        nodes=draw.between(1, sizes.nodes_max),
        cores_per_node=cores,
        memory_bytes_per_node=cores * draw.between(1, sizes.gib_per_core) * GIB,
        accelerator_model=model if is_ai else None,
        accelerators_per_node=cards if is_ai else 0,
        gflops_per_node=cards * _GFLOPS_FP16[model] if is_ai else cores * 80,
        precision="fp16" if is_ai else "fp32",
        power_w_per_node=cards * 450 + 800 if is_ai else 150 + cores * 5,
    )


def security_pool(site: SiteId, function: ProtectionFunction, capacity_bps: int, milli_yuan: int) -> SecurityPool:
    """One protection function at a price in thousandths of a yuan per Gbit/s-hour."""
    return SecurityPool(
        id=SecurityPoolId(f"{site}/{function.value}"),
        function=function,
        capacity_bps=capacity_bps,
        price_micro_yuan_per_gbps_hour=milli_yuan * 1000,
    )


def storage_pool(site: SiteId, tier: Tier) -> StoragePool:
    """One warm pool; a hub's is the largest."""
    size = {Tier.HUB: 100, Tier.WESTERN: 200, Tier.PROVINCIAL: 20, Tier.EDGE: 1}[tier]
    return StoragePool(
        id=StoragePoolId(f"{site}/warm"),
        storage_class=StorageClass.WARM,
        capacity_bytes=size * PIB,
        throughput_bps=size * 10**10,
        price_micro_yuan_per_gib_month=80_000 if tier is Tier.WESTERN else 120_000,
    )


def price_books() -> tuple[PriceBook, ...]:
    """East dearest with a day peak, west cheapest with a noon valley of sun power, middle between them."""
    east = (TimeOfUse(from_hour=0, to_hour=8, permille=700), TimeOfUse(from_hour=10, to_hour=21, permille=1_250))
    west = (TimeOfUse(from_hour=10, to_hour=16, permille=600), TimeOfUse(from_hour=18, to_hour=23, permille=1_150))
    middle = (TimeOfUse(from_hour=0, to_hour=7, permille=800), TimeOfUse(from_hour=17, to_hour=22, permille=1_200))
    return tuple(
        PriceBook(
            id=PriceBookId(name),
            core_hour_micro_yuan=80_000 * percent // 100,
            gib_hour_micro_yuan=10_000 * percent // 100,
            accelerator_hour_micro_yuan={model: price * percent // 100 for model, price in _MODEL_PRICE.items()},
            node_hour_micro_yuan=6 * MICRO_PER_YUAN * percent // 100,
            qpu_shot_micro_yuan=2_000,
            energy_kwh_micro_yuan=kwh,
            time_of_use=bands,
        )
        for name, percent, kwh, bands in (
            ("east", 130, 720_000, east),
            ("middle", 100, 600_000, middle),
            ("west", 70, 360_000, west),
        )
    )


def tenants() -> tuple[Tenant, ...]:
    """Four tenants of the demo: open, with a budget, with quotas, with a high security class."""
    return (
        Tenant(id=TenantId("demo"), name="Demo", priority_max=100),
        Tenant(id=TenantId("render-studio"), name="Render studio", budget_micro_yuan=50_000 * MICRO_PER_YUAN),
        Tenant(id=TenantId("uni-lab"), name="University laboratory", cores_max=20_000, accelerators_max=64),
        Tenant(id=TenantId("hospital"), name="Hospital", live_tasks_max=500, priority_max=80),
    )
