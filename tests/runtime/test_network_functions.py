"""What network agents say of protection functions: a dead one is out, a full one that loses packets is left."""

from contextlib import nullcontext

import pytest
from tests.plan.worlds import FIREWALL
from tests.road.test_path_repair import MBPS, WIDE_BPS, Mesh, replayed

from suanwang.model.error import NotFoundError
from suanwang.model.ids import SecurityPoolId, TaskId, TenantId
from suanwang.model.path_report import PathFault, PathReport
from suanwang.model.principal import Principal, Role
from suanwang.model.record import Phase
from suanwang.model.wanted import FunctionUse, NetworkReport, ProbedPath
from suanwang.observe.promises import FULL_PERMILLE, Promises, full_pools
from suanwang.runtime.path_reports import check_reports
from suanwang.runtime.policies import REPORT_S, PolicyDesk

OPERATOR = Principal(key_id="key-me", tenant=TenantId("t"), role=Role.OPERATOR, sites=())
BRIM_BPS = WIDE_BPS * FULL_PERMILLE // 1000


class Net:
    """A mesh, its desk, and agents that measure once a second."""

    def __init__(self) -> None:
        self.town = Mesh()
        self.verbs = 0
        self.desk = PolicyDesk(lambda: nullcontext(self.town.road), self._verb, lambda position, _: position)
        self.measured_us = 0

    def _verb(self):
        self.verbs += 1
        return nullcontext(self.town.road)

    def tell(
        self,
        *functions: FunctionUse,
        paths=(),
        agent: str = "net-1",
        again: bool = False,
        measured_s: float = 0,
        **rest,
    ) -> None:
        self.measured_us += 0 if again else 1_000_000
        report = NetworkReport(
            agent=agent,
            at_us=self.measured_us,
            measured_at_us=self.measured_us + int(measured_s * 1_000_000),
            interval_us=1_000_000,
            functions=functions,
            paths=tuple(paths),
            **rest,
        )
        self.desk.exchange(OPERATOR, report)

    def probed(self, task_id: TaskId, received: int, sent: int = 10) -> ProbedPath:
        plan_id = self.town.plan_of(task_id).plan_id
        return ProbedPath(
            task_id=task_id, plan_id=plan_id, sent=sent, received=received, mean_us=2_000, maximum_us=2_000
        )

    def walls(self, task_id: TaskId) -> list[str]:
        return [one.security_pool for one in self.town.plan_of(task_id).protection]

    @property
    def down(self) -> set[str]:
        return set(self.town.road.state.security_down)


def use(pool: str = "a/fw", bps: int = 0, alive: bool = True) -> FunctionUse:
    return FunctionUse(security_pool=pool, bandwidth_bps=bps, alive=alive)


DEAD = use(alive=False)


# -- alive or not ------------------------------------------------------------------------------------------------------


def test_a_dead_function_takes_its_pool_out_once_and_what_ran_past_it_goes_past_another() -> None:
    net = Net()
    mine = net.town.running(protection=(FIREWALL,))
    net.tell(use(), use("b/fw"))
    assert (net.down, net.walls(mine), net.verbs) == (set(), ["a/fw"], 0)
    net.tell(DEAD, use("b/fw"))
    assert (net.down, net.walls(mine), net.verbs) == ({"a/fw"}, ["b/fw"], 1)
    for _ in range(3):
        net.tell(DEAD, use("b/fw"))
    assert net.verbs == 1
    (told,) = net.town.records("security_pool_changed")
    assert (told["cause"], told["agent"], told["principal"]) == ("agent_dead", "net-1", "key-me")
    assert net.town.task(mine).phase is Phase.RUNNING
    net.tell(use(), use("b/fw"))
    assert (net.down, net.walls(mine)) == (set(), ["b/fw"])
    replayed(net.town)


def test_only_who_took_it_out_brings_it_back_and_never_what_an_operator_took_out() -> None:
    net = Net()
    net.tell(DEAD)
    net.tell(use(), agent="net-2")
    assert net.down == {"a/fw"}
    net.town.set_pool("a/fw", False)  # the operator's from now on
    net.tell(use())
    assert net.down == {"a/fw"}
    net.town.set_pool("a/fw", True)
    net.tell(use())
    assert net.down == set()
    net.tell(DEAD)
    net.town.set_pool("a/fw", True)
    net.tell(DEAD, again=True)  # the same measurement, from before it was mended
    assert net.down == set()
    net.tell(DEAD)
    assert net.down == {"a/fw"}


def test_after_a_restart_of_the_brain_the_agent_still_brings_back_what_it_took_out() -> None:
    net = Net()
    net.tell(DEAD)
    net.town.road = net.town.opened()
    net.desk = PolicyDesk(lambda: nullcontext(net.town.road), net._verb, lambda position, _: position)
    net.tell(use())
    assert net.down == set()


def test_a_pool_that_the_grid_does_not_have_is_passed_over() -> None:
    net = Net()
    net.tell(use("nowhere/fw", alive=False), DEAD)
    assert net.down == {"a/fw"}


# -- links -------------------------------------------------------------------------------------------------------------


def test_a_cable_that_is_put_back_does_not_mend_what_an_operator_cut() -> None:
    """Whether the operator or the agent was first."""
    net = Net()
    net.tell(links_down=("home-b",))
    for link in ("home-a", "home-b"):
        net.town.set(link, False)
        net.tell(links_down=(link,))
        net.tell(links_up=(link,))
        assert link in net.town.road.state.links_down
    net.town.set("home-a", True)
    net.tell(links_down=("home-b",))
    assert net.town.road.state.links_down == {"home-b"}
    replayed(net.town)


def test_the_agent_that_saw_a_link_fall_mends_it_and_no_other_does() -> None:
    net = Net()
    net.tell(links_down=("home-a", "nowhere"))
    net.tell(links_up=("home-a",), agent="net-2")
    assert net.town.road.state.links_down == {"home-a"}
    verbs = net.verbs
    net.tell(links_down=("home-a",), agent="net-2")
    net.tell(links_down=("home-a",))
    assert net.verbs == verbs, "what is known takes no verb"
    net.tell(links_up=("home-a", "nowhere"))
    assert net.town.road.state.links_down == frozenset()
    assert [(one["up"], one["agent"]) for one in net.town.records("link_changed")] == [
        (False, "net-1"),
        (True, "net-1"),
    ]


def test_what_an_operator_mends_while_the_cable_is_out_is_cut_again_by_the_next_round() -> None:
    net = Net()
    net.tell(links_down=("home-a",))
    net.town.set("home-a", True)
    net.tell(links_down=("home-a",))
    assert net.town.road.state.links_down == {"home-a"}
    assert net.town.records("link_changed")[-1]["agent"] == "net-1"


def test_two_reports_at_once_cut_a_link_once() -> None:
    """Both have looked before either writes."""
    net = Net()
    write, words = net._verb, iter(range(1))

    def slow():
        if next(words, None) is not None:
            net.tell(links_down=("home-a",), agent="net-2")
        return write()

    net.desk._verb = slow
    net.tell(links_down=("home-a",))
    assert [one["agent"] for one in net.town.records("link_changed")] == ["net-2"]


def test_an_agent_that_has_long_been_silent_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1_000.0
    monkeypatch.setattr("suanwang.runtime.policies.clock.monotonic_s", lambda: now_s)
    net = Net()
    for number in range(50):
        net.tell(agent=f"net-{number}")
        now_s += 1
    assert len(net.desk._reports) == len(net.desk.reports()) + 1 == REPORT_S
    now_s += REPORT_S
    net.tell(DEAD, agent="net-49", measured_s=-REPORT_S)
    assert net.down == set(), "measured before it fell silent"
    net.tell(DEAD, agent="net-49")
    assert net.down == {"a/fw"}


# -- full --------------------------------------------------------------------------------------------------------------


def test_full_begins_at_its_part_of_the_capacity_and_the_dead_are_not_full() -> None:
    capacity = {SecurityPoolId("a/fw"): WIDE_BPS}
    for bps, alive, full in ((BRIM_BPS - 1, True, False), (BRIM_BPS, True, True), (BRIM_BPS, False, False)):
        found = full_pools(
            NetworkReport(agent="n", at_us=1, interval_us=1, functions=(use(bps=bps, alive=alive),)), capacity
        )
        assert found == ({"a/fw"} if full else frozenset())
    other = NetworkReport(agent="n", at_us=1, interval_us=1, functions=(use("b/fw", bps=WIDE_BPS),))
    assert full_pools(other, capacity) == frozenset()


def test_what_loses_packets_past_a_full_pool_in_two_rounds_leaves_it() -> None:
    net = Net()
    mine, other = net.town.running(protection=(FIREWALL,)), net.town.running(protection=(FIREWALL,))
    net.tell()
    full = use(bps=BRIM_BPS)
    for received in (9, 10, 9):  # not two on end
        net.tell(full, paths=[net.probed(mine, received), net.probed(other, 10)])
    assert net.walls(mine) == ["a/fw"]
    net.tell(full, paths=[net.probed(mine, 9), net.probed(other, 10)])
    assert (net.walls(mine), net.walls(other)) == (["b/fw"], ["a/fw"])
    (told,) = net.town.records("path_repaired")
    cause = told["cause"]
    assert (cause["kind"], cause["lost_permille"], cause["avoid"], cause["avoid_pools"]) == ("loss", 100, [], ["a/fw"])
    assert net.down == set(), "it works, and others may stay"
    replayed(net.town)


@pytest.mark.parametrize(("bps", "received", "pools"), [(BRIM_BPS - 1, 9, None), (BRIM_BPS - 1, 5, ()), (BRIM_BPS, 0, ("a/fw",)), (BRIM_BPS, 5, ("a/fw",))])  # fmt: skip
def test_without_a_full_pool_the_links_are_suspected(bps: int, received: int, pools) -> None:
    net = Net()
    mine = net.town.running(protection=(FIREWALL,))
    net.tell()
    promises, flows = Promises(), net.desk._flows()
    found: list[PathReport] = []
    for at_us in (1, 2):
        report = NetworkReport(
            agent="n",
            at_us=at_us,
            measured_at_us=at_us,
            interval_us=1,
            functions=(use(bps=bps),),
            paths=(net.probed(mine, received),),
        )
        found = promises.judge(report, flows, {SecurityPoolId("a/fw"): WIDE_BPS})
    assert [one.avoid_pools for one in found] == ([] if pools is None else [pools])
    assert [one.kind for one in found] == (
        [] if pools is None else [PathFault.DOWN if not received else PathFault.LOSS]
    )


def test_paths_that_all_look_bad_are_each_tried_once_and_then_it_stays() -> None:
    """The loss is at the task's own host, and now and then it looks like delay."""
    net = Net()
    mine = net.town.running()
    net.tell()
    for at in range(400):
        bad = net.probed(mine, 10).model_copy(update={"mean_us": 90_000}) if at // 7 % 2 else net.probed(mine, 5)
        net.tell(paths=[bad])
    told = net.town.told(mine)
    assert told.count("repaired") == 2, "the mesh has three ways"
    assert told.count("broken") == 1
    assert net.town.way(mine) == ("home", "c", "d", "far")
    replayed(net.town)


def test_a_dead_function_and_a_bad_path_in_one_report_are_one_repair() -> None:
    net = Net()
    mine = net.town.running(protection=(FIREWALL,), bandwidth=10 * MBPS)
    net.tell()
    net.tell(paths=[net.probed(mine, 0)])
    net.tell(DEAD, paths=[net.probed(mine, 0)])
    assert net.town.told(mine) == ["repaired"]
    assert net.walls(mine) == ["b/fw"]


def test_a_report_on_a_pool_that_the_grid_does_not_have_changes_nothing() -> None:
    net = Net()
    mine = net.town.running(protection=(FIREWALL,))
    report = PathReport(
        task_id=mine,
        plan_id=net.town.plan_of(mine).plan_id,
        kind=PathFault.LOSS,
        avoid_pools=("nowhere/fw",),
        observed_at_us=1,
    )
    with pytest.raises(NotFoundError) as caught:
        check_reports(OPERATOR, [report], net.town.road.state)
    assert (caught.value.code, caught.value.params) == ("security_pool_unknown", {"pool": "nowhere/fw"})
    check_reports(OPERATOR, [report.model_copy(update={"avoid_pools": ("b/fw",)})], net.town.road.state)
