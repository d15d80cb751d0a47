"""Inputs into the folder: every source but http, hashes, limits, names."""

import io
import os

import pytest

from suanwang.agent import beneath
from suanwang.agent.guard import Downloads
from suanwang.agent.objects import LocalObjects
from suanwang.agent.rules import HttpRules, TransferRules
from suanwang.agent.s3 import S3Files
from suanwang.agent.staging import Stager, StandIn, stand_in_bytes
from suanwang.model.error import BackendError
from suanwang.model.reason import FailureReason
from suanwang.model.task import Input

DATA = {"sky": StandIn(7, 3_000_000)}


class Desk:
    """A stager with a folder to stage into."""

    def __init__(self, tmp_path, **rules) -> None:
        self.objects = LocalObjects(tmp_path / "objects")
        self.folder = tmp_path / "task"
        self.folder.mkdir()
        self.rules = TransferRules(**rules)
        self.downloads = Downloads(HttpRules(), lambda: 0)

    def stage(self, *inputs, stopped=lambda: False):
        stager = Stager(self.objects, self.rules, DATA.get, self.downloads, S3Files(None))
        owner = (os.geteuid(), os.getegid())
        with beneath.opened_folder(self.folder) as root:
            return stager.stage(tuple(inputs), root, owner, stopped)

    def reason(self, *inputs):
        with pytest.raises(BackendError) as fault:
            self.stage(*inputs)
        return fault.value.reason


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.downloads.close()


def test_an_object_and_a_data_set_are_staged(desk):
    stored = desk.objects.put(io.BytesIO(b"hello"))
    total = desk.stage(
        Input(source=f"object:{stored.blake3}", path="in/a.txt", blake3=stored.blake3),
        Input(source="dataset:sky", path="sky.bin"),
    )
    assert total == 5 + 3_000_000
    assert (desk.folder / "in/a.txt").read_bytes() == b"hello"
    assert (desk.folder / "sky.bin").read_bytes() == b"".join(stand_in_bytes("sky", DATA["sky"]))


def test_a_stand_in_follows_from_its_name_and_seed_alone():
    one = b"".join(stand_in_bytes("sky", StandIn(7, 2_500_000)))
    assert one == b"".join(stand_in_bytes("sky", StandIn(7, 3_000_000)))[:2_500_000]
    assert one[:64] != b"".join(stand_in_bytes("sky", StandIn(8, 64)))
    assert one[:64] != b"".join(stand_in_bytes("sea", StandIn(7, 64)))
    assert len(set(one)) == 256


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("object:" + "0" * 64, FailureReason.INPUT_MISSING),
        ("object:../../etc/passwd", FailureReason.INPUT_MISSING),
        ("dataset:none", FailureReason.INPUT_MISSING),
        ("s3://bucket/key", FailureReason.INPUT_FORBIDDEN),
        ("http://127.0.0.1/x", FailureReason.INPUT_FORBIDDEN),
        ("/etc/passwd", FailureReason.INPUT_FORBIDDEN),
        ("file:///etc/passwd", FailureReason.INPUT_FORBIDDEN),
        ("data/in.csv", FailureReason.INPUT_FORBIDDEN),
    ],
)
def test_what_cannot_be_had_says_why(desk, source, reason):
    assert desk.reason(Input(source=source, path="x")) is reason


def test_a_wrong_hash_is_found(desk):
    assert desk.reason(Input(source="dataset:sky", path="x", blake3="0" * 64)) is FailureReason.INPUT_HASH


def test_a_damaged_object_is_found(desk):
    stored = desk.objects.put(io.BytesIO(b"hello"))
    desk.objects.path(stored.blake3).write_bytes(b"jello")
    assert desk.reason(Input(source=f"object:{stored.blake3}", path="x")) is FailureReason.INPUT_HASH


def test_the_size_limit_is_of_all_inputs_together(tmp_path):
    desk = Desk(tmp_path, input_bytes_max=4_000_000)
    first = Input(source="dataset:sky", path="a")
    assert desk.stage(first) == 3_000_000
    assert (
        desk.reason(Input(source="dataset:sky", path="b"), Input(source="dataset:sky", path="c"))
        is FailureReason.INPUT_FORBIDDEN
    )
    desk.downloads.close()


def test_two_inputs_of_one_name_are_refused(desk):
    assert (
        desk.reason(Input(source="dataset:sky", path="a"), Input(source="dataset:sky", path="a"))
        is FailureReason.INPUT_FORBIDDEN
    )


@pytest.mark.parametrize("path", ["link/x", "link"])
def test_a_link_in_the_folder_is_not_followed(desk, tmp_path, path):
    (tmp_path / "outside").mkdir()
    (desk.folder / "link").symlink_to(tmp_path / "outside")
    assert desk.reason(Input(source="dataset:sky", path=path)) is FailureReason.INPUT_FORBIDDEN
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "a//b", ".", "a\\b", "a\nb"])
def test_a_path_that_leaves_is_no_input_at_all(path):
    with pytest.raises(ValueError, match="leaves"):
        Input(source="dataset:sky", path=path)


def test_staging_ends_when_stopped(desk):
    passes = iter([False, False, True, True, True])
    total = desk.stage(Input(source="dataset:sky", path="a"), stopped=lambda: next(passes))
    assert 0 < total < 3_000_000
