"""Runs one network agent until told to stop: it listens to the brain, watches the routers and measures, each in a thread."""

import threading
from collections.abc import Callable
from typing import Final

import structlog

from suanwang.agent.adapters.local.gate import Join
from suanwang.agent.network import NetworkAgent
from suanwang.model.error import NetworkError, NotFoundError, SuanwangError, UnreachableError
from suanwang.model.ids import SiteId, TaskId
from suanwang.model.principal import Principal
from suanwang.model.wanted import NetworkReport, WantedNetwork
from suanwang.runtime import clock, lab
from suanwang.runtime.lab_domain import LabDomain
from suanwang.runtime.policies import PolicyDesk

WAIT_MS: Final = 1_000
MEASURE_S: Final = 1.0
RETRY_S: Final = 0.2
RETRY_S_MAX: Final = 5.0

_log = structlog.get_logger("suanwang.network")


class DeskBus:
    """The brain in this process."""

    def __init__(self, desk: PolicyDesk, principal: Principal) -> None:
        self._desk = desk
        self._principal = principal

    def exchange(self, report: NetworkReport, wait_ms: int) -> WantedNetwork:
        return self._desk.exchange(self._principal, report, wait_ms)


class NetworkLoop:
    """One agent in threads of its own."""

    def __init__(self, agent: NetworkAgent) -> None:
        self.agent = agent
        self.failed: BaseException | None = None
        self._stop = threading.Event()
        rounds = (lambda: agent.listen(WAIT_MS), lambda: agent.watch(MEASURE_S), self._measure)
        names = ("listens", "watches", "measures")
        self._threads = [
            threading.Thread(target=self._run, args=(one,), name=f"network-{name}", daemon=True)
            for one, name in zip(rounds, names, strict=True)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """The routers keep nothing of ours."""
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=20)
        try:
            self.agent.close()
        except (NetworkError, UnreachableError, OSError) as error:
            _log.warning("lab_left", error=str(error))  # a lab that went first has taken all of it along

    def _measure(self) -> None:
        self.agent.measure()
        self._stop.wait(MEASURE_S)

    def _run(self, one_round: Callable[[], None]) -> None:
        """What the world does is tried again; our own faults end it."""
        pause_s = RETRY_S
        while not self._stop.is_set():
            try:
                one_round()
                pause_s = RETRY_S
            except (SuanwangError, OSError) as error:
                _log.warning("network_round", agent=self.agent.name, error=str(error))
                self._stop.wait(pause_s)
                pause_s = min(pause_s * 2, RETRY_S_MAX)
            except Exception as error:
                self.failed = error
                _log.error("network_agent_failed", agent=self.agent.name, exc_info=error)
                return


def lab_loop(name: str, desk: PolicyDesk, principal: Principal) -> NetworkLoop:
    """The agent of a lab that is up, beside a brain in this process. Raises NotFoundError where it is not up."""
    return NetworkLoop(NetworkAgent(f"lab-{name}", LabDomain(name), DeskBus(desk, principal), clock.now_us))


def lab_join(name: str, agent: NetworkAgent | None) -> Join:
    """Tasks get a network in the lab, at their site; with the agent of this process, their policies stand first."""

    def join(task_id: TaskId, site: SiteId, pid: int) -> Callable[[], None]:
        attached = lab.attach(name, site, pid, task_id)
        if agent is not None:
            agent.joined()

        def leave() -> None:
            try:
                lab.detach(name, attached)
            except NotFoundError:
                return  # the lab is gone, and all of it

        return leave

    return join
