"""The brain behind its lock: what one caller does wrong stops nobody else, and who waits is woken by news."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.plan.worlds import general, grid_of, link_of, site_of

from suanwang.grids import dump_grid
from suanwang.model.error import ConflictError, NotAllowedError, NotFoundError, StoreError
from suanwang.model.event import Heartbeat, InstructionKind
from suanwang.model.grid import PriceBook
from suanwang.model.ids import AgentId, KeyId, LinkId, PlanId, SiteId, TaskId
from suanwang.model.path_report import PathFault, PathOutcome, PathReport
from suanwang.model.principal import Principal, Role, Submission
from suanwang.model.record import Phase
from suanwang.model.snapshot import SiteOrder
from suanwang.model.task import Resources, TaskRequest
from suanwang.runtime import brain as module
from suanwang.runtime import clock
from suanwang.runtime.app import LOCAL_TENANT, open_brain
from suanwang.runtime.brain import Brain
from suanwang.runtime.settings import Settings

REQUEST = TaskRequest(run="true", resources=Resources(cpu=1, memory=1, wall_time=60_000_000))


def principal(role: Role, *sites: str) -> Principal:
    return Principal(key_id=KeyId("key"), tenant=LOCAL_TENANT, role=role, sites=tuple(SiteId(one) for one in sites))


def beat(agent: str, *sites: str) -> Heartbeat:
    return Heartbeat(agent=AgentId(agent), adapter="fake", emulated=True, sites=tuple(SiteId(one) for one in sites))


USER, VIEWER = principal(Role.USER), principal(Role.VIEWER)


@pytest.fixture
def brain(tmp_path: Path) -> Iterator[Brain]:
    sites = [site_of(one, [general(one, memory=2**30)]) for one in ("here", "there")]
    file = tmp_path / "grid.yaml"
    file.write_text(
        dump_grid(grid_of(sites, [link_of("road", "here", "there")], books=(PriceBook(id="plain"),))), "utf-8"
    )
    opened = open_brain(Settings(home=tmp_path / "home", grid=str(file)))
    yield opened
    opened.close()


def test_safety_a_conflict_inside_a_batch_refuses_the_batch_and_not_the_brain(brain: Brain) -> None:
    other = REQUEST.model_copy(update={"name": "other"})
    offers = [Submission(request=one, idempotency_key=key) for one, key in ((REQUEST, "a"), (other, "b"), (other, "a"))]
    with pytest.raises(ConflictError) as caught:
        brain.submit(USER, offers)
    assert caught.value.code == "idempotency_reused"
    assert brain.failed is None
    assert [one.repeated for one in brain.submit(USER, offers[:2])] == [False, False]


def test_safety_taking_out_a_site_that_never_had_an_agent_leaves_the_brain_well(brain: Brain) -> None:
    operator = principal(Role.OPERATOR)
    brain.fail_site(operator, SiteId("there"))
    brain.heal_site(operator, SiteId("there"))
    assert brain.failed is None


def on_the_road(brain: Brain, agent: Principal) -> PathReport:
    """A report on the path of a task from here that runs there."""
    brain.start()
    brain.exchange(agent, beat("a", "there"))
    request = REQUEST.model_copy(update={"sites": ("there",), "origin": SiteId("here"), "bandwidth": 10**7})
    (done,) = brain.submit(USER, [Submission(request=request)])
    task = brain.road.state.tasks[done.task_id]
    wait_until(lambda: task.attempt is not None)
    assert task.attempt is not None
    plan_id, at_us = task.attempt.plan.plan_id, brain.clock()
    return PathReport(task_id=done.task_id, plan_id=plan_id, kind=PathFault.LOSS, lost_permille=9, observed_at_us=at_us)


def wait_until(holds: Callable[[], bool]) -> None:
    until_s = clock.monotonic_s() + 10
    while not holds():
        assert clock.monotonic_s() < until_s
        threading.Event().wait(0.01)


def test_who_may_report_on_a_path(brain: Brain) -> None:
    agent = principal(Role.AGENT, "there")
    report = on_the_road(brain, agent)
    for who, code in (
        (USER, "role"),
        (VIEWER, "role"),
        (principal(Role.AGENT, "elsewhere"), "agent_site"),
    ):
        with pytest.raises(NotAllowedError) as caught:
            brain.report_paths(who, [report])
        assert caught.value.code == code
    for who in (agent, principal(Role.AGENT, "here"), principal(Role.OPERATOR)):
        assert brain.report_paths(who, [report, report]) == (PathOutcome.BROKEN, PathOutcome.BROKEN)
    assert list(brain.road.state.broken) == [report.task_id]
    late = report.model_copy(update={"plan_id": PlanId("plan-before")})
    assert brain.report_paths(agent, [late]) == (PathOutcome.IGNORED,)


def test_a_report_on_what_is_not_there_changes_nothing(brain: Brain) -> None:
    report = on_the_road(brain, principal(Role.AGENT, "there"))
    operator = principal(Role.OPERATOR)
    for wrong, code in (
        ({"task_id": TaskId("task-none")}, "task_unknown"),
        ({"avoid": (LinkId("road"), LinkId("nowhere"))}, "link_unknown"),
    ):
        with pytest.raises(NotFoundError) as caught:
            brain.report_paths(operator, [report, report.model_copy(update=wrong)])
        assert caught.value.code == code
    assert brain.failed is None
    assert not brain.road.state.broken


def test_a_planner_that_fails_in_a_dry_run_stops_nobody_else(brain: Brain, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise AssertionError("a fault of the planner")

    monkeypatch.setattr(module, "plan", broken)
    with pytest.raises(AssertionError, match="a fault of the planner"):
        brain.dry_plan(USER, REQUEST)
    assert brain.failed is None
    assert brain.submit(USER, [Submission(request=REQUEST)])[0].phase is Phase.WAITING


def test_a_loop_that_ends_leaves_no_brain_that_looks_well(brain: Brain, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses() -> None:
        raise ConflictError("task_ended")

    monkeypatch.setattr(brain.road, "tick", refuses)
    brain.start()
    assert brain._thread is not None
    brain._thread.join(timeout=20)
    assert isinstance(brain.failed, ConflictError)
    with pytest.raises(StoreError) as caught:
        brain.submit(USER, [])
    assert caught.value.code == "brain_failed"


def test_who_only_reads_cannot_cancel(brain: Brain) -> None:
    task_id = brain.submit(USER, [Submission(request=REQUEST)])[0].task_id
    with pytest.raises(NotAllowedError):
        brain.cancel(VIEWER, task_id)
    brain.cancel(USER, task_id)
    assert brain.road.state.tasks[task_id].phase is Phase.CANCELLED


def test_no_agent_speaks_in_the_name_of_another(brain: Brain) -> None:
    brain.exchange(principal(Role.AGENT, "here"), beat("a", "here"))
    with pytest.raises(NotAllowedError) as caught:
        brain.exchange(principal(Role.AGENT, "there"), beat("a", "there"))
    assert caught.value.params == {"site": "here"}
    assert brain.road.state.sites[SiteId("here")].live


def test_a_waiting_agent_gets_its_order_when_there_is_one(brain: Brain) -> None:
    agent = principal(Role.AGENT, "here")
    brain.exchange(agent, beat("a", "here"))
    brain.start()
    began_s, orders = clock.monotonic_s(), []
    waiting = threading.Thread(target=lambda: orders.append(brain.exchange(agent, beat("a", "here"), 30_000)))
    waiting.start()
    brain.submit(USER, [Submission(request=REQUEST)])
    waiting.join(timeout=30)
    assert [one.kind for one in orders[0].instructions] == [InstructionKind.START]
    assert clock.monotonic_s() - began_s < 20


def test_the_plan_of_a_task_that_delivers_is_the_one_that_ran(brain: Brain) -> None:
    brain.exchange(principal(Role.AGENT, "here", "there"), beat("a", "here", "there"))
    task_id = brain.submit(USER, [Submission(request=REQUEST)])[0].task_id
    brain.road.plan_round()
    task = brain.road.state.tasks[task_id]
    assert task.plan is not None
    pool, task.plan, task.phase = task.plan.pool, None, Phase.DELIVERING  # as after the end of its attempt
    other = next(one for one in ("here", "there") if not pool.startswith(one))
    brain.road.state.sites = {site: seen for site, seen in brain.road.state.sites.items() if site == other}
    report = brain.report(USER, task_id)
    assert report is not None
    assert report.chosen == pool


def test_a_site_leaves_when_it_is_drained_and_empty_and_its_keys_are_void(brain: Brain) -> None:
    operator, agent = principal(Role.OPERATOR), principal(Role.AGENT, "there")
    site = SiteId("there")
    key = brain.issue_key(operator, LOCAL_TENANT, Role.AGENT, sites=(site,))
    both = brain.issue_key(operator, LOCAL_TENANT, Role.AGENT, sites=(site, SiteId("here")))
    with pytest.raises(NotAllowedError):
        brain.order_site(agent, site, SiteOrder.CORDONED)
    with pytest.raises(ConflictError) as early:
        brain.order_site(operator, site, SiteOrder.LEFT)
    assert early.value.code == "site_not_drained"
    on_the_road(brain, agent)
    state = brain.road.state
    (task,) = state.live.values()
    brain.cancel(operator, task.task_id)
    brain.order_site(operator, site, SiteOrder.DRAINED)
    with pytest.raises(ConflictError) as busy:
        brain.order_site(operator, site, SiteOrder.LEFT)
    assert (busy.value.code, busy.value.params["tasks"]) == ("site_busy", 1)
    brain.fail_site(operator, site)
    wait_until(lambda: not state.live)
    brain.order_site(operator, site, SiteOrder.LEFT)
    assert (state.keys[key[0]].revoked, state.keys[both[0]].revoked) == (True, False)
    brain.order_site(operator, site, SiteOrder.OPEN)
    brain.heal_site(operator, site)
    assert state.closed == {}
    assert state.snapshot().sites[site].live
