"""Signatures and packets -> the signatures that alert. No clock of its own, no input or output.

Each packet is looked at by itself, but for one thing: the last bytes of a TCP stream's segment are kept, so that a
content that two segments in order share is found. Streams are not put in order, and fragments not together.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from suanwang.lab.sensor.packet import TCP, UDP, Packet
from suanwang.lab.sensor.rules import Content, Signature

STREAMS_MAX: Final = 4_096  # TCP directions whose last bytes are kept; the one unused for longest goes first
TRACKED_MAX: Final = 65_536  # (signature, address) with a threshold, likewise
NS_PER_S: Final = 1_000_000_000
PROTOCOL: Final = {"tcp": TCP, "udp": UDP}
SEQUENCE: Final = 1 << 32
Stream = tuple[int, int, int, int]


class Detector:
    """`now_ns` is asked only when a signature with a threshold matches."""

    def __init__(self, signatures: Sequence[Signature], now_ns: Callable[[], int]) -> None:
        self.now_ns = now_ns
        self.of = {
            number: [(at, one) for at, one in enumerate(signatures) if one.protocol in ("ip", name)]
            for name, number in PROTOCOL.items()
        }
        self.of_any = [(at, one) for at, one in enumerate(signatures) if one.protocol == "ip"]
        lengths = [len(c.bytes) for one in signatures if one.protocol != "udp" for c in one.contents if c.anywhere]
        self.tail_bytes = max(lengths, default=1) - 1
        self.streams: OrderedDict[Stream, tuple[int, bytes]] = OrderedDict()
        self.tracked: OrderedDict[tuple[int, int, int], list[int]] = OrderedDict()

    def look(self, packet: Packet) -> list[int]:
        """The places of the signatures that alert on the packet."""
        tail = self._tail(packet) if packet.protocol == TCP else b""
        out = []
        for at, one in self.of.get(packet.protocol, self.of_any):
            if _heads(one, packet) and _payload(one.contents, packet.payload, tail) and self._due(at, one, packet):
                out.append(at)
        return out

    def _tail(self, packet: Packet) -> bytes:
        """What came right before in the stream, as far as a content may reach back."""
        payload = packet.payload
        if not self.tail_bytes or not payload:
            return b""
        key = (packet.source, packet.target, packet.source_port, packet.target_port)
        expected, tail = self.streams.pop(key, (-1, b""))
        if packet.sequence != expected:
            tail = b""
        kept = payload if len(payload) >= self.tail_bytes else tail + payload
        self.streams[key] = ((packet.sequence + len(payload)) % SEQUENCE, kept[-self.tail_bytes :])
        if len(self.streams) > STREAMS_MAX:
            self.streams.popitem(last=False)
        return tail

    def _due(self, at: int, one: Signature, packet: Packet) -> bool:
        limit = one.threshold
        if limit is None:
            return True
        key = (at, packet.version, packet.source if limit.by == "by_src" else packet.target)
        now = self.now_ns()
        begun_and_count = self.tracked.pop(key, None)
        if begun_and_count is None or now - begun_and_count[0] >= limit.seconds * NS_PER_S:
            begun_and_count = [now, 0]
        begun_and_count[1] += 1
        self.tracked[key] = begun_and_count
        if len(self.tracked) > TRACKED_MAX:
            self.tracked.popitem(last=False)
        count = begun_and_count[1]
        if limit.kind == "limit":
            return count <= limit.count
        return count == limit.count if limit.kind == "both" else count % limit.count == 0


def _heads(one: Signature, packet: Packet) -> bool:
    if one.flags is not None and not one.flags.match(packet.flags):
        return False
    ends = (packet.source, packet.source_port, packet.target, packet.target_port)
    return _ends(one, packet.version, *ends) or (one.both_ways and _ends(one, packet.version, *ends[2:], *ends[:2]))


def _ends(one: Signature, version: int, source: int, source_port: int, target: int, target_port: int) -> bool:
    return (
        (one.target_ports is None or target_port in one.target_ports)
        and (one.source_ports is None or source_port in one.source_ports)
        and (one.target is None or one.target.holds(version, target))
        and (one.source is None or one.source.holds(version, source))
    )


def _payload(contents: Sequence[Content], payload: bytes, tail: bytes) -> bool:
    """All in this payload; or with the end of the one before, but not in that end alone: it has alerted already."""
    if not contents or _all(contents, payload, b""):
        return True
    return bool(tail) and _all(contents, payload, tail) and not _all(contents, b"", tail)


def _all(contents: Sequence[Content], payload: bytes, tail: bytes) -> bool:
    return all(_has(one, payload, tail) != one.no for one in contents)


def _has(one: Content, payload: bytes, tail: bytes) -> bool:
    """Where a content must stand is counted from the begin of the packet's own payload."""
    text, wanted = (tail + payload if one.anywhere else payload), one.bytes
    if one.nocase:
        text, wanted = text.lower(), wanted.lower()
    end = len(text) if one.depth is None else one.offset + one.depth
    return text.find(wanted, one.offset, end) >= 0
