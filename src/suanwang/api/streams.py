"""How many streams a tenant may keep open: each costs a look at the store every so often, for as long as it lasts."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

from suanwang.model.error import SuanwangError
from suanwang.model.ids import TenantId

STREAMS_MAX: Final = 200  # of a tenant: a wall of screens and a few scripts


class StreamsError(SuanwangError):
    """The tenant has as many streams open as it may have."""

    status = 429
    code = "too_many_streams"


class Streams:
    """Counts open streams by tenant. Asked from any thread, counted in the event loop alone."""

    def __init__(self) -> None:
        self._open: Counter[TenantId] = Counter()

    def held(self, tenant: TenantId, frames: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same frames, counted from the first to the end. Raises StreamsError."""
        if self._open[tenant] >= STREAMS_MAX:
            raise StreamsError(limit=STREAMS_MAX)
        return self._counted(tenant, frames)

    async def _counted(self, tenant: TenantId, frames: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        self._open[tenant] += 1
        try:
            async for one in frames:
                yield one
        finally:
            self._open[tenant] -= 1
