"""What every simulated history stands on: a virtual clock, a heap of what happens next, the brain, and its hands."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from suanwang.agent.adapters.fake import FakeAdapter, FakeSettings
from suanwang.agent.agent import Agent
from suanwang.agent.journal import Journal
from suanwang.dispatch.scribe import Log
from suanwang.flow import Road
from suanwang.model.grid import Grid
from suanwang.model.ids import AgentId, SiteId
from suanwang.model.snapshot import index_grid
from suanwang.observe.state import State
from suanwang.twin.streams import CountedIds

LogT = TypeVar("LogT", bound=Log)

# Inputs take a moment, work reports once, and five attempts in a thousand get lost.
UNRELIABLE = FakeSettings(stage_us=200_000, progress_steps=1, lost_permille=5)
# Ties at one instant go by rank, then in the order of asking; there are never so many askings as this.
_RANK = 1 << 48


@dataclass
class Hands:
    """One agent with its journal; the adapter's memory dies with a crash, the journal does not."""

    agent_id: AgentId
    sites: tuple[SiteId, ...]
    seed: int
    clock: Callable[[], int]
    settings: FakeSettings = UNRELIABLE
    journal: Journal = field(default_factory=lambda: Journal(":memory:"))
    agent: Agent | None = None
    crashes: int = 0

    def boot(self) -> None:
        adapter = FakeAdapter(self.clock, self.seed * 1_000 + self.crashes, self.settings)
        self.agent = Agent(self.agent_id, self.sites, adapter, self.journal, self.clock)

    def crash(self) -> None:
        self.agent = None
        self.crashes += 1
        self.journal.drop_uncommitted()


class Scene(Generic[LogT]):
    """The heap, the clock and the brain of one history."""

    def __init__(self, grid: Grid, seed: int, start_us: int, log: LogT, heartbeat_lost_us: int) -> None:
        self.seed = seed
        self.now_us = start_us
        self.index = index_grid(grid)
        self.log = log
        self.ids = CountedIds()
        self.steps = 0
        self._heartbeat_lost_us = heartbeat_lost_us
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._tie = 0
        self.road = self._make_road(State(self.index))

    def _make_road(self, state: State) -> Road:
        lost_us = self._heartbeat_lost_us
        return Road(state, self.log, lambda: self.now_us, self.ids, seed=self.seed, heartbeat_lost_us=lost_us)

    def at(self, at_us: int, act: Callable[[], None], rank: int = 0) -> None:
        """Let `act` happen at a virtual instant; ties go by rank, then in the order of asking."""
        self._tie += 1
        heapq.heappush(self._heap, (max(at_us, self.now_us), rank * _RANK + self._tie, act))

    def step(self) -> None:
        """Let what is next happen, and set the clock to when it does."""
        self.now_us, _, act = heapq.heappop(self._heap)
        act()
        self.steps += 1
