"""What a site that joins asks for by default: a tariff by class, in micro-yuan an hour. The owner or the operator may say otherwise.

The figures are assumptions, the same as those of the reference grid (`grids/parts.py`): a core 0.08 yuan, a GiB 0.01 yuan.
"""

from collections.abc import Iterable
from typing import Final

from suanwang.model.grid import PriceBook
from suanwang.model.ids import SiteId
from suanwang.model.joining import FoundPool, book_of

CORE: Final = 80_000
GIB: Final = 10_000
KWH: Final = 500_000
QPU_SHOT: Final = 2_000
# By what the model's name holds; the first that fits. What is in none is priced as an inference card.
CARDS: Final = (
    ("h100", 30_000_000),
    ("h800", 28_000_000),
    ("a100", 15_000_000),
    ("a800", 14_000_000),
    ("910", 12_000_000),
    ("v100", 6_000_000),
    ("l20", 6_000_000),
    ("l40", 7_000_000),
)
CARD: Final = 3_000_000


def prices_of(site: SiteId, pools: Iterable[FoundPool]) -> PriceBook:
    """The default prices of a site with these pools."""
    models = sorted({one.accelerator_model for one in pools if one.accelerator_model is not None})
    return PriceBook(
        id=book_of(site),
        core_hour_micro_yuan=CORE,
        gib_hour_micro_yuan=GIB,
        accelerator_hour_micro_yuan={model: card_price(model) for model in models},
        node_hour_micro_yuan=75 * CORE,
        qpu_shot_micro_yuan=QPU_SHOT,
        energy_kwh_micro_yuan=KWH,
    )


def card_price(model: str) -> int:
    return next((price for part, price in CARDS if part in model), CARD)
