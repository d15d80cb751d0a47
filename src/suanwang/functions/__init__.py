"""Python functions on the grid: `@suanwang.task`."""

from suanwang.functions.function import AsyncFunction, Function, attach, connect, task
from suanwang.functions.run import MapRun, Run
from suanwang.functions.run_aio import AsyncMapRun, AsyncRun

__all__ = ["AsyncFunction", "AsyncMapRun", "AsyncRun", "Function", "MapRun", "Run", "attach", "connect", "task"]
