"""Files of elements that are done, of an array that failed: one is found without reading all that its events told each time."""

import types

from suanwang.api import family
from suanwang.api.told import TASKS_KEPT, Told
from suanwang.model.record import Phase


def element(path):
    return {"path": path, "blake3": "0" * 64, "size_bytes": 1}


class Brain:
    """The reads that `done_output` asks for, counted."""

    def __init__(self, array, phase, live=None):
        self.reads, self.live, self.store = 0, live, self
        self.row = types.SimpleNamespace(task_id="task-1", phase=phase, request=types.SimpleNamespace(array=array))

    def parts(self, task_id):
        return ()

    def task(self, task_id):
        return self.row

    def done_outputs(self, task_id):
        return self.live

    def events(self, task_id):
        self.reads += 1
        told = {"kind": "checkpoint", "outputs": [element(f"{part}/out") for part in range(3)]}
        body = {"effective": True, "event": told}
        return [types.SimpleNamespace(kind="event_applied", body=body)]


def context(*given):
    return types.SimpleNamespace(brain=Brain(*given), told=Told())


def test_of_an_array_that_has_ended_the_events_are_read_once():
    here = context(3, Phase.FAILED)
    found = [family.done_output(here, "task-1", f"{part}/out") for part in range(4)]
    assert [one and one.path for one in found] == ["0/out", "1/out", "2/out", None]
    assert here.brain.reads == 1


def test_what_no_element_can_have_left_reads_nothing():
    here = context(3, Phase.FAILED)
    assert [family.done_output(here, "task-1", one) for one in ("out", "x/out", "1", "²/out", "9" * 99 + "/o")] == [
        None
    ] * 5
    alone = context(1, Phase.FAILED)
    assert family.done_output(alone, "task-1", "0/out") is None
    assert here.brain.reads == alone.brain.reads == 0


def test_while_a_task_may_tell_more_nothing_is_kept():
    here = context(3, Phase.WAITING)
    assert family.done_output(here, "task-1", "1/out").path == "1/out"
    here.brain.row.phase = Phase.RUNNING
    here.brain.live = ()
    assert family.done_output(here, "task-1", "1/out") is None


def test_of_a_few_tasks_alone_it_is_kept():
    told = Told()
    for number in range(TASKS_KEPT + 1):
        told.of(f"task-{number}", dict)
    kept = [number for number in range(TASKS_KEPT + 1) if told.of(f"task-{number}", lambda: {"read": {}}) == {}]
    assert 0 not in kept
