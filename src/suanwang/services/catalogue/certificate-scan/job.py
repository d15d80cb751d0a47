"""Read X.509 certificates (DER inside PEM) and find the ones that need care. Writes out/bundle.pem and out/report.csv.

The certificates are made by a small DER writer; their signatures are random bytes, as the scan reads and does not verify them.
"""

import base64
import csv
import datetime as dt
import random
import re
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
RSA, SHA256, SHA1 = "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.11", "1.2.840.113549.1.1.5"
NAME, ALT = "2.5.4.3", "2.5.29.17"


def tlv(tag, *parts):
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + body


def number(value):
    return tlv(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(text):
    first, second, *rest = map(int, text.split("."))
    out = bytes([40 * first + second])
    for one in rest:
        part = [one & 0x7F]
        while one := one >> 7:
            part.append(one & 0x7F | 0x80)
        out += bytes(reversed(part))
    return tlv(6, out)


def moment(day):
    """UTCTime before 2050, GeneralizedTime from then on, as RFC 5280 has it."""
    return (
        tlv(0x17, day.strftime("%y%m%d000000Z").encode())
        if day.year < 2050
        else tlv(0x18, day.strftime("%Y%m%d000000Z").encode())
    )


def certificate(rng, host, start, end, bits, weak, alt):
    algorithm = tlv(0x30, oid(SHA1 if weak else SHA256), tlv(5))
    name = tlv(0x30, tlv(0x31, tlv(0x30, oid(NAME), tlv(0x0C, host.encode()))))
    key = tlv(0x30, number(rng.getrandbits(bits) | 1 << bits - 1 | 1), number(65537))
    public = tlv(0x30, tlv(0x30, oid(RSA), tlv(5)), tlv(3, b"\0", key))
    more = tlv(0xA3, tlv(0x30, tlv(0x30, oid(ALT), tlv(4, tlv(0x30, tlv(0x82, host.encode())))))) if alt else b""
    body = tlv(
        0x30,
        tlv(0xA0, number(2)),
        number(rng.getrandbits(120)),
        algorithm,
        name,
        tlv(0x30, moment(start), moment(end)),
        name,
        public,
        more,
    )
    return tlv(0x30, body, algorithm, tlv(3, b"\0", rng.randbytes(256)))


def children(data, at, end):
    """(tag, start, end) of each value; raises ValueError with the place where the lengths do not fit."""
    while at < end:
        if at + 2 > end:
            raise ValueError(f"cut off at byte {at}")
        tag, size, at = data[at], data[at + 1], at + 2
        if size & 0x80:
            n = size & 0x7F
            size, at = int.from_bytes(data[at : at + n], "big"), at + n
        if at + size > end:
            raise ValueError(f"a value at byte {at} ends outside")
        yield tag, at, at + size
        at += size


def read_oid(raw):
    out, value = [raw[0] // 40, raw[0] % 40], 0
    for one in raw[1:]:
        value = value << 7 | one & 0x7F
        if not one & 0x80:
            out.append(value)
            value = 0
    return ".".join(map(str, out))


def read_moment(tag, raw):
    text = raw.decode("ascii")
    year = int(text[:4]) if tag == 0x18 else int(text[:2]) + (1900 if int(text[:2]) >= 50 else 2000)
    rest = text[4:] if tag == 0x18 else text[2:]
    return dt.date(year, int(rest[:2]), int(rest[2:4]))


def read(data):
    """Host, first and last day, bits of the key, algorithm of the signature, and whether it has a subject alternative name."""
    (_, a, b), *_ = children(data, 0, len(data))
    (_, body, end), (_, alg, alg_end), _ = children(data, a, b)
    parts = list(children(data, body, end))
    parts = parts[1:] if parts[0][0] == 0xA0 else parts
    _, _, _, validity, subject, public, *more = parts
    days = [read_moment(tag, data[x:y]) for tag, x, y in children(data, *validity[1:])]
    host = ""
    for _, x, y in children(data, *subject[1:]):
        for _, u, v in children(data, x, y):
            (_, o, oe), (_, s, se) = children(data, u, v)
            if read_oid(data[o:oe]) == NAME:
                host = data[s:se].decode()
    (_, _, _), (_, k, ke) = children(data, *public[1:])
    (_, x, y), *_ = children(data, k + 1, ke)
    (_, m, me), _ = children(data, x, y)
    (_, o, oe), *_ = children(data, alg, alg_end)
    alt = any(oid(ALT) in data[x:y] for tag, x, y in more if tag == 0xA3)
    return host, days[0], days[1], int.from_bytes(data[m:me], "big").bit_length(), read_oid(data[o:oe]), alt


def judge(found, today, warn_days):
    _, start, end, bits, algorithm, alt = found
    if end < today:
        return "expired"
    if start > today:
        return "not_yet"
    if bits < 2048 or algorithm == SHA1:
        return "weak"
    if (end - today).days <= warn_days:
        return "soon"
    return "ok" if alt else "no_name"


def planned(rng, kind, today, warn_days):
    """(start, end, bits, weak, alt) of a certificate of a class."""
    far = today + dt.timedelta(days=warn_days + rng.randrange(1, 12_000))
    start = today - dt.timedelta(days=rng.randrange(1, 300))
    return {
        "expired": (
            start - dt.timedelta(days=500),
            today - dt.timedelta(days=rng.randrange(1, 400)),
            2048,
            False,
            True,
        ),
        "not_yet": (today + dt.timedelta(days=rng.randrange(1, 90)), far + dt.timedelta(days=100), 2048, False, True),
        "weak": (start, far, *rng.choice([(1024, False), (2048, True)]), True),
        "soon": (start, today + dt.timedelta(days=rng.randrange(0, warn_days + 1)), 2048, False, True),
        "no_name": (start, far, 2048, False, False),
        "ok": (start, far, rng.choice([2048, 3072]), False, True),
    }[kind]


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = random.Random(p.seed)
    today = dt.date(p.year, 1, 1) + dt.timedelta(days=p.day - 1)
    truth, pems = {}, []
    for at in range(p.certificates):
        kind, host = rng.choice(["expired", "not_yet", "weak", "soon", "no_name", "ok", "ok"]), f"host-{at:05d}.example"
        truth[host] = kind
        text = base64.encodebytes(certificate(rng, host, *planned(rng, kind, today, p.warn_days))).decode()
        pems.append(f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n")
    (out / "bundle.pem").write_text("".join(pems))
    progress(0.4)
    rows, disagree = [], 0
    for at, match in enumerate(PEM.finditer((out / "bundle.pem").read_text())):
        data = base64.b64decode(match.group(1))
        found = read(data)
        rows.append((found[0], judge(found, today, p.warn_days), found[1], found[2], found[3]))
        if at < 40:  # the standard library's own reader, as a second opinion on the dates
            with tempfile.NamedTemporaryFile("w", suffix=".pem", dir=".") as file:
                file.write(match.group(0))
                file.flush()
                other = ssl._ssl._test_decode_cert(file.name)["notAfter"]
            disagree += dt.date(1970, 1, 1) + dt.timedelta(days=ssl.cert_time_to_seconds(other) // 86_400) != found[2]
    with (out / "report.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("host", "class", "from", "to", "bits"), *rows])
    try:
        read(data[: len(data) // 2])
        refused = False
    except ValueError as error:
        refused = "byte" in str(error)
    return {
        "certificates": len(rows),
        "classes": {kind: sum(row[1] == kind for row in rows) for kind in sorted(set(truth.values()))},
        "misjudged": sum(truth[row[0]] != row[1] for row in rows) + abs(len(rows) - len(truth)),
        "stdlib_disagrees": disagree,
        "damaged_refused": refused,
    }
