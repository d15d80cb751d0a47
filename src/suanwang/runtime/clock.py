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


def now_ns() -> int:
    """Nanoseconds since 1970 UTC: the clock of the kernel's packet timestamps."""
    return time.time_ns()


def monotonic_ns() -> int:
    """Nanoseconds that never go back, for what is measured in microseconds."""
    return time.monotonic_ns()


def pause(seconds: float) -> None:
    """Sleep; for loops of the runtime that have nothing to do."""
    time.sleep(seconds)
