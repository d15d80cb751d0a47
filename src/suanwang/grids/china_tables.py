"""The tables that the reference grid is made from, read from `grids/source/*.csv`."""

import csv
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

Row = Mapping[str, str]


def source_folder() -> Path:
    """`grids/source`, in the installed package or in the source tree."""
    installed = Path(__file__).parent / "data" / "source"
    return installed if installed.exists() else Path(__file__).parents[3] / "grids" / "source"


@lru_cache(maxsize=16)
def table(name: str) -> tuple[Row, ...]:
    """The rows of one table, in their order."""
    with (source_folder() / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def share_out(total: int, weights: Sequence[int]) -> list[int]:
    """`total` in whole shares by weight; what rounding leaves goes to the largest remainders, then to the first."""
    assert total >= 0, "a total is not negative"
    assert sum(weights) > 0, "somebody has a weight"
    whole = sum(weights)
    shares = [total * one // whole for one in weights]
    order = sorted(range(len(weights)), key=lambda at: (-(total * weights[at] % whole), at))
    for at in order[: total - sum(shares)]:
        shares[at] += 1
    return shares
