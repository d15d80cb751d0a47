"""What sites claim against what check tasks find: marked and priced down, and put right again."""

import json
import time

import pytest
from tests.runtime.test_join_desk import ASK, Town, submit

from suanwang.agent.probe import Proof, command, prove_here, read_proof
from suanwang.grids import dump_grid
from suanwang.model.error import ConflictError, NotAllowedError, NotFoundError
from suanwang.model.event import Heartbeat
from suanwang.model.ids import TaskId
from suanwang.model.joining import FoundPool, Inventory, Joining, JoinState, JoinTerms, JoinView, Trust, corrected
from suanwang.model.record import Phase
from suanwang.runtime import trust as trust_module
from suanwang.runtime.trust import TrustWatch, weigh
from suanwang.store import admin

CLAIM = 1_000_000  # loops a second of one core
CORES = 8
HONEST = ASK.model_copy(update={"measured": ASK.measured.model_copy(update={"core_loops_s": CLAIM})})


def proof(permille):
    """What a place gives that is so much of the claim."""
    return Proof(cores=CORES, core_loops_s=CLAIM, all_loops_s=CLAIM * CORES * permille // 1_000)


@pytest.fixture
def town(tmp_path):
    made = Town(tmp_path)
    yield made
    made.brain.close()


# before: low in a row, marked, price ->  gives   -> low, marked, price
TABLE = [
    (0, False, 1_000, 1_000, 0, False, 1_000),
    (0, False, 1_000, 1_500, 0, False, 1_000),  # more than claimed is as claimed
    (0, False, 1_000, 300, 1, False, 1_000),  # once may be chance
    (1, False, 1_000, 300, 2, True, 300),
    (1, False, 1_000, 900, 0, False, 1_000),
    (1, False, 1_000, 800, 1, False, 1_000),  # neither low nor good
    (2, True, 300, 200, 2, True, 200),
    (2, True, 300, 600, 2, True, 300),  # better, but still low: no more than before
    (2, True, 300, 900, 1, True, 300),
    (1, True, 300, 900, 0, False, 1_000),
    (1, True, 300, 100, 2, True, 100),
]


@pytest.mark.parametrize(("low", "marked", "price", "gives", "low_then", "marked_then", "price_then"), TABLE)
def test_what_one_more_check_means(low, marked, price, gives, low_then, marked_then, price_then):
    last = Trust(checks=4, checked_us=1, gives_permille=500, low=low, marked=marked, price_permille=price)
    view = JoinView.model_construct(ask=HONEST, trust=last)
    found = weigh(view, proof(gives), 9)
    assert (found.low, found.marked, found.price_permille) == (low_then, marked_then, price_then)
    assert (found.checks, found.checked_us, found.gives_permille) == (5, 9, min(1_000, gives))


def test_of_a_site_that_claimed_no_speed_only_its_cores_are_counted():
    view = JoinView.model_construct(ask=ASK, trust=None)
    slow_but_all = Proof(cores=8, core_loops_s=10, all_loops_s=80)
    two_of_eight = Proof(cores=8, core_loops_s=10, all_loops_s=20)
    assert [weigh(view, one, 1).gives_permille for one in (slow_but_all, two_of_eight)] == [1_000, 250]


def test_a_site_that_gives_less_is_marked_and_priced_down_and_put_right_when_it_gives_enough(town):
    view = town.join(HONEST)
    task = submit(town)
    for permille in (400, 400):
        town.brain.trust.judge(view.join_id, task, proof(permille))
    book = town.brain.index.price_books["annex-prices"]
    pool = town.brain.index.pools["annex/general"][0]
    assert (book.core_hour_micro_yuan, book.accelerator_hour_micro_yuan["a100"], pool.gflops_per_node) == (
        400,
        3_600,
        80,
    )
    assert town.brain.joins.request(town.operator, view.join_id).trust.marked
    town.restart()
    assert town.brain.index.price_books["annex-prices"] == book
    assert town.brain.wait_tables()
    assert admin.verify(town.brain.store) == []
    for permille in (950, 950):
        town.brain.trust.judge(view.join_id, task, proof(permille))
    assert town.brain.index.price_books["annex-prices"].core_hour_micro_yuan == 1_000
    assert not town.brain.joins.request(town.operator, view.join_id).trust.marked


def test_a_check_is_a_task_of_the_site_and_what_it_prints_is_judged(town):
    view = town.join(HONEST)
    beat = Heartbeat(agent=ASK.agent, adapter="slurm", emulated=False, sites=("annex",))
    town.brain.exchange(town.agent(view), beat)
    for number in (1, 2):
        task_id = town.brain.trust.check(town.operator, "annex")
        assert town.brain.road.state.tasks[task_id].request.run == command(CORES)
        said = {"cores": CORES, "core_loops_s": CLAIM, "all_loops_s": CLAIM}
        town.run(view, task_id, b"noise\n" + json.dumps(said).encode() + b"\n")
        deadline = time.monotonic() + 60
        while (trust := town.brain.joins.request(town.operator, view.join_id).trust) is None or trust.checks < number:
            assert time.monotonic() < deadline, "the check is judged"
            time.sleep(0.05)
    assert (trust.gives_permille, trust.marked) == (125, True)


def test_how_many_cores_a_check_had_is_not_taken_from_what_it_printed(town):
    view = town.join(HONEST)
    town.brain.exchange(town.agent(view), Heartbeat(agent=ASK.agent, adapter="slurm", emulated=False, sites=("annex",)))
    task_id = town.brain.trust.check(town.operator, "annex")
    town.run(view, task_id, json.dumps({"cores": 1, "core_loops_s": CLAIM, "all_loops_s": CLAIM}).encode() + b"\n")
    deadline = time.monotonic() + 60
    while (trust := town.brain.joins.request(town.operator, view.join_id).trust) is None:
        assert time.monotonic() < deadline, "the check is judged"
        time.sleep(0.05)
    assert trust.gives_permille == 125


def test_a_check_under_way_is_the_one_that_is_asked_for_and_it_does_not_wait_for_ever(town):
    town.join(HONEST)  # no agent answers
    task_id = town.brain.trust.check(town.operator, "annex")
    assert town.brain.trust.check(town.operator, "annex") == task_id
    request = town.brain.road.state.tasks[task_id].request
    assert request.deadline - town.brain.clock() <= trust_module.PATIENCE_US


def test_a_check_that_says_nothing_changes_nothing(town):
    view = town.join(HONEST)
    town.brain.exchange(town.agent(view), Heartbeat(agent=ASK.agent, adapter="slurm", emulated=False, sites=("annex",)))
    task_id = town.brain.trust.check(town.operator, "annex")
    town.run(view, task_id, b"sh: python3: not found\n")
    town.brain.trust.step()
    deadline = time.monotonic() + 60
    while town.brain.trust._pending:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert town.brain.joins.request(town.operator, view.join_id).trust is None


def test_checks_are_sent_to_live_sites_that_have_joined_and_not_more_often_than_asked(town):
    view = town.join(HONEST)
    state = town.brain.road.state
    watch = TrustWatch(
        3_600, town.brain._verb, town.brain._look, town.brain.clock, lambda index: None, lambda task_id: b"", None
    )
    watch.step()
    assert not state.tasks, "it has no agent yet"
    town.brain.exchange(town.agent(view), Heartbeat(agent=ASK.agent, adapter="slurm", emulated=False, sites=("annex",)))
    for _ in range(3):
        watch.step()
    (task,) = state.tasks.values()
    assert task.phase is not Phase.REFUSED
    assert task.request.sites == ("annex",)


def test_nobody_but_an_operator_checks_and_only_what_has_joined_and_has_cores(town):
    view = town.brain.joins.ask(town.token(), HONEST)
    with pytest.raises(NotAllowedError):
        town.brain.trust.check(town.token(), "annex")
    for site in ("annex", "here", "nowhere"):  # asked only, of the grid file, of nobody
        with pytest.raises(NotFoundError) as refused:
            town.brain.trust.check(town.operator, site)
        assert refused.value.code == "site_not_joined"
    town.brain.joins.refuse(town.operator, view.join_id, "")
    cards = Inventory(adapter="x", pools=(FoundPool.model_validate({**ASK.inventory.pools[1].model_dump()}),))
    view = town.join(HONEST.model_copy(update={"inventory": cards}), JoinTerms())
    assert view.state is JoinState.APPROVED
    with pytest.raises(ConflictError) as refused:
        town.brain.trust.check(town.operator, "annex")
    assert refused.value.code == "site_not_checked"


def test_a_site_that_the_grid_file_has_by_now_keeps_what_the_file_says(town):
    view = town.join(HONEST)
    grid = town.brain.index.grid
    other = grid.sites[-1].model_copy(update={"price_book": "plain"})
    taken = grid.model_copy(update={"sites": (*grid.sites[:-1], other)})
    joining: Joining = view.proposed
    assert corrected(taken, joining, 1_000, 500).sites[-1] == other


def test_only_figures_that_are_as_approved_are_marked_down(town):
    """What a grid says otherwise by now stands, and there and back is where it was."""
    view = town.join(HONEST)
    grid = town.brain.index.grid
    site = grid.sites[-1]
    newer = site.pools[0].model_copy(update={"gflops_per_node": 7, "nodes": 9})
    book = grid.price_books[-1].model_copy(update={"core_hour_micro_yuan": 77})
    taken = grid.model_copy(
        update={
            "sites": (*grid.sites[:-1], site.model_copy(update={"owner": "other", "pools": (newer, *site.pools[1:])})),
            "price_books": (*grid.price_books[:-1], book),
        }
    )
    marked = corrected(taken, view.proposed, 1_000, 500)
    assert (marked.sites[-1].owner, marked.sites[-1].pools[0]) == ("other", newer)
    assert marked.sites[-1].pools[1].gflops_per_node == site.pools[1].gflops_per_node // 2
    prices = marked.price_books[-1]
    assert (prices.core_hour_micro_yuan, prices.accelerator_hour_micro_yuan) == (77, {"a100": 4_500})
    assert corrected(marked, view.proposed, 500, 1_000) == taken


def test_a_mark_changes_nothing_of_a_site_that_the_grid_file_has(town):
    view = town.join(HONEST)
    town.file.write_text(dump_grid(town.brain.index.grid))
    town.restart()
    before = town.brain.index
    for _ in range(2):
        town.brain.trust.judge(view.join_id, TaskId("task-" + "0" * 26), proof(300))
    assert town.brain.joins.request(town.operator, view.join_id).trust.marked
    assert town.brain.index is before


def test_the_probe_tells_what_a_place_gives():
    found = prove_here(1)
    assert found is not None
    assert found.cores == 1
    assert min(found.core_loops_s, found.all_loops_s) > 0
    assert read_proof(b"") is None
    assert read_proof(b'{"cores": 1}\n[]\n') is None
