"""Bytes of an IP packet -> what rules ask of it. IPv6 with its extension headers (RFC 8200), IPv4 (RFC 791), and either
inside the other; TCP (RFC 9293) and UDP (RFC 768). Pure."""

import struct
from dataclasses import dataclass
from typing import Final

HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION = 0, 43, 44, 51, 60
IN_IPV4, IN_IPV6, TCP, UDP = 4, 41, 6, 17
HEADERS_MAX: Final = 16  # extension headers and packets within packets, together


@dataclass(frozen=True, slots=True)
class Packet:
    """The innermost IP packet. Addresses are whole numbers; ports and flags are 0 where there are none."""

    version: int
    source: int
    target: int
    protocol: int
    source_port: int
    target_port: int
    flags: int
    sequence: int
    payload: bytes


def decode(data: bytes) -> Packet | None:
    """None for what cannot be looked into: a fragment, a header cut short, or too many of them."""
    try:
        return _decode(data)
    except (struct.error, IndexError):
        return None


def _decode(data: bytes) -> Packet | None:
    version, source, target, protocol, at, end = _ip(data, 0)
    for _ in range(HEADERS_MAX):
        if protocol in (TCP, UDP):
            return _transport(data, (version, source, target, protocol), at, end)
        if protocol in (IN_IPV4, IN_IPV6):
            version, source, target, protocol, at, end = _ip(data, at)
        elif version == 6 and protocol in (HOP_BY_HOP, ROUTING, DESTINATION):
            protocol, at = data[at], at + 8 + 8 * data[at + 1]
        elif version == 6 and protocol == FRAGMENT:
            (rest,) = struct.unpack_from("!H", data, at + 2)
            if rest & 0xFFF9:  # an offset, or more to come: only a packet that is whole can be looked into
                return None
            protocol, at = data[at], at + 8
        elif protocol == AUTHENTICATION:
            protocol, at = data[at], at + 8 + 4 * data[at + 1]
        elif protocol < 0:
            return None
        else:
            return Packet(version, source, target, protocol, 0, 0, 0, 0, data[at:end]) if at <= end else None
    return None


def _ip(data: bytes, at: int) -> tuple[int, int, int, int, int, int]:
    """(version, source, target, protocol, where the rest begins, where it ends); protocol -1 for an IPv4 fragment."""
    version = data[at] >> 4
    if version == 6:
        length, protocol = struct.unpack_from("!HB", data, at + 4)
        end = at + 40 + length
        source, target = data[at + 8 : at + 24], data[at + 24 : at + 40]
        begin = at + 40
    elif version == 4:
        total, fragment = struct.unpack_from("!2xH2xH", data, at)
        begin, end = at + 4 * (data[at] & 0xF), at + total
        protocol = -1 if fragment & 0x3FFF else data[at + 9]
        source, target = data[at + 12 : at + 16], data[at + 16 : at + 20]
    else:
        raise IndexError(version)
    if not begin <= end <= len(data):
        raise IndexError(end)
    return version, int.from_bytes(source, "big"), int.from_bytes(target, "big"), protocol, begin, end


def _transport(data: bytes, ip: tuple[int, int, int, int], at: int, end: int) -> Packet | None:
    source_port, target_port = struct.unpack_from("!HH", data, at)
    if ip[3] == UDP:
        return Packet(*ip, source_port, target_port, 0, 0, data[at + 8 : end]) if at + 8 <= end else None
    sequence, offset, flags = struct.unpack_from("!I4xBB", data, at + 4)
    begin = at + 4 * (offset >> 4)
    if not at + 20 <= begin <= end:
        return None
    return Packet(*ip, source_port, target_port, flags, sequence, data[begin:end])
