"""The real clock. The only module that may ask the time; everything else is given a clock."""

import time


def now_us() -> int:
    """Microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000


def monotonic_s() -> float:
    """Seconds that never go back, for time-outs."""
    return time.monotonic()


def monotonic_us() -> int:
    """Microseconds that never go back, for time limits."""
    return time.monotonic_ns() // 1_000


def pause(seconds: float) -> None:
    """Sleep; for loops of the runtime that have nothing to do."""
    time.sleep(seconds)
