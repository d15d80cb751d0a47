"""Ten million joint decisions with one release each, from binary columns in to decisions on disk.

Before the clock starts the world is filled: tasks arrive until what runs asks for `fill` of each kind of node. Then,
on the clock: Arrow record batches are read (tasks that arrive, tasks that end), what ended is released, what arrived is
decided, all rows are checked in sequence by the independent checker, and the batch is appended to the decision log,
fsynced. One thread decides. One reads ahead; one checks and logs behind: a decision counts once its batch is on disk.
"""

import gc
import queue
import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from suanwang.plan.kernel import Decisions, Reason, State, Tasks, apply, decide, release
from suanwang.plan.kernel.live import Live
from suanwang.plan.kernel.types import I64
from suanwang.store.decisions import DecisionLog, read_blocks
from suanwang.verify.batch import BatchChecker

from .worlds import Stream, World, churn_rate, churn_stream, make_world

BATCH = 65_536
AHEAD = 4  # batches in each queue


class Run(NamedTuple):
    """Sizes of a run."""

    decisions: int = 10_000_000
    servers: int = 924_000
    sites: int = 300
    classes: int = 2_000
    batch: int = BATCH
    fill: float = 1.05
    card_share: float = 0.6
    seed: int = 1
    replay: bool = False
    mix: bool = True  # gangs, arrays, licences, quantum minutes, security levels, narrow links
    arrays: float = 0.1  # share of tasks that come as one of an array


class Lane:
    """A thread with a queue before it; its first error stops the run."""

    def __init__(self, name: str, work: Callable[[Any], None]) -> None:
        self.inbox: queue.Queue[Any] = queue.Queue(AHEAD)
        self.cpu_s = 0.0
        self._work = work
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (item := self.inbox.get()) is not None:
            try:
                if self._error is None:
                    self._work(item)
            except BaseException as error:  # handed to the thread that asked
                self._error = error
        self.cpu_s = time.thread_time()

    def put(self, item: Any) -> None:
        if self._error is not None:
            raise self._error
        self.inbox.put(item)

    def end(self) -> None:
        self.inbox.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error


ENDS_PER_ARRIVAL = 1.1  # some of the ends are of tasks that were refused, and release nothing


def _ends(stream: Stream, bare: NDArray[np.bool_], first: int, batch: int) -> Iterator[I64]:
    """Tasks that end before each batch from `first` on: those of the stream, and the oldest without cards early.

    In the stream less ends than arrives, for what asks for no cards lives long; without them there would be less than
    one release a decision. `bare`: whether the task asks for no cards.
    """
    count = len(stream.task_class)
    when = stream.release_before[stream.release_order]
    early = np.flatnonzero(bare & (stream.release_before >= first))
    done = np.zeros(count, np.bool_)
    used = 0
    for at in range(first, count, batch):
        end = min(at + batch, count)
        gone = stream.release_order[slice(*np.searchsorted(when, [at, end]))]
        gone = gone[~done[gone]]
        more = int((end - at) * ENDS_PER_ARRIVAL) - len(gone)
        window = early[used : used + 4 * max(more, 0)]
        window = window[(window < at) & (stream.release_before[window] >= end)][: max(more, 0)]
        if len(window):
            used = int(np.searchsorted(early, window[-1])) + 1
        done[window] = True
        yield np.concatenate([gone, window])


def _arrow(path: Path, stream: Stream, bare: NDArray[np.bool_], first: int, batch: int) -> None:
    """What comes in on the clock: by turns a record batch of tasks that end and one of tasks that arrive."""
    ends = pa.schema([("task", pa.int64())])
    arrivals = pa.schema([("task", pa.int64()), ("task_class", pa.int32()), ("priority", pa.uint8())])
    count = len(stream.task_class)
    with (
        pa.OSFile(str(path / "ends.arrow"), "wb") as one,
        pa.ipc.new_stream(one, ends) as out,
        pa.OSFile(str(path / "arrivals.arrow"), "wb") as two,
        pa.ipc.new_stream(two, arrivals) as arrive,
    ):
        for at, gone in zip(range(first, count, batch), _ends(stream, bare, first, batch), strict=True):
            end = min(at + batch, count)
            out.write_batch(pa.record_batch([pa.array(gone)], schema=ends))
            columns = [np.arange(at, end), stream.task_class[at:end], np.zeros(end - at, np.uint8)]
            arrive.write_batch(pa.record_batch([pa.array(part) for part in columns], schema=arrivals))


def _read(path: Path, put: Callable[[Any], None]) -> None:
    """Record batches as columns, without a copy; then None, or the error that ended the reading."""
    try:
        with pa.memory_map(str(path / "ends.arrow")) as one, pa.memory_map(str(path / "arrivals.arrow")) as two:
            for ends, arrivals in zip(pa.ipc.open_stream(one), pa.ipc.open_stream(two), strict=True):
                put((ends.column(0).to_numpy(), Tasks(*(part.to_numpy() for part in arrivals.columns))))
    except BaseException as error:  # handed to the thread that decides
        put(error)
    else:
        put(None)


class Books:
    """Checks batches and appends them to the log."""

    def __init__(self, world: World, folder: Path, slots: int) -> None:
        begun = time.perf_counter()
        self.checker = BatchChecker(world.fabric, world.classes, slots, world.ground, world.asks)
        self.clauses_s = time.perf_counter() - begun
        self.log = DecisionLog(folder)
        self.check_s = self.log_s = 0.0

    def commit(self, rows: tuple[Decisions, ...]) -> None:
        start = time.perf_counter()
        for part in rows:
            found = self.checker.check(part)
            if found is not None:
                raise AssertionError(f"the checker found {found}")
        checked = time.perf_counter()
        for part in rows:
            if len(part.task):
                self.log.append("rows", part._asdict())
        self.check_s += checked - start
        self.log_s += time.perf_counter() - checked


def accelerator_fill(state: State) -> float:
    """Share of all card milli that is held."""
    return 1.0 - float(state.arrays.free.pool[:, 2].sum()) / float(state.fabric.pool_milli.sum())


def _turn(state: State, live: Live, ends: I64, tasks: Tasks) -> tuple[Decisions, Decisions]:
    """One micro-batch: what ended is released, then what arrived is decided."""
    back = release(state, live.recall(ends))
    rows = decide(state, tasks)
    live.remember(rows)
    return back, rows


def _prefill(state: State, live: Live, books: Books, stream: Stream, count: int, batch: int) -> None:
    when = stream.release_before[stream.release_order]
    for at in range(0, count, batch):
        end = min(at + batch, count)
        gone = stream.release_order[slice(*np.searchsorted(when, [at, end]))]
        tasks = Tasks(np.arange(at, end), stream.task_class[at:end], np.zeros(end - at, np.uint8))
        for rows in _turn(state, live, gone, tasks):
            found = books.checker.check(rows)
            assert found is None, found


def _measured(state: State, live: Live, books: Books, folder: Path) -> dict[str, Any]:
    """The part on the clock."""
    said: dict[str, Any] = {"releases": 0, "decided": 0, "placed": 0, "gang_nodes": 0, "fill_least": 1.0}
    refused = np.zeros(int(max(Reason)) + 1, np.int64)
    inbox: queue.Queue[Any] = queue.Queue(AHEAD)
    behind = Lane("check-and-log", books.commit)
    state.own().memo.passed[:] = 0
    cpu = time.process_time()
    wall = time.perf_counter()
    ahead = threading.Thread(target=_read, args=(folder, inbox.put), daemon=True)
    ahead.start()
    own = time.thread_time()
    while (item := inbox.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        back, rows = _turn(state, live, *item)
        behind.put((back, rows))
        said["releases"] += int((back.reason == Reason.RELEASED).sum())
        said["decided"] += len(item[1].task)
        said["placed"] += int((rows.reason == Reason.PLACED).sum())
        said["gang_nodes"] += int((rows.reason == Reason.MEMBER).sum())
        refused += np.bincount(rows.reason, minlength=len(refused))
        said["fill_least"] = min(said["fill_least"], accelerator_fill(state))
    said["decide_cpu_s"] = time.thread_time() - own
    behind.end()
    said["wall_s"] = time.perf_counter() - wall
    said["check_and_log_cpu_s"] = behind.cpu_s
    said["cpu_s"] = time.process_time() - cpu
    known, found, no_path = (int(one) for one in state.arrays.memo.passed)
    said |= {"passed_known_full": known, "passed_found_full": found, "passed_without_bandwidth": no_path}
    said["by_reason"] = {one.name.lower(): int(refused[one]) for one in Reason if one >= Reason.NO_CANDIDATE}
    said |= {"clauses_s": books.clauses_s, "check_s": books.check_s, "log_s": books.log_s}
    return said


def _replayed(world: World, before: State, folder: Path) -> tuple[str, float]:
    """Digest of the state that the log leads to, and how long it took."""
    start = time.perf_counter()
    for block in read_blocks(folder):
        apply(before, Decisions(**block.columns))
    return before.digest(), time.perf_counter() - start


def prefill_count(world: World, run: Run) -> int:
    """Arrivals until the cards that are asked for are `fill` of all, and more of them until they come and go."""
    asked = churn_rate(world, run.card_share) * world.classes.milli * world.classes.nodes
    each = float(asked.sum() / churn_rate(world, run.card_share).sum())  # a task, those without cards included
    return int(2.2 * float(world.fabric.pool_milli.sum()) / each)


def _full_links(world: World, state: State) -> int:
    """Links on which the widest ask of a class finds no room at the end."""
    return int((state.arrays.free.shared[: world.link_count] < world.classes.mbps.max()).sum())


def _floating_held(world: World, state: State) -> list[float]:
    """Of each licence and quantum machine the share that is held."""
    first = world.link_count + len(world.ground.guard_us)
    room = world.fabric.capacity[first:]
    return [round(float(1 - free / have), 3) for free, have in zip(state.arrays.free.shared[first:], room, strict=True)]


def ten_million(run: Run) -> dict[str, Any]:
    """Run it; every figure measured here."""
    started = time.perf_counter()
    world = make_world(run.seed, sites=run.sites, servers=run.servers, classes=run.classes, mix=run.mix)
    before = prefill_count(world, run)
    stream = churn_stream(world, run.seed, before + run.decisions, run.fill, run.card_share, run.arrays)
    made = time.perf_counter()
    state = State(world.fabric, world.classes)
    state_s = time.perf_counter() - made
    slots = 1 << 20
    live = Live(slots)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _arrow(folder, stream, (world.classes.milli == 0)[stream.task_class], before, run.batch)
        books = Books(world, folder / "log", slots)
        filling = time.perf_counter()
        _prefill(state, live, books, stream, before, run.batch)
        filled = time.perf_counter()
        at_start = state.snapshot() if run.replay else None
        held = len(live)
        del stream
        gc.collect()
        gc.freeze()
        said = _measured(state, live, books, folder)
        said["log_bytes"] = sum(path.stat().st_size for path in (folder / "log").iterdir())
        if at_start is not None:
            digest, said["replay_s"] = _replayed(world, at_start, folder / "log")
            said["replay_identical"] = digest == state.digest()
    rows = said["decided"] + said["releases"]
    return {
        "joint_decisions_per_s": said["decided"] / said["wall_s"],
        "ten_million_wall_s": said["wall_s"] * 10_000_000 / max(said["decided"], 1),
        "accelerator_fill": said["fill_least"],
        "accelerator_fill_end": accelerator_fill(state),
        "cpu_fill_end": 1.0 - float(state.arrays.free.pool[:, 0].sum()) / float(world.fabric.pool_cpu.sum()),
        "oversubscribed": books.checker.oversubscribed(),
        "nodes": int(world.fabric.node_first[-1]),
        "links_full_end": _full_links(world, state),
        "floating_held_end": _floating_held(world, state),
        "cards": int(world.fabric.pool_milli.sum()) // 1000,
        "held_at_start": held,
        "prefill_decisions": before,
        "prefill_s": filled - filling,
        "world_s": made - started,
        "state_s": state_s,
        "rows": rows,
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        **said,
    }
