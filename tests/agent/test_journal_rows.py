"""The journal's columns: what it holds of events that are rows, across a restart, and as an earlier version wrote it."""

import sqlite3

from suanwang.agent.journal import Journal
from suanwang.model.event import (
    Event,
    EventKind,
    Heartbeat,
    Instruction,
    InstructionKind,
    Orders,
    OutputFile,
    Usage,
    as_event,
    heartbeat_of,
    orders_of,
)
from suanwang.model.plan import Demand
from suanwang.model.reason import FailureReason
from suanwang.model.rows import EventRow, OrderRow, SeenRow
from suanwang.model.task import TaskRequest

K = EventKind


def row(number: int, kind: EventKind = K.RUNNING, **more) -> EventRow:
    return EventRow("a", number, "s", f"att-{number}", 1, 1_000 + number, kind, **more)


LARGE = Usage(wall_us=3, memory_byte_us=2**70, processes_peak=2)
FILE = OutputFile(path='算 " and \\', blake3="0" * 64, size_bytes=1, target="s3://b/k")
ROWS = [row(1), row(2, K.FINISHED, exit_code=0, usage=LARGE, outputs=(FILE,)), row(3, K.ACCEPTED)]
VALUE = Event(**{**as_event(row(4)).model_dump(), "kind": K.FAILED, "reason": FailureReason.LOST, "detail": "gone"})


def test_events_come_back_as_they_were(tmp_path):
    journal = Journal(tmp_path / "j.db")
    for event in (*ROWS, VALUE, row(5)):
        journal.add_event(event)
    journal.last_sequence = 5
    assert journal.commit()
    journal.close()
    again = Journal(tmp_path / "j.db")
    assert again.events() == [*ROWS, VALUE, row(5)]
    again.acknowledge(2)  # in the middle of what is kept as one row
    assert again.commit()
    again.close()
    last = Journal(tmp_path / "j.db")
    assert last.events() == [ROWS[2], VALUE, row(5)]
    last.acknowledge(5)
    last.commit()
    assert last.events() == []
    last.close()


def test_a_journal_of_the_version_before_is_read(tmp_path):
    Journal(tmp_path / "j.db").close()
    db = sqlite3.connect(tmp_path / "j.db", isolation_level=None)
    db.execute("PRAGMA user_version=1")
    db.execute("INSERT INTO events VALUES (?,?)", (1, as_event(ROWS[0]).model_dump_json()))
    db.close()
    journal = Journal(tmp_path / "j.db")
    assert journal.events() == [as_event(ROWS[0])]
    journal.close()
    assert sqlite3.connect(tmp_path / "j.db").execute("PRAGMA user_version").fetchone() == (2,)


def test_a_message_with_rows_is_the_text_of_one_with_values():
    said = heartbeat_of("a", "fake", True, ("s",), (SeenRow("att-1", 2, True),), (*ROWS, VALUE), "1")
    values = Heartbeat(
        agent="a",
        adapter="fake",
        emulated=True,
        sites=("s",),
        attempts=({"attempt_id": "att-1", "fence": 2, "live": True},),
        events=(*map(as_event, ROWS), VALUE),
        version="1",
    )
    assert said.model_dump_json() == values.model_dump_json()
    assert Heartbeat.model_validate_json(said.model_dump_json()) == values


def test_orders_with_rows_are_the_text_of_orders_with_values():
    request = TaskRequest(run="true")
    start = OrderRow(InstructionKind.START, "s", "task-1", "att-1", "plan-1", 1, "s/g", Demand(cores=1), request, 7)
    said = orders_of(3, 0, (start,))
    value = Instruction(**start._asdict())
    assert said.model_dump_json() == Orders(acknowledged=3, instructions=(value,)).model_dump_json()
    assert Orders.model_validate_json(said.model_dump_json()).instructions == (value,)
