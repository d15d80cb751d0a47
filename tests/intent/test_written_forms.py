"""Forms that have a fault of their own: the hash of an input, the precision of a pool."""

import pytest

from suanwang.grids.load import load_grid
from suanwang.intent import read_task
from suanwang.model.error import FaultsError

GRID = """
id: g
name: g
default_origin: a
price_books: [{id: p}]
sites:
- {id: a, names: {en: A, zh_hant: A, zh_hans: A}, region: CN-A, city: A, latitude: 1, longitude: 1, tier: edge,
   security_level: 1, energy: {carbon_g_per_kwh: 1, renewable_permille: 1}, price_book: p,
   pools: [{id: a/general, kind: general, nodes: 1, cores_per_node: 1, memory_bytes_per_node: 1 GiB, precision: fp8}]}
"""


def test_a_hash_that_is_none_is_named() -> None:
    with pytest.raises(FaultsError) as caught:
        read_task("run: x\ninputs: [{source: a, path: a, blake3: abc}]")
    assert [(one.code, one.where) for one in caught.value.faults] == [("blake3_form", "inputs[0].blake3")]


def test_an_unknown_precision_is_named() -> None:
    with pytest.raises(FaultsError) as caught:
        load_grid(GRID)
    assert ("precision_form", "sites[0].pools[0].precision", "fp8", 9) in [
        (one.code, one.where, one.got, one.line) for one in caught.value.faults
    ]
    assert (
        load_grid(GRID.replace("precision: fp8", "gflops_per_node: 5, precision: fp32")).sites[0].pools[0].precision
        == "fp32"
    )
