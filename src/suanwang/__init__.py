"""Suanwang 算網: many compute sites and the network between them, made into one machine.

    from suanwang import Client

    with Client() as grid:
        task = grid.run({"run": "echo hello"})

The names are loaded when they are first used, so that the command line starts at once.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from suanwang.client import AsyncClient, Client

__all__ = ["AsyncClient", "Client"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        import suanwang.client

        return getattr(suanwang.client, name)
    raise AttributeError(f"module 'suanwang' has no attribute {name!r}")
