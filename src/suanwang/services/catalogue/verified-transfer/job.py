"""Deliver a file in verified chunks between two threads over a socket pair; the wire breaks and flips bits, as the seed says.

The receiver keeps what it has on disk, so a new connection asks only for what is missing.
Writes out/manifest.json.
"""

import hashlib
import json
import random
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

BLOCK = 1 << 20


def digest(data):
    return hashlib.sha256(data).digest()


def root(hashes):
    level = list(hashes)
    while len(level) > 1:
        level = [digest(b"".join(level[at : at + 2])) for at in range(0, len(level), 2)]
    return level[0].hex()


def made(size, rng):
    """Random bytes, a MiB at a time: `randbytes` makes no more than 256 MiB at once."""
    out = bytearray()
    while len(out) < size:
        out += rng.randbytes(min(BLOCK, size - len(out)))
    return bytes(out)


def read_exactly(wire, n):
    out = bytearray()
    while len(out) < n:
        piece = wire.recv(n - len(out))
        if not piece:
            raise ConnectionError("the wire broke")
        out += piece
    return bytes(out)


def serve(wire, chunks, rng, p, sent):
    """Answer requests (a number each) until the wire or the asker ends."""
    with wire:
        try:
            while True:
                (number,) = struct.unpack(">q", read_exactly(wire, 8))
                data, dice = chunks[number], rng.random() * 100
                sent.append(len(data))
                if dice < p.break_percent:
                    wire.sendall(struct.pack(">q", len(data)) + data[: len(data) // 2])
                    return
                if dice < p.break_percent + p.corrupt_percent:
                    broken = bytearray(data)
                    broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
                    data = bytes(broken)
                wire.sendall(struct.pack(">q", len(data)) + data)
        except ConnectionError:
            return


def fetch(wire, missing, manifest, file, chunk):
    """Ask for what is missing; returns what arrived well and how many came damaged."""
    done, damaged = [], 0
    with wire:
        try:
            for number in missing:
                wire.sendall(struct.pack(">q", number))
                (size,) = struct.unpack(">q", read_exactly(wire, 8))
                data = read_exactly(wire, size)
                if digest(data).hex() != manifest["chunks"][number]:
                    damaged += 1
                    continue
                file.seek(number * chunk)
                file.write(data)
                done.append(number)
        except ConnectionError:
            pass
    return done, damaged


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = random.Random(p.seed)
    source = made(p.size_kib * 1024, rng)
    chunk = p.chunk_kib * 1024
    chunks = [source[at : at + chunk] for at in range(0, len(source), chunk)]
    hashes = [digest(one) for one in chunks]
    manifest = {"size": len(source), "chunk": chunk, "chunks": [one.hex() for one in hashes], "root": root(hashes)}
    (out / "manifest.json").write_text(json.dumps(manifest))
    missing, sent, damaged, connections = list(range(len(chunks))), [], 0, 0
    with (out / "received.bin").open("wb+") as file:
        file.truncate(len(source))
        while missing:
            here, there = socket.socketpair()
            server = threading.Thread(target=serve, args=(there, chunks, rng, p, sent))
            server.start()
            done, bad = fetch(here, missing, manifest, file, chunk)
            server.join()
            had = set(done)
            missing = [number for number in missing if number not in had]
            damaged += bad
            connections += 1
            progress(1 - len(missing) / len(chunks))
    received = (out / "received.bin").read_bytes()
    parts = [received[at : at + chunk] for at in range(0, len(received), chunk)]
    wrong = sum(a != b for a, b in zip(parts, chunks, strict=True))
    (out / "received.bin").unlink()
    return {
        "chunks": len(chunks),
        "connections": connections,
        "damaged_on_the_wire": damaged,
        "sent_share": sum(sent) / len(source),
        "corrupt_accepted": wrong,
        "hash_equal": digest(received) == digest(source) and root(map(digest, parts)) == manifest["root"],
    }
