"""`suanwang agent`: one agent in a process of its own, that dials the brain at an address with its key."""

import tempfile
from typing import BinaryIO, Final, cast

import httpx

from suanwang.agent.agent import Agent
from suanwang.agent.journal import Journal
from suanwang.agent.objects import HttpObjects
from suanwang.bus.http import checked
from suanwang.model.error import Fault, FaultsError, UnreachableError
from suanwang.model.grid import Grid
from suanwang.model.ids import AgentId, SiteId
from suanwang.runtime import clock
from suanwang.runtime.adapters import adapter_faults, make_adapter
from suanwang.runtime.agent_bus import open_bus
from suanwang.runtime.agent_loop import RETRY_S, AgentLoop, log_sink
from suanwang.runtime.lab_domain import check_lab
from suanwang.runtime.settings import Settings
from suanwang.runtime.wait import until_signal

TIMEOUT_S: Final = 60.0
DIAL_S: Final = 30.0  # in which a brain that is starting has to answer


def run(settings: Settings, name: str | None, sites: tuple[str, ...], emulated: bool = True) -> int:
    """Work for `sites` until a signal; 0, or 1 where the agent itself failed. Not `emulated`: with `local` this host is the site.

    Raises FaultsError where a setting is missing or wrong or a site is not of the grid, UnreachableError where no brain answers; with
    a lab also NotFoundError where it is not up, ConflictError where it is not of the brain's grid.
    """
    _check(settings, sites)
    client = httpx.Client(base_url=settings.url, headers={"Authorization": f"Bearer {settings.key}"}, timeout=TIMEOUT_S)
    try:
        grid = dial(client)
        _check_sites(grid, sites)
        if settings.lab:
            check_lab(settings.lab, grid)
    except BaseException:
        client.close()
        raise
    agent_id = AgentId(name or f"agent-{sites[0]}")
    folder = settings.home / "agents" / agent_id
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    objects = HttpObjects(client, _spool)
    try:
        bus = open_bus(client, agent_id, folder)
        adapter = make_adapter(settings, folder, objects, grid, sites, emulated)
    except BaseException:
        client.close()
        raise
    chosen = tuple(SiteId(site) for site in sites)
    agent = Agent(agent_id, chosen, adapter, Journal(folder / "journal.db"), clock.now_us, log_sink(bus))
    loop = AgentLoop(agent, bus)
    loop.start()
    until_signal(lambda: loop.failed is not None)
    loop.stop()
    return 1 if loop.failed is not None else 0


def _spool() -> BinaryIO:
    """Where an object waits on its way down; whoever reads it closes it."""
    return cast(BinaryIO, tempfile.TemporaryFile())


def _check(settings: Settings, sites: tuple[str, ...]) -> None:
    wanted = (("url", settings.url), ("key", settings.key), ("site", "".join(sites)))
    missing = [Fault("agent_needs", name) for name, value in wanted if not value]
    faults = [*missing, *adapter_faults(settings)]
    if faults:
        raise FaultsError(faults, "agent")


def _check_sites(grid: Grid, sites: tuple[str, ...]) -> None:
    known = {site.id for site in grid.sites}
    unknown = [Fault("site_unknown", "--site", site) for site in sites if site not in known]
    if unknown:
        raise FaultsError(unknown, "agent")


def dial(client: httpx.Client) -> Grid:
    """The grid, from the brain; one that is just starting is waited for. Raises UnreachableError where none answers."""
    deadline_s = clock.monotonic_s() + DIAL_S
    while True:
        try:
            return Grid.model_validate_json(checked(client.get("/v1/grid")).content)
        except httpx.TransportError as error:
            if clock.monotonic_s() > deadline_s:
                raise UnreachableError(address=str(client.base_url), cause=type(error).__name__) from error
            clock.pause(RETRY_S)
