"""`suanwang net agent`: a network agent in a process of its own, that dials the brain at an address with its key."""

import httpx

from suanwang.agent.network import NetworkAgent
from suanwang.bus.http import HttpNetworkBus
from suanwang.model.error import Fault, FaultsError
from suanwang.runtime import clock
from suanwang.runtime.agent_main import TIMEOUT_S, dial
from suanwang.runtime.lab_domain import LabDomain, check_lab
from suanwang.runtime.network_loop import NetworkLoop
from suanwang.runtime.settings import Settings
from suanwang.runtime.wait import until_signal


def run(settings: Settings, name: str | None) -> int:
    """Work for the brain until a signal, then leave the routers as they were found; 0, or 1 where the agent itself failed.

    Raises FaultsError where a setting is missing, UnreachableError where no brain answers, NotFoundError where the lab is not
    up, ConflictError where it is not of the brain's grid, NotAllowedError where the key is not for all sites.
    """
    _check(settings)
    headers = {"Authorization": f"Bearer {settings.key}"}
    with httpx.Client(base_url=settings.url, headers=headers, timeout=TIMEOUT_S) as client:
        check_lab(settings.lab, dial(client))
        bus = HttpNetworkBus(client, name or f"lab-{settings.lab}")
        loop = NetworkLoop(NetworkAgent(bus.agent, LabDomain(settings.lab), bus, clock.now_us))
        try:
            loop.agent.listen(0)  # a wrong key is said now, and not again and again
            loop.start()
            until_signal(lambda: loop.failed is not None)
        finally:
            loop.stop()
    return 1 if loop.failed is not None else 0


def _check(settings: Settings) -> None:
    wanted = (("url", settings.url), ("key", settings.key), ("lab", settings.lab))
    missing = [Fault("network_agent_needs", name) for name, value in wanted if not value]
    if missing:
        raise FaultsError(missing, "agent")
