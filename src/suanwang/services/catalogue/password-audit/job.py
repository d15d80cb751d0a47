"""Audit salted password hashes with a word list and rules. Accounts are made; words are a short list of this file.

Writes out/weak.csv: account, rule and the guesses that it took; never the password.
"""

import csv
import hashlib
import random
import string
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

WORDS = [
    "password",
    "welcome",
    "dragon",
    "monkey",
    "shadow",
    "summer",
    "winter",
    "spring",
    "autumn",
    "football",
    "princess",
    "sunshine",
    "letmein",
    "master",
    "secret",
    "coffee",
    "tiger",
    "silver",
    "purple",
    "orange",
    "banana",
    "server",
    "admin",
    "network",
    "cloud",
    "compute",
    "beijing",
    "shanghai",
    "canton",
]
TAILS = ("", "1", "12", "123", "!", "1!", "2024", "2025", "2026", "#1")
LEET = str.maketrans("aeios", "43105")


def guesses():
    """(rule, password), likely ones first."""
    for tail in TAILS:
        for word in WORDS:
            yield f"word{'+tail' if tail else ''}", word + tail
            yield f"capital{'+tail' if tail else ''}", word.capitalize() + tail
            yield f"leet{'+tail' if tail else ''}", word.translate(LEET) + tail
    for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890"):
        for length in range(6, len(row) + 1):
            yield "row", row[:length]


def habit(rng):
    """A password as people choose them; by the way they think of it, not by the list of guesses."""
    if rng.random() < 0.1:
        keys = rng.choice(["qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890"])
        return "".join(keys[at] for at in range(rng.randint(6, len(keys))))
    word = rng.choice(WORDS)
    way = rng.randrange(3)
    if way == 1:
        word = chr(ord(word[0]) - 32) + word[1:]
    if way == 2:
        for letter, digit in (("a", "4"), ("e", "3"), ("i", "1"), ("o", "0"), ("s", "5")):
            word = word.replace(letter, digit)
    year = str(rng.randint(2024, 2026))
    return word + rng.choice(["", "1", "12", "123", "!", "1!", "#1", year])


def hashed(password, salt, iterations):
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)


def strong(rng):
    return "".join(rng.choice(string.ascii_letters + string.digits + string.punctuation) for _ in range(16))


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = random.Random(p.seed)
    known = list(dict.fromkeys(guesses()))
    accounts, weak = [], set()
    for number in range(p.accounts):
        bad = number < p.accounts * p.weak_percent // 100
        password = habit(rng) if bad else strong(rng)
        salt = rng.randbytes(16)
        accounts.append((f"user-{number:05d}", salt, hashed(password, salt, p.iterations)))
        if bad:
            weak.add(f"user-{number:05d}")
    rng.shuffle(accounts)
    found = []
    for at, (name, salt, digest) in enumerate(accounts):
        for tries, (rule, guess) in enumerate(known, 1):
            if hashed(guess, salt, p.iterations) == digest:
                found.append((name, rule, tries))
                break
        progress((at + 1) / len(accounts))
    with (out / "weak.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("account", "rule", "guesses"), *sorted(found)])
    names = {name for name, _, _ in found}
    vector = hashlib.pbkdf2_hmac("sha256", b"passwd", b"salt", 1, 64).hex()
    return {
        "accounts": p.accounts,
        "guesses": len(known),
        "weak_found": len(names & weak),
        "weak_found_share": len(names & weak) / len(weak) if weak else 1.0,
        "strong_broken": len(names - weak),
        "rfc_vector": vector.startswith("55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"),
    }
