"""What a site measures while a task runs reaches the page: in the record of the task, and in the stream of its steps."""

import json

import httpx
import pytest
from tests.bus.sides import event, heartbeat, over_http, start_of

from suanwang.model.event import EventKind, Usage

K = EventKind
# 16 GiB for twenty minutes: beyond 64 bits.
FIRST = Usage(
    wall_us=2_000_000, core_us=1_500_000, memory_byte_us=2**34 * 1_200_000_000, memory_peak_bytes=7, processes_peak=2
)
SECOND = FIRST.model_copy(update={"wall_us": 4_000_000, "core_us": 3_500_000})


@pytest.fixture
def told(tmp_path):
    """A running task that has told its progress, then its use twice."""
    with over_http(tmp_path) as side:
        bus = side.bus()
        order = start_of(side, bus)
        events = [
            event(order, 1, K.RUNNING),
            event(order, 2, K.PROGRESS, fraction_permille=250, usage=FIRST),
            event(order, 3, K.PROGRESS, usage=SECOND),
        ]
        assert bus.exchange(heartbeat(side.sites, events), 0).acknowledged == 3
        key = side.brain.issue_key(side.operator, side.operator.tenant, side.operator.role)[1]
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=side.url, headers=headers, timeout=20) as client:
            yield client, f"/v1/tasks/{order.task_id}"


def test_explain_has_the_use_of_each_report(told):
    client, path = told
    seen = client.get(f"{path}/explain").json()["observed"]
    assert [one["effective"] for one in seen] == [True, True, True]
    assert [one["event"]["usage"] for one in seen] == [None, FIRST.model_dump(), SECOND.model_dump()]


def test_a_report_of_use_alone_keeps_the_progress(told):
    client, path = told
    assert client.get(path).json()["progress_permille"] == 250


def test_the_stream_of_steps_has_them_too(told):
    client, path = told
    found = []
    with client.stream("GET", f"{path}/events") as answer:
        for line in answer.iter_lines():
            if line.startswith("data:"):
                record = json.loads(line.removeprefix("data:"))
                if record.get("event", {}).get("kind") == "progress":
                    found.append(record["event"]["usage"])
            if len(found) == 2:
                break
    assert found == [FIRST.model_dump(), SECOND.model_dump()]
