"""A real brain on a small grid, its API on a loopback port, and a fake agent for every site; also for tests/cli."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from suanwang.agent.adapters.fake import FakeAdapter
from suanwang.agent.agent import Agent
from suanwang.agent.journal import Journal
from suanwang.bus.memory import MemoryBus
from suanwang.grids import SMALL, dump_grid, random_grid
from suanwang.model.grid import Tenant
from suanwang.model.ids import AgentId, KeyId, TenantId
from suanwang.model.principal import Principal, Role
from suanwang.runtime import clock
from suanwang.runtime.agent_loop import AgentLoop
from suanwang.runtime.app import Serving, serving
from suanwang.runtime.settings import Settings

SITES = 12


@dataclass
class Grid:
    """A running brain and a key of each role; `other` is a user of another tenant."""

    here: Serving
    keys: dict[str, str]

    def http(self, role: str = "user", **rest) -> httpx.Client:
        key = self.keys.get(role)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.here.url, headers=headers, timeout=60, **rest)


def _settings(home: Path) -> Settings:
    grid = random_grid(SITES, 5, SMALL)
    tenants = (Tenant(id=TenantId("astro"), name="Astro"), Tenant(id=TenantId("bio"), name="Bio"))
    file = home / "grid.yaml"
    file.write_text(dump_grid(grid.model_copy(update={"tenants": (*grid.tenants, *tenants)})), "utf-8")
    return Settings(home=home / "home", grid=str(file), port=0, heartbeat_lost_s=600)


def _keys(here: Serving) -> dict[str, str]:
    operator = here.brain.authenticate(here.key)
    sites = tuple(site.id for site in here.brain.index.grid.sites)
    made = {"operator": here.key}
    for name, tenant, role in (
        ("viewer", "astro", Role.VIEWER),
        ("user", "astro", Role.USER),
        ("other", "bio", Role.USER),
    ):
        made[name] = here.brain.issue_key(operator, TenantId(tenant), role)[1]
    made["joiner"] = here.brain.issue_key(operator, TenantId("local"), Role.JOINER)[1]
    made["agent"] = here.brain.issue_key(operator, TenantId("astro"), Role.AGENT, sites[:1])[1]
    return made


def _hands(here: Serving, home: Path) -> AgentLoop:
    sites = tuple(site.id for site in here.brain.index.grid.sites)
    who = Principal(key_id=KeyId("key-hands"), tenant=TenantId("local"), role=Role.AGENT, sites=sites)
    bus = MemoryBus(here.brain, who)
    adapter = FakeAdapter(clock.now_us, 1, objects=here.brain.objects)
    agent = Agent(AgentId("hands"), sites, adapter, Journal(home / "journal.db"), clock.now_us, bus.append_log)
    return AgentLoop(agent, bus)


@contextmanager
def served(home: Path) -> Iterator[Grid]:
    """A brain in this process for the time of the block."""
    with serving(_settings(home), with_agent=False) as here:
        hands = _hands(here, home)
        hands.start()
        try:
            yield Grid(here, _keys(here))
        finally:
            hands.stop()
