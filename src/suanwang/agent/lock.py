"""A lock that lives as long as its process: the kernel drops it with the last descriptor."""

import fcntl
import os
from pathlib import Path


def try_lock(path: Path) -> int | None:
    """The descriptor that holds the lock of a file, or None where another holds it. Closing it frees it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
