"""What the process's exit status says. `docs/guide/cli.md` has the same table; a test holds them together."""

from enum import IntEnum


class Exit(IntEnum):
    OK = 0
    TASK_FAILED = 1  # the task ended, but did not succeed
    FAULTS = 2  # the command line or a file has faults
    REFUSED = 3  # the grid refuses it, or nothing fits it
    NOT_FOUND = 4  # no such thing, not allowed, no valid key, or its state does not allow it
    UNREACHABLE = 5  # no brain answers, or its store cannot
    INTERNAL = 70  # a fault of ours
    INTERRUPTED = 130


MEANINGS = {
    Exit.OK: "It went well.",
    Exit.TASK_FAILED: "The task ended, but did not succeed: failed, cancelled or expired.",
    Exit.FAULTS: "The command line or a file has faults; all of them are printed.",
    Exit.REFUSED: "Admission refuses the task, or no pool fits it.",
    Exit.NOT_FOUND: "No such thing, no valid key, not allowed, or its state does not allow it.",
    Exit.UNREACHABLE: "No brain answers, or its store cannot.",
    Exit.INTERNAL: "A fault of Suanwang itself.",
    Exit.INTERRUPTED: "Interrupted with Ctrl-C.",
}
_BY_STATUS = {
    401: Exit.NOT_FOUND,
    403: Exit.NOT_FOUND,
    404: Exit.NOT_FOUND,
    409: Exit.NOT_FOUND,
    413: Exit.FAULTS,
    422: Exit.FAULTS,
    429: Exit.UNREACHABLE,
    502: Exit.UNREACHABLE,
    503: Exit.UNREACHABLE,
    504: Exit.UNREACHABLE,
}


def exit_of_status(status: int) -> Exit:
    """The exit of an error by the HTTP status that it has or would have."""
    return _BY_STATUS.get(status, Exit.INTERNAL)
