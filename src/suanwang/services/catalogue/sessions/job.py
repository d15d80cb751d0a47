"""Sessionise a stream out of order: open sessions by user, closed when the watermark is past their gap. Writes out/sessions.csv."""

import csv
from bisect import insort
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np


def stream(p, rng):
    """Clicks (user, second) in the order of arrival; a few users click most, visits are bursts over a week."""
    visits = max(1, p.clicks // 12)
    who = (p.users * rng.beta(0.8, 2.5, visits)).astype(np.int64)
    start = rng.integers(0, 7 * 86_400, visits)
    of = np.sort(rng.integers(0, visits, p.clicks))
    second = start[of] + (rng.exponential(p.gap_s * 0.25, p.clicks) * rng.integers(0, 6, p.clicks)).astype(np.int64)
    arrival = second + rng.integers(0, p.late_s + 1, p.clicks)
    order = np.argsort(arrival, kind="stable")
    return who[of][order].tolist(), second[order].tolist(), arrival[order].tolist()


class Sessions:
    """Of each user the clicks that may still grow."""

    def __init__(self, gap_s):
        self.gap_s = gap_s
        self.open = {}
        self.due = defaultdict(set)  # a coarse second -> users to look at then
        self.done = []

    def take(self, user, second):
        if user not in self.open:
            self.due[(second + self.gap_s) // 64 + 1].add(user)
        insort(self.open.setdefault(user, []), second)

    def pass_watermark(self, second):
        """No click before this second comes any more."""
        for tick in [one for one in self.due if one <= second // 64]:
            for user in self.due.pop(tick):
                self._close(user, second)

    def _close(self, user, second):
        clicks = self.open.pop(user)
        while clicks:
            end = 1
            while end < len(clicks) and clicks[end] - clicks[end - 1] <= self.gap_s:
                end += 1
            if clicks[end - 1] + self.gap_s >= second:  # a click may come that belongs to it
                self.open[user] = clicks
                self.due[(clicks[end - 1] + self.gap_s) // 64 + 1].add(user)
                return
            self.done.append((user, clicks[0], clicks[end - 1], end))
            clicks = clicks[end:]


def by_sorting(who, second, gap_s):
    out, last = [], None
    for user, at in sorted(zip(who, second, strict=True)):
        if last and last[0] == user and at - last[2] <= gap_s:
            last[2], last[3] = at, last[3] + 1
        else:
            last = [user, at, at, 1]
            out.append(last)
    return {tuple(one) for one in out}


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    who, second, arrival = stream(p, np.random.default_rng(p.seed))
    sessions, most, looked = Sessions(p.gap_s), 0, 0
    for number, (user, at, now) in enumerate(zip(who, second, arrival, strict=True)):
        sessions.take(user, at)
        if now // 64 > looked:
            looked = now // 64
            sessions.pass_watermark(now - p.late_s)
            most = max(most, len(sessions.open))
        if number % 20_000 == 0:
            progress(0.8 * number / p.clicks)
    sessions.pass_watermark(arrival[-1] + 10**7)
    found = sessions.done
    wanted = by_sorting(who, second, p.gap_s)
    with (out / "sessions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("user", "first_s", "last_s", "clicks"), *sorted(found)])
    return {
        "clicks": p.clicks,
        "sessions": len(found),
        "sessions_differ": len(set(found) ^ wanted) + len(found) - len(set(found)),
        "clicks_lost": p.clicks - sum(one[3] for one in found),
        "open_share_max": most / p.users,
        "mean_clicks": p.clicks / len(found),
    }
