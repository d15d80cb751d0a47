"""Work in a process of its own, so that its memory is its own: nothing that came before it counts, and nothing of it stays."""

import multiprocessing
import resource
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

Found = TypeVar("Found")
STATUS, REFERENCES = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # proc(5): since Linux 4.0


def apart(work: Callable[[], Found]) -> tuple[Found, int]:
    """(what the work gave, the process's peak in MiB); its begin, with all that is loaded, is part of that peak.

    Made by a fork: compiled code need not be loaded again, and the work need not be pickled; what it gives is. Raises
    SystemExit where the process has ended without an answer, after it has said why.
    """
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe(duplex=False)
    child = fork.Process(target=_do, args=(work, there))
    child.start()
    there.close()
    try:
        found: tuple[Found, int] = here.recv()
    except EOFError:
        child.join()
        raise SystemExit(f"a process of the bench ended with {child.exitcode}") from None
    child.join()
    return found


def _do(work: Callable[[], Any], answer: Connection) -> None:
    with suppress(OSError):  # else what is known is the peak since the fork, which begins at what was in use there
        REFERENCES.write_text(RESET_PEAK)
    found = work()
    answer.send((found, peak_mb()))


def peak_mb() -> int:
    """The most memory that this process has had (RSS), since it was made or since its peak was reset, in MiB."""
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:
        lines = []
    found = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return round((found[0] if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024)


def now_mb() -> int:
    """What it has now; 0 where the system does not say."""
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:
        return 0
    return round(sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024)
