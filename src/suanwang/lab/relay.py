"""Carries the frames of every link between its two TAP devices, each frame after the link's latency.

One process and one thread for all links. A frame waits in its direction's queue; since a direction's latency is
constant the queue is in order, and a heap holds the head of each queue that is not empty. A timerfd wakes the loop at
the instant that is due, to the microsecond, where epoll's own timeout counts milliseconds.
"""

import ctypes
import errno
import fcntl
import heapq
import os
import select
import struct
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from suanwang.lab.netns import inside

TUNSETIFF: Final = 0x400454CA
IFF_TAP: Final = 0x0002
IFF_NO_PI: Final = 0x1000
CLOCK_MONOTONIC: Final = 1
TFD_TIMER_ABSTIME: Final = 1
# Frames waiting in one direction, so that a loop of traffic ends in drops and not in the machine's memory.
FRAMES_MAX: Final = 20_000
FRAME_BYTES_MAX: Final = 65_536
READS_A_TURN: Final = 32
# The mean time from due to delivered on a quiet machine; taken off the latency asked for.
LEAD_NS: Final = 30_000

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
Queue = deque[tuple[int, bytes]]


@dataclass(frozen=True)
class Cable:
    """Both ends of a link: (namespace, device), and the latency of the frames that each end sends."""

    a: tuple[str, str]
    b: tuple[str, str]
    latency_a_us: int
    latency_b_us: int


@dataclass
class Direction:
    """Frames read from one TAP that wait to be written to the other."""

    out: int
    latency_ns: int
    waiting: Queue = field(default_factory=deque)


def open_tap(namespace: str, device: str) -> int:
    """The file of a TAP device that exists in a namespace; not blocking."""

    def attach() -> int:
        file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TAP | IFF_NO_PI))
        return file

    return inside(namespace, attach)


class Relay:
    """Everything that `run` needs, opened once. `now_ns` is the monotonic clock."""

    def __init__(self, cables: Sequence[Cable], now_ns: Callable[[], int]) -> None:
        self.now_ns = now_ns
        self.directions: dict[int, Direction] = {}
        self.due: list[tuple[int, int]] = []  # (when, file that it came from)
        self.armed_ns = 0
        self.timer = _LIBC.timerfd_create(CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        self.poll = select.epoll()
        self.poll.register(self.timer, select.EPOLLIN)
        for cable in cables:
            a, b = open_tap(*cable.a), open_tap(*cable.b)
            for file, other, latency_us in ((a, b, cable.latency_a_us), (b, a, cable.latency_b_us)):
                self.directions[file] = Direction(other, max(0, latency_us * 1000 - LEAD_NS))
                self.poll.register(file, select.EPOLLIN)

    def run(self) -> None:
        """For ever; ends when the process does."""
        while True:
            self.turn()

    def turn(self, timeout_s: float = -1) -> None:
        """Wait for frames or the next due instant, read what came, write what is due."""
        for file, _ in self.poll.poll(timeout_s):
            if file == self.timer:
                self._disarm()
            else:
                self._read(file)
        self._write()
        if self.due and self.due[0][0] != self.armed_ns:
            self._arm(self.due[0][0])

    def _read(self, file: int) -> None:
        direction = self.directions[file]
        waiting = direction.waiting
        at = self.now_ns() + direction.latency_ns
        was_empty = not waiting
        try:
            for _ in range(READS_A_TURN):
                frame = os.read(file, FRAME_BYTES_MAX)
                if len(waiting) < FRAMES_MAX:
                    waiting.append((at, frame))
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno not in (errno.EIO, errno.EBADFD):  # the device is down, or gone with its namespace
                raise
            if error.errno == errno.EBADFD:
                self.poll.unregister(file)
        if was_empty and waiting:
            heapq.heappush(self.due, (waiting[0][0], file))

    def _write(self) -> None:
        due = self.due
        now = self.now_ns()
        while due and due[0][0] <= now:
            file = heapq.heappop(due)[1]
            direction = self.directions[file]
            waiting, out = direction.waiting, direction.out
            while waiting and waiting[0][0] <= now:
                try:
                    os.write(out, waiting.popleft()[1])
                except OSError as error:  # down, gone, or full: a frame is lost, as on a wire
                    if error.errno not in (errno.EIO, errno.EBADFD, errno.EAGAIN, errno.ENOBUFS, errno.EINVAL):
                        raise
            if waiting:
                heapq.heappush(due, (waiting[0][0], file))
            now = self.now_ns()

    def _arm(self, when_ns: int) -> None:
        self.armed_ns = when_ns
        seconds, rest = divmod(max(1, when_ns), 1_000_000_000)
        spec = struct.pack("qqqq", 0, 0, seconds, rest)
        if _LIBC.timerfd_settime(self.timer, TFD_TIMER_ABSTIME, spec, None) != 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def _disarm(self) -> None:
        self.armed_ns = 0
        with suppress(BlockingIOError):
            os.read(self.timer, 8)
