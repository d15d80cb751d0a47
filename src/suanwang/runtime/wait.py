"""Waiting for somebody to stop a long-running program."""

import signal
import threading
from collections.abc import Callable
from types import FrameType


def until_signal(is_over: Callable[[], bool], look_s: float = 0.5) -> None:
    """Block until SIGINT or SIGTERM, or until `is_over`; the handlers of before are put back."""
    asked = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        asked.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        while not asked.wait(look_s) and not is_over():
            pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
