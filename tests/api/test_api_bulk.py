"""Many tasks at once: NDJSON and Arrow, faults a row, and sending again."""

import io
import json

import pyarrow as pa
import pytest

from suanwang.api import bulk

NDJSON = "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"
TINY = {"run": "true", "tags": {"fake.duration-us": "1"}}


def arrow(texts, column="request", kind=None):
    table = pa.table({column: pa.array(texts, kind or pa.string())})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return sink.getvalue()


def packed(texts, packing):
    """The same as a stream that unpacks to more than it is long."""
    if packing == "dictionary":
        column = pa.array(texts).dictionary_encode()
    else:
        column = pa.array(texts, pa.string_view() if packing == "view" else pa.string())
    table = pa.table({"request": column})
    sink = io.BytesIO()
    compression = packing if packing in ("zstd", "lz4") else None
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table)
    return sink.getvalue()


def ndjson(tasks):
    return "\n".join(json.dumps(one) for one in tasks).encode()


def post(client, body, media, **headers):
    return client.post("/v1/tasks:bulk", content=body, headers={"Content-Type": media, **headers})


@pytest.mark.parametrize("media", [NDJSON, ARROW])
def test_good_rows_are_taken_and_bad_ones_refused_alone(user, media):
    tasks = [TINY, {"run": "true", "cpu": 4}, {**TINY, "sites": ["nowhere"]}, TINY]
    body = ndjson(tasks) if media == NDJSON else arrow([json.dumps(one) for one in tasks])
    answer = post(user, body, media).json()
    assert (answer["accepted"], answer["refused"]) == (2, 2)
    assert [one is None for one in answer["task_ids"]] == [False, True, False, False]
    assert [(row["row"], row["faults"][0]["where"]) for row in answer["faults"]] == [(1, "cpu")]
    assert user.get(f"/v1/tasks/{answer['task_ids'][2]}").json()["phase"] == "refused"
    assert user.get(f"/v1/tasks/{answer['task_ids'][3]}").status_code == 200


def test_sending_again_makes_nothing_new(user):
    body = ndjson([TINY, TINY])
    first = post(user, body, NDJSON, **{"Idempotency-Key": "bulk-once"}).json()
    again = post(user, body, NDJSON, **{"Idempotency-Key": "bulk-once"}).json()
    assert first["task_ids"] == again["task_ids"]
    assert len(set(first["task_ids"])) == 2


def test_blank_lines_are_no_rows(user):
    assert post(user, b"\n\n" + ndjson([TINY]) + b"\n\n", NDJSON).json()["accepted"] == 1
    assert post(user, b"", NDJSON).json() == {"accepted": 0, "refused": 0, "task_ids": [], "faults": []}


def test_large_text_columns_are_read_too(user):
    assert post(user, arrow([json.dumps(TINY)], kind=pa.large_string()), ARROW).json()["accepted"] == 1


def test_a_null_row_is_a_row_with_faults(user):
    answer = post(user, arrow([None, json.dumps(TINY)]), ARROW).json()
    assert (answer["accepted"], answer["refused"]) == (1, 1)
    assert answer["faults"][0]["row"] == 0


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"not arrow at all", "arrow_form"),
        (arrow(["{}"])[:-40], "arrow_form"),
        (arrow(["{}"], column="task"), "arrow_column"),
        (arrow([1, 2], kind=pa.int64()), "arrow_form"),
    ],
)
def test_what_is_no_stream_of_requests_is_a_fault(user, body, code):
    answer = post(user, body, ARROW)
    assert answer.status_code == 422
    assert [one["code"] for one in answer.json()["faults"]] == [code]


@pytest.mark.parametrize("packing", ["zstd", "lz4", "dictionary", "view"])
def test_a_stream_that_unpacks_to_more_than_it_is_long_is_a_fault(user, packing):
    answer = post(user, packed(["{}" + " " * 100_000] * 50, packing), ARROW)
    assert answer.status_code == 422
    assert [one["code"] for one in answer.json()["faults"]] == ["arrow_form"]


def test_a_packed_column_beside_the_requests_is_a_fault_too(user):
    table = pa.table({"request": pa.array(["{}"]), "note": pa.array([" " * 100_000])})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    assert post(user, sink.getvalue(), ARROW).status_code == 422


def test_another_column_beside_the_requests_is_not_read(user):
    table = pa.table({"note": pa.array([1]), "request": pa.array([json.dumps(TINY)])})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    assert post(user, sink.getvalue(), ARROW).json()["accepted"] == 1


def test_too_many_arrow_rows_are_refused_too(user, monkeypatch):
    monkeypatch.setattr(bulk, "ROWS_MAX", 2)
    assert post(user, arrow([json.dumps(TINY)] * 3), ARROW).json()["code"] == "too_many_rows"


def test_a_key_that_stands_for_another_task_is_a_conflict_and_the_brain_goes_on(user):
    key = {"Idempotency-Key": "bulk-mixed:1"}
    assert user.post("/v1/tasks", json=TINY, headers=key).status_code == 201
    answer = post(user, ndjson([TINY, {**TINY, "name": "another"}]), NDJSON, **{"Idempotency-Key": "bulk-mixed"})
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_reused")
    assert post(user, ndjson([TINY]), NDJSON).json()["accepted"] == 1


def test_too_many_rows_are_refused_before_any_is_taken(user, monkeypatch):
    monkeypatch.setattr(bulk, "ROWS_MAX", 2)
    before = user.get("/v1/tasks", params={"text": "surplus"}).json()["items"]
    answer = post(user, ndjson([{**TINY, "name": "surplus"}] * 3), NDJSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_rows")
    assert user.get("/v1/tasks", params={"text": "surplus"}).json()["items"] == before == []


def test_many_rows_become_durable_in_parts(user, monkeypatch):
    monkeypatch.setattr(bulk, "BATCH", 3)
    answer = post(user, ndjson([TINY] * 8), NDJSON).json()
    assert answer["accepted"] == len(set(answer["task_ids"])) == 8
