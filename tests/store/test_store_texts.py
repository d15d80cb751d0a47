"""Texts and columns that are made by a shorter way are those of the long one."""

from random import Random

import pyarrow as pa
from tests.agent.test_journal_rows import ROWS
from tests.store.test_store_batches import a_task

from suanwang.model.event import as_event
from suanwang.store.columns import _request_text, _words
from suanwang.store.fold import to_json
from suanwang.store.project_batches import _event_text


def test_the_text_of_an_event_row_is_that_of_the_event():
    for row in ROWS:
        assert _event_text(row) == as_event(row).model_dump_json() == _event_text(as_event(row))


def test_the_text_of_a_request_is_its_own():
    draw = Random(3)
    for request in [a_task(draw) for _ in range(20)]:
        assert _request_text(request) == request.model_dump_json()


def test_words_are_encoded_as_arrow_encodes_them():
    for column in (["b", "a", None, "b"], [None, None], [], ["算", "算"]):
        assert _words(column).equals(pa.array(column, pa.string()).dictionary_encode())


def test_json_of_a_text_and_of_a_value():
    assert to_json('算 " \\ \n \u2028') == '"算 \\" \\\\ \\n \u2028"'
    assert to_json({"a": ["x", 1, None, True]}) == '{"a":["x",1,null,true]}'
