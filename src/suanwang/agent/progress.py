"""How far a task says it is."""

import os

from suanwang.agent import beneath


def read_progress(root: int, path: str) -> int | None:
    """What the task last wrote into its progress file, at `path` below the open `root`: 0 to 1000.

    None where there is nothing sensible.
    """
    try:
        descriptor = beneath.open_file(root, path)
        try:
            text = os.read(descriptor, 16)
        finally:
            os.close(descriptor)
        value = int(text.split()[-1]) if text.split() else -1
    except (OSError, ValueError, beneath.OutsideError):
        return None
    return value if 0 <= value <= 1000 else None
