"""Dispatch a day of power: DC optimal power flow with storage on the IEEE 14-bus network, as a linear program.

Two thermal plants, wind, sun and a battery meet the load of every bus in every hour at least cost, within the
limits of the lines. The prices of power at the buses are the duals of the balances. Network and loads are the
IEEE 14-bus test case; line limits, weather, battery and costs are assumptions of this example.
Writes out/dispatch.csv, out/prices.csv and out/report.json.
"""

import argparse
import csv
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_matrix

HOURS, BUSES, BASE_MW = 24, 14, 100.0
LOAD_MW = {2: 21.7, 3: 94.2, 4: 47.8, 5: 7.6, 6: 11.2, 9: 29.5, 10: 9.0, 11: 3.5, 12: 6.1, 13: 13.5, 14: 14.9}
# (from, to, reactance per unit, limit in MW)
LINES = [
    (1, 2, 0.05917, 160.0), (1, 5, 0.22304, 80.0), (2, 3, 0.19797, 60.0), (2, 4, 0.17632, 60.0),
    (2, 5, 0.17388, 60.0), (3, 4, 0.17103, 60.0), (4, 5, 0.04211, 80.0), (4, 7, 0.20912, 50.0),
    (4, 9, 0.55618, 30.0), (5, 6, 0.25202, 60.0), (6, 11, 0.19890, 30.0), (6, 12, 0.25581, 30.0),
    (6, 13, 0.13027, 30.0), (7, 8, 0.17615, 50.0), (7, 9, 0.11001, 50.0), (9, 10, 0.08450, 30.0),
    (9, 14, 0.27038, 30.0), (10, 11, 0.19207, 30.0), (12, 13, 0.19988, 30.0), (13, 14, 0.34802, 30.0),
]  # fmt: skip
CHARGE_SHARE = 0.95  # of what goes in is kept; as much again is lost on the way out


class Plant(NamedTuple):
    """A generator: cost in yuan/MWh, carbon in t/MWh; `shape` scales `limit_mw` by the hour."""

    name: str
    bus: int
    limit_mw: float
    cost: float
    carbon: float
    shape: np.ndarray


def plants(wind_factor: float) -> list[Plant]:
    """The day's plants: firm coal and gas, wind that blows at night, sun at noon."""
    hour = np.arange(HOURS)
    flat = np.ones(HOURS)
    wind = np.clip(0.55 + 0.35 * np.cos((hour - 2) / 24 * 2 * np.pi), 0, 1)
    sun = np.clip(np.sin((hour - 6) / 12 * np.pi), 0, None)
    return [
        Plant("coal", 1, 170.0, 310.0, 0.82, flat),
        Plant("gas", 2, 140.0, 520.0, 0.37, flat),
        Plant("wind", 3, 170.0 * wind_factor, 0.0, 0.0, wind),
        Plant("sun", 9, 70.0, 0.0, 0.0, sun),
    ]


class Columns(NamedTuple):
    """Where each kind of variable starts in an hour's block; `width` is the block's size."""

    generation: int
    angle: int
    charge: int
    discharge: int
    stored: int
    width: int


class Answer(NamedTuple):
    """The optimum, an hour a row: MW of each plant, angles in radians, battery flows, bus prices in yuan/MWh."""

    cost: float
    dual_cost: float
    generation: np.ndarray
    angle: np.ndarray
    charge: np.ndarray
    discharge: np.ndarray
    price: np.ndarray


def load(hour: int) -> np.ndarray:
    """MW at each bus: the test case's load with a morning and an evening peak."""
    scale = 0.78 + 0.22 * np.exp(-((hour - 10.5) ** 2) / 12) + 0.30 * np.exp(-((hour - 19.5) ** 2) / 6)
    return scale * np.array([LOAD_MW.get(bus + 1, 0.0) for bus in range(BUSES)])


def equalities(fleet: list[Plant], c: Columns, battery_bus: int) -> tuple[coo_matrix, np.ndarray]:
    """Balance of every bus and hour, then the battery's book-keeping; the last hour leads back to the first."""
    cells: list[tuple[int, int, float]] = []
    right = np.zeros(HOURS * (BUSES + 1))
    for hour in range(HOURS):
        base, row = hour * c.width, hour * BUSES
        right[row : row + BUSES] = load(hour)
        cells += [(row + plant.bus - 1, base + c.generation + i, 1.0) for i, plant in enumerate(fleet)]
        for a, b, reactance, _ in LINES:
            siemens = BASE_MW / reactance
            for here, sign in ((a, -1.0), (b, 1.0)):
                cells.append((row + here - 1, base + c.angle + a - 1, sign * siemens))
                cells.append((row + here - 1, base + c.angle + b - 1, -sign * siemens))
        cells += [(row + battery_bus - 1, base + c.discharge, 1.0), (row + battery_bus - 1, base + c.charge, -1.0)]
        book, following = HOURS * BUSES + hour, ((hour + 1) % HOURS) * c.width
        cells += [(book, following + c.stored, 1.0), (book, base + c.stored, -1.0)]
        cells += [(book, base + c.charge, -CHARGE_SHARE), (book, base + c.discharge, 1.0 / CHARGE_SHARE)]
    rows, columns, values = zip(*cells, strict=True)
    return coo_matrix((values, (rows, columns)), shape=(len(right), HOURS * c.width)), right


def line_limits(c: Columns) -> tuple[coo_matrix, np.ndarray]:
    """Flow of each line within its limit, both ways."""
    cells, right = [], []
    for hour in range(HOURS):
        for a, b, reactance, limit in LINES:
            for sign in (1.0, -1.0):
                cells.append((len(right), hour * c.width + c.angle + a - 1, sign * BASE_MW / reactance))
                cells.append((len(right), hour * c.width + c.angle + b - 1, -sign * BASE_MW / reactance))
                right.append(limit)
    rows, columns, values = zip(*cells, strict=True)
    return coo_matrix((values, (rows, columns)), shape=(len(right), HOURS * c.width)), np.array(right)


def solve(fleet: list[Plant], battery_mwh: float, battery_bus: int = 14) -> Answer:
    """The cheapest day. Raises ValueError where the load cannot be met."""
    n = len(fleet)
    c = Columns(0, n, n + BUSES, n + BUSES + 1, n + BUSES + 2, n + BUSES + 3)
    cost, bounds = np.zeros(HOURS * c.width), []
    for hour in range(HOURS):
        cost[hour * c.width : hour * c.width + n] = [plant.cost for plant in fleet]
        bounds += [(0.0, plant.limit_mw * plant.shape[hour]) for plant in fleet]
        bounds += [(0.0, 0.0)] + [(-np.pi, np.pi)] * (BUSES - 1)  # bus 1 is the reference
        bounds += [(0.0, battery_mwh / 4)] * 2 + [(0.0, battery_mwh)]
    a_eq, b_eq = equalities(fleet, c, battery_bus)
    a_ub, b_ub = line_limits(c)
    found = linprog(cost, A_ub=a_ub, b_ub=b_ub, A_eq=a_eq, b_eq=b_eq, bounds=bounds, method="highs")
    if found.status != 0:
        raise ValueError(f"no dispatch meets this load: {found.message}")
    low, high = np.array(bounds).T
    dual = b_eq @ found.eqlin.marginals + b_ub @ found.ineqlin.marginals
    dual += low @ found.lower.marginals + high @ found.upper.marginals
    block = found.x.reshape(HOURS, c.width)
    price = found.eqlin.marginals[: HOURS * BUSES].reshape(HOURS, BUSES)
    generation, angle = block[:, :n], block[:, c.angle : c.charge]
    return Answer(found.fun, float(dual), generation, angle, block[:, c.charge], block[:, c.discharge], price)


def imbalance_mw(answer: Answer, fleet: list[Plant], battery_bus: int = 14) -> float:
    """The largest miss of Kirchhoff's current law at any bus and hour, computed from the flows alone."""
    worst = 0.0
    for hour in range(HOURS):
        net = -load(hour)
        for i, plant in enumerate(fleet):
            net[plant.bus - 1] += answer.generation[hour, i]
        net[battery_bus - 1] += answer.discharge[hour] - answer.charge[hour]
        for a, b, reactance, _ in LINES:
            flow = BASE_MW * (answer.angle[hour, a - 1] - answer.angle[hour, b - 1]) / reactance
            net[a - 1] -= flow
            net[b - 1] += flow
        worst = max(worst, float(np.abs(net).max()))
    return worst


def tell_progress(permille: int) -> None:
    """How far the job is, in thousandths, where the grid asks for it."""
    if path := os.environ.get("SUANWANG_PROGRESS"):
        Path(path).write_text(str(permille))


def main(argv: list[str] | None = None) -> dict[str, object]:
    """Solve the day with and without the battery; returns what is written to out/report.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--battery-mwh", type=float, default=120.0)
    parser.add_argument("--wind-factor", type=float, default=1.0)
    parser.add_argument("--out", type=Path, default=Path("out"))
    args = parser.parse_args(argv)
    fleet = plants(args.wind_factor)
    without = solve(fleet, 0.0)
    tell_progress(400)
    answer = solve(fleet, args.battery_mwh)
    tell_progress(900)
    names = [plant.name for plant in fleet]
    args.out.mkdir(parents=True, exist_ok=True)
    with (args.out / "dispatch.csv").open("w", newline="") as file:
        table = np.column_stack((answer.generation, answer.charge, answer.discharge)).round(3)
        csv.writer(file).writerows(
            [("hour", *names, "charge", "discharge"), *((h, *row) for h, row in enumerate(table))]
        )
    with (args.out / "prices.csv").open("w", newline="") as file:
        header = ("hour", *(f"bus_{bus + 1}" for bus in range(BUSES)))
        csv.writer(file).writerows([header, *((h, *row.round(2)) for h, row in enumerate(answer.price))])
    made = answer.generation.sum(axis=0)
    offered = sum(float(plant.limit_mw * plant.shape.sum()) for plant in fleet if plant.carbon == 0.0)
    report = {
        "load_mwh": round(float(sum(load(hour).sum() for hour in range(HOURS))), 2),
        "cost_yuan": round(answer.cost, 2),
        "cost_yuan_without_battery": round(without.cost, 2),
        "carbon_t": round(float(sum(m * plant.carbon for m, plant in zip(made, fleet, strict=True))), 2),
        "mwh": {name: round(float(m), 2) for name, m in zip(names, made, strict=True)},
        "renewables_used_permille": round(1000 * float(made[2] + made[3]) / offered),
        "price_min": round(float(answer.price.min()), 2),
        "price_max": round(float(answer.price.max()), 2),
        "imbalance_mw": float(f"{imbalance_mw(answer, fleet):.3g}"),
        "duality_gap_relative": float(f"{abs(answer.cost - answer.dual_cost) / answer.cost:.3g}"),
    }
    (args.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    tell_progress(1000)
    print(json.dumps(report))
    return report


if __name__ == "__main__":
    main()
