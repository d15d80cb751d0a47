"""Node shapes and prices of the reference grid. Public facts fix two sums; every figure here is an assumption.

Fact: 924,000 own servers with 8 EFLOPS of general compute. Here a server is a node of an own general or hpc pool,
and FLOPS are the fp32 peak: sockets x cores x clock x fp32 operations a cycle (32 with AVX2, 64 with AVX-512).
The four shapes below are whole multiples of 2,560 GFLOPS, so the two sums hold to the last server and GFLOPS:

    edge        245,500 nodes x  5,120 GFLOPS
    provincial  200,000 nodes x  7,680 GFLOPS
    hub/western 438,500 nodes x 10,240 GFLOPS
    hpc          40,000 nodes x 17,920 GFLOPS
    sum         924,000 nodes,  8,000,000,000 GFLOPS
"""

from typing import NamedTuple

from suanwang.model.grid import Pool, PoolKind, PriceBook, TimeOfUse
from suanwang.model.ids import PoolId, PriceBookId, SiteId
from suanwang.model.units import GIB

EDGE_NODES, PROVINCIAL_NODES, HUB_NODES, HPC_NODES = 245_500, 200_000, 438_500, 40_000
HPC_AT_HUBS = 20_000  # the rest at provincial sites of weight HPC_WEIGHT_MIN and more
HPC_WEIGHT_MIN = 8
CENTRE_MODEL = "ascend-910b"
EDGE_MODEL = "l20"


class Shape(NamedTuple):
    """One kind of server: cores, memory, fp32 peak (fp16 for AI) and full power."""

    cores: int
    gib: int
    gflops: int
    watts: int
    model: str | None = None
    cards: int = 0


EDGE = Shape(64, 256, 5_120, 420)
PROVINCIAL = Shape(96, 384, 7_680, 560)
HUB = Shape(128, 512, 10_240, 680)
HPC = Shape(128, 512, 17_920, 820)
CENTRE = Shape(192, 1_536, 2_560_000, 5_600, CENTRE_MODEL, 8)  # 8 x 320 TFLOPS fp16, dense
EDGE_AI = Shape(64, 512, 478_000, 1_900, EDGE_MODEL, 4)  # 4 x 119.5 TFLOPS fp16, dense
# Third parties: 312 x a + g + 2 x h = 412,500 units of 8,000 GFLOPS make 3.3 EFLOPS with a = 1,150, g = 29,700, h = 12,000.
PARTNER = Shape(96, 384, 8_000, 580)
PARTNER_HPC = Shape(128, 512, 16_000, 800)
PARTNER_AI = Shape(128, 1_024, 2_496_000, 6_200, "a100", 8)  # 8 x 312 TFLOPS fp16, dense

_HOURS: dict[str, tuple[tuple[int, int, int], ...]] = {
    # Peaks by day and evening, a valley by night: provincial grid tariffs of the east are of this form.
    "east": ((0, 8, 650), (8, 10, 1_000), (10, 12, 1_350), (14, 19, 1_350), (19, 22, 1_200)),
    "middle": ((0, 7, 750), (9, 11, 1_200), (17, 22, 1_250)),
    # A valley at noon, when the sun gives more than the west can use.
    "west": ((0, 6, 900), (10, 16, 600), (18, 23, 1_200)),
}


def node_pool(site: SiteId, name: str, kind: PoolKind, shape: Shape, nodes: int) -> Pool:
    """A pool of `nodes` servers of one shape."""
    return Pool(
        id=PoolId(f"{site}/{name}"),
        kind=kind,
        nodes=nodes,
        cores_per_node=shape.cores,
        memory_bytes_per_node=shape.gib * GIB,
        accelerator_model=shape.model,
        accelerators_per_node=shape.cards,
        gflops_per_node=shape.gflops,
        precision="fp16" if kind is PoolKind.AI else "fp32",
        power_w_per_node=shape.watts,
    )


def quantum_pool(site: SiteId, processors: int, qubits: int) -> Pool:
    """Quantum processors with their cryostats; they have no FLOPS."""
    return Pool(
        id=PoolId(f"{site}/qpu"),
        kind=PoolKind.QUANTUM,
        nodes=processors,
        qubits_per_node=qubits,
        power_w_per_node=25_000,
    )


def price_books() -> tuple[PriceBook, ...]:
    """Three areas, with hubs below provincial sites below edges; the western hubs cheapest, third parties between."""
    rows = (
        ("east-edge", 140, 760, "east"),
        ("east", 115, 700, "east"),
        ("middle-edge", 120, 640, "middle"),
        ("middle", 100, 600, "middle"),
        ("west-edge", 105, 520, "west"),
        ("west", 82, 460, "west"),
        ("east-hub", 100, 640, "east"),
        ("west-hub", 62, 330, "west"),
        ("partner-east", 108, 720, "east"),
        ("partner-middle", 94, 620, "middle"),
        ("partner-west", 74, 480, "west"),
    )
    return tuple(_book(name, percent, kwh_milli_yuan, hours) for name, percent, kwh_milli_yuan, hours in rows)


def _book(name: str, percent: int, kwh_milli_yuan: int, hours: str) -> PriceBook:
    """A book at `percent` of the reference prices."""
    cards = {CENTRE_MODEL: 9_000_000, "a100": 12_000_000, EDGE_MODEL: 4_500_000}
    return PriceBook(
        id=PriceBookId(name),
        core_hour_micro_yuan=800 * percent,
        gib_hour_micro_yuan=100 * percent,
        accelerator_hour_micro_yuan={model: price * percent // 100 for model, price in cards.items()},
        node_hour_micro_yuan=90_000 * percent,
        qpu_shot_micro_yuan=20 * percent,
        energy_kwh_micro_yuan=kwh_milli_yuan * 1_000,
        time_of_use=tuple(TimeOfUse(from_hour=a, to_hour=b, permille=c) for a, b, c in _HOURS[hours]),
    )
