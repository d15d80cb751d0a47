"""The operator's file of a TES site: every fault is told, with its line; and what a server that joins must be told about."""

import json
from pathlib import Path

import pytest
from tests.plan.worlds import general, grid_of, site_of

from suanwang.agent.adapters.tes.cargo import pack, unpack
from suanwang.agent.adapters.tes.document import roots_of
from suanwang.agent.objects import LocalObjects, chunks
from suanwang.cli.join import _bytes
from suanwang.model.error import BackendError, FaultsError
from suanwang.model.grid import Pool, PoolKind
from suanwang.model.reason import FailureReason
from suanwang.model.task import Output
from suanwang.runtime.settings import Settings
from suanwang.runtime.tes_site import TesWish, discover_tes, tes_adapter, tes_file_of

CARDS = Pool(
    id="s/cards", kind=PoolKind.AI, nodes=1, cores_per_node=4, memory_bytes_per_node=2**30, accelerator_model="card-a",
    accelerators_per_node=1,
)  # fmt: skip


def faults(tmp_path: Path, text: str | None, *pools: Pool) -> list[tuple[str, str]]:
    file = tmp_path / "tes.yaml"
    if text is not None:
        file.write_text(text)
    grid = grid_of([site_of("s", list(pools) or [general("s")])], [])
    settings = Settings(home=tmp_path, adapter="tes", tes_file=str(file))
    try:
        tes_adapter(settings, tmp_path, LocalObjects(tmp_path / "objects"), grid, ("s",)).close()
    except FaultsError as error:
        return [(one.code, one.where) for one in error.faults]
    return []


def test_a_file_as_join_writes_it_is_taken(tmp_path):
    (tmp_path / "token").write_text("sw_key")
    wish = TesWish(
        "http://127.0.0.1:1", "alpine", f"file://{tmp_path}", str(tmp_path / "token"), ("a/*",), True, 1, 2, 3
    )
    assert faults(tmp_path, tes_file_of("s", wish, ("disk",))) == []


def test_every_fault_of_the_file_is_told(tmp_path):
    said = {
        "url": "http://127.0.0.1:1",
        "image": "alpine",
        "storage": f"file://{tmp_path}/none",
        "token_file": f"{tmp_path}/none",
        "pools": {"s/else": {}},
    }
    found = {code for code, _ in faults(tmp_path, json.dumps(said), general("s"), CARDS)}
    assert found == {"tes_pool_unknown", "tes_pool_missing", "tes_pool_kind", "tes_token_unread", "tes_storage_missing"}


def test_a_file_that_is_not_there_or_not_named(tmp_path):
    assert faults(tmp_path, None) == [("tes_file_unread", "tes_file")]
    with pytest.raises(FaultsError) as refused:
        tes_adapter(
            Settings(home=tmp_path, adapter="tes"),
            tmp_path,
            LocalObjects(tmp_path / "o"),
            grid_of([site_of("s")], []),
            ("s",),
        )
    assert [one.code for one in refused.value.faults] == ["tes_file_needed"]


def test_a_server_that_does_not_answer_is_said(tmp_path):
    wish = TesWish("http://127.0.0.1:1", "alpine", f"file://{tmp_path}", nodes=1, cores=2, memory_bytes=2**30)
    with pytest.raises(BackendError) as away:
        discover_tes(wish, ())
    assert "127.0.0.1:1" in away.value.detail
    with pytest.raises(FaultsError) as refused:
        discover_tes(TesWish(), ())
    assert {one.code for one in refused.value.faults} == {"join_tes_needs"}


def test_an_amount_of_memory_that_is_none_is_said():
    assert (_bytes(""), _bytes("2 GiB")) == (0, 2**31)
    with pytest.raises(FaultsError) as refused:
        _bytes("much")
    assert [one.code for one in refused.value.faults] == ["join_memory_form"]


def test_what_is_packed_is_unpacked_and_nothing_leaves_the_folder(tmp_path):
    here = tmp_path / "here"
    (here / "sub").mkdir(parents=True)
    (here / "sub/file").write_bytes(bytes(1000))
    assert pack(here, tmp_path / "archive") > 0
    with (tmp_path / "archive").open("rb") as stream:
        unpack(chunks(stream), tmp_path / "there", 1000)
    assert (tmp_path / "there/sub/file").read_bytes() == bytes(1000)
    with (tmp_path / "archive").open("rb") as stream, pytest.raises(BackendError) as large:
        unpack(chunks(stream), tmp_path / "again", 999)
    assert large.value.reason is FailureReason.OUTPUT_FORBIDDEN
    (here / "way-out").symlink_to("/etc/passwd")
    pack(here, tmp_path / "archive")
    with (tmp_path / "archive").open("rb") as stream, pytest.raises(BackendError) as outside:
        unpack(chunks(stream), tmp_path / "more", 10_000)
    assert outside.value.reason is FailureReason.OUTPUT_FORBIDDEN
    with pytest.raises(BackendError) as damaged:
        unpack(iter([b"no archive"]), tmp_path / "odd", 10)
    assert damaged.value.reason is FailureReason.BACKEND


def test_only_what_may_hold_outputs_is_packed():
    outputs = [Output(path=one) for one in ("a/b.txt", "a/*.csv", "c", "a/b.txt")]
    assert roots_of(tuple(outputs)) == ["a/b.txt", "a", "c"]
    assert roots_of((*outputs, Output(path="*.txt"))) == ["."]
