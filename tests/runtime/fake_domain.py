"""The routers of a lab's layout in memory: everything is compiled as for a lab that is up, and nothing carries a packet."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from suanwang.agent.adapters.srv6 import FakeDriver, LinkUse, SrNetwork
from suanwang.agent.network import Laid, Member, PolicyKey
from suanwang.lab.beside import task_address
from suanwang.lab.layout import make_layout
from suanwang.model.grid import Grid
from suanwang.model.ids import LinkId, SiteId, TaskId
from suanwang.model.wanted import FunctionUse, LinkUseReport, ProbedPath, TaskFlow, WantedNetwork
from suanwang.net.topology import topology_of_grid
from suanwang.runtime.laying import lay


@dataclass
class FakeDomain:
    """`join` and `fail` change it as a lab would change, and wake who waits."""

    grid: Grid
    driver: FakeDriver = field(default_factory=FakeDriver)
    held: tuple[Member, ...] = ()
    closed: bool = False
    generation: int = 0
    joined: dict[str, TaskId] = field(default_factory=dict)
    fallen: set[LinkId] = field(default_factory=set)
    changed: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.layout = make_layout(topology_of_grid(self.grid))
        self.network = SrNetwork(self.driver)

    def join(self, task: TaskId, site: SiteId) -> None:
        node = self.layout.topology.nodes.index(site)
        self.joined[str(task_address(self.layout, node, len(self.joined)))] = task
        self.changed.set()

    def fail(self, link: LinkId, down: bool = True) -> None:
        (self.fallen.add if down else self.fallen.discard)(link)
        self.changed.set()

    def addresses(self) -> Mapping[str, TaskId]:
        return dict(self.joined)

    def refresh(self) -> None:
        pass

    def down(self) -> frozenset[LinkId]:
        return frozenset(self.fallen)

    def wait(self, timeout_s: float) -> bool:
        found = self.changed.wait(timeout_s)
        self.changed.clear()
        return found

    def standing(self, wanted: WantedNetwork) -> tuple[()]:
        return ()

    def lay(self, wanted: WantedNetwork, steers: Mapping[PolicyKey, list[str]], down: frozenset[LinkId]) -> Laid:
        return lay(self.layout, wanted.policies, steers, down, {})

    def hold(self, members: Iterable[Member]) -> None:
        self.held = tuple(members)

    def carried(self, use: LinkUse) -> LinkUseReport | None:
        return None

    def functions(self, interval_us: int) -> tuple[FunctionUse, ...]:
        return ()

    def probe(self, member: Member) -> ProbedPath | None:
        return ProbedPath(
            task_id=member.flow.task_id,
            plan_id=member.flow.plan_id,
            sent=10,
            received=10,
            mean_us=member.flow.latency_us,
            maximum_us=member.flow.latency_us,
        )

    def probe_address(self, flow: TaskFlow) -> str | None:
        return None

    def close(self) -> None:
        self.closed = True
