"""Three queries over Parquet by columns (pyarrow), each held against the same question in SQL to SQLite. Money is in whole cents.

Q1: turnover by region and month. Q2: the twenty best customers of a quarter. Q3: customers without an order in a month.
Writes out/orders.parquet, out/q1.csv, out/q2.csv, out/q3.csv.
"""

import csv
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

REGIONS = ["north", "east", "south", "west"]
DAYS = 365


def made(p, rng):
    customers = pa.table(
        {"customer": np.arange(p.customers), "region": pa.array([REGIONS[n] for n in rng.integers(0, 4, p.customers)])}
    )
    who = (p.customers * rng.beta(0.6, 2.0, p.orders)).astype(np.int64)  # few customers have most orders
    day = np.sort(rng.integers(0, DAYS, p.orders))
    cents = (np.exp(rng.normal(8, 1, p.orders))).astype(np.int64) + 1
    orders = pa.table({"order": np.arange(p.orders), "customer": who, "day": day.astype(np.int32), "cents": cents})
    return customers, orders.append_column(
        "status", pa.array(rng.choice(["paid", "open", "void"], p.orders, p=[0.8, 0.15, 0.05]))
    )


def columns(data, customers):
    """The three answers as lists of rows."""
    paid = ds.field("status") == "paid"
    one = data.to_table(columns=["customer", "day", "cents"], filter=paid).join(customers, "customer")
    one = one.append_column("month", pc.cast(pc.divide(one["day"], 31), pa.int64()))
    one = one.group_by(["region", "month"]).aggregate([("cents", "sum"), ("cents", "count")])
    q1 = sorted(zip(*(one[name].to_pylist() for name in ("region", "month", "cents_sum", "cents_count")), strict=True))
    quarter = paid & (ds.field("day") >= 90) & (ds.field("day") < 181)
    two = (
        data.to_table(columns=["customer", "cents"], filter=quarter).group_by("customer").aggregate([("cents", "sum")])
    )
    two = two.sort_by([("cents_sum", "descending"), ("customer", "ascending")]).slice(0, 20)
    q2 = list(zip(two["customer"].to_pylist(), two["cents_sum"].to_pylist(), strict=True))
    month = data.to_table(columns=["customer"], filter=(ds.field("day") >= 31) & (ds.field("day") < 62))
    none = customers.join(month.group_by("customer").aggregate([]), "customer", join_type="left anti")
    three = none.group_by("region").aggregate([("customer", "count")])
    return q1, q2, sorted(zip(three["region"].to_pylist(), three["customer_count"].to_pylist(), strict=True))


def rows(orders, customers):
    """The same from SQLite."""
    base = sqlite3.connect(":memory:")
    base.execute("create table customers (customer integer primary key, region text)")
    base.execute("create table orders (id integer, customer integer, day integer, cents integer, status text)")
    for name, table in (("customers", customers), ("orders", orders)):
        marks = ",".join("?" * table.num_columns)
        base.executemany(
            f"insert into {name} values ({marks})", zip(*(one.to_pylist() for one in table.columns), strict=True)
        )
    q1 = "select region, day / 31, sum(cents), count(*) from orders join customers using (customer) where status = 'paid' group by 1, 2 order by 1, 2"
    q2 = "select customer, sum(cents) from orders where status = 'paid' and day >= 90 and day < 181 group by 1 order by 2 desc, 1 limit 20"
    q3 = "select region, count(*) from customers where customer not in (select customer from orders where day >= 31 and day < 62) group by 1 order by 1"
    return tuple(base.execute(one).fetchall() for one in (q1, q2, q3))


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    customers, orders = made(p, np.random.default_rng(p.seed))
    group = max(250, p.orders // 40)
    pq.write_table(orders, out / "orders.parquet", row_group_size=group, compression="zstd")
    progress(0.4)
    answers = columns(ds.dataset(out / "orders.parquet"), customers)
    progress(0.7)
    wanted = rows(orders, customers)
    differ = sum(len(set(a) ^ set(b)) + (list(a) != list(b)) for a, b in zip(answers, wanted, strict=True))
    for number, answer in enumerate(answers, 1):
        with (out / f"q{number}.csv").open("w", newline="") as file:
            csv.writer(file).writerows(answer)
    meta = pq.ParquetFile(out / "orders.parquet").metadata
    stats = [meta.row_group(at).column(2).statistics for at in range(meta.num_row_groups)]
    read = sum(one.max >= 90 and one.min < 181 for one in stats)
    text = sum(
        len(f"{a},{b},{c},{d},{e}\n")
        for a, b, c, d, e in zip(*(one.to_pylist() for one in orders.columns), strict=True)
    )
    return {
        "orders": p.orders,
        "rows_answered": sum(map(len, answers)),
        "rows_differ": differ,
        "row_groups": meta.num_row_groups,
        "row_groups_read_share": read / meta.num_row_groups,
        "size_share": (out / "orders.parquet").stat().st_size / text,
    }
