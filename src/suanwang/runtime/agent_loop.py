"""Runs one agent against its bus until told to stop: the loop around `Agent.exchange`."""

import threading
from collections.abc import Callable
from typing import Final

import structlog

from suanwang.agent.agent import Agent
from suanwang.bus import AgentBus
from suanwang.model.error import ConflictError, NotAllowedError, NotKnownError, StoreError, UnreachableError
from suanwang.model.event import Heartbeat, Orders
from suanwang.model.ids import AttemptId

# While something runs, its progress and logs are heard this often; else the brain may hold an answer for a second.
BUSY_WAIT_MS: Final = 100
IDLE_WAIT_MS: Final = 1_000
# After a brain that does not answer: try again after a pause that doubles from the first to the last of these.
RETRY_S: Final = 0.2
RETRY_S_MAX: Final = 5.0

_log = structlog.get_logger("suanwang.agent")


def log_sink(bus: AgentBus) -> Callable[[AttemptId, int, bytes], None]:
    """Where an agent's logs go: to its brain, by the bus."""

    def sink(attempt_id: AttemptId, offset: int, data: bytes) -> None:
        bus.append_log(attempt_id, offset, data)

    return sink


class AgentLoop:
    """One agent in a thread of its own."""

    def __init__(self, agent: Agent, bus: AgentBus) -> None:
        self._agent = agent
        self._bus = bus
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.run, name=f"agent-{agent.agent_id}", daemon=True)
        self.failed: BaseException | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=20)
        self._agent.close()
        self._bus.close()

    def run(self) -> None:
        """Rounds until stopped. What the world does (no brain, a wrong key) is tried again; our own faults end it."""
        pause_s = RETRY_S
        while not self._stop.is_set():
            try:
                self._agent.exchange(self._send)
                pause_s = RETRY_S
                # `wait_ms` paces an idle round; a busy one returns at once and is paced here.
                if self._agent.live or self._agent.unacknowledged:
                    self._stop.wait(BUSY_WAIT_MS / 1_000)
            except (UnreachableError, StoreError, ConflictError, NotAllowedError, NotKnownError) as error:
                _log.warning("brain_refuses", agent=self._agent.agent_id, error=str(error))
                self._stop.wait(pause_s)
                pause_s = min(pause_s * 2, RETRY_S_MAX)
            except Exception as error:
                self.failed = error
                _log.error("agent_failed", agent=self._agent.agent_id, exc_info=error)
                return

    def _send(self, heartbeat: Heartbeat) -> Orders:
        busy = bool(self._agent.live or heartbeat.events)
        return self._bus.exchange(heartbeat, 0 if busy else IDLE_WAIT_MS)
