"""Find attacks in login records: guessing on one account, spraying from one address, impossible travel. Writes out/alarms.json.

Records are made: users with homes, habits, slips and business trips; what an attack is, is known and used only for the score.
"""

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np

CITIES = {
    "beijing": (39.9, 116.4),
    "shanghai": (31.2, 121.5),
    "guangzhou": (23.1, 113.3),
    "chengdu": (30.7, 104.1),
    "london": (51.5, -0.1),
    "sao-paulo": (-23.6, -46.6),
}
HOMES = ["beijing", "shanghai", "guangzhou", "chengdu"]


def km(a, b):
    (p1, l1), (p2, l2) = (np.radians(CITIES[one]) for one in (a, b))
    h = np.sin((p2 - p1) / 2) ** 2 + np.cos(p1) * np.cos(p2) * np.sin((l2 - l1) / 2) ** 2
    return float(2 * 6371 * np.arcsin(np.sqrt(h)))


def usual(p, rng):
    """Rows (second, user, address, city, ok) of honest work."""
    rows = []
    for user in range(p.users):
        home = HOMES[int(rng.integers(4))]
        away = set(rng.choice(p.days, 2, replace=False).tolist()) if rng.random() < 0.15 else set()
        busy = 1 + 4 * rng.random() ** 3
        for day in range(p.days):
            city = HOMES[(HOMES.index(home) + 1) % 4] if day in away else home
            for _ in range(rng.poisson(3 * busy)):
                second = day * 86_400 + int(np.clip(rng.normal(13, 2.0), 8, 19) * 3600)
                address = f"10.{HOMES.index(city)}.{user // 250}.{user % 250}"
                for slip in range(int(rng.random() < 0.06) * int(rng.integers(1, 4))):
                    rows.append((second + 5 * slip, user, address, city, False))
                rows.append((second + 30, user, address, city, True))
    return rows


def attacks(p, rng):
    """Rows of attacks, and what is to be found: (kind, user or address)."""
    rows, truth = [], set()
    victims = rng.choice(p.users, p.attacks, replace=False)
    for number, victim in enumerate(victims.tolist()):
        start = int(rng.integers(p.days // 3, p.days)) * 86_400 + int(rng.integers(0, 24)) * 3600
        address, city = f"203.0.113.{number % 250}", ["london", "sao-paulo"][number % 2]
        kind = ("guessing", "spraying", "travel")[number % 3]
        if kind == "guessing":  # slow enough for a limit a minute
            rows += [(start + 40 * at, victim, address, city, False) for at in range(40)]
            truth.add((kind, str(victim)))
        elif kind == "spraying":
            some = rng.choice(p.users, min(p.users, 25), replace=False)
            rows += [(start + 90 * at, int(user), address, city, False) for at, user in enumerate(some)]
            truth.add((kind, address))
        else:  # a stolen session an hour after its owner's
            rows += [(start, victim, "10.9.9.9", HOMES[number % 4], True), (start + 3600, victim, address, city, True)]
            truth.add((kind, str(victim)))
    return rows, truth


def alarms(rows):
    found = set()
    failures, tried, last = defaultdict(list), defaultdict(list), {}
    for second, user, address, city, ok in sorted(rows):
        if not ok:
            recent = [one for one in failures[user, address] if one > second - 3600] + [second]
            failures[user, address] = recent
            if len(recent) >= 15:
                found.add(("guessing", str(user)))
            near = [one for one in tried[address] if one[0] > second - 3600] + [(second, user)]
            tried[address] = near
            if len({one for _, one in near}) >= 10:
                found.add(("spraying", address))
            continue
        if user in last:
            before, place = last[user]
            hours = max((second - before) / 3600, 1 / 60)
            if place != city and km(place, city) / hours > 1000 and km(place, city) > 500:
                found.add(("travel", str(user)))
        last[user] = (second, city)
    return found


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    rows = usual(p, rng)
    progress(0.5)
    more, truth = attacks(p, rng)
    found = alarms(rows + more)
    (out / "alarms.json").write_text(json.dumps(sorted(found), indent=1))
    return {
        "records": len(rows) + len(more),
        "attacks": len(truth),
        "alarms": len(found),
        "recall": len(found & truth) / len(truth),
        "precision": len(found & truth) / max(1, len(found)),
    }
