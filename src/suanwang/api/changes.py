"""One watcher for all streams: it waits for the log to grow in one thread and wakes whoever listens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread

from suanwang.api.port import BrainPort

WAIT_S = 1.0  # how long the watcher's thread blocks: the longest that a shut-down waits for it


class Changes:
    """The newest log position, and a wake-up when it moves."""

    def __init__(self, brain: BrainPort) -> None:
        self._brain = brain
        self._moved = asyncio.Event()
        self.position = 0
        self.closing = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watch while the block runs."""
        watcher = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            self.close()
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)

    async def _watch(self) -> None:
        own = anyio.CapacityLimiter(1)
        while not self.closing:
            seen = self.position
            self.position = await anyio.to_thread.run_sync(
                self._brain.wait_change, seen, WAIT_S, limiter=own, abandon_on_cancel=True
            )
            if self.position != seen or self.closing:
                self._wake()

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def close(self) -> None:
        """Tell the streams to end."""
        self.closing = True
        self._wake()

    async def wait(self, seen: int, timeout_s: float) -> bool:
        """Wait until the log is past `seen`; False where it is not after `timeout_s`, or the brain closes."""
        if self.closing:
            return False
        moved = self._moved
        if self.position <= seen:
            try:
                await asyncio.wait_for(moved.wait(), timeout_s)
            except TimeoutError:
                return False
        return not self.closing
