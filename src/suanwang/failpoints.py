"""Named points on the road where a test can kill the process, as a power cut would.

`SUANWANG_FAILPOINT=<name>[:<nth>]` kills this process with SIGKILL at the n-th pass of that point (the first
where n is not given). Without the variable a hit costs one comparison. `POINTS` is the whole list; a test kills
at each of them and checks what a restart makes of it.
"""

import os
import signal
from typing import Final

POINTS: Final = (
    "store.append.before",
    "store.append.written",
    "store.append.committed",
    "brain.submit.read",
    "brain.submit.committed",
    "brain.plan.made",
    "brain.plan.verified",
    "brain.plan.committed",
    "brain.dispatch.opened",
    "brain.dispatch.sent",
    "brain.events.received",
    "brain.events.applied",
    "brain.deliver.ordered",
    "brain.settle.made",
    "brain.settle.committed",
    "brain.cancel.committed",
    "brain.tick.site_lost",
    "agent.order.received",
    "agent.order.journaled",
    "agent.start.before",
    "agent.start.after",
    "agent.stage.done",
    "agent.run.exited",
    "agent.collect.done",
    "agent.event.journaled",
    "agent.event.sent",
    "agent.event.acknowledged",
    "agent.deliver.done",
    "agent.forget.before",
)


_NAMES: Final = frozenset(POINTS)


def _armed() -> tuple[str, int] | None:
    setting = os.environ.get("SUANWANG_FAILPOINT")
    if not setting:
        return None
    name, _, nth = setting.partition(":")
    assert name in POINTS, f"SUANWANG_FAILPOINT names {name!r}, which is no failpoint"
    return name, int(nth or 1)


_ARMED = _armed()
_passes = 0


def arm(setting: str) -> None:
    """Arm a point of this process from now on, as the variable would at its start (for processes that are forked)."""
    global _ARMED, _passes
    name, _, nth = setting.partition(":")
    assert name in POINTS, f"{name!r} is no failpoint"
    _ARMED, _passes = (name, int(nth or 1)), 0


def hit(name: str) -> None:
    """Pass the point; die here if it is the armed one and its time has come."""
    global _passes
    assert name in _NAMES, f"{name!r} is not in the failpoint table"
    if _ARMED is None or _ARMED[0] != name:
        return
    _passes += 1
    if _passes == _ARMED[1]:
        os.kill(os.getpid(), signal.SIGKILL)
