"""What a router sees: every frame on every device of its namespace, as the kernel shows it to anybody."""

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from suanwang.lab import netns

ETH_P_ALL = 3
SO_RCVBUFFORCE = 33
OUTGOING = 4


@dataclass
class Sniffer:
    sock: socket.socket
    frames: list[tuple[str, bool, bytes]] = field(default_factory=list)  # device, leaving, from the Ethernet header on

    def read(self) -> list[tuple[str, bool, bytes]]:
        """All that came until now."""
        while True:
            try:
                data, (device, _, kind, *_) = self.sock.recvfrom(70_000)
            except BlockingIOError:
                return self.frames
            self.frames.append((device, kind == OUTGOING, data))

    def clear(self, pattern: bytes) -> "Counter[str]":
        """device -> frames that hold the pattern in clear."""
        return Counter(device for device, _, data in self.read() if pattern in data)

    def largest(self, device: str) -> int:
        """The longest packet on a device, without its Ethernet header."""
        return max(len(data) - 14 for name, _, data in self.read() if name == device)


@contextmanager
def sniff(namespace: str) -> Iterator[Sniffer]:
    def opened() -> socket.socket:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64_000_000)
        sock.setblocking(False)
        return sock

    with netns.inside(namespace, opened) as sock:
        yield Sniffer(sock)
