"""The bus over HTTP: the agent dials out with its key; one long-polled POST a round."""

import httpx

from suanwang.bus.told import error_of
from suanwang.model.error import UnreachableError
from suanwang.model.event import Heartbeat, Orders
from suanwang.model.ids import AgentId, AttemptId
from suanwang.model.wanted import NetworkReport, WantedNetwork

# Beyond the time that the brain was asked to wait, an answer may take this long.
ANSWER_S = 30.0


class HttpBus:
    """Speaks for one agent. `client` has the brain's address and the agent's key."""

    def __init__(self, client: httpx.Client, agent: AgentId) -> None:
        self._client = client
        self._agent = agent

    def exchange(self, heartbeat: Heartbeat, wait_ms: int) -> Orders:
        answer = self._post(
            f"/v1/agents/{self._agent}/exchange?wait_ms={wait_ms}",
            heartbeat.model_dump_json().encode(),
            "application/json",
            ANSWER_S + wait_ms / 1_000,
        )
        return Orders.model_validate_json(answer.content)

    def append_log(self, attempt_id: AttemptId, offset: int, data: bytes) -> int:
        path = f"/v1/agents/{self._agent}/logs/{attempt_id}?offset={offset}"
        return int(self._post(path, data, "application/octet-stream", ANSWER_S).json()["length"])

    def _post(self, path: str, body: bytes, kind: str, timeout_s: float) -> httpx.Response:
        return _post(self._client, path, body, kind, timeout_s)

    def close(self) -> None:
        self._client.close()


class HttpNetworkBus:
    """Speaks for one network agent, whose threads may call it at once. `client` has the brain's address and the key."""

    def __init__(self, client: httpx.Client, agent: str) -> None:
        self._client = client
        self.agent = agent

    def exchange(self, report: NetworkReport, wait_ms: int) -> WantedNetwork:
        path = f"/v1/network/agents/{self.agent}/exchange?wait_ms={wait_ms}"
        body = report.model_dump_json().encode()
        answer = _post(self._client, path, body, "application/json", ANSWER_S + wait_ms / 1_000)
        return WantedNetwork.model_validate_json(answer.content)


def _post(client: httpx.Client, path: str, body: bytes, kind: str, timeout_s: float) -> httpx.Response:
    try:
        answer = client.post(path, content=body, headers={"Content-Type": kind}, timeout=timeout_s)
    except httpx.TransportError as error:
        raise UnreachableError(address=str(client.base_url), cause=type(error).__name__) from error
    return checked(answer)


def checked(answer: httpx.Response) -> httpx.Response:
    """The answer, or the error that its problem document is. What the brain cannot do now counts as unreachable."""
    if answer.is_success:
        return answer
    problem = answer.json() if answer.headers.get("content-type", "").startswith("application/problem") else {}
    raise error_of(answer.status_code, problem)
