"""Ship base backups and a write-ahead log of a database, lose it, and restore it to the state of one transaction.

Each record of the log carries its number and a checksum; the last one is torn by the crash. Writes out/base-*.db, out/wal.log.
"""

import hashlib
import json
import random
import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace


def open_bank(accounts: int) -> sqlite3.Connection:
    """In memory: what is on a disk here is only what was shipped."""
    bank = sqlite3.connect(":memory:")
    bank.execute("create table account (id integer primary key, cents integer not null)")
    bank.executemany("insert into account values (?, ?)", [(n, 100_000) for n in range(accounts)])
    bank.commit()
    return bank


def apply(bank: sqlite3.Connection, record: dict) -> None:
    """One transfer, whole or not at all."""
    with bank:
        bank.execute("update account set cents = cents - ? where id = ?", (record["cents"], record["from"]))
        bank.execute("update account set cents = cents + ? where id = ?", (record["cents"], record["to"]))


def digest(bank: sqlite3.Connection) -> str:
    return hashlib.sha256(repr(bank.execute("select * from account order by id").fetchall()).encode()).hexdigest()


def line(record: dict) -> str:
    text = json.dumps(record, separators=(",", ":"))
    return f"{zlib.crc32(text.encode()):08x} {text}\n"


def read_log(text: str) -> tuple[list[dict], bool]:
    """The whole records in order, and whether something torn came after them."""
    out = []
    for row in text.splitlines(keepends=True):
        checksum, _, body = row.partition(" ")
        if not row.endswith("\n") or f"{zlib.crc32(body[:-1].encode()):08x}" != checksum:
            return out, True
        out.append(json.loads(body))
    return out, False


def restore(folder, target: int) -> tuple[sqlite3.Connection, int]:
    """The newest base that is not past the target, then the log up to it; also how many records were replayed."""
    bases = sorted(int(path.stem.split("-")[1]) for path in folder.glob("base-*.db"))
    base = max(number for number in bases if number <= target)
    bank = sqlite3.connect(":memory:")
    with sqlite3.connect(folder / f"base-{base:08d}.db") as shipped:
        shipped.backup(bank)
    shipped.close()
    records, _ = read_log((folder / "wal.log").read_text())
    todo = [one for one in records if base < one["number"] <= target]
    for record in todo:
        apply(bank, record)
    return bank, len(todo)


def ship(bank: sqlite3.Connection, path) -> None:
    away = sqlite3.connect(path)
    bank.backup(away)
    away.close()


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = random.Random(p.seed)
    bank = open_bank(p.accounts)
    ship(bank, out / "base-00000000.db")
    wanted, rows = "", []
    for number in range(1, p.transactions + 1):
        a, b = rng.sample(range(p.accounts), 2)
        record = {"number": number, "from": a, "to": b, "cents": rng.randrange(1, 5_000)}
        rows.append(line(record))
        apply(bank, record)
        if number == p.target:
            wanted = digest(bank)
        if number % p.base_every == 0:
            ship(bank, out / f"base-{number:08d}.db")
            progress(0.8 * number / p.transactions)
    (out / "wal.log").write_text(
        "".join(rows) + line({"number": p.transactions + 1, "from": 0, "to": 1, "cents": 1})[:-9]
    )
    bank.close()  # the crash
    back, replayed = restore(out, p.target)
    whole, torn = read_log((out / "wal.log").read_text())
    total = back.execute("select sum(cents) from account").fetchone()[0]
    return {
        "replayed": replayed,
        "bases": len(list(out.glob("base-*.db"))),
        "state_equal": digest(back) == wanted,
        "money_kept": total == p.accounts * 100_000,
        "torn_tail_cut": torn and len(whole) == p.transactions,
    }
