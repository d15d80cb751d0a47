"""The Python SDK over the HTTP API."""

from suanwang.client.aio import AsyncClient
from suanwang.client.events import StreamEvent
from suanwang.client.sync import Client

__all__ = ["AsyncClient", "Client", "StreamEvent"]
