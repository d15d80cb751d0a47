"""A real brain on a small grid, and buses to it: in this process, or over HTTP on a loopback port."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from suanwang.agent.adapter import TERMINAL
from suanwang.bus import AgentBus
from suanwang.bus.http import HttpBus
from suanwang.bus.memory import MemoryBus
from suanwang.grids import SMALL, dump_grid, random_grid
from suanwang.model.event import AttemptSeen, Event, EventKind, Heartbeat, Instruction, InstructionKind
from suanwang.model.ids import AgentId, SiteId, TaskId
from suanwang.model.principal import Principal, Role, Submission
from suanwang.model.task import TaskRequest
from suanwang.runtime.app import LOCAL_TENANT, home_key, open_brain, serving
from suanwang.runtime.brain import Brain
from suanwang.runtime.settings import Settings

AGENT = AgentId("one")
WAIT_MS = 20_000  # at most: an exchange comes back as soon as there is an order


@dataclass
class Side:
    """A brain, and how an agent reaches it with a key for some sites."""

    brain: Brain
    operator: Principal
    url: str | None
    connect: Callable[[str, Principal, AgentId], AgentBus]

    @property
    def sites(self) -> tuple[SiteId, ...]:
        return tuple(site.id for site in self.brain.index.grid.sites)

    def bus(self, sites: Sequence[SiteId] | None = None, agent: AgentId = AGENT) -> AgentBus:
        """A bus with a new agent's key for these sites; None: for all."""
        own = self.sites if sites is None else tuple(sites)
        _, token = self.brain.issue_key(self.operator, LOCAL_TENANT, Role.AGENT, own)
        return self.connect(token, self.brain.authenticate(token), agent)

    def submit(self) -> TaskId:
        made = self.brain.submit(self.operator, [Submission(request=TaskRequest(run="true"))])
        return made[0].task_id


def heartbeat(sites: Sequence[SiteId], events: Sequence[Event] = (), agent: AgentId = AGENT) -> Heartbeat:
    """What an agent says that holds every attempt that its events are of."""
    over = {one.attempt_id for one in events if one.kind in TERMINAL}
    seen = {
        one.attempt_id: AttemptSeen(attempt_id=one.attempt_id, fence=one.fence, live=one.attempt_id not in over)
        for one in events
    }
    return Heartbeat(
        agent=agent,
        adapter="none",
        emulated=True,
        sites=tuple(sites),
        attempts=tuple(seen.values()),
        events=tuple(events),
    )


def start_of(side: Side, bus: AgentBus) -> Instruction:
    """Submit a task and wait for the order to start it."""
    task_id = side.submit()
    for _ in range(20):
        for order in bus.exchange(heartbeat(side.sites), WAIT_MS).instructions:
            if order.task_id == task_id and order.kind is InstructionKind.START:
                return order
    raise AssertionError(f"no start for {task_id} came")


def event(order: Instruction, sequence: int, kind: EventKind, **facts) -> Event:
    return Event(
        agent=AGENT,
        sequence=sequence,
        site=order.site,
        attempt_id=order.attempt_id,
        fence=order.fence,
        at_us=sequence,
        kind=kind,
        **facts,
    )


def _settings(folder: Path) -> Settings:
    file = folder / "grid.yaml"
    file.write_text(dump_grid(random_grid(4, 5, SMALL)), "utf-8")
    return Settings(home=folder / "home", grid=str(file), port=0, heartbeat_lost_s=600)


@contextmanager
def in_memory(folder: Path) -> Iterator[Side]:
    settings = _settings(folder)
    brain = open_brain(settings)
    brain.start()
    try:
        operator = brain.authenticate(home_key(settings.home))
        yield Side(brain, operator, None, lambda token, principal, agent: MemoryBus(brain, principal))
    finally:
        brain.close()


def http_bus(url: str, token: str, agent: AgentId = AGENT) -> HttpBus:
    return HttpBus(httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}), agent)


@contextmanager
def over_http(folder: Path) -> Iterator[Side]:
    with serving(_settings(folder), with_agent=False) as here:
        operator = here.brain.authenticate(here.key)
        opened: list[HttpBus] = []

        def connect(token: str, principal: Principal, agent: AgentId) -> AgentBus:
            opened.append(http_bus(here.url, token, agent))
            return opened[-1]

        try:
            yield Side(here.brain, operator, here.url, connect)
        finally:
            for bus in opened:
                bus.close()
