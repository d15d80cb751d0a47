"""`avoid` of a task from its admission to the repair of its path, and in what is said of the network."""

from tests.road.test_path_repair import MBPS, Mesh

from suanwang.livenet import CutLook, LineBook, plan_ways
from suanwang.model.compact import full_plan
from suanwang.model.ids import LinkId
from suanwang.model.network import NetFault, NoWay
from suanwang.model.record import Phase
from suanwang.model.task import Avoid
from suanwang.observe.flows import task_flows
from suanwang.verify.network import StandingPlan, verify_network


def links_of(town: Mesh, task_id: str) -> list[str]:
    plan = town.task(task_id).plan
    assert plan is not None
    return [one.link for one in full_plan(plan).path.links]


def test_a_running_task_is_repaired_round_what_it_must_not_cross() -> None:
    town = Mesh()
    free, bound = town.running(), town.running(avoid=Avoid(sites=("b",)))
    assert links_of(town, free) == links_of(town, bound) == ["home-a", "a-far"]
    town.set("home-a", up=False)
    assert links_of(town, free) == ["home-b", "b-far"]
    assert links_of(town, bound) == ["home-c", "c-d", "d-far"]
    assert town.task(bound).phase is Phase.RUNNING


def test_what_may_go_no_other_way_stays_and_a_task_with_avoid_alone_is_pinned() -> None:
    town = Mesh()
    task_id = town.running(bandwidth=0, avoid=Avoid(links=("home-a",), sites=("d",)))
    assert links_of(town, task_id) == ["home-b", "b-far"]
    assert [one.task_id for one in task_flows(town.road.state, {})] == [task_id]
    plain = town.running(bandwidth=0)
    assert plain not in {one.task_id for one in task_flows(town.road.state, {})}


def test_names_that_the_grid_does_not_have_are_refused() -> None:
    town = Mesh()
    refused = town.send(avoid=Avoid(links=("nowhere",), risks=("duct",)))
    (record,) = town.records("task_refused")
    assert [(one["reason"], one["field"], one["got"]) for one in record["refusals"]] == [
        ("avoid_unknown", "avoid.links[0]", "nowhere"),
        ("avoid_unknown", "avoid.risks[0]", "duct"),
    ]
    assert town.task(refused).phase is Phase.REFUSED


def test_what_if_and_the_audit_know_it() -> None:
    town = Mesh()
    task_id = town.running(bandwidth=20 * MBPS, avoid=Avoid(sites=("b",)))
    task, state, index = town.task(task_id), town.road.state, town.index
    assert task.plan is not None
    end_us = max(one.end_us for one in state.leases[task.plan.lease_id])

    def look(*cut: str):
        book = LineBook(index)
        book.follow(state.snapshot())
        ways = list(plan_ways(task.plan, task.request, end_us, index))
        one = CutLook(book, state.snapshot(), tuple(map(LinkId, cut)), town.now_us, lambda *_: None)
        (found,) = one.look(ways).ways
        return found

    assert list(look("a-far").links) == ["home-c:ab", "c-d:ab", "d-far:ab"]
    assert look("a-far", "c-d").refusal.reason is NoWay.AVOIDED
    assert look("a-far", "c-d", "home-b").refusal.reason is NoWay.CUT_OFF
    other = task.request.model_copy(update={"avoid": Avoid(links=("a-far",))})
    (fault,) = verify_network(state.snapshot(), [StandingPlan(task.plan, other, end_us)], [], town.now_us).faults
    assert (fault.fault, fault.what, fault.detail) == (NetFault.AVOIDED, task_id, "a-far")
