"""Back a data set up, throw the copy away, restore it and prove that it is the same bit by bit.

The archive is content-addressed: files are cut where their content says (a rolling sum over 64 bytes), each
piece is hashed with BLAKE2b and stored once, compressed, in a tar. So a second version of the data costs only
what changed, which the job measures by backing up an edited copy too.
Writes out/backup.tar (pieces), out/manifest.json and out/report.json.
"""

import argparse
import hashlib
import io
import json
import os
import shutil
import tarfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

WINDOW = 64  # bytes that decide where a piece ends
PIECE_MEAN = 1 << 12  # a cut falls at one place in 4,096, on average
PIECE_MIN, PIECE_MAX = 1 << 10, 1 << 15


class Entry(NamedTuple):
    """One file of the manifest: its own hash and its pieces in order."""

    path: str
    size: int
    digest: str
    pieces: tuple[str, ...]


def digest(data: bytes) -> str:
    """BLAKE2b, 256 bits, in hex."""
    return hashlib.blake2b(data, digest_size=32).hexdigest()


def cut_places(data: bytes) -> list[int]:
    """Where pieces end. The same bytes are cut at the same places wherever they stand in a file."""
    table = np.random.default_rng(64).integers(0, 2**32, 256, dtype=np.uint64)
    sums = np.cumsum(table[np.frombuffer(data, dtype=np.uint8)], dtype=np.uint64)
    rolling = sums[WINDOW:] - sums[:-WINDOW]
    marks = np.nonzero((rolling * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - 12) == 0)[0] + WINDOW + 1
    ends, last = [], 0
    for mark in [*marks.tolist(), len(data)]:
        while mark - last > PIECE_MAX:
            last += PIECE_MAX
            ends.append(last)
        if mark - last >= PIECE_MIN or last < mark == len(data):
            ends.append(mark)
            last = mark
    return ends


def pieces_of(data: bytes) -> list[bytes]:
    """A file's content, cut."""
    ends = cut_places(data) if len(data) > WINDOW else [len(data)]
    return [data[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)]


def back_up(folder: Path, archive: Path) -> list[Entry]:
    """Add a folder's new pieces to the archive; returns the manifest."""
    entries = []
    with tarfile.open(archive, "a") as tar:
        known = set(tar.getnames())
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            data = path.read_bytes()
            names = []
            for piece in pieces_of(data):
                name = digest(piece)
                names.append(name)
                if name not in known:
                    known.add(name)
                    packed = zlib.compress(piece, 6)
                    info = tarfile.TarInfo(name)
                    info.size = len(packed)
                    tar.addfile(info, io.BytesIO(packed))
            entries.append(Entry(path.relative_to(folder).as_posix(), len(data), digest(data), tuple(names)))
    return entries


def restore(archive: Path, entries: list[Entry], folder: Path) -> None:
    """Write the files of a manifest; every piece and every file is checked against its hash."""
    with tarfile.open(archive) as tar:
        for entry in entries:
            parts = []
            for name in entry.pieces:
                file = tar.extractfile(name)
                assert file is not None
                piece = zlib.decompress(file.read())
                if digest(piece) != name:
                    raise ValueError(f"piece {name} is damaged")
                parts.append(piece)
            data = b"".join(parts)
            if digest(data) != entry.digest:
                raise ValueError(f"{entry.path} does not match its hash")
            target = folder / entry.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)


def differences(a: Path, b: Path) -> list[str]:
    """Files that are in one folder only, or not the same in both, byte by byte."""
    names = {p.relative_to(root).as_posix() for root in (a, b) for p in root.rglob("*") if p.is_file()}
    both = {name for name in names if (a / name).is_file() and (b / name).is_file()}
    return sorted(names - both) + sorted(name for name in both if (a / name).read_bytes() != (b / name).read_bytes())


def edit(folder: Path, copy: Path) -> None:
    """A copy as it may look a day later: 100 bytes put into the middle of each file, one file more."""
    shutil.copytree(folder, copy)
    for path in sorted(p for p in copy.rglob("*") if p.is_file()):
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2] + b"edited" * 16 + b"edit" + data[len(data) // 2 :])
    (copy / "note.txt").write_text("the day after\n")


def tell_progress(permille: int) -> None:
    """How far the job is, in thousandths, where the grid asks for it."""
    if path := os.environ.get("SUANWANG_PROGRESS"):
        Path(path).write_text(str(permille))


def main(argv: list[str] | None = None) -> dict[str, object]:
    """Back up, restore, compare; returns what is written to out/report.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"), help="the folder to back up")
    parser.add_argument("--out", type=Path, default=Path("out"))
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    archive, work = args.out / "backup.tar", args.out.parent / "work"
    archive.unlink(missing_ok=True)
    shutil.rmtree(work, ignore_errors=True)
    first = back_up(args.data, archive)
    size_first = archive.stat().st_size
    tell_progress(300)
    edit(args.data, work / "edited")
    second = back_up(work / "edited", archive)
    tell_progress(600)
    restore(archive, first, work / "first")
    restore(archive, second, work / "second")
    tell_progress(900)
    different = differences(args.data, work / "first") + differences(work / "edited", work / "second")
    manifest = {"first": [entry._asdict() for entry in first], "second": [entry._asdict() for entry in second]}
    (args.out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    report = {
        "files": len(first),
        "bytes": sum(entry.size for entry in first),
        "pieces": len({name for entry in first for name in entry.pieces}),
        "archive_bytes_first": size_first,
        "archive_bytes_added_by_second": archive.stat().st_size - size_first,
        "files_different_after_restore": len(different),
    }
    (args.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    shutil.rmtree(work)
    print(json.dumps(report))
    if different:
        raise SystemExit(f"restored files differ: {different[:10]}")
    tell_progress(1000)
    return report


if __name__ == "__main__":
    main()
