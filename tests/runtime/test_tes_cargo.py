"""Archives of outputs are written by users' work: whatever they say, one attempt fails, in bounded memory."""

import gzip
import io
import os
import resource
import subprocess
import sys
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest

from suanwang.agent.adapters.tes import cargo
from suanwang.agent.adapters.tes.cargo import unpack
from suanwang.model.error import BackendError
from suanwang.model.reason import FailureReason

ROOM = 1 << 20


def member(name="out.txt", content=b"", kind=tarfile.REGTYPE, link="", form=tarfile.PAX_FORMAT, **pax):
    one = tarfile.TarInfo(name)
    one.type, one.linkname, one.size = kind, link, len(content)
    one.pax_headers = {key.replace("_", "."): value for key, value in pax.items()}
    return one.tobuf(form) + content + bytes(-len(content) % 512)


def pax(text: bytes, kind=tarfile.XHDTYPE):
    return member("pax", text, kind, form=tarfile.USTAR_FORMAT)


def record(key: bytes, value: bytes):
    length = len(key) + len(value) + 3
    while len(b"%d %s=%s\n" % (length, key, value)) != length:
        length += 1
    return b"%d %s=%s\n" % (length, key, value)


def archive(*members: bytes) -> bytes:
    return gzip.compress(b"".join(members) + bytes(1024), 1)


def pieces(packed: bytes, size=1000):
    return (packed[at : at + size] for at in range(0, len(packed), size))


def refused(packed, tmp_path, room=ROOM):
    with pytest.raises(BackendError) as found:
        unpack(pieces(packed), tmp_path / "there", room)
    return found.value


DAMAGED = {
    "time without end": pax(record(b"mtime", b"inf")) + member(),
    "time that is none": pax(record(b"mtime", b"nan")) + member(),
    "NUL in a path": pax(record(b"path", b"a\0b")) + member(),
    "a size of 5,000 digits": pax(record(b"size", b"9" * 5_000)) + member(),
    "a length of 5,000 digits": pax(b"9" * 5_000 + b" a=b\n") + member(),
    "sizes of holes that are none": pax(record(b"GNU.sparse.map", b"1,x") + record(b"GNU.sparse.size", b"5"))
    + member(),
    "no Unicode": pax(record(b"path", b"\xff\xfe")) + member(),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_header_that_is_none_is_the_fault_of_one_attempt(what, tmp_path):
    found = None
    try:
        unpack(pieces(archive(DAMAGED[what])), tmp_path / "there", ROOM)
    except BackendError as fault:
        found = fault.reason
    assert found in (None, FailureReason.BACKEND, FailureReason.OUTPUT_FORBIDDEN)


@pytest.mark.parametrize("what", ["time without end", "NUL in a path"])
def test_it_says_that_the_archive_is_damaged(what, tmp_path):
    found = refused(archive(DAMAGED[what]), tmp_path)
    assert found.reason is FailureReason.BACKEND
    assert "damaged" in found.detail


@pytest.mark.parametrize(
    "heads",
    [
        pytest.param(member("x" * 300, kind=tarfile.GNUTYPE_LONGNAME, form=tarfile.GNU_FORMAT) * 1_000, id="names"),
        pytest.param(pax(record(b"a", b"b")) * 2_000, id="pax"),
        pytest.param(pax(record(b"path", b"x" * 400_000)), id="long"),
    ],
)
def test_headers_before_one_member_are_bounded(heads, tmp_path):
    assert refused(archive(heads, member()), tmp_path).reason in (
        FailureReason.OUTPUT_FORBIDDEN,
        FailureReason.BACKEND,
    )


def test_what_is_said_of_all_members_is_bounded(tmp_path):
    many = b"".join(record(b"k%d" % number, b"v") for number in range(cargo.GLOBALS_MAX + 1))
    assert refused(archive(pax(many, tarfile.XGLTYPE), member()), tmp_path).reason is FailureReason.OUTPUT_FORBIDDEN


def test_a_size_below_zero_gives_no_room_back(tmp_path):
    head = bytearray(member("a"))
    head[124:136] = b"\xff" * 12  # -1 in base 256
    head[148:156] = b"        "
    head[148:156] = b"%06o\0 " % sum(head[:512])
    assert isinstance(refused(archive(bytes(head), member()), tmp_path), BackendError)


def test_content_that_is_no_file_counts_too(tmp_path):
    odd = member("odd", bytes(2 * ROOM), b"Z")
    assert refused(archive(odd), tmp_path).reason is FailureReason.OUTPUT_FORBIDDEN


def test_no_file_is_written_through_a_link(tmp_path):
    """The links come last, and none behind another: what the filter overlooks writes nowhere."""
    packed = archive(
        member("sub", kind=tarfile.DIRTYPE),
        member("link", kind=tarfile.SYMTYPE, link="sub"),
        member("link/file", b"x"),
    )
    with suppress(BackendError, OSError):
        unpack(pieces(packed), tmp_path / "there", ROOM)
    assert list((tmp_path / "there/sub").iterdir()) == []
    twice = archive(
        member("sub", kind=tarfile.DIRTYPE),
        member("one", kind=tarfile.SYMTYPE, link="sub"),
        member("one/two", kind=tarfile.SYMTYPE, link="sub"),
    )
    with pytest.raises(BackendError) as found:
        unpack(pieces(twice), tmp_path / "again", ROOM)
    assert found.value.reason is FailureReason.OUTPUT_FORBIDDEN


def test_links_inside_are_made(tmp_path):
    packed = archive(member("link", kind=tarfile.SYMTYPE, link="sub/file"), member("sub/file", b"there"))
    unpack(pieces(packed), tmp_path / "there", ROOM)
    assert (tmp_path / "there/link").read_bytes() == b"there"


def test_streams_behind_each_other_and_pieces_of_any_size_are_read(tmp_path):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for number in range(40):
            one = tarfile.TarInfo(f"sub/{number}")
            one.size = 700
            tar.addfile(one, io.BytesIO(bytes([number]) * 700))
    raw = made.getvalue()
    packed = gzip.compress(raw[:9_999]) + gzip.compress(raw[9_999:]) + bytes(600)
    for size in (1, 7, 100_000):
        unpack(pieces(packed, size), tmp_path / str(size), ROOM)
        assert (tmp_path / str(size) / "sub/39").read_bytes() == b"\x27" * 700


@pytest.mark.parametrize("cut", [30, 200, -9])
def test_an_archive_that_is_cut_off_is_damaged(cut, tmp_path):
    packed = archive(member("a", os.urandom(3_000)))
    assert refused(packed[:cut], tmp_path).reason is FailureReason.BACKEND


NAME = """
import gzip, sys, tarfile
from pathlib import Path
from suanwang.agent.adapters.tes.cargo import unpack
def packed():
    import zlib
    press = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = tarfile.TarInfo("n")
    head.type, head.size = tarfile.GNUTYPE_LONGNAME, 200 << 20
    yield press.compress(head.tobuf(tarfile.GNU_FORMAT))
    for _ in range(200):
        yield press.compress(b"x" * (1 << 20))
    yield press.flush()
try:
    unpack((one for one in packed() if one), Path(sys.argv[1]), 1 << 30)
except Exception as fault:
    print(type(fault).__name__, getattr(fault, "reason", fault))
"""


def test_a_name_that_is_packed_small_takes_little_memory(tmp_path):
    """In a process of its own, which has no more than that."""

    def limit():
        resource.setrlimit(resource.RLIMIT_DATA, (400 << 20, 400 << 20))

    done = subprocess.run(
        [sys.executable, "-c", NAME, str(tmp_path / "there")],
        capture_output=True,
        text=True,
        preexec_fn=limit,
        check=False,
    )
    assert done.stdout.split() == ["BackendError", "output_forbidden"], done.stderr
    assert not Path(tmp_path / "there/x").exists()
