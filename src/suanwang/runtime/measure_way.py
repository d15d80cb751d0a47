"""How far it is from a site to its brain: a request there and back, and how much goes through."""

import statistics
from collections.abc import Callable
from typing import Final

import httpx
import numpy as np

from suanwang.bus.http import checked
from suanwang.model.error import UnreachableError
from suanwang.model.joining import Measured, Probed

PROBE_BYTES: Final = 2 * 1024**2
TRIES: Final = 3
ROUND_TRIPS: Final = 9


def measure_way(client: httpx.Client, monotonic_us: Callable[[], int]) -> Measured:
    """The way to the brain: of a small request there and back, and of two mebibytes each way.

    Raises UnreachableError where the brain does not answer, NotKnownError where the client's key is none.
    """
    headers = {"Content-Type": "application/octet-stream"}

    def send(body: bytes) -> int:
        begun_us = monotonic_us()
        try:
            answer = checked(client.post("/v1/joins/probe", content=body, headers=headers))
        except httpx.TransportError as error:
            raise UnreachableError(address=str(client.base_url), cause=type(error).__name__) from error
        assert Probed.model_validate_json(answer.content).received == len(body), "a probe counts what came"
        return max(1, monotonic_us() - begun_us)

    def fetch() -> tuple[int, int]:
        begun_us = monotonic_us()
        answer = checked(client.get("/v1/openapi.json"))
        return answer.num_bytes_downloaded, max(1, monotonic_us() - begun_us)

    send(b"")
    rtt_us = int(statistics.median(send(b"") for _ in range(ROUND_TRIPS)))
    body = np.random.default_rng(1).bytes(PROBE_BYTES)  # nothing on the way can pack it
    up_us = min(send(body) for _ in range(TRIES))
    fetch()
    received, down_us = min((fetch() for _ in range(TRIES)), key=lambda one: one[1])
    return Measured(
        rtt_us=rtt_us,
        up_bps=len(body) * 8 * 1_000_000 // max(1, up_us - rtt_us),
        down_bps=received * 8 * 1_000_000 // down_us,
    )
