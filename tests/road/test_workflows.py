"""Workflows on the road: data between tasks, conditions, all or none, and the same after any restart."""

import pytest
from tests.plan.worlds import general, grid_of, link_of, site_of
from tests.road.town import TENANT, Town

from suanwang.compose import cancel_workflow, submit_workflow, workflow_before
from suanwang.intent.workflow import read_workflow
from suanwang.model.error import ConflictError
from suanwang.model.grid import PriceBook, Tenant
from suanwang.model.ids import TaskId, WorkflowId
from suanwang.model.reason import FailureReason, RefusalReason
from suanwang.model.record import ENDS, Phase, TenantSet
from suanwang.model.snapshot import index_grid
from suanwang.model.workflow import StepState, WorkflowState, WorkflowView
from suanwang.observe.state import State
from suanwang.observe.workflows import workflow_view
from suanwang.twin.world import compare
from suanwang.verify import verify

ID = WorkflowId("flow-00000000000000000000000001")
GIB = 2**30
DEFAULTS = 'defaults: {run: "true", retries: 0, resources: {cpu: 1, memory: 1 B, wall_time: 60 s}}\n'
PAIR = """
  make: {outputs: [{path: out/a}, {path: out/b}], %s}
  take: {inputs: [{source: "task:make/out/*", path: got}, {source: "task:make/out/a", path: again}], %s}
"""


def begin(town: Town, tasks: str, key: str | None = None) -> dict[str, TaskId]:
    workflow = read_workflow(f"workflow: w\n{DEFAULTS}tasks:{tasks}")
    ids = tuple(town.ids.task_id() for _ in workflow.steps)
    assert submit_workflow(town.road, (TENANT, "me"), workflow, (ID, ids), {}, key) == []
    return {step.name: task_id for step, task_id in zip(workflow.steps, ids, strict=True)}


def view(town: Town) -> WorkflowView:
    return workflow_view(town.road.state.workflows[ID], town.road.state.tasks, whole=True)


def states(town: Town) -> dict[str, str]:
    return {one.name: one.state.value for one in view(town).steps}


def to_the_end(town: Town) -> WorkflowView:
    for _ in range(200):
        if view(town).state is not WorkflowState.RUNNING:
            return view(town)
        town.round()
    raise AssertionError(states(town))


@pytest.fixture
def town() -> Town:
    town = Town()
    town.exchange()
    return town


def test_what_one_leaves_is_an_input_of_the_next_from_the_batch_of_its_end(town: Town) -> None:
    ids = begin(town, PAIR % ("", ""))
    assert town.task(ids["take"]).wait_reason == "after"
    assert to_the_end(town).state is WorkflowState.SUCCEEDED
    (gathered,) = town.records("inputs_gathered")
    files = {one["path"]: one for closed in town.records("attempt_closed") for one in closed["outputs"]}
    wanted = {("got/a", "out/a"), ("got/b", "out/b"), ("again", "out/a")}
    assert {(one["path"], one["source"]) for one in gathered["inputs"]} == {
        (path, f"object:{files[of]['blake3']}") for path, of in wanted
    }
    assert gathered["lies"] == [
        {"site": "here", "size_bytes": files["out/a"]["size_bytes"] + files["out/b"]["size_bytes"]}
    ], "what is put at two places comes once"
    batches = [batch for batch in town.log.batches if b'"inputs_gathered"' in batch]
    assert len(batches) == 1
    assert ids["make"].encode() in batches[0].split(b'"task_ended"')[1], "in the batch that ends what makes it"
    assert town.road.state.following.made == {}, "nobody waits for it any more"


def test_a_restart_after_any_batch_finds_the_same_and_goes_on(town: Town) -> None:
    begin(town, PAIR % ("", "") + "  last: {after: {take: succeeded}}\n")
    while view(town).state is WorkflowState.RUNNING:
        town.round()
        compare(town.road.state, town.log.replay(State(town.index)))
        town.road = town.opened()
        town.road.heard_us[town.agent.agent_id] = town.now_us
        assert len(town.log.batches) < 500
    assert view(town).state is WorkflowState.SUCCEEDED


def test_what_was_not_left_ends_whoever_takes_it_and_says_what(town: Town) -> None:
    ids = begin(
        town,
        '\n  make: {outputs: [{path: out/*}]}\n  take: {inputs: [{source: "task:make/out/other", path: i}]}\n'
        "  next: {after: {take: succeeded}}\n",
    )
    assert to_the_end(town).state is WorkflowState.FAILED
    ended = next(one for one in town.records("task_ended") if one["task_id"] == ids["take"])
    assert ended["phase"] == Phase.FAILED
    assert ended["reason"] == FailureReason.INPUT_MISSING
    assert ended["detail"] == f"{ids['make']} left nothing of out/other"
    assert states(town) == {"make": "succeeded", "take": "failed", "next": "skipped"}


@pytest.mark.parametrize(
    ("count", "mend", "whole", "found"),
    [
        ("ok", "ok", WorkflowState.SUCCEEDED, "succeeded skipped succeeded succeeded"),
        ("exit:1", "ok", WorkflowState.SUCCEEDED, "failed succeeded skipped succeeded"),
        ("exit:1", "exit:1", WorkflowState.FAILED, "failed failed skipped succeeded"),
    ],
)
def test_conditions_say_who_runs_and_whether_a_failure_was_handled(town, count, mend, whole, found) -> None:
    begin(
        town,
        f"""
  count: {{tags: {{fake.outcome: "{count}"}}}}
  mend: {{after: {{count: failed}}, tags: {{fake.outcome: "{mend}"}}}}
  report: {{after: {{count: succeeded}}}}
  tidy: {{after: {{count: ended}}}}
""",
    )
    assert to_the_end(town).state is whole
    assert " ".join(states(town).values()) == found
    assert {one.name: one.handled for one in view(town).steps}["count"] is (count != "ok" and mend == "ok")


def test_elements_of_an_array_in_parts_are_all_gathered(town: Town) -> None:
    ids = begin(
        town,
        '\n  many: {array: 6, at_once: 2, outputs: [{path: n}]}\n  sum: {inputs: [{source: "task:many/*/n", path: ns}]}\n',
    )
    assert to_the_end(town).state is WorkflowState.SUCCEEDED
    (gathered,) = town.records("inputs_gathered")
    assert gathered["task_id"] == ids["sum"]
    assert sorted(one["path"] for one in gathered["inputs"]) == [f"ns/{element}/n" for element in range(6)]


def test_all_of_them_or_none(town: Town) -> None:
    town.road.emit(TenantSet(at_us=town.now_us, tenant=Tenant(id=TENANT, name="T", live_tasks_max=2)))
    town.road.commit()
    workflow = read_workflow(f"workflow: w\n{DEFAULTS}tasks: {{a: {{}}, b: {{}}, c: {{}}}}")
    ids = tuple(town.ids.task_id() for _ in workflow.steps)
    before = town.road.state.submissions, len(town.log.batches)
    refused = submit_workflow(town.road, (TENANT, "me"), workflow, (ID, ids), {})
    assert [[one.reason for one in step] for step in refused] == [[], [], [RefusalReason.LIVE_TASKS]]
    assert (town.road.state.submissions, len(town.log.batches)) == before
    assert not town.road.pending
    assert town.road.state.workflows == {}


def test_one_key_is_one_workflow(town: Town) -> None:
    begin(town, "\n  a: {}\n", "key")
    same = read_workflow(f"workflow: w\n{DEFAULTS}tasks:\n  a: {{}}\n")
    found = workflow_before(town.road, TENANT, "key", same)
    assert found is not None
    assert found.workflow_id == ID
    assert workflow_before(town.road, TENANT, "other", same) is None
    with pytest.raises(ConflictError):
        workflow_before(town.road, TENANT, "key", read_workflow("workflow: w\ntasks: {a: {run: other}}"))


def test_cancelled_as_a_whole_nobody_is_skipped(town: Town) -> None:
    ids = begin(town, PAIR % ("", "") + "  done: {}\n")
    town.until(ids["make"], Phase.RUNNING)
    cancel_workflow(town.road, town.road.state.workflows[ID], "me")
    end = to_the_end(town)
    assert end.state is WorkflowState.CANCELLED
    assert end.counts == {StepState.CANCELLED: 3}
    with pytest.raises(ConflictError):
        cancel_workflow(town.road, town.road.state.workflows[ID], "me")


def test_outputs_of_before_are_not_remembered_for_who_comes_late(town: Town) -> None:
    first = town.submit(outputs=({"path": "o"},))
    town.until(first, Phase.SUCCEEDED)
    late = town.submit(inputs=({"source": f"task:{first}/o", "path": "i"},))
    assert town.task(late).phase is Phase.REFUSED
    (refused,) = town.records("task_refused")
    assert refused["refusals"][0]["reason"] == RefusalReason.INPUT_LATE


# -- the gravity of an edge's data -----------------------------------------------------------------------------------

DEAR, CHEAP = PriceBook(id="dear", core_hour_micro_yuan=600_000), PriceBook(id="cheap", core_hour_micro_yuan=60_000)
MOVE_GIB = 1_000  # micro-yuan; a core at the dear place costs 9,000 more than at the cheap one for the minute of a task


def two_prices() -> Town:
    """What makes the data is bound to the dear place; what takes it is free to go."""
    sites = [site_of(one, [general(one, memory=GIB)], book=one) for one in ("dear", "cheap")]
    links = [link_of("between", "dear", "cheap", gib=MOVE_GIB, price=0, capacity=10**10)]
    town = Town("dear", "cheap", index=index_grid(grid_of(sites, links, books=(DEAR, CHEAP))))
    town.exchange()
    return town


@pytest.mark.parametrize(
    ("size_bytes", "place"), [(1, "cheap"), (8 * GIB, "cheap"), (10 * GIB, "dear"), (100 * GIB, "dear")]
)
def test_big_outputs_stay_unless_another_place_is_cheaper_by_more_than_they_cost_to_move(size_bytes, place) -> None:
    town = two_prices()
    half = size_bytes // 2 or 1
    ids = begin(town, PAIR % (f'sites: [dear], tags: {{fake.output-bytes: "{half}"}}', ""))
    town.until(ids["make"], Phase.SUCCEEDED)
    while town.task(ids["take"]).plan is None:
        town.plan()
    plan, ask = town.task(ids["take"]).plan, town.road.ask(town.task(ids["take"]))
    assert plan.site == place
    (move,) = plan.data
    assert (move.data_set, move.replica, move.size_bytes) == ("outputs-of-dear", "dear", 2 * half)
    assert bool(move.path.links) is (place == "cheap")
    assert (plan.run_start_us > plan.start_us) is (place == "cheap"), "moving takes its time"
    assert to_the_end(town).state is WorkflowState.SUCCEEDED
    moved = [one["line"] for one in town.records("charge_posted") if one["task_id"] == ids["take"]]
    if size_bytes == 8 * GIB:
        assert 8 * MOVE_GIB in [line["amount_micro_yuan"] for line in moved], "the move is billed"
    assert ask.kept[0].size_bytes == 2 * half


def test_the_checker_wants_the_data_of_every_edge() -> None:
    town = two_prices()
    ids = begin(town, PAIR % ("sites: [dear]", ""))
    town.until(ids["make"], Phase.SUCCEEDED)
    while town.task(ids["take"]).plan is None:
        town.plan()
    task = town.task(ids["take"])
    ask, plan = town.road.ask(task), task.plan
    view = town.road.state.snapshot()
    bare = plan.model_copy(update={"data": ()})
    assert "data_missing" in [fault.value for fault, _ in verify(bare, ask.request, view, TENANT, ask.kept)]
    assert "data_missing" not in [fault.value for fault, _ in verify(plan, ask.request, view, TENANT, ask.kept)]


def test_where_the_site_that_made_it_answers_no_more_the_object_store_has_it() -> None:
    town = two_prices()
    ids = begin(town, PAIR % ("sites: [cheap]", "sites: [dear]"))
    town.until(ids["make"], Phase.SUCCEEDED)
    town.road.lose_site("cheap", "operator_failed")
    (kept,) = town.road.ask(town.task(ids["take"])).kept
    assert kept.replicas == ("dear",), "which stands at the origin"
    del town.agents["cheap"]
    town.road.commit()
    assert to_the_end(town).state is WorkflowState.SUCCEEDED
    assert all(town.task(one).phase in ENDS for one in ids.values())


def test_a_step_whose_array_is_shared_out_is_at_work_while_its_parts_are() -> None:
    town = Town("a", "b")
    town.exchange()
    ids = begin(town, "\n  many: {array: 4, spread: {sites: 2}}\n  last: {after: {many: succeeded}}\n")
    assert states(town) == {"many": "waiting", "last": "waiting"}
    town.plan()
    parts = town.task(ids["many"]).parts
    assert len(parts) == 2
    town.until(parts[0], Phase.RUNNING)
    assert states(town) == {"many": "running", "last": "waiting"}
    assert to_the_end(town).state is WorkflowState.SUCCEEDED
