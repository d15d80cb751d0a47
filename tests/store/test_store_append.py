"""The log: what is appended is read back bit for bit, in order, by one writer, whatever kills it."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from history import START_US, History

from suanwang.model.error import StoreError
from suanwang.model.event import EventKind
from suanwang.model.record import Phase, TaskAdmitted, TaskEnded
from suanwang.store import Store, verify


def fill(store: Store, history: History, count: int = 25) -> list[tuple[int, list]]:
    """Append a random history; gives its batches with their positions."""
    return [(store.append(records, at_us), records) for at_us, records in history.batches(count)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_appended_is_read_back_after_a_restart(url, open_store, seed):
    with Store(url) as store:
        written = fill(store, History(seed))
        assert store.last_position() == 25
    again = open_store(url)
    assert list(again.read()) == written
    assert list(again.read(20)) == written[20:]
    assert [position for position, _ in written] == list(range(1, 26))
    assert [r.model_dump_json() for _, b in again.read() for r in b] == [
        r.model_dump_json() for _, b in written for r in b
    ]


def test_a_memory_store_works_as_a_file_does(open_store):
    store = open_store("sqlite:///:memory:")
    written = fill(store, History(4))
    assert list(store.read()) == written
    assert verify(store) == []


def test_the_log_goes_on_where_it_stood(url, open_store):
    """An attempt that was opened before a restart still has its events placed after it."""
    history = History(5)
    road = history.whole_road()
    for record in road:
        with Store(url) as store:
            store.append([record], START_US)
    store = open_store(url)
    assert store.last_position() == len(road)
    assert store.task(road[0].task_id).phase is Phase.SUCCEEDED
    assert verify(store) == []


def test_no_records_write_nothing(url, open_store):
    store = open_store(url)
    assert store.append([], START_US) == 0
    assert store.last_position() == 0
    assert list(store.read()) == []


def test_a_record_of_a_task_that_is_not_there_is_our_fault_and_writes_nothing(url, open_store):
    store = open_store(url)
    with pytest.raises(AssertionError, match="not there"):
        store.append([TaskAdmitted(at_us=1, task_id="task-" + "0" * 26)], 1)
    assert store.last_position() == 0
    assert list(store.read()) == []
    history = History(1)
    assert store.append(history.opening(), 1) == 1


def test_the_same_charge_or_idempotency_key_twice_is_refused_whole(url, open_store):
    store = open_store(url)
    history = History(1)
    road = history.whole_road()
    store.append(road, 1)
    charge = next(record for record in road if record.t == "charge_posted")
    with pytest.raises(StoreError) as caught:
        store.append([*history.submit("alpha"), charge], 2)
    assert caught.value.code == "store_conflict"
    assert store.last_position() == 1
    assert verify(store) == []


def test_numbers_and_texts_of_a_hostile_agent_fit_the_tables(url, open_store):
    """An agent's clock, exit code and texts are what it says; the log keeps them, the tables keep their nearest."""
    store = open_store(url)
    history = History(2)
    store.append(history.submit("alpha"), 1)
    one = history.live[-1]
    store.append([*history.admit(one), *history.plan(one), *history.open(one)], 2)
    event = history._event(one.attempt_id, EventKind.RUNNING, fence=1, detail="a\x00b\ud7ff")
    event = event.model_copy(update={"event": event.event.model_copy(update={"at_us": 10**30, "sequence": 10**25})})
    closed = history._closing(one, None)[0].model_copy(update={"exit_code": -(10**30), "detail": "x\x00y"})
    store.append([event, closed], 3)
    attempt = store.attempts(one.task_id)[0]
    assert (attempt.running_us, attempt.exit_code, attempt.detail) == (2**63 - 1, -(2**63), "x\ufffdy")
    assert list(store.read(2)) == [(3, [event, closed])]
    assert verify(store) == []


def test_a_second_writer_is_refused_until_the_first_has_gone(url, open_store):
    first = Store(url)
    with pytest.raises(StoreError) as caught:
        Store(url)
    assert caught.value.code == "store_locked"
    first.append(History(1).opening(), 1)
    reader = open_store(url, read_only=True)
    assert reader.last_position() == 1
    first.close()
    assert open_store(url).last_position() == 1


def test_a_reader_cannot_write(url, open_store):
    open_store(url)
    reader = open_store(url, read_only=True)
    with pytest.raises(StoreError) as caught:
        reader.append(History(1).opening(), 1)
    assert caught.value.code == "store_read_only"


def test_a_closed_store_says_so(url):
    store = Store(url)
    store.append(History(1).opening(), 1)
    store.close()
    store.close()
    assert store.last_position() == 1
    for use in (lambda: store.task("task"), lambda: store.append(History(1).opening(), 1), lambda: list(store.read())):
        with pytest.raises(StoreError) as caught:
            use()
        assert caught.value.code == "store_closed"


CHILD = """
import sys
sys.path.insert(0, sys.argv[2])
from history import History
from suanwang.store import Store
store = Store(sys.argv[1])
for at_us, records in History(9).batches(6)[store.last_position():]:
    store.append(records, at_us)
    print("appended", flush=True)
"""


@pytest.mark.parametrize("point", ["before", "written", "committed"])
def test_safety_a_batch_is_there_whole_or_not_at_all(url, open_store, point):
    """Killed in the fourth append, started again: the log and the tables are as if nobody had been killed."""
    run = [sys.executable, "-c", CHILD, url, str(Path(__file__).parent)]
    killed = {**os.environ, "SUANWANG_FAILPOINT": f"store.append.{point}:4"}
    first = subprocess.run(run, env=killed, capture_output=True, text=True, check=False)
    assert first.returncode == -signal.SIGKILL, first.stderr
    assert first.stdout.count("appended") == 3
    with Store(url) as store:
        assert store.last_position() == (4 if point == "committed" else 3)
        assert verify(store) == []
    store = open_store(url)
    for at_us, records in History(9).batches(6)[store.last_position() :]:
        store.append(records, at_us)
    assert [records for _, records in store.read()] == [records for _, records in History(9).batches(6)]
    assert verify(store) == []


def test_secrets_come_and_go_with_their_task(url, open_store):
    store = open_store(url)
    history = History(1)
    submitted = history.submit("alpha")
    task_id = submitted[0].task_id
    store.append(submitted, 1, secrets={task_id: {"TOKEN": "s3cret", "OTHER": "x"}})
    assert store.get_secrets(task_id) == {"TOKEN": "s3cret", "OTHER": "x"}
    store.put_secrets(task_id, {"TOKEN": "new"})
    assert store.get_secrets(task_id)["TOKEN"] == "new"
    assert store.tasks_with_secrets() == {task_id}
    assert "s3cret" not in str(list(store.read()))
    store.append([TaskEnded(at_us=2, task_id=task_id, phase=Phase.CANCELLED)], 2)
    assert store.get_secrets(task_id) == {}
    assert store.tasks_with_secrets() == set()


def test_secrets_without_a_live_task_go_at_the_next_start(url, open_store):
    with Store(url) as store:
        submitted = History(1).submit("alpha")
        store.append(submitted, 1)
        store.put_secrets("task-" + "9" * 26, {"A": "1"})
        store.put_secrets(submitted[0].task_id, {"A": "2"})
    assert open_store(url).tasks_with_secrets() == {submitted[0].task_id}


def test_secrets_can_be_deleted_by_hand(url, open_store):
    store = open_store(url)
    store.put_secrets("task-a", {"A": "1"})
    store.put_secrets("task-b", {"A": "1"})
    store.delete_secrets("task-a")
    assert store.tasks_with_secrets() == {"task-b"}


def test_objects_are_known_to_the_tenants_that_brought_them(url, open_store):
    store = open_store(url)
    store.note_object("a" * 64, 12, "alpha")
    store.note_object("a" * 64, 12, "alpha")
    store.note_object("a" * 64, 12, "beta")
    info = store.object_info("a" * 64)
    assert (info.size_bytes, info.tenants) == (12, {"alpha", "beta"})
    assert store.object_info("b" * 64) is None


def test_a_store_file_is_its_owners_only(tmp_path):
    path = tmp_path / "s.db"
    with Store(f"sqlite:///{path}") as store:
        store.append(History(1).opening(), 1)
        modes = {one.name: one.stat().st_mode & 0o777 for one in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}, modes


@pytest.mark.parametrize("engine", ["file", "memory"])
def test_questions_from_other_threads_see_whole_batches(engine, tmp_path, open_store):
    """Readers never see a task without its events, however the writer stands."""
    store = open_store(f"sqlite:///{tmp_path}/s.db" if engine == "file" else "sqlite:///:memory:")
    history, failures, rounds = History(6), [], [0, 0]
    done = threading.Event()

    def ask(which: int) -> None:
        while not done.is_set() or not rounds[which]:
            rounds[which] += 1
            for task in store.tasks(limit=1_000).items:
                if len(store.events(task.task_id)) != 16:
                    failures.append(task)
            store.last_position()

    threads = [threading.Thread(target=ask, args=(which,)) for which in (0, 1)]
    for thread in threads:
        thread.start()
    for _ in range(30):
        store.append(history.whole_road(), START_US)
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert min(rounds) >= 1
    assert len(store.tasks(limit=100).items) == 30
