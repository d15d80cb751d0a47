"""ChaCha20-Poly1305 (RFC 8439) in numpy and whole numbers, and Shamir's secret sharing of the key in the field of 2^521 - 1.

A demonstration of the road of a sealed parcel, not a hardened library: it does not run in constant time, and its key comes from
the seed so that a run can be repeated. Writes out/parcel.sealed and out/share-NN.json.
"""

import itertools
import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np

FIELD = 2**521 - 1
CONSTANTS = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574]


def quarter(s, a, b, c, d):
    for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] += s[y]
        s[z] ^= s[x]
        s[z] = (s[z] << np.uint32(turn)) | (s[z] >> np.uint32(32 - turn))


def chacha20(key, nonce, counter, length):
    """The key stream."""
    blocks = -(-length // 64)
    start = [*CONSTANTS, *struct.unpack("<8I", key), counter, *struct.unpack("<3I", nonce)]
    state = np.array(start, dtype=np.uint32)[:, None].repeat(blocks, 1)
    state[12] += np.arange(blocks, dtype=np.uint32)
    work = state.copy()
    for _ in range(10):
        for place in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)):
            quarter(work, *place)
        for place in ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            quarter(work, *place)
    return (work + state).T.astype("<u4").tobytes()[:length]


def xor(data, key, nonce, counter):
    stream = np.frombuffer(chacha20(key, nonce, counter, len(data)), dtype=np.uint8)
    return (np.frombuffer(data, dtype=np.uint8) ^ stream).tobytes()


def poly1305(message, key):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    s, total = int.from_bytes(key[16:], "little"), 0
    for at in range(0, len(message), 16):
        total = (total + int.from_bytes(message[at : at + 16] + b"\1", "little")) * r % (2**130 - 5)
    return ((total + s) % 2**128).to_bytes(16, "little")


def tag_of(cipher, extra, key, nonce):
    pad = [one + bytes(-len(one) % 16) for one in (extra, cipher)]
    return poly1305(b"".join(pad) + struct.pack("<QQ", len(extra), len(cipher)), chacha20(key, nonce, 0, 32))


def seal(data, extra, key, nonce):
    cipher = xor(data, key, nonce, 1)
    return cipher + tag_of(cipher, extra, key, nonce)


def unseal(parcel, extra, key, nonce):
    cipher, tag = parcel[:-16], parcel[-16:]
    if tag_of(cipher, extra, key, nonce) != tag:
        raise ValueError("the seal is broken")
    return xor(cipher, key, nonce, 1)


def split(secret, n, k, rng):
    weights = [secret, *(rng.randrange(FIELD) for _ in range(k - 1))]
    return [(x, sum(w * pow(x, at, FIELD) for at, w in enumerate(weights)) % FIELD) for x in range(1, n + 1)]


def joined(shares):
    """Lagrange at zero."""
    total = 0
    for x, y in shares:
        top = bottom = 1
        for other, _ in shares:
            if other != x:
                top, bottom = top * other % FIELD, bottom * (other - x) % FIELD
        total += y * top * pow(bottom, -1, FIELD)
    return total % FIELD


def rfc_vectors():
    """Sections 2.4.2, 2.5.2 and 2.8.2."""
    text = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
    cipher = xor(text, bytes(range(32)), bytes.fromhex("000000000000004a00000000"), 1)
    key = bytes.fromhex("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b")
    mac = poly1305(b"Cryptographic Forum Research Group", key)
    sealed = seal(
        text,
        bytes.fromhex("50515253c0c1c2c3c4c5c6c7"),
        bytes(range(0x80, 0xA0)),
        bytes.fromhex("070000004041424344454647"),
    )
    return (
        cipher[:16].hex() == "6e2e359a2568f98041ba0728dd0d6981"
        and mac.hex() == "a8061dc1305136c6c22b8baf0c0127a9"
        and sealed[:16].hex() == "d31a8d34648e60db7b86afbc53ef7ec2"
        and sealed[-16:].hex() == "1ae10b594f09e26a7e902ecbd0600691"
    )


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = random.Random(p.seed)
    data, key, nonce = rng.randbytes(p.size_kib * 1024), rng.randbytes(32), rng.randbytes(12)
    extra = b"to: edge-gd-guangzhou"
    parcel = seal(data, extra, key, nonce)
    (out / "parcel.sealed").write_bytes(nonce + parcel)
    progress(0.4)
    shares = split(int.from_bytes(key, "big"), p.couriers, p.enough, rng)
    for x, y in shares:
        (out / f"share-{x:02d}.json").write_text(json.dumps({"x": x, "y": f"{y:x}", "enough": p.enough}))
    # The first few sets, and neighbours around the circle, so that every share is in one.
    sets = list(itertools.islice(itertools.combinations(shares, p.enough), 10))
    sets += [tuple((shares * 2)[at : at + p.enough]) for at in range(0, p.couriers, p.enough)]
    equal = all(joined(one) == int.from_bytes(key, "big") for one in sets)
    equal = equal and unseal(parcel, extra, joined(sets[-1]).to_bytes(32, "big"), nonce) == data
    progress(0.7)
    few = joined(shares[: p.enough - 1])
    try:
        few_open = unseal(parcel, extra, (few % 2**256).to_bytes(32, "big"), nonce) == data
    except ValueError:
        few_open = False
    noticed = 0
    for broken, words in ((bytearray(parcel), extra), (bytearray(parcel), b"to: edge-hi-haikou")):
        if words == extra:
            broken[len(broken) // 3] ^= 4
        try:
            unseal(bytes(broken), words, key, nonce)
        except ValueError:
            noticed += 1
    return {
        "bytes": len(data),
        "couriers": p.couriers,
        "opened_equal": equal,
        "too_few_open": few_open,
        "tampering_noticed": noticed == 2,
        "rfc_vectors": rfc_vectors(),
    }
