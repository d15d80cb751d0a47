"""What the network says of the paths of running tasks: what is done about it, what is late, and what is worth a record."""

import pytest
from tests.road.test_path_repair import Mesh, broken

from suanwang.model.ids import PlanId
from suanwang.model.path_report import PathFault, PathOutcome
from suanwang.model.record import Phase


def test_a_slow_path_is_left_for_a_quicker_one() -> None:
    town = Mesh()
    mine = town.running()
    old = town.plan_of(mine)
    assert town.report(mine, measured_us=9_000, promised_us=2_000, avoid=("a-far",)) is PathOutcome.REPAIRED
    assert town.way(mine) == ("home", "b", "far")
    assert town.report(mine, plan_id=old.plan_id, measured_us=9_000) is PathOutcome.IGNORED
    assert town.told(mine) == ["repaired"]


def test_no_slower_path_is_taken_for_a_slow_one() -> None:
    town = Mesh()
    mine = town.running()
    town.set("home-b", False)
    assert town.report(mine, measured_us=3_000, promised_us=2_000) is PathOutcome.BROKEN
    assert town.report(mine, measured_us=3_001, promised_us=2_000) is PathOutcome.REPAIRED
    assert town.way(mine) == ("home", "c", "d", "far")


def test_without_a_word_on_links_the_whole_old_path_is_avoided() -> None:
    town = Mesh()
    mine = town.running()
    assert town.report(mine, PathFault.LOSS, lost_permille=120) is PathOutcome.REPAIRED
    assert not {"home-a", "a-far"} & {one.link for one in town.plan_of(mine).path.links}


def test_one_record_for_each_change_and_not_for_each_report() -> None:
    town = Mesh()
    mine = town.running()
    town.set("home-b", False)
    town.set("home-c", False)
    for lost in range(1, 6):
        assert town.report(mine, PathFault.LOSS, lost_permille=lost) is PathOutcome.BROKEN
    assert town.told(mine) == ["broken"]
    assert town.report(mine, PathFault.DOWN) is PathOutcome.BROKEN
    assert town.report(mine, PathFault.DOWN, avoid=("a-far",)) is PathOutcome.BROKEN
    assert town.told(mine) == ["broken"] * 3
    town.set("home-b", True)
    assert town.way(mine) == ("home", "b", "far")
    (told,) = town.records("path_repaired")
    assert (told["cause"]["kind"], told["cause"]["avoid"]) == ("down", ["a-far"])


def test_faults_that_take_turns_are_told_once_each() -> None:
    town = Mesh()
    mine = town.running()
    town.set("home-b", False)
    town.set("home-c", False)
    for kind in (PathFault.DELAY, PathFault.LOSS) * 3:
        assert town.report(mine, kind, measured_us=9_000) is PathOutcome.BROKEN
    assert town.report(mine, PathFault.LOSS, avoid=("home-a", "a-far")) is PathOutcome.BROKEN, "the links of the path"
    assert town.told(mine) == ["broken"] * 2


def test_what_is_measured_on_a_cut_path_is_no_news_and_it_is_whole_with_its_link() -> None:
    town = Mesh()
    mine = broken(town)
    assert town.report(mine, PathFault.DOWN) is PathOutcome.BROKEN
    assert town.told(mine) == ["broken"]
    town.set("home-a", True)
    assert town.told(mine) == ["broken", "restored"]


@pytest.mark.parametrize("phase", [Phase.WAITING, Phase.SUCCEEDED])
def test_a_report_on_what_does_not_run_is_late(phase: Phase) -> None:
    town = Mesh()
    mine = town.send(seconds=1)
    if phase is Phase.SUCCEEDED:
        town.until(mine, phase)
    assert town.task(mine).phase is phase
    assert town.report(mine, plan_id=PlanId("plan-1"), measured_us=1) is PathOutcome.IGNORED


def test_a_path_without_links_cannot_be_better() -> None:
    town = Mesh()
    mine = town.running(sites=("home",))
    assert town.report(mine, measured_us=1) is PathOutcome.IGNORED
