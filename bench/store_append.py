"""How many records a second the store appends, durably, on SQLite (or on the store at --url).

The records are those of whole roads: submit to end, 16 records a task, many tasks at once. Each `--batch` records
are one append, so the tables see inserts and updates as they would from a brain. `--json` prints one object.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "store"))

from history import History

from suanwang.store import Store


def make_batches(tasks: int, batch: int) -> list[list[object]]:
    """The roads of `tasks` tasks, interleaved: the first step of all, then the second, in batches."""
    history = History(seed=1)
    roads = [history.whole_road() for _ in range(tasks)]
    steps = [road[step] for step in range(max(map(len, roads))) for road in roads if step < len(road)]
    return [history.opening(), *(steps[start : start + batch] for start in range(0, len(steps), batch))]


def measure(url: str, batches: list[list[object]]) -> float:
    """Seconds for all batches."""
    with Store(url) as store:
        began = time.perf_counter()
        for at_us, records in enumerate(batches):
            store.append(records, at_us)
        return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=2_000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--url", help="an empty store; a SQLite file in a temporary folder where not given")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    batches = make_batches(given.tasks, given.batch)
    with tempfile.TemporaryDirectory() as folder:
        took_s = measure(given.url or f"sqlite:///{folder}/store.db", batches)
    records = sum(map(len, batches))
    result = {
        "records": records,
        "batch": given.batch,
        "seconds": round(took_s, 3),
        "records_per_s": round(records / took_s),
        "tasks_per_s": round(given.tasks / took_s),
    }
    print(json.dumps(result) if given.json else "\n".join(f"{name}: {value}" for name, value in result.items()))


if __name__ == "__main__":
    main()
