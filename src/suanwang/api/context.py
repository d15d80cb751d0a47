"""What every handler shares: the brain, the clocks, the meters, the watcher of changes."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from suanwang.api.changes import Changes
from suanwang.api.metrics import Meters
from suanwang.api.port import BrainPort, Clocks


@dataclass
class Context:
    brain: BrainPort
    clocks: Clocks
    meters: Meters
    changes: Changes


def context(request: Request) -> Context:
    found: Context = request.app.state.context
    return found


Here = Annotated[Context, Depends(context)]
