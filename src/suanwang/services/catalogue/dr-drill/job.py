"""A drill: writes are copied over links that delay and lose messages, the primary is lost, and the furthest survivor takes over.

A simulation of events on a clock of its own, with real bytes: each node hashes what it has. A message that is lost is sent again.
Writes out/timeline.csv. RPO is counted in writes, RTO in milliseconds.
"""

import csv
import hashlib
import heapq
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

AGAIN_MS, BEAT_MS, MISSED = 60.0, 100.0, 3


class Replica:
    """Takes writes in order; what comes early waits."""

    def __init__(self) -> None:
        self.log: list[bytes] = []
        self.early: dict[int, bytes] = {}

    def take(self, number: int, data: bytes) -> None:
        self.early[number] = data
        while len(self.log) in self.early:
            self.log.append(self.early.pop(len(self.log)))

    def digest(self) -> str:
        return hashlib.sha256(b"".join(self.log)).hexdigest()


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = random.Random(p.seed)
    replicas = [Replica() for _ in range(p.replicas)]
    queue: list[tuple[float, int, str, int, int]] = []
    tie = iter(range(10**9))
    data = [hashlib.sha256(f"{p.seed}:{n}".encode()).digest() for n in range(p.writes)]
    had: list[set[int]] = [set() for _ in data]
    promised_at: dict[int, float] = {}
    crash_ms = p.writes * 1.0 * 0.8

    def send(now: float, number: int, to: int) -> None:
        if rng.random() * 100 >= p.loss_percent:
            heapq.heappush(queue, (now + rng.expovariate(1 / max(p.delay_ms, 0.01)), next(tie), "copy", number, to))
        heapq.heappush(queue, (now + AGAIN_MS + 4 * p.delay_ms, next(tie), "again", number, to))

    for number in range(p.writes):
        heapq.heappush(queue, (number * 1.0, next(tie), "write", number, 0))
    made = 0
    while queue and queue[0][0] < crash_ms:
        now, _, kind, number, to = heapq.heappop(queue)
        if kind == "write":
            made += 1
            if p.acks == 0:
                promised_at[number] = now
            for one in range(p.replicas):
                send(now, number, one)
        elif kind == "copy":
            replicas[to].take(number, data[number])
            # The answer goes back over the same link.
            if rng.random() * 100 >= p.loss_percent:
                heapq.heappush(queue, (now + rng.expovariate(1 / max(p.delay_ms, 0.01)), next(tie), "ack", number, to))
        elif kind == "ack":
            # A replica answers for all before it only where it has them, so a write counts when its log reaches it.
            if len(replicas[to].log) > number:
                had[number].add(to)
            if number not in promised_at and p.acks and len(had[number]) >= p.acks:
                promised_at[number] = now
        elif number not in promised_at or to not in had[number]:
            send(now, number, to)
        if made % 200 == 0:
            progress(0.8 * now / crash_ms)
    # The worst case burns: the replicas that have the most.
    order = sorted(range(p.replicas), key=lambda one: -len(replicas[one].log))
    alive = order[p.lost_replicas :]
    leader = replicas[alive[0]]
    kept = len(leader.log)
    lost = sum(number >= kept for number in promised_at)
    detected = crash_ms + BEAT_MS * MISSED + 2 * p.delay_ms
    caught_up = detected
    for one in alive[1:]:
        replicas[one].early.clear()  # what the new primary does not have was never promised
        missing = kept - len(replicas[one].log)
        for number in range(len(replicas[one].log), kept):
            replicas[one].take(number, leader.log[number])
        caught_up = max(caught_up, detected + 2 * p.delay_ms + 0.01 * missing)
    with (out / "timeline.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("write", "promised_ms"), *sorted(promised_at.items())])
    return {
        "writes_made": made,
        "writes_promised": len(promised_at),
        "writes_kept": kept,
        "rpo_writes": made - kept,
        "promised_lost": lost,
        "hash_equal": len({replicas[one].digest() for one in alive}) == 1,
        "rto_ms": round(caught_up - crash_ms, 3),
    }
