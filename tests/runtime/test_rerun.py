"""Results of a third party's site, run again on own sites and compared: honest ones agree, forged ones are seen."""

import time

import pytest
from blake3 import blake3
from tests.runtime.test_join_desk import ASK, SECRET, Town

from suanwang.model.event import Event, EventKind, Heartbeat, InstructionKind, OutputFile
from suanwang.model.grid import PoolKind
from suanwang.model.joining import FoundPool, Inventory
from suanwang.model.principal import Role, Submission
from suanwang.model.record import Phase
from suanwang.model.task import After, Output, Resources, TaskRequest
from suanwang.model.units import GIB
from suanwang.runtime import rerun
from suanwang.runtime.app import LOCAL_TENANT
from suanwang.runtime.rerun import Reruns, second_of
from suanwang.store import admin

TASK = TaskRequest(
    run="echo 42 > out.txt",
    outputs=(Output(path="out.txt", target="s3://results/run"),),
    resources=Resources(cpu=1, memory=1, wall_time=60_000_000),
    tags={"repeatable": "yes"},
)
BIG = FoundPool(name="general", kind=PoolKind.GENERAL, nodes=9, cores_per_node=8, memory_bytes_per_node=GIB)
THIRD = ASK.model_copy(update={"inventory": Inventory(adapter="slurm", pools=(BIG,))})


def hash_of(text):
    return blake3(text.encode()).hexdigest()


class Hands:
    """Two agents: the third party's, and the operator's own; each leaves the outputs that it is told to leave."""

    def __init__(self, town, view, theirs="42", own="42"):
        self.town, self.view = town, view
        own_key = town.brain.issue_key(town.operator, LOCAL_TENANT, Role.AGENT, ("here", "there"))[1]
        self.sides = [
            (town.brain.authenticate(f"sw_{view.key_id}_{SECRET}"), ASK.agent, ("annex",), theirs),
            (town.brain.authenticate(own_key), "own-hands", ("here", "there"), own),
        ]
        self.said = {agent: [] for _, agent, _, _ in self.sides}

    def round(self):
        for who, agent, sites, content in self.sides:
            beat = Heartbeat(agent=agent, adapter="x", emulated=False, sites=sites, events=tuple(self.said[agent]))
            orders = self.town.brain.exchange(who, beat, 0)
            self.said[agent] = []
            sequence = orders.acknowledged
            for order in orders.instructions:
                if order.kind is InstructionKind.DELIVER:
                    kinds = [(EventKind.DELIVERED, {})]
                elif order.kind is InstructionKind.START:
                    out = OutputFile(path="out.txt", blake3=hash_of(content), size_bytes=3, target=self._target(order))
                    done = {"exit_code": 0, "outputs": (out,)}
                    kinds = [(EventKind.ACCEPTED, {}), (EventKind.RUNNING, {}), (EventKind.FINISHED, done)]
                else:
                    continue
                for kind, facts in kinds:
                    sequence += 1
                    self.said[agent].append(
                        Event(
                            agent=agent,
                            sequence=sequence,
                            site=order.site,
                            attempt_id=order.attempt_id,
                            fence=order.fence,
                            at_us=self.town.brain.clock(),
                            kind=kind,
                            **facts,
                        )
                    )

    @staticmethod
    def _target(order):
        return order.request.outputs[0].target if order.request.outputs else None

    def until(self, holds):
        deadline = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < deadline
            self.round()
            time.sleep(0.01)


@pytest.fixture
def town(tmp_path):
    made = Town(tmp_path)
    yield made
    made.brain.close()


def reruns(town, permille=1_000, secret=b"s"):
    brain = town.brain
    return Reruns(permille, secret, brain.store, brain._verb, brain._look, brain.clock)


def first_run(town, hands, request=TASK):
    """A task that the third party has finished."""
    only = request.model_copy(update={"sites": ("annex",)})
    task_id = town.brain.submit(town.operator, [Submission(request=only)])[0].task_id
    hands.until(lambda: town.brain.road.state.tasks[task_id].phase is Phase.SUCCEEDED)
    assert town.brain.wait_tables()
    return task_id


def compared(town, view):
    one = town.brain.joins.request(town.operator, view.join_id)
    return one.compared, one.differing


@pytest.mark.parametrize(("theirs", "own", "differing"), [("42", "42", 0), ("forged", "42", 1)])
def test_a_result_is_run_again_elsewhere_and_compared(town, theirs, own, differing):
    view = town.join(THIRD)
    hands = Hands(town, view, theirs, own)
    first_run(town, hands)
    watch = reruns(town)

    def step():
        town.brain.wait_tables()
        watch.step()
        return compared(town, view) == (1, differing)

    hands.until(step)
    assert town.brain.wait_tables()
    (row,) = town.brain.store.tasks(text="second run").items
    assert (row.site in ("here", "there"), row.request.outputs[0].target, row.tags) == (True, None, {})
    town.restart()
    assert compared(town, view) == (1, differing)
    again = reruns(town)
    for _ in range(3):
        again.step()
    assert compared(town, view) == (1, differing), "after a restart it is not counted twice"
    assert len(town.brain.store.tasks(text="second run").items) == 1
    assert admin.verify(town.brain.store) == []


def test_who_is_drawn_depends_on_the_secret_and_on_the_share(town):
    tasks = [f"task-{at:026d}" for at in range(4_000)]
    one, other = reruns(town, 100, b"a"), reruns(town, 100, b"b")
    drawn = [{task for task in tasks if watch._is_drawn(task)} for watch in (one, other)]
    assert all(300 < len(some) < 500 for some in drawn)
    assert drawn[0] != drawn[1]
    assert not any(reruns(town, 0)._is_drawn(task) for task in tasks)


def test_what_cannot_be_repeated_or_does_not_say_so_is_left_alone(town):
    view = town.join(THIRD)
    hands = Hands(town, view)
    first_run(town, hands, TASK.model_copy(update={"tags": {}}))
    first_run(town, hands, TASK.model_copy(update={"outputs": ()}))
    watch = reruns(town)
    for _ in range(3):
        watch.step()
    assert town.brain.wait_tables()
    assert town.brain.store.tasks(text="second run").items == ()
    row = town.brain.store.tasks(tag="repeatable=yes").items[0]
    assert second_of(row) is None
    assert not watch._pending


def test_older_results_get_their_turn_and_what_was_seen_is_forgotten_in_time(town, monkeypatch):
    monkeypatch.setattr(rerun, "NEWEST", 1)
    monkeypatch.setattr(rerun, "SEEN_MANY", 2)
    view = town.join(THIRD)
    hands = Hands(town, view)
    tasks = {first_run(town, hands) for _ in range(3)}
    watch = reruns(town, secret=b"s")
    watch._begin = lambda row: None
    for _ in range(3):
        watch.step()
    assert set(watch._seen) == tasks
    real = watch._clock
    watch._clock = lambda: real() + rerun.PATIENCE_US
    watch.step()
    assert watch._seen == {}


def test_a_second_run_comes_after_nothing(town):
    view = town.join(THIRD)
    hands = Hands(town, view)
    before = first_run(town, hands, TASK.model_copy(update={"tags": {}}))
    first_run(town, hands, TASK.model_copy(update={"after": (After(task=before),)}))
    row = town.brain.store.tasks(tag="repeatable=yes").items[0]
    assert row.request.after
    assert second_of(row).after == ()


def test_results_of_own_sites_are_not_run_again(town):
    view = town.join(THIRD)
    hands = Hands(town, view)
    task_id = town.brain.submit(town.operator, [Submission(request=TASK.model_copy(update={"sites": ("here",)}))])[
        0
    ].task_id
    hands.until(lambda: town.brain.road.state.tasks[task_id].phase is Phase.SUCCEEDED)
    assert town.brain.wait_tables()
    watch = reruns(town)
    watch.step()
    assert not watch._pending


def test_a_second_run_that_fails_says_nothing(town):
    view = town.join(THIRD)
    hands = Hands(town, view)
    first_run(town, hands)
    watch = reruns(town)
    watch.step()
    (second,) = watch._pending
    town.brain.cancel(town.operator, second)
    hands.until(lambda: town.brain.road.state.tasks[second].phase is Phase.CANCELLED)
    watch.step()
    assert compared(town, view) == (0, 0)
