"""Sites ask to join, an operator decides; what has joined is part of the grid at once and after every restart."""

import time

import pytest
from blake3 import blake3
from tests.plan.worlds import general, grid_of, link_of, site_of

from suanwang.grids import dump_grid
from suanwang.model.error import ConflictError, FaultsError, NotAllowedError, NotFoundError, NotKnownError
from suanwang.model.event import Event, EventKind, Heartbeat, InstructionKind
from suanwang.model.grid import PoolKind, PriceBook
from suanwang.model.ids import AgentId, JoinId
from suanwang.model.joining import (
    CORES_MAX,
    FoundPool,
    Inventory,
    JoinAsk,
    JoinState,
    JoinTerms,
    Measured,
    grown,
    prices_at,
)
from suanwang.model.principal import Role, Submission
from suanwang.model.record import Phase
from suanwang.model.task import Resources, TaskRequest
from suanwang.model.units import GIB, MICRO_YUAN_MAX
from suanwang.runtime import join_desk
from suanwang.runtime.app import LOCAL_TENANT, home_key, local_agent, open_brain
from suanwang.runtime.join_desk import TOKEN_US
from suanwang.runtime.settings import Settings
from suanwang.store import admin

SECRET = "secret-of-the-agent"
POOLS = (
    FoundPool(name="general", kind=PoolKind.GENERAL, nodes=3, cores_per_node=8, memory_bytes_per_node=GIB),
    FoundPool(
        name="cards",
        kind=PoolKind.AI,
        nodes=1,
        cores_per_node=8,
        memory_bytes_per_node=GIB,
        accelerator_model="a100",
        accelerators_per_node=4,
    ),
)
ASK = JoinAsk(
    site="annex",
    name="Annex",
    agent=AgentId("agent-annex"),
    secret_blake3=blake3(SECRET.encode()).hexdigest(),
    owner="acme",
    security_level=4,
    prices=PriceBook(id="any", core_hour_micro_yuan=1_000, accelerator_hour_micro_yuan={"a100": 9_000}),
    inventory=Inventory(adapter="slurm", pools=POOLS),
    measured=Measured(cores=4, matmul_fp64_mflops=100_000, rtt_us=3_000, up_bps=5 * 10**8, down_bps=10**9),
    near="there",
)


class Town:
    def __init__(self, folder):
        sites = [site_of(one, [general(one, cores=64, memory=2**30)]) for one in ("here", "there")]
        file = folder / "grid.yaml"
        file.write_text(dump_grid(grid_of(sites, [link_of("road", "here", "there")], books=(PriceBook(id="plain"),))))
        self.file = file
        self.settings = Settings(
            home=folder / "home", grid=str(file), scarcity_s=0, optimise_s=0, heartbeat_lost_s=600, trust_s=0
        )
        self.open()

    def open(self):
        self.brain = open_brain(self.settings)
        self.brain.start()
        self.operator = self.brain.authenticate(home_key(self.settings.home))

    def restart(self):
        self.brain.close()
        self.open()

    def token(self):
        _, token = self.brain.issue_key(self.operator, LOCAL_TENANT, Role.JOINER)
        return self.brain.authenticate(token)

    def join(self, ask=ASK, terms=None):
        view = self.brain.joins.ask(self.token(), ask)
        return self.brain.joins.approve(self.operator, view.join_id, terms or JoinTerms())

    def agent(self, view):
        return self.brain.authenticate(f"sw_{view.key_id}_{SECRET}")

    def run(self, view, task_id, log=b""):
        """As its agent: take the order up and finish it, having printed something."""
        who, said, sequence = self.agent(view), [], self.brain.road.state.cursors.get(ASK.agent, 0)
        deadline = time.monotonic() + 60
        while self.brain.road.state.tasks[task_id].phase is not Phase.SUCCEEDED:
            assert time.monotonic() < deadline
            beat = Heartbeat(agent=ASK.agent, adapter="slurm", emulated=False, sites=("annex",), events=tuple(said))
            orders = self.brain.exchange(who, beat, 200)
            said = []
            for order in orders.instructions:
                if order.kind is InstructionKind.START:
                    self.brain.append_log(who, order.attempt_id, 0, log)
                    for kind in (EventKind.ACCEPTED, EventKind.RUNNING, EventKind.FINISHED):
                        sequence += 1
                        facts = {"exit_code": 0} if kind is EventKind.FINISHED else {}
                        said.append(
                            Event(
                                agent=ASK.agent,
                                sequence=sequence,
                                site=order.site,
                                attempt_id=order.attempt_id,
                                fence=order.fence,
                                at_us=self.brain.clock(),
                                kind=kind,
                                **facts,
                            )
                        )


@pytest.fixture
def town(tmp_path):
    made = Town(tmp_path)
    yield made
    made.brain.close()


def submit(town, **more):
    request = TaskRequest(run="true", resources=Resources(cpu=1, memory=1, wall_time=60_000_000), **more)
    return town.brain.submit(town.operator, [Submission(request=request)])[0].task_id


def test_what_is_proposed_is_what_was_found_and_measured(town):
    view = town.brain.joins.ask(town.token(), ASK)
    site, (link,) = view.proposed.site, view.proposed.links
    assert (view.state, site.id, site.owner, site.region) == (JoinState.WAITING, "annex", "acme", "CN-A")
    assert site.security_level == 2, "a site's own claim counts up to 2"
    assert [pool.id for pool in site.pools] == ["annex/general", "annex/cards"]
    assert site.pools[0].gflops_per_node == 200  # 25 a core
    assert (link.a, link.b, link.capacity_bps, link.latency_us) == ("there", "annex", 5 * 10**8, 1_500)
    assert view.proposed.prices.id == "annex-prices"
    assert "annex" not in town.brain.index.sites


def test_a_site_that_is_let_in_is_part_of_the_grid_at_once_and_runs_tasks(town):
    live = [submit(town) for _ in range(3)]  # these wait: no site answers
    view = town.join()
    assert town.agent(view).sites == ("annex",)
    assert "annex/cards" in town.brain.index.pools
    task_id = submit(town, sites=("annex",))
    town.run(view, task_id)
    for one in live:
        town.run(view, one)  # what waited before goes there too
    assert town.brain.wait_tables()
    assert town.brain.store.task(task_id).phase is Phase.SUCCEEDED


def test_a_joined_site_and_its_plans_survive_restarts_and_a_rebuild(town):
    view = town.join()
    first = submit(town, sites=("annex",))
    town.run(view, first)
    pending = submit(town, sites=("annex",))
    town.restart()
    assert town.brain.index.pools["annex/general"][0].cores_per_node == 8
    town.run(view, pending)
    assert town.brain.wait_tables()
    assert admin.verify(town.brain.store) == []
    admin.rebuild(town.brain.store)
    town.restart()
    town.run(view, submit(town, sites=("annex",)))
    assert town.brain.joins.request(town.operator, view.join_id).state is JoinState.APPROVED


def test_a_batch_of_plans_that_was_made_before_means_the_same_after(town):
    """Plans in a batch are numbers of pools and links: those of the grid on which they were made."""
    beat = Heartbeat(agent=AgentId("door"), adapter="x", emulated=False, sites=("here", "there"))
    town.brain.exchange(town.operator, beat)
    request = TaskRequest(run="true", resources=Resources(cpu=1, memory=1, wall_time=60_000_000), origin="here")
    made = town.brain.submit(town.operator, [Submission(request=request) for _ in range(40)])
    tasks = [one.task_id for one in made]
    state = town.brain.road.state
    deadline = time.monotonic() + 60
    while any(state.tasks[one].plan is None for one in tasks):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    before = {one: (state.tasks[one].plan.pool, state.tasks[one].plan.lease_id) for one in tasks}
    town.join()
    town.restart()
    state = town.brain.road.state
    after = {one: (state.tasks[one].plan.pool, state.tasks[one].plan.lease_id) for one in tasks}
    assert after == before
    kinds = [record.t for _, records in town.brain.store.read() for record in records]
    assert "plans_made" in kinds, "they went into the log as one batch"
    assert town.brain.wait_tables()
    assert admin.verify(town.brain.store) == []
    assert admin.rebuild(town.brain.store) > 0


def test_places_in_the_grid_stay_what_they_were(town):
    before = town.brain.index
    town.join()
    after = town.brain.index
    assert after is not before
    assert after.pool_order[: len(before.pool_order)] == before.pool_order
    assert after.security_order[: len(before.security_order)] == before.security_order
    assert [one.id for one in after.grid.links][: len(before.grid.links)] == [one.id for one in before.grid.links]


def test_a_grid_file_that_has_the_site_by_now_says_what_it_is(town):
    town.join()
    grid = town.brain.index.grid
    sites = [one.model_copy(update={"owner": "taken-over"}) if one.id == "annex" else one for one in grid.sites]
    town.file.write_text(dump_grid(grid.model_copy(update={"sites": tuple(sites)})))
    town.restart()
    assert town.brain.index.sites["annex"].owner == "taken-over"
    assert len(town.brain.index.grid.sites) == 3


def test_a_grid_file_without_the_neighbour_leaves_the_link_out(town):
    grid = town.brain.index.grid
    view = town.brain.joins.ask(town.token(), ASK)
    smaller = grid.model_copy(update={"sites": grid.sites[:1], "links": ()})
    assert [one.id for one in grown(smaller, view.proposed).sites] == ["here", "annex"]
    assert grown(smaller, view.proposed).links == ()


def test_an_operator_decides_on_other_terms(town):
    terms = JoinTerms(security_level=5, price_permille=500, near="here", capacity_bps=7, latency_us=99_000)
    view = town.join(terms=terms)
    (link,) = view.proposed.links
    assert (view.proposed.site.security_level, view.proposed.prices.core_hour_micro_yuan) == (5, 500)
    assert view.proposed.prices.accelerator_hour_micro_yuan == {"a100": 4_500}
    assert (link.a, link.capacity_bps, link.latency_us) == ("here", 7, 99_000)
    assert town.brain.index.sites["annex"].security_level == 5


def test_a_token_stands_for_one_request(town):
    token = town.token()
    view = town.brain.joins.ask(token, ASK)
    assert town.brain.joins.ask(token, ASK) == view
    with pytest.raises(ConflictError) as refused:
        town.brain.joins.ask(token, ASK.model_copy(update={"site": "other"}))
    assert refused.value.code == "join_token_spent"
    with pytest.raises(ConflictError) as taken:
        town.brain.joins.ask(town.token(), ASK)
    assert taken.value.code == "join_site_taken"
    with pytest.raises(ConflictError) as known:
        town.brain.joins.ask(town.token(), ASK.model_copy(update={"site": "here"}))
    assert known.value.code == "join_site_taken"
    with pytest.raises(NotFoundError) as foreign:
        town.brain.joins.request(town.token(), view.join_id)
    assert foreign.value.code == "join_unknown"


def test_a_token_is_good_for_a_day(town):
    token = town.token()
    real = town.brain.clock
    town.brain.joins._clock = lambda: real() + TOKEN_US + 1_000_000
    with pytest.raises(NotAllowedError) as refused:
        town.brain.joins.ask(token, ASK)
    assert refused.value.code == "join_token_old"


def test_a_refused_site_is_told_why_and_is_no_part_of_the_grid(town):
    token = town.token()
    view = town.brain.joins.ask(token, ASK)
    town.brain.joins.refuse(town.operator, view.join_id, "no contract")
    seen = town.brain.joins.request(token, view.join_id)
    assert (seen.state, seen.why, seen.key_id) == (JoinState.REFUSED, "no contract", None)
    assert "annex" not in town.brain.index.sites
    for act in (
        lambda: town.brain.joins.approve(town.operator, view.join_id, JoinTerms()),
        lambda: town.brain.joins.refuse(town.operator, view.join_id, ""),
    ):
        with pytest.raises(ConflictError) as decided:
            act()
        assert decided.value.code == "join_decided"
    assert town.brain.joins.ask(town.token(), ASK).state is JoinState.WAITING  # it may ask again, with a new token
    town.restart()
    assert [one.state for one in town.brain.joins.requests(town.operator)] == [JoinState.WAITING, JoinState.REFUSED]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"near": "nowhere"}, "unknown_site"),
        ({"latitude": 10.0, "longitude": 10.0, "measured": Measured(rtt_us=1)}, None),  # made as slow as light at least
        ({"prices": PriceBook(id="any")}, "price_missing"),
        ({"inventory": Inventory(adapter="x", pools=(POOLS[0], POOLS[0]))}, "duplicate_id"),
        (
            {"inventory": Inventory(adapter="x", pools=(FoundPool(name="q", kind=PoolKind.QUANTUM, nodes=1),))},
            "pool_lacks",
        ),
        ({"owner": "own"}, "join_owner"),
        ({"measured": Measured(cores=1, matmul_fp64_mflops=250_001)}, "join_claim"),
        ({"measured": Measured(cores=2, core_loops_s=10**6, matmul_fp64_mflops=100_001)}, "join_claim"),
        ({"measured": Measured(matmul_fp64_mflops=1)}, "join_claim"),
    ],
)
def test_what_cannot_be_part_of_a_grid_is_refused_with_every_fault(town, change, code):
    ask = ASK.model_copy(update=change)
    if code is None:
        town.join(ask)
        return
    with pytest.raises(FaultsError) as refused:
        town.brain.joins.ask(town.token(), ask)
    assert code in [fault.code for fault in refused.value.faults]
    assert town.brain.failed is None


def test_a_claim_that_makes_no_pool_is_a_fault_and_ends_no_brain(town, monkeypatch):
    """What the bounds of a request let through and those of a pool do not."""
    monkeypatch.setattr(join_desk, "POWER_W_PER_CORE", 10**6)
    with pytest.raises(FaultsError) as refused:
        town.brain.joins.ask(town.token(), ASK)
    assert [one.where for one in refused.value.faults] == [f"site.pools[{at}].power_w_per_node" for at in (0, 1)]
    assert town.brain.failed is None
    monkeypatch.undo()
    widest = POOLS[1].model_copy(update={"cores_per_node": CORES_MAX, "accelerators_per_node": 64})
    fast = Measured(cores=1, matmul_fp64_mflops=250_000)
    view = town.join(ASK.model_copy(update={"inventory": Inventory(adapter="x", pools=(widest,)), "measured": fast}))
    assert view.proposed.site.pools[0].gflops_per_node == 250 * CORES_MAX


def test_prices_beyond_what_can_be_written_down_are_refused(town):
    dear = PriceBook(id="any", core_hour_micro_yuan=MICRO_YUAN_MAX, accelerator_hour_micro_yuan={"a100": 1})
    view = town.brain.joins.ask(town.token(), ASK.model_copy(update={"prices": dear}))
    with pytest.raises(FaultsError) as refused:
        town.brain.joins.approve(town.operator, view.join_id, JoinTerms(price_permille=2_000))
    assert [one.where for one in refused.value.faults] == ["prices.core_hour_micro_yuan"]
    town.restart()
    assert town.brain.joins.approve(town.operator, view.join_id, JoinTerms()).state is JoinState.APPROVED


def test_every_price_of_a_book_is_scaled():
    names = [name for name in PriceBook.model_fields if name.endswith("_micro_yuan")]
    assert "qpu_hour_micro_yuan" in names
    book = PriceBook.model_validate({"id": "b", **{n: {"a": 1_000} if "accel" in n else 1_000 for n in names}})
    scaled = prices_at(book, 1_500)
    assert {name: scaled[name] for name in names} == {n: {"a": 1_500} if "accel" in n else 1_500 for n in names}


def test_a_site_that_joins_speaks_under_its_own_agents_name_alone(town):
    view = town.join()
    assert town.brain.road.state.keys[view.key_id].agent == ASK.agent
    with pytest.raises(NotAllowedError) as refused:
        town.brain.exchange(town.agent(view), Heartbeat(agent=AgentId("door"), adapter="x", emulated=False, sites=()))
    assert refused.value.code == "agent_name"
    for taken in (ASK.agent, AgentId("local")):
        with pytest.raises(FaultsError) as faults:
            town.brain.joins.ask(town.token(), ASK.model_copy(update={"site": "annex-2", "agent": taken}))
        assert [one.code for one in faults.value.faults] == ["join_agent"]


def test_an_operator_may_say_that_a_site_is_their_own(town):
    view = town.brain.joins.ask(town.token(), ASK)
    made = town.brain.joins.approve(town.operator, view.join_id, JoinTerms(owner="own"))
    assert made.proposed.site.owner == "own"


def test_a_site_that_only_asks_for_a_name_takes_none_from_the_agent_of_this_host(town):
    """Refused, and then written into the grid file by hand."""
    view = town.brain.joins.ask(town.token(), ASK)
    town.brain.joins.refuse(town.operator, view.join_id, "")
    grid = grown(town.brain.index.grid, view.proposed)
    town.file.write_text(dump_grid(grid))
    town.restart()
    loop = local_agent(town.brain, None)
    assert loop._agent.sites == ("here", "there", "annex")
    loop._agent.close()


def test_nobody_but_an_operator_decides_and_nobody_but_a_joiner_asks(town):
    view = town.brain.joins.ask(town.token(), ASK)
    for act in (
        lambda: town.brain.joins.ask(town.operator, ASK),
        lambda: town.brain.joins.approve(town.token(), view.join_id, JoinTerms()),
        lambda: town.brain.joins.refuse(town.token(), view.join_id, ""),
        lambda: town.brain.joins.requests(town.token()),
        lambda: town.brain.exchange(
            town.token(), Heartbeat(agent=AgentId("x"), adapter="x", emulated=False, sites=("here",))
        ),
    ):
        with pytest.raises(NotAllowedError):
            act()
    with pytest.raises(NotKnownError):
        town.brain.authenticate(f"sw_{view.join_id}_{SECRET}")
    with pytest.raises(NotFoundError):
        town.brain.joins.approve(town.operator, JoinId("join-none"), JoinTerms())


def test_the_agent_of_this_host_does_not_speak_for_who_has_joined(town):
    town.join()
    town.restart()
    loop = local_agent(town.brain, None)
    assert loop._agent.sites == ("here", "there")
    loop._agent.close()
