"""A brain, its sites and a lab of the same grid: plans whose traffic is real."""

import json
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lab_rig import own_name, remains

from suanwang.agent.adapters.srv6 import endpoint
from suanwang.agent.network import NetworkAgent
from suanwang.client import Client
from suanwang.grids import dump_grid
from suanwang.lab.layout import Layout
from suanwang.lab.traffic import Ask, Measured, measure
from suanwang.model.error import ConflictError
from suanwang.model.grid import Grid
from suanwang.model.ids import TaskId
from suanwang.model.record import ENDS, Phase
from suanwang.model.task import Resources, TaskRequest
from suanwang.runtime import lab as labs
from suanwang.runtime.app import Serving, serving
from suanwang.runtime.settings import Settings

MBPS = 1_000_000
S = 1_000_000
PORT = 9000
# Counts what comes: the number in each packet, until one says that it is the last.
RECEIVER = f"""
import socket, json
sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
sock.bind(("::", {PORT}))
seen, size = [], 0
print("ready", flush=True)
while True:
    data = sock.recv(2048)
    if data == b"end":
        break
    seen.append(int(data[:8]))
    size += len(data)
json.dump({{"seen": len(set(seen)), "bytes": size}}, open("seen.json", "w"))
"""


@dataclass
class Net:
    """A grid that is served, with its lab."""

    here: Serving
    layout: Layout
    client: Client

    @property
    def agent(self) -> NetworkAgent:
        assert self.here.network is not None
        return self.here.network.agent

    def submit(self, run: str | tuple[str, ...], **fields: object) -> TaskId:
        resources = Resources(cpu=1, memory=2**27, network=True, wall_time=120 * S)
        request = TaskRequest(run=run, resources=resources, **fields)
        return TaskId(self.client.submit(request).task_id)

    def receiver(self, **fields: object) -> TaskId:
        return self.submit(("python3", "-c", RECEIVER), outputs=({"path": "seen.json"},), **fields)

    def until(self, true: Callable[[], object], seconds: float = 90.0) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, self.state()
            time.sleep(0.01)

    def state(self) -> str:
        """What a wait in vain was for, as far as brain and agent know."""
        network = self.here.network
        tasks = [row.model_dump(exclude_defaults=True) for row in self.client.list() if row.phase not in ENDS]
        members = [(one.address, one.flow.task_id, one.placed) for one in self.agent.members]
        faults = [one.faults for one in self.here.brain.policies.reports()]
        return f"in time; {tasks=} {members=} {faults=} placed={len(self.agent.placed)} failed={network and network.failed}"

    def host(self, site: str, address: str = "") -> socket.socket:
        """A socket of the host at a site."""
        node = self.layout.topology.nodes.index(site)
        return endpoint(self.layout.host(node), address or str(self.layout.addressing.host_address(node)))

    def send(self, origin: str, address: str, count: int, interval_us: int = 1_000, size: int = 64) -> None:
        """Numbered packets, one each interval, from a site's host to a task."""
        with self.host(origin) as near:
            start = time.monotonic()
            for at in range(count):
                left_s = start + at * interval_us / 1e6 - time.monotonic()
                if left_s > 0:
                    time.sleep(left_s)
                near.sendto(b"%08d" % at + b"." * (size - 8), (address, PORT))

    def end(self, origin: str, address: str, task: TaskId) -> dict[str, int]:
        """Tell the receiver that it has all; what it says that it saw."""
        with self.host(origin) as near:
            for _ in range(100):
                near.sendto(b"end", (address, PORT))
                view = self.client.task(task)
                if view.phase in ENDS:
                    assert view.phase is Phase.SUCCEEDED, view
                    return json.loads(b"".join(self.client.outputs.read(view, "seen.json")))
                time.sleep(0.1)
        raise AssertionError("the receiver ends")

    @contextmanager
    def unprobed(self) -> Iterator[None]:
        """Without probes: what is counted is the task's packets alone."""
        domain = self.agent.domain
        real, domain.probe = domain.probe, lambda _: None
        time.sleep(0.1)  # one that is under way
        try:
            yield
        finally:
            domain.probe = real

    def clear(self) -> None:
        """Nothing runs any more, and the agent is well."""
        for row in self.client.list():
            if row.phase not in ENDS:
                with suppress(ConflictError):  # it has ended meanwhile
                    self.client.cancel(row.task_id)
        self.until(lambda: not self.agent.members and not self.agent.placed)
        assert self.here.network is not None and self.here.network.failed is None

    def taken(self, act: Callable[[], object]) -> dict[str, dict[str, int]]:
        """router -> packets that each of its SIDs took meanwhile."""
        network = self.agent.domain.network
        before = network.counters()
        act()
        time.sleep(0.2)  # what is under way
        out: dict[str, dict[str, int]] = {}
        for router, now in network.counters().items():
            for prefix, count in now.sids.items():
                if grown := count.packets - before[router].sids[prefix].packets:
                    out.setdefault(router, {})[prefix] = grown
        return out

    def sid(self, site: str, function: int | None = None) -> str:
        """The prefix of a router's End, or of its DT6."""
        node = self.layout.topology.nodes.index(site)
        plan = self.layout.addressing
        return str(plan.locator(node)) if function is None else f"{plan.dt6_sid(node)}/64"

    def listens(self, task: TaskId) -> bool:
        attempt = self.here.brain.road.state.tasks[task].attempt
        return attempt is not None and b"ready" in self.here.brain.read_log(attempt.attempt_id, 0, 100)

    def address(self, task: TaskId) -> str:
        """Of a task whose policies stand and that listens."""
        found: list[str] = []

        def placed() -> bool:
            found[:] = [one.address for one in self.agent.members if one.flow.task_id == task and one.placed]
            return bool(found)

        self.until(placed)
        self.until(lambda: self.listens(task))
        return found[0]


@contextmanager
def served(letter: str, grid: Grid, rate_bps: int = 100 * MBPS) -> Iterator[Net]:
    name = own_name(letter)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "grid.yaml")
        file.write_text(dump_grid(grid))
        try:
            layout, _ = labs.up(labs.topology_of(file, 0, 0), name, top_rate_bps=rate_bps)
            settings = Settings(home=Path(folder, "home"), grid=str(file), port=0, lab=name, scarcity_s=0, optimise_s=0)
            with serving(settings) as here, Client(here.url, here.key) as client:
                yield Net(here, layout, client)
        finally:
            labs.down(name)
        assert remains(name) == []


def flood(net: Net, origin: str, site: str, rate_bps: int, seconds: int) -> Measured:
    """Best-effort UDP between two hosts."""
    nodes, layout = net.layout.topology.nodes, net.layout
    a, b = nodes.index(origin), nodes.index(site)
    to = layout.addressing.host_address(b)
    ask = Ask(layout.host(a), layout.host(b), to, layout.access_mtu, seconds, rate_bps, 0)
    return measure(ask, "own", time.monotonic_ns, time.sleep)
