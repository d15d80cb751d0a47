"""ICMPv6 echo from one namespace to an address: RFC 4443. The kernel fills in the checksum of such a socket."""

import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final

from suanwang.lab.netns import inside

ECHO_REQUEST: Final = 128
ECHO_REPLY: Final = 129
US_PER_S: Final = 1_000_000


@dataclass(frozen=True)
class Pinged:
    """`rtt_us` of the answers, in their order."""

    sent: int
    rtt_us: tuple[int, ...]

    @property
    def lost(self) -> int:
        return self.sent - len(self.rtt_us)

    @property
    def mean_us(self) -> int:
        return sum(self.rtt_us) // len(self.rtt_us) if self.rtt_us else 0


def ping(
    namespace: str,
    target: IPv6Address,
    now_ns: Callable[[], int],
    *,
    count: int = 5,
    interval_us: int = 200_000,
    wait_us: int = US_PER_S,
    bytes_each: int = 56,
) -> Pinged:
    """`count` requests, one each `interval_us`; an answer later than `wait_us` after the last one is lost."""
    with inside(namespace, _socket) as sock:
        sock.setblocking(False)
        try:
            sock.connect((str(target), 0))
        except OSError:  # no route at all
            return Pinged(count, ())
        identity = sock.fileno() & 0xFFFF
        sent: dict[int, int] = {}
        rtt: dict[int, int] = {}
        begin = now_ns() // 1000
        stop = begin + (count - 1) * interval_us + wait_us
        while len(rtt) < count and (now := now_ns() // 1000) < stop:
            number = len(sent)
            due = begin + number * interval_us
            if number < count and now >= due:
                sent[number] = now_ns()  # before: a wait right after the call would look like a faster network
                _send(sock, identity, number, bytes_each)
                continue
            until = due if number < count else stop
            if select.select([sock], [], [], (until - now) / US_PER_S)[0]:
                _receive(sock, identity, sent, rtt, now_ns)
        return Pinged(count, tuple(rtt[number] for number in sorted(rtt)))


def _socket() -> socket.socket:
    return socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)


def _send(sock: socket.socket, identity: int, number: int, size: int) -> None:
    with suppress(OSError):  # unreachable for now: the request counts as lost
        sock.send(struct.pack("!BBHHH", ECHO_REQUEST, 0, 0, identity, number) + bytes(size))


def _receive(
    sock: socket.socket, identity: int, sent: dict[int, int], rtt: dict[int, int], now_ns: Callable[[], int]
) -> None:
    try:
        packet = sock.recv(65_536)
    except OSError:  # an ICMP error of the way, reported on the socket
        return
    at = now_ns()
    if len(packet) < 8:
        return
    kind, _, _, whose, number = struct.unpack_from("!BBHHH", packet)
    if kind == ECHO_REPLY and whose == identity and number in sent and number not in rtt:
        rtt[number] = (at - sent[number]) // 1000
