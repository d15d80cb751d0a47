"""Find secrets in a source tree: forms, check digits and entropy of what stands after a telling name. Writes out/findings.json.

The tree is made, with planted secrets and look-alikes (hashes, UUIDs, placeholders, keys with wrong check digits). No real secret
is in here. The report names places and shows only the first four letters.
"""

import json
import math
import random
import re
import string
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

WORD = string.ascii_letters + string.digits
RULES = {
    "access_key_id": re.compile(r"\bAKEY[A-Z2-7]{16}\b"),
    "checked_token": re.compile(r"\bswt_[A-Za-z0-9]{30}[0-9a-f]{8}\b"),
    "private_key": re.compile(r"-----BEGIN (?:RSA |EC )?PRIVATE KEY-----"),
    "web_token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}"),
    "url_password": re.compile(r"\b[a-z][a-z0-9+]*://[^\s:/@]+:([^\s:/@]{6,})@[\w.-]+"),
    "named_value": re.compile(r"(?i)\b\w*(?:secret|passw(?:or)?d|api_?key|token)\w*\s*[:=]\s*[\"']([^\"']{12,})[\"']"),
}
PLACEHOLDER = re.compile(r"(?i)example|changeme|your[-_]|xxxx|<.*>|\$\{|\bnone\b|placeholder")


def entropy(text):
    """Bits a letter."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


def is_secret(kind, match):
    """Whether a form that fits is one."""
    text = match.group(match.lastindex or 0)
    if PLACEHOLDER.search(match.group(0)):
        return False
    if kind == "checked_token":
        return f"{zlib.crc32(text[4:34].encode()):08x}" == text[34:]
    if kind == "named_value":
        plain = re.fullmatch(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|(?:[a-z]+[ _-])+[a-z]+", text)
        return plain is None and entropy(text) >= 3.2 and any(one.isdigit() for one in text)
    return True


def scan(path):
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        for kind, rule in RULES.items():
            for match in rule.finditer(line):
                if is_secret(kind, match):
                    yield kind, number, match.group(match.lastindex or 0)


def draw(rng, n, letters=WORD):
    return "".join(rng.choice(letters) for _ in range(n))


def planted(rng, kind):
    """(line, the secret in it)."""
    body = draw(rng, 30)
    token = f"swt_{body}{zlib.crc32(body.encode()):08x}"
    mixed = draw(rng, 14) + rng.choice(string.digits) + rng.choice("!%&+-") + draw(rng, 4)
    key = "AKEY" + draw(rng, 16, string.ascii_uppercase + "234567")
    web = f"eyJ{draw(rng, 20)}.eyJ{draw(rng, 40)}.{draw(rng, 43)}"
    lines = {
        "access_key_id": (f"    client = connect('{key}')", key),
        "checked_token": (f"# deploy with {token}", token),
        "private_key": ("-----BEGIN EC PRIVATE KEY-----", "-----BEGIN EC PRIVATE KEY-----"),
        "web_token": (f"Authorization: Bearer {web}", web),
        "url_password": (f"DATABASE = postgres://app:{draw(rng, 12)}7@db.internal/orders", None),
        "named_value": (f"db_password = '{mixed}'", mixed),
    }
    line, secret = lines[kind]
    return line, secret or line.split(":")[2].split("@")[0]


def lookalike(rng):
    return rng.choice([
        f"sha256 = '{draw(rng, 64, '0123456789abcdef')}'",
        f"request_id: '{draw(rng, 8, '0123456789abcdef')}-0000-4000-8000-{draw(rng, 12, '0123456789abcdef')}'",
        f"token = 'swt_{draw(rng, 30)}00000000'  # swt_{draw(rng, 30)}00000000",
        "password = 'your-password-goes-here-1'",
        "api_key: '${API_KEY_FROM_VAULT_1}'",
        "url = 'https://user:<password1>@example.org/'",
        "secret_name = 'the name of the secret in the vault'",
        f"AKEY{draw(rng, 7, string.ascii_uppercase)}",
    ]).replace("token = 'swt", "value = 'swt")  # fmt: skip


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = random.Random(p.seed)
    where = Counter(rng.randrange(p.files) for _ in range(p.secrets))
    truth, kinds = set(), list(RULES)
    with TemporaryDirectory(dir=".") as temporary:
        for number in range(p.files):
            path = Path(temporary) / f"part-{number % 17:02d}" / f"file-{number:05d}.py"
            path.parent.mkdir(exist_ok=True)
            lines = [
                f"value_{rng.randrange(10**6)} = compute({rng.randrange(100)})" for _ in range(rng.randrange(20, 120))
            ]
            lines += [lookalike(rng) for _ in range(rng.randrange(4))]
            rng.shuffle(lines)
            for _ in range(where[number]):
                line, secret = planted(rng, kinds[len(truth) % len(kinds)])
                at = rng.randrange(len(lines))
                lines[at] = line  # may fall on one that was planted before
                truth = {one for one in truth if one[:2] != (path.name, at + 1)} | {(path.name, at + 1, secret)}
            path.write_text("\n".join(lines) + "\n")
        found, places = [], set()
        for number, path in enumerate(sorted(Path(temporary).rglob("*.py"))):
            for kind, line, secret in scan(path):
                found.append(
                    {"file": path.name, "line": line, "kind": kind, "begins": secret[:4], "length": len(secret)}
                )
                places.add((path.name, line))
            if number % 50 == 0:
                progress(number / p.files)
    report = json.dumps(found, indent=1)
    (out / "findings.json").write_text(report)
    true = {(name, line) for name, line, _ in truth}
    return {
        "files": p.files,
        "planted": len(true),
        "found": len(places),
        "recall": len(places & true) / len(true),
        "false_alarms": len(places - true),
        "shown_in_report": sum(secret in report for _, _, secret in truth),
    }
