"""`suanwang net agent` against a served brain, over routers in memory; tests/lab has the same over a real lab."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.runtime.fake_domain import FakeDomain

from suanwang.agent.adapters.fake import FakeAdapter
from suanwang.agent.agent import Agent
from suanwang.agent.journal import Journal
from suanwang.bus.memory import MemoryBus
from suanwang.client import Client
from suanwang.grids import SMALL, dump_grid, random_grid
from suanwang.model.error import FaultsError, NotAllowedError, UnreachableError
from suanwang.model.ids import AgentId, KeyId, TaskId, TenantId
from suanwang.model.principal import Principal, Role
from suanwang.model.task import TaskRequest
from suanwang.runtime import clock, network_main
from suanwang.runtime.agent_loop import AgentLoop
from suanwang.runtime.app import Serving, serving
from suanwang.runtime.settings import Settings


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Iterator[Serving]:
    """A brain with a fake agent for its sites and no network agent."""
    folder = tmp_path_factory.mktemp("brain")
    file = Path(folder, "grid.yaml")
    file.write_text(dump_grid(random_grid(6, 5, SMALL)), "utf-8")
    with serving(
        Settings(home=folder / "home", grid=str(file), port=0, heartbeat_lost_s=600), with_agent=False
    ) as made:
        sites = tuple(site.id for site in made.brain.index.grid.sites)
        who = Principal(key_id=KeyId("key-hands"), tenant=TenantId("local"), role=Role.AGENT, sites=sites)
        bus = MemoryBus(made.brain, who)
        adapter = FakeAdapter(clock.now_us, 1, objects=made.brain.objects)
        agent = Agent(AgentId("hands"), sites, adapter, Journal(folder / "j.db"), clock.now_us, bus.append_log)
        loop = AgentLoop(agent, bus)
        loop.start()
        try:
            yield made
        finally:
            loop.stop()


@pytest.fixture
def sdk(here: Serving) -> Iterator[Client]:
    with Client(here.url, here.key) as client:
        yield client


@pytest.fixture
def domain(here: Serving, monkeypatch) -> FakeDomain:
    made = FakeDomain(here.brain.index.grid)
    monkeypatch.setattr(network_main, "LabDomain", lambda name: made)
    monkeypatch.setattr(network_main, "check_lab", lambda name, grid: None)
    return made


def settings(here: Serving, **fields) -> Settings:
    """Of an agent's process: all that it needs, but for what is given."""
    operator = here.brain.authenticate(here.key)
    sites = tuple(site.id for site in here.brain.index.grid.sites)
    key = here.brain.issue_key(operator, TenantId("local"), Role.AGENT, sites)[1]
    return Settings(**{"home": Path("unused"), "url": here.url, "key": key, "lab": "lab"} | fields)


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "in time"
        time.sleep(0.02)


def play(here: Serving, monkeypatch, story: Callable[[], None], name: str | None = None) -> int:
    """Run the agent; the story goes on meanwhile, and its end is the signal."""

    def signalled(is_over: Callable[[], bool]) -> None:
        story()
        assert not is_over()

    monkeypatch.setattr(network_main, "until_signal", signalled)
    return network_main.run(settings(here), name)


def test_routers_follow_the_plans_links_are_told_and_the_end_leaves_them_clean(here, sdk, domain, monkeypatch):
    grid = here.brain.index.grid
    target = next(site for site in grid.sites if any(pool.kind == "general" for pool in site.pools))
    origin = next(site.id for site in grid.sites[::-1] if site.id != target.id)
    request = TaskRequest(
        run="true", bandwidth=1_000_000, origin=origin, sites=(target.id,), tags={"fake.outcome": "hang"}
    )

    def steers() -> list:
        node = domain.driver.router(origin)
        return [item for key, item in node.items.items() if key[0] == "route" and item.__class__.__name__ == "Steer"]

    def told() -> list:
        return [one for one in sdk.policies().reports if one.agent == "one"]

    def story() -> None:
        task = TaskId(sdk.submit(request).task_id)
        until(lambda: sdk.policies().wanted.tasks)
        domain.join(task, target.id)
        until(steers)
        until(lambda: domain.held and domain.held[0].placed)
        until(lambda: told() and told()[0].installed == sdk.policies().wanted.digest)
        until(lambda: told()[0].paths)
        link = domain.held[0].flow.links[0].rpartition(":")[0]
        domain.fail(link)
        until(lambda: not next(one for one in sdk.network().links if one.id == link).up)
        until(lambda: link not in {one.rpartition(":")[0] for one in domain.held[0].flow.links} and steers())
        domain.fail(link, down=False)
        until(lambda: all(one.up for one in sdk.network().links))
        sdk.cancel(task)
        until(lambda: not steers())

    assert play(here, monkeypatch, story, "one") == 0
    assert domain.closed and domain.held == ()
    assert all(not router.items for router in domain.driver.routers.values())


def test_the_agent_is_named_after_its_lab(here, sdk, domain, monkeypatch):
    def story() -> None:
        until(lambda: "lab-lab" in {one.agent for one in sdk.policies().reports})

    assert play(here, monkeypatch, story) == 0


def test_all_that_is_missing_is_said_at_once(here):
    with pytest.raises(FaultsError) as error:
        network_main.run(settings(here, url="", key="", lab=""), None)
    assert [(one.code, one.where) for one in error.value.faults] == [
        ("network_agent_needs", "url"),
        ("network_agent_needs", "key"),
        ("network_agent_needs", "lab"),
    ]


def test_a_key_of_one_site_is_refused_at_once_and_the_routers_are_let_go(here, domain):
    operator = here.brain.authenticate(here.key)
    site = here.brain.index.grid.sites[0].id
    key = here.brain.issue_key(operator, TenantId("local"), Role.AGENT, (site,))[1]
    with pytest.raises(NotAllowedError) as error:
        network_main.run(settings(here, key=key), None)
    assert error.value.code == "agent_site"
    assert "site" in error.value.params["detail"]
    assert domain.closed


def test_a_brain_that_is_not_there_is_unreachable(here, monkeypatch):
    monkeypatch.setattr("suanwang.runtime.agent_main.DIAL_S", 0.1)
    with pytest.raises(UnreachableError):
        network_main.run(settings(here, url="http://127.0.0.1:9"), None)
