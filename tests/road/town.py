"""A town: small sites with a fake agent each, a brain, and a clock that the test moves."""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise

from tests.plan.worlds import general, grid_of, link_of, site_of

from suanwang.agent.adapters.fake import FakeAdapter
from suanwang.agent.agent import Agent
from suanwang.agent.journal import Journal
from suanwang.flow import Road
from suanwang.model.grid import Link, PriceBook, SecurityPool, Tenant
from suanwang.model.ids import AgentId, SiteId, TaskId, TenantId
from suanwang.model.principal import Submission
from suanwang.model.record import Phase, TenantSet
from suanwang.model.snapshot import GridIndex, index_grid
from suanwang.model.task import Resources, TaskRequest
from suanwang.observe.state import State, Task
from suanwang.twin.streams import CountedIds
from suanwang.twin.world import TwinLog

NOW = 1_790_000_000_000_000
S = 1_000_000
TENANT, SITE = TenantId("t"), SiteId("here")

FREE = PriceBook(id="plain")


class Town:
    """Sites of four cores in a row, or joined by `links`, an agent for each, and the brain."""

    def __init__(
        self,
        *sites: str,
        tenant: Tenant | None = None,
        book: PriceBook = FREE,
        links: Sequence[Link] | None = None,
        security: Mapping[str, Sequence[SecurityPool]] | None = None,
        index: GridIndex | None = None,
    ) -> None:
        """`index`: another grid with these sites."""
        names = sites or (str(SITE),)
        places = [site_of(one, [general(one, memory=2**30)], (security or {}).get(one, ())) for one in names]
        links = [link_of(f"{a}-{b}", a, b) for a, b in pairwise(names)] if links is None else links
        self.index = index or index_grid(grid_of(places, links, books=(book,)))
        self.now_us, self.log, self.ids = NOW, TwinLog(), CountedIds()
        self.road = self.opened()
        self.road.emit(TenantSet(at_us=NOW, tenant=tenant or Tenant(id=TENANT, name="T")))
        self.road.commit()
        self.agents = {one: self.agent_for(one) for one in names}
        self.agent = self.agents[names[0]]

    def opened(self) -> Road:
        """A brain that has just been started, on the log as it is."""
        return Road(self.log.replay(State(self.index)), self.log, lambda: self.now_us, self.ids)

    def agent_for(self, *sites: str, name: str = "") -> Agent:
        adapter = FakeAdapter(lambda: self.now_us, seed=1)
        chosen = tuple(SiteId(one) for one in sites)
        return Agent(AgentId(name or f"agent-{sites[0]}"), chosen, adapter, Journal(":memory:"), lambda: self.now_us)

    def submit(self, **fields: object) -> TaskId:
        tags = {"fake.duration-us": str(10 * S), **fields.pop("tags", {})}
        resources = fields.pop("resources", Resources(cpu=4, memory=1, wall_time=60 * S))
        request = TaskRequest(run="true", tags=tags, resources=resources, **fields)
        task_id = self.ids.task_id()
        self.road.submit(TENANT, "me", [Submission(request=request)], [task_id])
        return task_id

    def task(self, task_id: TaskId) -> Task:
        return self.road.state.tasks[task_id]

    def exchange(self) -> None:
        for agent in self.agents.values():
            agent.exchange(self.road.exchange)

    def plan(self) -> None:
        self.road.tick()
        self.road.plan_round()

    def until(self, task_id: TaskId, *phases: Phase, seconds: float = 1.0) -> Task:
        """Turn until the task is in one of these phases."""
        for _ in range(200):
            if self.task(task_id).phase in phases:
                return self.task(task_id)
            self.round(seconds)
        raise AssertionError(f"{self.task(task_id).phase} after 200 rounds")

    def round(self, seconds: float = 1.0) -> None:
        """One turn of everything, then time goes on."""
        self.exchange()
        self.plan()
        self.road.dispatch_round()
        self.exchange()
        self.now_us += int(seconds * S)

    def records(self, kind: str) -> list[dict]:
        """What the log says of one kind, oldest first."""
        return [one for batch in self.log.batches for one in json.loads(batch) if one["t"] == kind]
