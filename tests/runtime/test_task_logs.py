"""Logs are written by offset: a repeat is harmless, a gap is said, a name cannot lead elsewhere, size has an end."""

from pathlib import Path

import pytest

from suanwang.model.error import ConflictError, NotFoundError
from suanwang.model.ids import AttemptId
from suanwang.runtime.task_logs import TaskLogs

ATTEMPT = AttemptId("att-" + "0" * 26)


@pytest.fixture
def logs(tmp_path: Path) -> TaskLogs:
    return TaskLogs(tmp_path / "logs", limit_bytes=10)


def test_pieces_and_repeats_make_one_text(logs: TaskLogs) -> None:
    assert logs.append(ATTEMPT, 0, b"abc") == 3
    assert logs.append(ATTEMPT, 0, b"abc") == 3
    assert logs.append(ATTEMPT, 1, b"bcde") == 5
    assert logs.read(ATTEMPT, 0, 100) == b"abcde"
    assert logs.read(ATTEMPT, 3, 1) == b"d"


def test_a_gap_says_where_to_go_on(logs: TaskLogs) -> None:
    logs.append(ATTEMPT, 0, b"abc")
    with pytest.raises(ConflictError) as caught:
        logs.append(ATTEMPT, 4, b"e")
    assert (caught.value.code, caught.value.params) == ("log_gap", {"offset": 4, "length": 3})
    assert logs.read(ATTEMPT, 0, 100) == b"abc"


def test_what_is_past_the_limit_is_dropped(logs: TaskLogs) -> None:
    assert logs.append(ATTEMPT, 0, b"0123456789abc") == 10
    assert logs.append(ATTEMPT, 10, b"d") == 10
    assert logs.read(ATTEMPT, 0, 100) == b"0123456789"


@pytest.mark.parametrize("name", ["../x", "att-1", "att-" + "0" * 26 + "/../../x", ""])
def test_a_name_that_was_not_made_here_is_not_found(logs: TaskLogs, name: str) -> None:
    with pytest.raises(NotFoundError):
        logs.append(AttemptId(name), 0, b"x")


def test_nothing_yet_is_empty(logs: TaskLogs) -> None:
    assert logs.read(ATTEMPT, 0, 5) == b""
