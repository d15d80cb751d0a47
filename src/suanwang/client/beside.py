"""A client for asyncio beside one for plain code."""

import asyncio
import threading
from typing import Final
from weakref import WeakKeyDictionary

import httpx

from suanwang.client.aio import AsyncClient
from suanwang.client.sync import Client

# By client, then by loop: a connection belongs to one loop. None holds its key alive.
_beside: Final[WeakKeyDictionary[Client, WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncClient]]] = (
    WeakKeyDictionary()
)
_making: Final = threading.Lock()  # loops of several threads may ask for theirs at once


def beside(client: Client) -> AsyncClient:
    """The one for the running loop, of the same address, key and patience. It keeps no idle connection, so nothing of it outlasts
    the loop where nobody closes it."""
    loop = asyncio.get_running_loop()
    with _making:
        of_loops = _beside.setdefault(client, WeakKeyDictionary())
        if loop not in of_loops:
            of_loops[loop] = AsyncClient(
                client.address.url,
                client.address.key,
                lang=client.lang,
                timeout_s=client.timeout_s,
                limits=httpx.Limits(max_keepalive_connections=0),
            )
        return of_loops[loop]
