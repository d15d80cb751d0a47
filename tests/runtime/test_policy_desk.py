"""The desk of network agents: what is kept from one look to the next, and who waits for whom."""

import threading
from contextlib import nullcontext

import pytest
from tests.road.test_path_repair import Mesh

from suanwang.model.record import Phase
from suanwang.model.wanted import WantedNetwork
from suanwang.net.policy.spare import Spares
from suanwang.observe.flows import task_flows
from suanwang.runtime.policies import PolicyDesk


def desk_of(town: Mesh) -> PolicyDesk:
    return PolicyDesk(lambda: nullcontext(town.road), lambda: nullcontext(town.road), lambda position, _: position)


def test_a_flow_is_made_once_for_its_plan_and_forgotten_with_it() -> None:
    town, known = Mesh(), {}
    first, second, bare = town.running(seconds=20), town.running(), town.running(bandwidth=0)
    before = task_flows(town.road.state, known)
    assert [one.task_id for one in before] == [first, second], "who asked nothing of its path has none"
    assert len(known) == 3 and known[town.plan_of(bare).plan_id] is None
    again = task_flows(town.road.state, known)
    assert [id(one) for one in again] == [id(one) for one in before]
    town.set("home-b", False)
    town.set("home-a", False)  # both over c
    moved = task_flows(town.road.state, known)
    assert [one.plan_id for one in moved] == [town.plan_of(one).plan_id for one in (first, second)]
    assert not {one.plan_id for one in moved} & {one.plan_id for one in before}
    town.until(first, Phase.SUCCEEDED)
    assert task_flows(town.road.state, known) == moved[1:]
    assert len(known) == 2


def test_what_is_kept_gives_the_answers_of_a_desk_that_has_just_begun() -> None:
    town = Mesh()
    desk, seen = desk_of(town), set()
    for step in range(6):
        if step % 2:
            town.running(seconds=30, latency=5_000 if step == 3 else None)
        else:
            town.set("home-a", step == 2)
        position, wanted = desk.wanted()
        assert (position, wanted) == desk_of(town).wanted()
        assert wanted.position == town.road.position
        seen.add(wanted.digest)
    assert len(seen) > 3


def test_standby_ways_are_looked_for_once_while_the_links_are_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    town, looked = Mesh(), []
    search = Spares._search
    monkeypatch.setattr(Spares, "_search", lambda self, *given: looked.append(given[0].task_id) or search(self, *given))
    desk = desk_of(town)
    first = town.running()
    desk.wanted()
    second = town.running()
    desk.wanted()
    assert desk.route(first) is not None
    assert looked == [first], "the second goes the same way, and it is no other question for the first"
    town.set("home-c", False)
    desk.wanted()
    assert looked == [first] * 2
    assert second in {one.flow.task_id for one in desk.wanted()[1].tasks}


def test_who_asks_for_one_task_does_not_wait_for_the_policies_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    town = Mesh()
    mine = town.running()
    desk, begun, go_on = desk_of(town), threading.Event(), threading.Event()
    make, answers = PolicyDesk._make, []

    def slow(*given) -> WantedNetwork:
        begun.set()
        assert go_on.wait(60)
        return make(*given)

    monkeypatch.setattr(PolicyDesk, "_make", staticmethod(slow))
    threads = [threading.Thread(target=lambda: answers.append(desk.wanted()[1])) for _ in range(2)]
    asks = threading.Thread(target=lambda: answers.append(desk.route(mine)))
    for one in threads:
        one.start()
    assert begun.wait(60)
    asks.start()
    asks.join(60)
    assert [one.task_id for one in answers] == [mine]
    assert desk.reports() == []
    go_on.set()
    for one in threads:
        one.join(60)
    assert answers[1] is not None
    assert answers[1] == answers[2]


def test_what_was_made_late_does_not_take_the_place_of_what_is_newer() -> None:
    """One has looked, and while it waits for its turn another looks later and is served."""
    town = Mesh()
    town.running()
    desk, turns = desk_of(town), iter(range(1))

    class Overtaken:
        def __enter__(self) -> None:
            if next(turns, None) is not None:
                town.running()
                desk.wanted()

        def __exit__(self, *_: object) -> None: ...

    desk._making = Overtaken()
    assert len(desk.wanted()[1].tasks) == 1
    assert len(desk._flows()) == 2
