"""Sockets inside network namespaces, and the one question to the kernel that `ip` cannot put yet."""

import ctypes
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

RUN: Final = Path("/run/netns")
CLONE_NEWNET: Final = 0x40000000
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
T = TypeVar("T")

# linux/netlink.h, linux/rtnetlink.h, linux/nexthop.h
NLMSG_ERROR, NLMSG_DONE, RTM_GETNEXTHOP = 2, 3, 106
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
NHA_ID, NHA_GROUPS, NHA_OP_FLAGS, NHA_GROUP_STATS = 1, 9, 14, 15
ENTRY_ID, ENTRY_PACKETS = 1, 2
DUMP_STATS: Final = 1
TYPE_MASK: Final = 0x3FFF
HEADER, NEXTHOP, ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=BBBBI"), struct.Struct("=HH")
READ_BYTES: Final = 1 << 16


def inside(namespace: str, call: Callable[[], T]) -> T:
    """What `call` gives in the namespace: a thread of its own goes there. Sockets that it opens stay there. Raises
    OSError where there is no such namespace."""
    found: list[T] = []
    failed: list[Exception] = []

    def body() -> None:
        try:
            file = os.open(RUN / namespace, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if _LIBC.setns(file, CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"setns {namespace}")
            finally:
                os.close(file)
            found.append(call())
        except Exception as error:  # raised again in the caller's thread
            failed.append(error)

    thread = threading.Thread(target=body, name=f"in {namespace}")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]


def group_packets(namespace: str) -> dict[tuple[int, int], int]:
    """(group, member) -> packets that the kernel has sent that way since the group was last written. Empty on kernels
    that do not count (before 6.9)."""
    with inside(namespace, lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)) as asked:
        asked.settimeout(10)
        flags = ATTRIBUTE.pack(8, NHA_OP_FLAGS) + struct.pack("=I", DUMP_STATS)
        body = NEXTHOP.pack(0, 0, 0, 0, 0) + flags + ATTRIBUTE.pack(4, NHA_GROUPS)
        asked.send(HEADER.pack(HEADER.size + len(body), RTM_GETNEXTHOP, NLM_F_REQUEST | NLM_F_DUMP, 1, 0) + body)
        out: dict[tuple[int, int], int] = {}
        while _take(asked.recv(READ_BYTES), out):
            pass
        return out


def _take(data: bytes, out: dict[tuple[int, int], int]) -> bool:
    """The messages of one read; whether more are to come."""
    at = 0
    while at < len(data):
        length, kind, _, _, _ = HEADER.unpack_from(data, at)
        if kind in (NLMSG_DONE, NLMSG_ERROR):
            return False
        group = 0
        for attribute, value in attributes(data[at + HEADER.size + NEXTHOP.size : at + length]):
            if attribute == NHA_ID:
                group = int.from_bytes(value, "little")
            elif attribute == NHA_GROUP_STATS:
                for _, entry in attributes(value):
                    row = dict(attributes(entry))
                    packets = int.from_bytes(row.get(ENTRY_PACKETS, b""), "little")
                    out[group, int.from_bytes(row[ENTRY_ID], "little")] = packets
        at += -(-length // 4) * 4
    return True


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each netlink attribute."""
    at = 0
    while at + ATTRIBUTE.size <= len(data):
        length, kind = ATTRIBUTE.unpack_from(data, at)
        if length < ATTRIBUTE.size:
            return
        yield kind & TYPE_MASK, data[at + ATTRIBUTE.size : at + length]
        at += -(-length // 4) * 4
