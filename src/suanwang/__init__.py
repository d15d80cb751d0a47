"""Suanwang 算網: many compute sites and the network between them, made into one machine.

    import suanwang

    @suanwang.task(cpu=2, memory="1 GiB")
    def square(x):
        return x * x

    square(3)
    list(square.map(range(1_000_000)))

or, with task files and all else that the API has:

    with suanwang.Client() as grid:
        task = grid.run({"run": "echo hello"})

The names are loaded when they are first used, so that the command line starts at once.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from suanwang.client import AsyncClient, Client
    from suanwang.functions import attach, connect, task

__all__ = ["AsyncClient", "Client", "attach", "connect", "task"]
_FUNCTIONS = frozenset({"attach", "connect", "task"})


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS:
        import suanwang.functions

        return getattr(suanwang.functions, name)
    if name in __all__:
        import suanwang.client

        return getattr(suanwang.client, name)
    raise AttributeError(f"module 'suanwang' has no attribute {name!r}")
