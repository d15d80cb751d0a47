"""Devices of routers as the kernel tells of them (RTM_NEWLINK, RTM_DELLINK): at once, and without asking again and again."""

import select
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from suanwang.agent.adapters.srv6.netns import HEADER, READ_BYTES, attributes, inside

# linux/rtnetlink.h, linux/if_link.h, linux/if.h
RTMGRP_LINK: Final = 1
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
IFLA_IFNAME, IFLA_IFALIAS = 3, 20
IFF_UP, IFF_LOWER_UP = 0x1, 0x10000
LINK: Final = struct.Struct("=BxHiII")
SO_RCVBUF_BYTES: Final = 1 << 20


class Device(NamedTuple):
    """`alias` is what somebody wrote on it: here, the task whose network it is."""

    up: bool
    alias: str


class Change(NamedTuple):
    """One message: a device as it is now, or None where it is gone."""

    name: str
    device: Device | None


@dataclass
class LinkWatch:
    """All devices of some routers; thread-safe. `namespaces` is router -> network namespace. Raises OSError where one is gone."""

    namespaces: Mapping[str, str]
    devices: dict[str, dict[str, Device]] = field(default_factory=dict, init=False)
    _sockets: dict[int, tuple[str, socket.socket]] = field(default_factory=dict, init=False)
    _poll: select.epoll = field(default_factory=select.epoll, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        for router, namespace in self.namespaces.items():
            opened = inside(namespace, _socket)
            self._sockets[opened.fileno()] = router, opened
            self._poll.register(opened.fileno(), select.EPOLLIN)
            self._dump(router, opened)

    def wait(self, timeout_s: float) -> bool:
        """Whether a device came, went, rose, fell or was renamed within the time; returns as soon as one did."""
        changed = False
        for number, _ in self._poll.poll(timeout_s):
            router, opened = self._sockets[number]
            with self._lock:
                changed |= self._drain(router, opened)
        return changed

    def seen(self) -> dict[str, dict[str, Device]]:
        """Router -> its devices by name, as last heard. A copy."""
        with self._lock:
            return {router: dict(devices) for router, devices in self.devices.items()}

    def close(self) -> None:
        self._poll.close()
        for _, opened in self._sockets.values():
            opened.close()
        self._sockets.clear()

    def _dump(self, router: str, opened: socket.socket) -> None:
        """Everything anew: at the start, and where the kernel had more to say than the socket could hold."""
        self.devices[router] = {}
        body = LINK.pack(0, 0, 0, 0, 0)
        opened.send(HEADER.pack(HEADER.size + len(body), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0) + body)
        done = False
        while not done:
            select.select([opened], [], [])
            data = opened.recv(READ_BYTES)
            done = any(kind in (NLMSG_DONE, NLMSG_ERROR) for kind, _ in _messages(data))
            self._take(router, data)

    def _drain(self, router: str, opened: socket.socket) -> bool:
        changed = False
        with suppress(BlockingIOError):
            while True:
                try:
                    changed |= self._take(router, opened.recv(READ_BYTES))
                except OSError as error:
                    if isinstance(error, BlockingIOError):
                        raise
                    self._dump(router, opened)  # ENOBUFS: some messages are lost
                    changed = True
        return changed

    def _take(self, router: str, data: bytes) -> bool:
        known, changed = self.devices[router], False
        for name, device in changes(data):
            if known.get(name) == device:
                continue
            changed = True
            if device is None:
                known.pop(name, None)
            else:
                known[name] = device
        return changed


def changes(data: bytes) -> Iterator[Change]:
    """The devices in what one read gave."""
    for kind, body in _messages(data):
        if kind not in (RTM_NEWLINK, RTM_DELLINK):
            continue
        flags = LINK.unpack_from(body)[3]
        rows = dict(attributes(body[LINK.size :]))
        name, alias = (rows.get(one, b"").rstrip(b"\0").decode() for one in (IFLA_IFNAME, IFLA_IFALIAS))
        up = flags & (IFF_UP | IFF_LOWER_UP) == IFF_UP | IFF_LOWER_UP
        yield Change(name, Device(up, alias) if kind == RTM_NEWLINK else None)


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + HEADER.size <= len(data):
        length, kind, _, _, _ = HEADER.unpack_from(data, at)
        if length < HEADER.size:
            return
        yield kind, data[at + HEADER.size : at + length]
        at += -(-length // 4) * 4


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SO_RCVBUF_BYTES)
    made.bind((0, RTMGRP_LINK))
    return made
