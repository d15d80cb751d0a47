"""Batches of many tasks: the same history as single records makes, in the state, in the projections and after a replay."""

from contextlib import nullcontext, suppress
from random import Random

import pytest
from sqlalchemy import select

from suanwang.agent.adapters.fake import FakeAdapter
from suanwang.agent.agent import Agent
from suanwang.agent.journal import Journal
from suanwang.dispatch.applier import is_plain
from suanwang.flow import Road
from suanwang.grids.generate import random_grid
from suanwang.model.batch import BATCHES, AttemptsOpened, EventsHeard, PlansMade, TasksTaken, expanded
from suanwang.model.error import StoreError
from suanwang.model.event import Event, EventKind, Usage
from suanwang.model.grid import Tenant
from suanwang.model.ids import AgentId, TenantId
from suanwang.model.principal import Submission
from suanwang.model.record import GridAdopted, PathBroken, PathRepaired, PathRestored, Phase, TenantSet
from suanwang.model.snapshot import index_grid
from suanwang.model.task import Circle, Output, Preference, Resources, TaskRequest
from suanwang.observe.state import State
from suanwang.store import Store
from suanwang.store import schema as s
from suanwang.store.admin import rebuild, verify
from suanwang.store.chain import LogRow, open_row
from suanwang.twin.main import SCALE
from suanwang.twin.streams import CountedIds

NOW, S, TENANT = 1_790_000_000_000_000, 1_000_000, TenantId("t")
INDEX = index_grid(random_grid(12, 7, SCALE))
SINGLE = 10**9  # rows of a batch that nobody reaches


def a_task(draw: Random) -> TaskRequest:
    outcome = draw.choice(("ok",) * 8 + ("exit:1,ok", "lost,ok"))
    return TaskRequest(
        name=draw.choice(("plain", 'quote " and \\ and 算')),
        run="true",
        resources=Resources(cpu=draw.choice((1, 2)), memory=draw.choice((1, 2**20, 2**30)), wall_time=60 * S),
        origin=draw.choice([site.id for site in INDEX.grid.sites]),
        latency=draw.choice((None, Circle.NATIONAL, Circle.METRO)),
        bandwidth=draw.choice((0, 0, 10**6)),
        protection=draw.choice(((), (), ("firewall",))),
        preference=draw.choice(tuple(Preference)),
        outputs=draw.choice(((), (Output(path="out.txt"),))),
        deadline=draw.choice((None, None, None, NOW + 100 * S)),
        tags={"fake.duration-us": str(draw.choice((1, 5)) * S), "fake.outcome": outcome},
    )


class Day:
    """One history: the same tasks, ids and clock, whatever the form of the log."""

    def __init__(self, store: Store, rows_min: int) -> None:
        self.store, self.now_us = store, NOW
        self.road = Road(State(INDEX), store, lambda: self.now_us, CountedIds(), rows_min=rows_min)
        self.road.emit(GridAdopted(at_us=NOW, grid_id="g", digest="d", text=INDEX.grid.model_dump_json()))
        self.road.emit(TenantSet(at_us=NOW, tenant=Tenant(id=TENANT, name="T")))
        self.road.commit()
        adapter = FakeAdapter(lambda: self.now_us, 3)
        sites = [site.id for site in INDEX.grid.sites if site.pools]
        self.agent = Agent(AgentId("a"), sites, adapter, Journal(":memory:"), lambda: self.now_us)

    def play(self, tasks: int = 40) -> State:
        draw = Random(11)
        for at in range(200):
            offers = [Submission(request=a_task(draw)) for _ in range(tasks if at < 3 else 0)]
            self.agent.exchange(self.road.exchange)
            self.road.submit(TENANT, "me", offers, [self.road.ids.task_id() for _ in offers])
            self.road.tick()
            self.road.plan_round()
            self.road.dispatch_round()
            self.cut(draw)
            self.now_us += S
            if at > 3 and not self.road.state.live:
                break
        assert not self.road.state.live, "everything has ended"
        return self.road.state

    def cut(self, draw: Random) -> None:
        """A link under what runs, and the mending of those that were cut before."""
        state = self.road.state
        for link in sorted(state.links_down):
            if draw.random() < 0.3:
                self.road.set_link(link, True, "me")
        plans = [task.attempt.plan for task in state.live.values() if task.attempt is not None]
        crossed = sorted({one.link for plan in plans if plan.bandwidth_bps for one in plan.path.links})
        if crossed and draw.random() < 0.4:
            self.road.set_link(draw.choice(crossed), False, "me")
        self.road.commit()


def told(store: Store, table) -> list[dict]:
    """The rows of a table, without how a plan's text is kept."""
    rows = [dict(row) for row in store._all(select(table).order_by(*table.primary_key))]
    return [{name: value for name, value in row.items() if name != "logged"} for row in rows]


def bodies(rows: list[dict]) -> list[str]:
    """Take the texts out of rows."""
    return [row.pop("body") for row in rows]


def figures(state: State) -> dict:
    """Everything that a state knows; the agenda is a heap beside it."""
    return {name: value for name, value in vars(state).items() if name != "agenda"}


def history(store: Store) -> list:
    return [record for _, records in store.read() for record in records]


@pytest.fixture
def both(open_store, url, tmp_path):
    """A day as single records, and the same day in batches on each engine."""
    single = open_store(f"sqlite:///{tmp_path / 'single.db'}")
    batches = open_store(url)
    return Day(single, SINGLE), Day(batches, 1)


def test_batches_tell_the_same_history(both):
    single, batches = both
    one, two = single.play(), batches.play()
    kinds = {type(record) for record in history(batches.store)}
    assert kinds >= set(BATCHES), "every kind of batch is in it"
    assert not {type(record) for record in history(single.store)} & set(BATCHES)
    assert kinds >= {PathRepaired, PathBroken, PathRestored}, "compact plans were repaired too"
    assert [*expanded(history(batches.store))] == history(single.store)
    assert figures(one) == figures(two)
    assert one.ended[Phase.SUCCEEDED] > 60 and one.ended[Phase.REFUSED]
    assert figures(replayed(batches.store)) == figures(two)


def replayed(store: Store) -> State:
    state = State(INDEX)
    for _, records in store.read():
        state.apply_all(records)
    return state


def test_batches_make_the_same_tables(both):
    single, batches = both
    single.play(), batches.play()
    while batches.store.project():
        pass
    for table in s.PROJECTED:
        left, right = told(single.store, table), told(batches.store, table)
        if table is s.plans:
            assert all(bodies(left)) and not all(bodies(right))
        assert left == right, table.name
    for row in told(single.store, s.tasks):
        wanted, got = single.store.plans(row["task_id"]), batches.store.plans(row["task_id"])
        assert [one.plan for one in wanted] == [one.plan for one in got]


def test_projections_that_are_behind_catch_up_and_can_be_made_again(both):
    _, batches = both
    store = batches.store
    store.inline_max = 3
    batches.play()
    assert store.behind() > 0
    assert verify(store) == [], "what is there is right as far as it goes"
    while store.project():
        pass
    assert store.behind() == 0 and verify(store) == []
    before = [told(store, table) for table in s.PROJECTED]
    rebuild(store)
    assert [told(store, table) for table in s.PROJECTED] == before


def test_a_process_beside_the_writer_projects(both, url, open_store):
    if ":memory:" in url:
        pytest.skip("a memory store has one process")
    _, batches = both
    batches.store.inline_max = 3
    batches.play()
    behind = batches.store.behind()
    with Store(url, projects_only=True) as beside:
        while beside.project():
            pass
    assert behind > 0 and batches.store.behind() == 0 and verify(batches.store) == []
    batches.play(tasks=2)
    assert verify(batches.store) == [], "the writer goes on where the other has left the projections"


def test_a_store_that_was_left_behind_is_whole_when_it_is_opened(both, url, open_store):
    _, batches = both
    batches.store.inline_max = 3
    batches.play()
    batches.store.close()
    again = open_store(url)
    assert again.behind() == 0 and verify(again) == []
    assert figures(replayed(again)) == figures(batches.road.state)


@pytest.mark.parametrize("kind", [TasksTaken, PlansMade, AttemptsOpened, EventsHeard])
def test_a_damaged_batch_is_told(both, kind):
    """Any byte that is lost or changed in a pack is a damaged row, not a wrong record or another error."""
    _, batches = both
    batches.play()
    rows = [row for row in batches.store._log_rows(0) if any(isinstance(one, kind) for one in open_row(row))]
    payload, draw = rows[0].payload, Random(5)
    for _ in range(60):
        at = draw.randrange(4, len(payload))
        for broken in (payload[:at], payload[:at] + bytes([payload[at] ^ 255]) + payload[at + 1 :]):
            with suppress(StoreError):  # any other error fails the test; some bytes are nobody's
                open_row(LogRow(rows[0].position, rows[0].at_us, rows[0].records, broken, b""))


def test_task_ids_of_unbound_plans_are_known(both):
    _, batches = both
    batches.play()
    rows = batches.store._log_rows(0)
    unbound = [one for row in rows for one in open_row(row) if isinstance(one, PlansMade)]
    assert all(
        isinstance(task_id, str) and task_id.startswith("task-") for one in unbound for task_id in one.task_ids()
    )
    assert sum(len(one.unbound) for one in unbound) > 60


def test_two_that_project_at_once_do_no_harm(both, url):
    """A brain that was killed may leave its projector behind: who comes second finds the mark moved, and begins anew."""
    _, batches = both
    store = batches.store
    store.inline_max = 3
    batches.play()
    with Store(url, projects_only=True) as beside:
        stale = beside._the_writer().rows_after(beside.projected())
        while store.project():
            pass
        mark = store.projected()
        assert beside._projector.step(stale, nullcontext()) == 0
        assert store.projected() == mark and verify(store) == []


def test_a_store_whose_tables_are_wrong_and_behind_can_be_rebuilt(both, url, open_store):
    _, batches = both
    batches.play()
    with batches.store.writing() as writer:
        writer.set_projected(2)
    batches.store.close()
    with pytest.raises(StoreError) as caught:
        Store(url)
    assert caught.value.code == "store_conflict"
    mended = open_store(url, bring_up=False)
    rebuild(mended)
    assert verify(mended) == [] and mended.behind() == 0


def test_figures_that_no_column_holds_go_as_single_records():
    event = Event(agent="a", sequence=1, site="s", attempt_id="t", fence=1, at_us=1, kind=EventKind.FINISHED)
    large = 2**63
    assert is_plain(event) and is_plain(event.model_copy(update={"usage": Usage(memory_byte_us=large)}))
    for wrong in ({"at_us": large}, {"exit_code": -large - 1}, {"usage": Usage(core_us=large)}, {"sequence": large}):
        assert not is_plain(event.model_copy(update=wrong))
