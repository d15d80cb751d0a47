"""How long it takes to say why: one task of a batch of a million, from its block of the log and the state before it.

The grid is full before (as in the run of ten million). The batch is decided at once and logged. Then rows are drawn,
as many that were refused as that were placed, and each is explained for itself: its block is read from the log and
checked by its digest, what was free at the row is worked out, every pool gets its clause, and what was refused gets the
changes that would admit it. Nothing is kept from one question to the next but where roads lead.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from suanwang.plan.kernel import Decisions, Reason
from suanwang.plan.kernel.explain import Explainer
from suanwang.plan.kernel.replay import rows_block
from suanwang.plan.kernel.types import DTYPES
from suanwang.store.decisions import DecisionLog, read_block

from .growth import Steady
from .worlds import make_world


def explained(servers: int, batch: int, questions: int, seed: int = 1) -> dict[str, Any]:
    """Milliseconds a question, reading the block included and apart."""
    world = make_world(seed, servers=servers, mix=True)
    steady = Steady(world, batch, batch)
    steady.release_before_next()
    before = steady.state.snapshot()
    rows = steady.one_batch()
    draw = np.random.default_rng([seed, 105])
    asked = np.concatenate(
        [draw.choice(some, min(questions // 2, len(some)), replace=False) for some in _halves(rows) if len(some)]
    )
    explainer = Explainer(world.fabric, world.classes, world.ground, world.asks)
    took, cores, read, changes, clauses = [], [], [], [], []
    with tempfile.TemporaryDirectory() as name, DecisionLog(Path(name)) as log:
        number = log.append("rows", rows_block(steady.state, rows))
        whole = read_block(Path(name), number).columns
        explainer.explain(before, Decisions(**{column: whole[column] for column in DTYPES}), int(asked[0]))  # compiled
        for at in asked.tolist():
            core = time.thread_time()
            begun = time.perf_counter()
            columns = read_block(Path(name), number).columns
            logged = Decisions(**{column: columns[column] for column in DTYPES})
            found = time.perf_counter()
            said = explainer.explain(before, logged, at)
            took.append(1e3 * (time.perf_counter() - begun))
            cores.append(1e3 * (time.thread_time() - core))
            read.append(1e3 * (found - begun))
            changes.append(len(said.changes))
            clauses.append(len(said.clauses))
            assert (said.chosen >= 0) == (logged.candidate[at] >= 0)
    return {
        "batch": len(rows.task),
        "nodes": int(world.fabric.node_first[-1]),
        "pools": len(world.fabric.pool_site),
        "questions": len(took),
        "refused": int(sum(rows.candidate[asked] < 0)),
        "ms_median": float(np.median(took)),
        "ms_p99": float(np.percentile(took, 99)),
        "ms_most": max(took),
        "placed_ms_p99": _p99(took, placed=True, rows=rows, asked=asked),
        "refused_ms_p99": _p99(took, placed=False, rows=rows, asked=asked),
        "core_ms_median": float(np.median(cores)),
        "core_ms_p99": float(np.percentile(cores, 99)),
        "read_ms_median": float(np.median(read)),
        "clauses_mean": float(np.mean(clauses)),
        "refused_with_a_change": int(sum(one > 0 for one in changes)),
    }


def _p99(took: list[float], *, placed: bool, rows: Decisions, asked: np.ndarray[Any, Any]) -> float | None:
    """Of the questions about rows that were placed, or were not."""
    some = np.array(took)[(rows.candidate[asked] >= 0) == placed]
    return float(np.percentile(some, 99)) if len(some) else None


def _halves(rows: Decisions) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    return np.flatnonzero(rows.candidate < 0), np.flatnonzero(rows.reason == Reason.PLACED)
