"""Waiting for somebody to stop a long-running program."""

import signal
from collections.abc import Callable
from types import FrameType

from suanwang.runtime import clock


def until_signal(is_over: Callable[[], bool], look_s: float = 0.2) -> None:
    """Block until SIGINT or SIGTERM, or until `is_over`; the handlers of before are put back.

    The handler takes no lock: a second signal may come while the first is being handled (Ctrl-C reaches a whole
    group of processes, and a wrapper passes it on), and would wait for ever for a lock that the first one holds.
    """
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        while not asked and not is_over():
            clock.pause(look_s)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
