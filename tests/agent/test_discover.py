"""What a host says of itself before it joins, and what a short benchmark gives."""

import time

from suanwang.agent.adapters.local.discover import KEPT_BYTES_MIN, cards, discover
from suanwang.agent.measure import measure_host
from suanwang.model.grid import PoolKind
from suanwang.model.joining import FoundPool
from suanwang.runtime.join_prices import CARD, card_price, prices_of


def device(folder, name, kind, vendor, model):
    path = folder / "bus/pci/devices" / name
    path.mkdir(parents=True)
    for file, text in (("class", kind), ("vendor", vendor), ("device", model)):
        (path / file).write_text(text + "\n")


def test_accelerators_on_the_bus_are_said_and_not_offered(tmp_path):
    device(tmp_path, "0000:01:00.0", "0x030200", "0x10de", "0x20b0")
    device(tmp_path, "0000:02:00.0", "0x030200", "0x10de", "0x20b0")
    device(tmp_path, "0000:03:00.0", "0x120000", "0x19e5", "0xd802")
    device(tmp_path, "0000:04:00.0", "0x030000", "0x1234", "0x1111")  # a plain display
    (tmp_path / "bus/pci/devices/0000:05:00.0").mkdir()  # one that is going away
    assert cards(tmp_path) == {"nvidia-20b0": 2, "huawei-d802": 1}
    found = discover(tmp_path / "work", 1, tmp_path)
    (pool,) = found.pools
    assert (pool.kind, pool.cores_per_node, pool.accelerators_per_node) == (PoolKind.GENERAL, 1, 0)
    assert any("2 x nvidia-20b0" in note for note in found.notes)
    assert cards(tmp_path / "none") == {}


def test_a_host_keeps_something_for_itself_and_cannot_lend_cores_that_it_has_not(tmp_path):
    (pool,) = discover(tmp_path, 10_000).pools
    import os

    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert pool.cores_per_node == len(os.sched_getaffinity(0))
    assert pool.memory_bytes_per_node <= total - KEPT_BYTES_MIN


def test_a_benchmark_measures_and_leaves_nothing_behind(tmp_path):
    found = measure_host(tmp_path, lambda: time.monotonic_ns() // 1_000)
    assert min(found.cores, found.matmul_fp64_mflops, found.memory_bytes_s) > 0
    assert min(found.disk_write_bytes_s, found.disk_sync_us) > 0
    assert list(tmp_path.iterdir()) == []


def test_prices_are_by_class():
    pools = [
        FoundPool(name=str(at), kind=PoolKind.AI, nodes=1, accelerator_model=model, accelerators_per_node=1)
        for at, model in enumerate(("a100", "ascend-910b", "something-new"))
    ]
    book = prices_of("annex", pools)
    assert book.accelerator_hour_micro_yuan == {"a100": 15_000_000, "ascend-910b": 12_000_000, "something-new": CARD}
    assert (book.id, card_price("h100-sxm")) == ("annex-prices", 30_000_000)
