"""One-way delay and loss by timestamped UDP, between two sockets that see one clock.

The sender's time stands in the packet, the receiver's is the kernel's (SO_TIMESTAMPNS), so that a busy reader adds
nothing. Across machines the clocks' difference is part of the delay: RFC 7679, 3.7, says what that means.
"""

import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Final

from suanwang.agent.adapters.srv6.netns import inside

PACKET: Final = struct.Struct("!IQ")  # number, sent at (ns)
TIMESTAMP: Final = struct.Struct("@qq")  # seconds, ns
BUFFER_BYTES: Final = 4_000_000
SO_TIMESTAMPNS: Final = 35
SO_RCVBUFFORCE: Final = 33  # what a plain SO_RCVBUF allows holds some 160 packets, and more would count as lost
LAST_SECONDS, LAST_LOOKS = 0.05, 10  # half a second for what is still under way at the end
NS_PER_US: Final = 1_000


@dataclass(frozen=True, slots=True)
class Delay:
    """Delays are 0 where nothing came. `gap_us` is the longest time without an arrival between two of them."""

    sent: int
    received: int
    minimum_us: float
    mean_us: float
    p90_us: float  # the worst tenth, at least one packet, left out
    p99_us: float
    maximum_us: float
    gap_us: float

    @property
    def lost(self) -> int:
        return self.sent - self.received


def endpoint(namespace: str, address: str) -> socket.socket:
    """A UDP socket in a namespace, at a free port of the address, that timestamps what it receives."""

    def make() -> socket.socket:
        made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        try:
            made.bind((address, 0))
            made.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        except BaseException:
            made.close()
            raise
        return made

    return inside(namespace, make)


@dataclass
class Probe:
    """Sends `count` packets, one each `interval_us`. `clock_ns` is the system's clock (CLOCK_REALTIME), the one of the
    kernel's timestamps; `wait` waits some seconds."""

    sender: socket.socket
    receiver: socket.socket
    clock_ns: Callable[[], int]
    wait: Callable[[float], None]
    size_bytes: int = 64

    def run(self, count: int, interval_us: int) -> Delay:
        assert self.size_bytes >= PACKET.size
        self.receiver.setblocking(False)
        target = self.receiver.getsockname()
        filler = b"\0" * (self.size_bytes - PACKET.size)
        found: dict[int, tuple[int, int]] = {}
        start = self.clock_ns()
        for number in range(count):
            due = start + number * interval_us * NS_PER_US
            now = self.clock_ns()
            while now < due:
                self.wait((due - now) / 1e9)
                now = self.clock_ns()
            with suppress(OSError):  # no route at this moment: the packet is lost, and counts so
                self.sender.sendto(PACKET.pack(number, now) + filler, target)
            self._drain(found)
        for _ in range(LAST_LOOKS):
            if len(found) == count:
                break
            self.wait(LAST_SECONDS)
            self._drain(found)
        return summary(count, list(found.values()))

    def _drain(self, found: dict[int, tuple[int, int]]) -> None:
        while True:
            try:
                data, notes, _, _ = self.receiver.recvmsg(2048, 64)
            except BlockingIOError:
                return
            number, sent_ns = PACKET.unpack_from(data)
            seconds, ns = TIMESTAMP.unpack_from(notes[0][2])
            found.setdefault(number, (sent_ns, seconds * 1_000_000_000 + ns))


def summary(sent: int, pairs: Sequence[tuple[int, int]]) -> Delay:
    """From (sent, received) in ns of each packet that came."""
    if not pairs:
        return Delay(sent, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    delays = sorted((received - at) / NS_PER_US for at, received in pairs)
    arrivals = sorted(received for _, received in pairs)
    gaps = [b - a for a, b in pairwise(arrivals)]
    return Delay(
        sent,
        len(pairs),
        delays[0],
        fmean(delays),
        delays[max(0, len(delays) - -(-len(delays) // 10) - 1)],
        delays[min(len(delays) - 1, len(delays) * 99 // 100)],
        delays[-1],
        max(gaps, default=0) / NS_PER_US,
    )
