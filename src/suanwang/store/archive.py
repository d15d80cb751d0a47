"""The backup file: a zip, nothing compressed twice, that says what is in it and how to know that it is whole.

`manifest.json` names every other entry with its BLAKE3; `log/NNNNNN.bin` hold rows of the log, `objects.ndjson` the
sizes of the objects and who may read them. A file is read only after every entry was checked.
"""

import os
import struct
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from blake3 import blake3
from pydantic import Field, ValidationError

from suanwang.model.base import Value
from suanwang.model.error import StoreError
from suanwang.store.chain import GENESIS, LogRow, checked

VERSION: Final = 1
PART_BYTES: Final = 32 * 2**20  # of one log entry, about; bounds the memory of backup and restore
_HEAD: Final = struct.Struct(">QqI32sI")  # position, at_us, records, checksum, payload bytes
_MANIFEST: Final = "manifest.json"
_OBJECTS: Final = "objects.ndjson"
_BROKEN: Final = (zipfile.BadZipFile, KeyError, struct.error, ValidationError, EOFError, NotImplementedError, OSError)


class Manifest(Value):
    format: Literal["suanwang-backup"] = "suanwang-backup"
    version: int = VERSION
    engine: str
    batches: int
    records: int
    objects: int
    last_position: int
    last_checksum: str
    last_at_us: int | None = None
    blake3: dict[str, str] = Field(default_factory=dict)  # entry -> hash of its bytes
    left_out: tuple[str, ...] = ("secrets",)


class ObjectNote(Value):
    blake3: str
    size_bytes: int
    tenants: tuple[str, ...] = ()


def write_archive(path: Path, engine: str, rows: Iterable[LogRow], objects: Iterable[ObjectNote]) -> Manifest:
    """Write a backup: under another name first, so that a file of the right name is always whole."""
    if path.exists():
        raise StoreError("backup_exists", got=str(path))
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                manifest = _write(archive, engine, rows, objects)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    except OSError as error:
        raise StoreError("store_full", detail=f"{path}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return manifest


def _write(archive: zipfile.ZipFile, engine: str, rows: Iterable[LogRow], objects: Iterable[ObjectNote]) -> Manifest:
    hashes: dict[str, str] = {}

    def put(name: str, data: bytes) -> None:
        hashes[name] = blake3(data).hexdigest()
        archive.writestr(zipfile.ZipInfo(name), data)  # no clock: the same store gives the same file

    batches = records = 0
    last: LogRow | None = None
    pieces: list[bytes] = []
    held = 0
    for row in checked(rows, 0, GENESIS):
        pieces += (_HEAD.pack(row.position, row.at_us, row.records, row.checksum, len(row.payload)), row.payload)
        held += len(row.payload)
        batches, records, last = batches + 1, records + row.records, row
        if held >= PART_BYTES:
            put(f"log/{len(hashes) + 1:06d}.bin", b"".join(pieces))
            pieces, held = [], 0
    if pieces:
        put(f"log/{len(hashes) + 1:06d}.bin", b"".join(pieces))
    notes = [one.model_dump_json() for one in objects]
    put(_OBJECTS, "".join(note + "\n" for note in notes).encode())
    manifest = Manifest(
        engine=engine,
        batches=batches,
        records=records,
        objects=len(notes),
        last_position=last.position if last else 0,
        last_checksum=(last.checksum if last else GENESIS).hex(),
        last_at_us=last.at_us if last else None,
        blake3=hashes,
    )
    archive.writestr(zipfile.ZipInfo(_MANIFEST), manifest.model_dump_json(indent=2))
    return manifest


class Archive:
    """A backup that was checked."""

    def __init__(self, archive: zipfile.ZipFile, manifest: Manifest) -> None:
        self._archive = archive
        self.manifest = manifest

    def slices(self) -> Iterator[list[LogRow]]:
        """The rows of the log, an entry at a time."""
        with _reading():
            for name in sorted(self.manifest.blake3):
                if name.startswith("log/"):
                    yield list(_rows(self._archive.read(name)))

    def objects(self) -> list[ObjectNote]:
        with _reading():
            lines = self._archive.read(_OBJECTS).splitlines()
            return [ObjectNote.model_validate_json(line) for line in lines]


@contextmanager
def read_archive(path: Path) -> Iterator[Archive]:
    """A backup, checked: StoreError `backup_missing`, `backup_damaged` or `backup_newer`."""
    if not path.is_file():
        raise StoreError("backup_missing", got=str(path))
    with _reading():
        file = zipfile.ZipFile(path)
    with file as archive:
        with _reading():
            manifest = _manifest(archive)
            _check(archive, manifest)
        yield Archive(archive, manifest)


def _manifest(archive: zipfile.ZipFile) -> Manifest:
    # Another version may have other members: look at the version before the form.
    data = archive.read(_MANIFEST) if archive.getinfo(_MANIFEST).file_size < 2**26 else b""
    head = _Version.model_validate_json(data)
    if head.version > VERSION:
        raise StoreError("backup_newer", got=str(head.version), expected=str(VERSION))
    return Manifest.model_validate_json(data)


class _Version(Value, extra="ignore"):
    format: Literal["suanwang-backup"]
    version: int


def _check(archive: zipfile.ZipFile, manifest: Manifest) -> None:
    names = sorted(info.filename for info in archive.infolist())
    if names != sorted([*manifest.blake3, _MANIFEST]) or _OBJECTS not in names:
        raise StoreError("backup_damaged", detail="its entries are not those that the manifest names")
    if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
        raise StoreError("backup_damaged", detail="an entry is compressed; backups are not")
    for name, expected in manifest.blake3.items():
        if blake3(archive.read(name)).hexdigest() != expected:
            raise StoreError("backup_damaged", detail=f"{name} is not what was written")


def _rows(data: bytes) -> Iterator[LogRow]:
    offset = 0
    while offset < len(data):
        position, at_us, records, checksum, size = _HEAD.unpack_from(data, offset)
        offset += _HEAD.size
        if offset + size > len(data):
            raise EOFError("a row is cut off")
        yield LogRow(position, at_us, records, data[offset : offset + size], checksum)
        offset += size


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise StoreError("backup_damaged", detail=f"{type(error).__name__}: {str(error)[:200]}") from error
