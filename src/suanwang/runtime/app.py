"""The composition root: puts store, brain, agents, adapters and API together. The only importer of adapters."""

import json
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvicorn
from blake3 import blake3

from suanwang.agent.adapters.local.gate import Join
from suanwang.agent.agent import Agent
from suanwang.agent.journal import Journal
from suanwang.agent.objects import LocalObjects
from suanwang.api.app import create_app
from suanwang.bus import AgentBus
from suanwang.bus.memory import MemoryBus
from suanwang.grids import china_path, load_grid
from suanwang.model.error import Fault, FaultsError, StoreError
from suanwang.model.grid import Grid, Tenant
from suanwang.model.ids import AgentId, KeyId, SiteId, TenantId
from suanwang.model.joining import JoinState
from suanwang.model.principal import Principal, Role
from suanwang.model.record import GridAdopted, TenantSet
from suanwang.model.snapshot import index_grid
from suanwang.observe.state import State
from suanwang.runtime import clock
from suanwang.runtime.agent_loop import AgentLoop, log_sink
from suanwang.runtime.agent_names import LOCAL
from suanwang.runtime.brain import Brain
from suanwang.runtime.hands import local_adapter
from suanwang.runtime.issue import issue
from suanwang.runtime.lab_domain import check_lab
from suanwang.runtime.memory import few_collections
from suanwang.runtime.network_loop import NetworkLoop, lab_join, lab_loop
from suanwang.runtime.private import write_private
from suanwang.runtime.quantum_site import with_circuits
from suanwang.runtime.settings import Settings, check_together
from suanwang.store import Store

if TYPE_CHECKING:
    from suanwang.runtime.nats_desk import NatsDesk

LOCAL_TENANT: Final = TenantId("local")
LOCAL_AGENT: Final = LOCAL
START_S: Final = 20.0  # in which the API has to answer


def grid_of(settings: Settings) -> Grid:
    """The configured grid. Raises FaultsError with everything that is wrong in its file."""
    return load_grid(china_path() if settings.grid == "china" else Path(settings.grid))


def open_brain(settings: Settings) -> Brain:
    """Open the store, fold its log, and adopt the configured grid; the brain does not move until `start`."""
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    grid = grid_of(settings)
    store = Store(settings.database_url)
    try:
        state = State(index_grid(grid))
        store.grids.know(state.index)
        adopted: GridAdopted | None = None
        for _, records in store.read():
            before = state.index
            state.apply_all(records)
            if state.index is not before:  # a site has joined
                store.grids.know(state.index)
            adopted = next((one for one in reversed(records) if isinstance(one, GridAdopted)), adopted)
        objects = LocalObjects(settings.home / "objects", settings.object_bytes_max)
        brain = Brain(settings, store, state, objects)
        _adopt(brain, state.index.grid, adopted)
        _tenants(brain, grid)
        _credentials(brain)
    except BaseException:
        store.close()
        raise
    return brain


def _adopt(brain: Brain, grid: Grid, adopted: GridAdopted | None) -> None:
    """Take the configured grid on. While tasks or reservations are live the grid they were planned on has to stay."""
    text = grid.model_dump_json()
    digest = blake3(text.encode()).hexdigest()
    if adopted is not None and (adopted.digest == digest or Grid.model_validate_json(adopted.text) == grid):
        return  # the same grid, if written down by an earlier version with fewer fields
    state = brain.road.state
    live = len(state.live) + len(state.reservations)
    if adopted is not None and live:
        raise StoreError("grid_in_use", grid=adopted.grid_id, asked=grid.id, live=live)
    brain.road.emit(GridAdopted(at_us=brain.clock(), grid_id=grid.id, digest=digest, text=text))
    brain.road.commit()


def _tenants(brain: Brain, grid: Grid) -> None:
    """The grid's tenants, and one for whoever owns this home; an operator's later changes stand."""
    local = Tenant(id=LOCAL_TENANT, name="This installation", priority_max=100)
    for tenant in (local, *grid.tenants):
        if tenant.id not in brain.road.state.tenants:
            brain.road.emit(TenantSet(at_us=brain.clock(), tenant=tenant))
    brain.road.commit()


def _credentials(brain: Brain) -> None:
    """An operator's key in `credentials.json` of the home, readable by its owner alone; made once."""
    path = brain.settings.home / "credentials.json"
    if path.exists() and _still_good(brain, path):
        return
    key_id, token = issue(brain.road, brain.ids, LOCAL_TENANT, Role.OPERATOR, note="made with the home")
    write_private(path, json.dumps({"key_id": key_id, "key": token, "tenant": LOCAL_TENANT}))


def _still_good(brain: Brain, path: Path) -> bool:
    try:
        held = brain.road.state.keys.get(json.loads(path.read_text())["key_id"])
    except (ValueError, KeyError):
        return False
    return held is not None and not held.revoked


def home_key(home: Path) -> str:
    """The operator's key of a home."""
    return str(json.loads((home / "credentials.json").read_text())["key"])


def local_agent(
    brain: Brain,
    bus: AgentBus,
    agent_id: AgentId = LOCAL_AGENT,
    sites: Sequence[SiteId] | None = None,
    join: Join | None = None,
) -> AgentLoop:
    """An agent in this process whose sites are all backed by this one host (and marked emulated)."""
    joins = [one.view for one in brain.road.state.joins.values()]
    joined = {one.ask.site for one in joins if one.state is JoinState.APPROVED}  # these have agents of their own
    every = (site.id for site in brain.index.grid.sites if site.pools and site.id not in joined)
    chosen = tuple(sites) if sites is not None else tuple(every)
    folder = brain.settings.home / "agents" / agent_id
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    data_sets = dict(brain.index.data_sets)
    host = local_adapter(brain.settings, folder, brain.objects, data_sets, join)
    adapter = with_circuits(host, brain.settings, folder, brain.objects, brain.index.grid, data_sets)
    agent = Agent(agent_id, chosen, adapter, Journal(folder / "journal.db"), clock.now_us, log_sink(bus))
    return AgentLoop(agent, bus)


@dataclass
class Serving:
    """A brain with its API in this process."""

    brain: Brain
    url: str
    key: str
    server: uvicorn.Server
    thread: threading.Thread
    agents: list[AgentLoop]
    network: NetworkLoop | None = None
    nats: "NatsDesk | None" = None

    @property
    def failed(self) -> BaseException | None:
        """What ended the brain or the network agent beside it; None while both go on."""
        return self.brain.failed or (self.network.failed if self.network is not None else None)

    @property
    def page(self) -> str:
        """The address of the control room with the key in its fragment, which no browser sends anywhere."""
        return f"{self.url}/#key={self.key}"


@contextmanager
def serving(settings: Settings, with_agent: bool = True) -> Iterator[Serving]:
    """Brain, API and (by default) the local agent, until the block ends. `server.json` in the home says where.

    With the setting `lab` its routers do what the plans want. Raises, before anything is opened, NotFoundError where it is
    not up and ConflictError where it is not of the configured grid; FaultsError for settings that exclude each other.
    """
    check_together(settings)
    if settings.lab:
        check_lab(settings.lab, grid_of(settings))
    listener = _listener(settings)
    try:
        brain = open_brain(settings)
    except BaseException:
        listener.close()
        raise
    few_collections()
    agents: list[AgentLoop] = []
    network: NetworkLoop | None = None
    nats = nats_desk(settings, brain)
    note = settings.home / "server.json"
    host, port = listener.getsockname()[:2]
    url = f"http://{host}:{port}"
    app = create_app(brain)
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="api", daemon=True)
    try:
        if nats is not None:
            nats.start()
            brain.let_in = nats.tell
        brain.start()
        thread.start()
        if settings.lab:
            network = lab_loop(settings.lab, brain.policies, _agent_principal(brain))
            network.start()
        if with_agent:
            join = lab_join(settings.lab, network.agent) if network is not None else None
            agents.append(local_agent(brain, MemoryBus(brain, _agent_principal(brain)), join=join))
            agents[0].start()
        _await_start(server, thread)
        write_private(note, json.dumps({"url": url, "pid": os.getpid()}))
        yield Serving(brain, url, home_key(settings.home), server, thread, agents, network, nats)
    finally:
        note.unlink(missing_ok=True)
        app.state.context.changes.closing = True  # streams end by themselves, before the server would cut them
        server.should_exit = True
        for agent in agents:
            agent.stop()
        if network is not None:
            network.stop()
        thread.join(timeout=10)
        if nats is not None:
            nats.stop()
        brain.close()
        listener.close()


def nats_desk(settings: Settings, brain: Brain) -> "NatsDesk | None":
    """The bus over NATS where the settings ask for it. Raises FaultsError where it is not installed."""
    if settings.bus != "nats":
        return None
    try:
        from suanwang.runtime.nats_desk import NatsDesk
    except ImportError as error:
        raise FaultsError([Fault("nats_missing", "bus", "nats")], "environment") from error
    return NatsDesk(settings, brain)


def _listener(settings: Settings) -> socket.socket:
    """The listening socket. Raises StoreError where the address cannot be had."""
    try:
        listener = socket.create_server((settings.host, settings.port), reuse_port=False)
        # What it accepts inherits this. Without it the body of each answer waits 40 ms for the head to be acknowledged; asyncio
        # sets it by itself only where a socket names its protocol, and this one does not.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise StoreError("listen", host=settings.host, port=settings.port, why=why.partition(" (")[0]) from None


def _agent_principal(brain: Brain) -> Principal:
    sites = tuple(site.id for site in brain.index.grid.sites)
    return Principal(key_id=KeyId("key-in-process"), tenant=LOCAL_TENANT, role=Role.AGENT, sites=sites)


def _await_start(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline_s = clock.monotonic_s() + START_S
    while not server.started:
        if not thread.is_alive() or clock.monotonic_s() > deadline_s:
            raise StoreError("api_not_started")
        clock.pause(0.01)


def running_server(home: Path) -> str | None:
    """The address of a brain that runs on this home, or None."""
    note = home / "server.json"
    try:
        found = json.loads(note.read_text())
        os.kill(int(found["pid"]), 0)
    except (OSError, ValueError, KeyError):
        return None
    return str(found["url"])


@contextmanager
def embedded(settings: Settings) -> Iterator[tuple[str, str]]:
    """`(url, key)` of the brain of a home: the one that runs on it, or one in this process for the block's time."""
    url = running_server(settings.home)
    if url is not None:
        yield url, home_key(settings.home)
        return
    with serving(Settings(**{**vars(settings), "port": 0, "host": "127.0.0.1"})) as here:
        yield here.url, here.key
