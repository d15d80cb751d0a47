"""A real brain on a small grid, and buses to it: in this process, over HTTP on a loopback port, or over a NATS server."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import httpx

from suanwang.agent.adapter import TERMINAL
from suanwang.bus import AgentBus
from suanwang.bus.http import HttpBus
from suanwang.bus.memory import MemoryBus
from suanwang.grids import SMALL, dump_grid, random_grid
from suanwang.model.error import UnreachableError
from suanwang.model.event import AttemptSeen, Event, EventKind, Heartbeat, Instruction, InstructionKind, Orders
from suanwang.model.ids import AgentId, AttemptId, SiteId, TaskId
from suanwang.model.principal import Principal, Role, Submission
from suanwang.model.task import TaskRequest
from suanwang.runtime.agent_bus import open_bus
from suanwang.runtime.app import LOCAL_TENANT, Serving, home_key, open_brain, serving
from suanwang.runtime.brain import Brain
from suanwang.runtime.settings import Settings

AGENT = AgentId("one")
PATIENCE_S = 40
WAIT_MS = 20_000  # at most: an exchange comes back as soon as there is an order


class Away:
    """The brain of a bus in this process: there, or gone."""

    def __init__(self) -> None:
        self.brain: Brain | None = None

    def _there(self) -> Brain:
        if self.brain is None:
            raise UnreachableError(address="here", cause="gone")
        return self.brain

    def exchange(self, principal: Principal, heartbeat: Heartbeat, wait_ms: int = 0) -> Orders:
        return self._there().exchange(principal, heartbeat, wait_ms)

    def append_log(self, principal: Principal, attempt_id: AttemptId, offset: int, data: bytes) -> int:
        return self._there().append_log(principal, attempt_id, offset, data)


@dataclass
class Side:
    """A brain, and how an agent reaches it with a key for some sites. `kill` and `again` take the brain away and bring it
    back over the same home; buses that are open stay open."""

    folder: Path
    settings: Settings
    stack: ExitStack
    away: Away = field(default_factory=Away)
    here: Serving | None = None

    @property
    def brain(self) -> Brain:
        assert self.away.brain is not None
        return self.away.brain

    @property
    def operator(self) -> Principal:
        return self.brain.authenticate(home_key(self.settings.home))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.port}"

    def again(self) -> None:
        self.away.brain = open_brain(self.settings)
        self.away.brain.start()

    def kill(self) -> None:
        brain, self.away.brain = self.brain, None
        brain.close()

    def connect(self, token: str, principal: Principal, agent: AgentId) -> AgentBus:
        return MemoryBus(self.away, principal)

    @cached_property
    def sites(self) -> tuple[SiteId, ...]:
        return tuple(site.id for site in self.brain.index.grid.sites)

    def bus(self, sites: Sequence[SiteId] | None = None, agent: AgentId = AGENT) -> AgentBus:
        """A bus with a new agent's key for these sites; None: for all."""
        own = self.sites if sites is None else tuple(sites)
        _, token = self.brain.issue_key(self.operator, LOCAL_TENANT, Role.AGENT, own)
        bus = self.connect(token, self.brain.authenticate(token), agent)
        self.stack.callback(bus.close)
        return bus

    def submit(self) -> TaskId:
        made = self.brain.submit(self.operator, [Submission(request=TaskRequest(run="true"))])
        return made[0].task_id


class HttpSide(Side):
    def again(self) -> None:
        opened = ExitStack()
        self.here = opened.enter_context(serving(self.settings, with_agent=False))
        self.settings = replace(self.settings, port=int(self.here.url.rpartition(":")[2]))
        self.away.brain = self.here.brain
        self.opened = opened

    def kill(self) -> None:
        self.away.brain = None
        self.opened.close()

    def connect(self, token: str, principal: Principal, agent: AgentId) -> AgentBus:
        return http_bus(self.url, token, agent)


class NatsSide(HttpSide):
    """The NATS server stays when the brain goes, as it does when a brain is killed."""

    def again(self) -> None:
        super().again()
        assert self.here is not None
        assert self.here.nats is not None
        self.nats = self.here.nats
        assert self.nats.gateway.wait_ready(20)

    def kill(self) -> None:
        server, self.nats.server = self.nats.server, None  # the desk does not end what it does not have
        assert server is not None
        server.leave()
        super().kill()

    def connect(self, token: str, principal: Principal, agent: AgentId) -> AgentBus:
        client = httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"})
        self.stack.callback(client.close)
        folder = self.folder / "agents" / f"{agent}-{principal.key_id}"
        folder.mkdir(parents=True)
        return open_bus(client, agent, folder)


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
    named = {
        "agent": AGENT,
        "sequence": sequence,
        "site": order.site,
        "attempt_id": order.attempt_id,
        "fence": order.fence,
        "at_us": sequence,
        "kind": kind,
    }
    return Event(**(named | facts))


def _settings(folder: Path, **more) -> Settings:
    file = folder / "grid.yaml"
    file.write_text(dump_grid(random_grid(4, 5, SMALL)), "utf-8")
    return Settings(home=folder / "home", grid=str(file), port=0, heartbeat_lost_s=600, **more)


@contextmanager
def _side(kind: Callable[..., Side], folder: Path, **more) -> Iterator[Side]:
    with ExitStack() as stack:
        side = kind(folder, _settings(folder, **more), stack)
        side.again()
        try:
            yield side
        finally:
            stack.close()
            if side.away.brain is None:
                side.again()  # a server that was left behind is ended by whoever takes it on
            end = side.opened.close if isinstance(side, HttpSide) else side.kill
            end()


def in_memory(folder: Path):
    return _side(Side, folder)


def over_http(folder: Path):
    return _side(HttpSide, folder)


def over_nats(folder: Path):
    return _side(NatsSide, folder, bus="nats", nats_port=0)


def http_bus(url: str, token: str, agent: AgentId = AGENT) -> HttpBus:
    return HttpBus(httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}), agent)


def patiently(ask):
    """As an agent's loop does: try again while nobody answers."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except UnreachableError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
