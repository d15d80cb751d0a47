"""Clean a CSV of meter readings into typed Parquet, and say what was wrong. Writes out/raw.csv, out/readings.parquet, out/quality.json.

What can be mended is mended (Wh to kWh, dates of two forms, spaces); what cannot is refused with its reason.
"""

import csv
import datetime as dt
import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq

FAULTS = ("date_impossible", "negative", "meter_unknown", "columns", "repeated", "number_unreadable")
START = dt.date(2026, 1, 1)


def made(p, path):
    """Writes the dirty file; returns what was put in, and the number and sum (in Wh) of the good rows."""
    rng = random.Random(p.seed)
    put, good, total = Counter(), 0, 0
    with path.open("w", newline="", encoding="latin-1") as file:
        writer = csv.writer(file)
        writer.writerow(["meter", "date", "energy", "unit"])
        for number in range(p.rows):
            day = START + dt.timedelta(days=number % 365)
            meter, wh = f"M{number // 365 + 100:05d}", rng.randrange(1, 90_000)
            row = [meter, day.isoformat(), f"{wh / 1000:.3f}", "kWh"]
            if rng.random() * 100 < p.dirty_percent:
                fault = rng.choice(FAULTS)
                put[fault] += 1
                if fault == "repeated":
                    writer.writerow(row)
                    good, total = good + 1, total + wh
                writer.writerow(broken(row, fault, number))
                continue
            kind = rng.random()
            if kind < 0.1:
                row[2:] = [str(wh), "Wh"]
            elif kind < 0.2:
                row[1] = day.strftime("%d.%m.%Y")
            elif kind < 0.25:
                row = [f" {one} " for one in row]
            writer.writerow(row)
            good, total = good + 1, total + wh
    return put, good, total


def broken(row, fault, number):
    meter, day, energy, unit = row
    return {
        "date_impossible": [meter, f"2026-02-{30 + number % 2}", energy, unit],
        "negative": [meter, day, f"-{energy}", unit],
        "meter_unknown": [f"X\xe9{number}", day, energy, unit],
        "columns": [meter, day, energy],
        "repeated": row,
        "number_unreadable": [meter, day, energy.replace(".", ",") + "?", unit],
    }[fault]


def read_date(text):
    if text[2:3] == ".":
        day, month, year = text.split(".")
        return dt.date(int(year), int(month), int(day))
    return dt.date.fromisoformat(text)


def check(row, seen):
    """(fault or None, the clean row)."""
    if len(row) != 4:
        return "columns", None
    meter, day, energy, unit = (one.strip() for one in row)
    if not (meter[:1] == "M" and meter[1:].isdigit()):
        return "meter_unknown", None
    try:
        date = read_date(day)
    except ValueError:
        return "date_impossible", None
    try:
        wh = int(energy) if unit == "Wh" else round(float(energy) * 1000)
    except ValueError:
        return "number_unreadable", None
    if wh < 0:
        return "negative", None
    if (meter, date) in seen:
        return "repeated", None
    seen.add((meter, date))
    return None, (meter, date, wh)


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    put, good, total = made(p, out / "raw.csv")
    progress(0.3)
    found, rows, seen = Counter(), [], set()
    with (out / "raw.csv").open(newline="", encoding="latin-1") as file:
        reader = csv.reader(file)
        next(reader)
        for number, row in enumerate(reader):
            fault, clean = check(row, seen)
            if fault:
                found[fault] += 1
            else:
                rows.append(clean)
            if number % 10_000 == 0:
                progress(0.3 + 0.6 * number / p.rows)
    schema = pa.schema([("meter", pa.string()), ("date", pa.date32()), ("energy_wh", pa.int64())])
    table = pa.table([list(one) for one in zip(*rows, strict=True)], schema=schema)
    pq.write_table(table, out / "readings.parquet", compression="zstd")
    (out / "quality.json").write_text(json.dumps({"refused": found, "put_in": put}, indent=1))
    back = pq.read_table(out / "readings.parquet")
    return {
        "rows_read": sum(found.values()) + len(rows),
        "rows_good": back.num_rows,
        "refused": dict(found),
        "miscounted": sum(abs(found[one] - put[one]) for one in FAULTS),
        "rows_lost": abs(back.num_rows - good),
        "sum_error": abs(sum(back["energy_wh"].to_pylist()) - total),
    }
