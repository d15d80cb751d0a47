"""The sensor at work: an AF_PACKET socket on a device, the detector, alerts and counters on disk.

The kernel queues a copy of each packet (packet(7)) and sends the packet itself on without waiting. Where the queue is
full the copy alone is lost, and PACKET_STATISTICS says so. A filter in the kernel lets only those packets into the
queue that pass through, so that both counters mean them.
"""

import ctypes
import json
import os
import select
import socket
import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final

from suanwang.lab.sensor.counts import FIXED, Counts
from suanwang.lab.sensor.detect import Detector
from suanwang.lab.sensor.packet import TCP, UDP, Packet, decode
from suanwang.lab.sensor.rules import Signature

ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 0x0003, 0x0800, 0x86DD
SOL_PACKET, PACKET_STATISTICS = 263, 6
SO_ATTACH_FILTER, SO_RCVBUFFORCE = 26, 33
QUEUE_BYTES: Final = 8 * 1024**2  # of the kernel's memory, bookkeeping included: about 0.3 s at 100 Mbit/s
PACKET_BYTES_MAX: Final = 65_575
PACKETS_A_TURN: Final = 256
IDLE_S: Final = 0.2
EVE_BYTES_MAX: Final = 8 * 1024**2  # then it becomes eve.json.1: /run is memory
SEEN, NOT_SEEN, NOT_INSPECTED = range(len(FIXED))
PROTOCOLS: Final = {TCP: "TCP", UDP: "UDP"}
Instruction = tuple[int, int, int, int]


class Eve:
    """Alerts as JSON lines, in the form of Suricata's EVE (event_type `alert`)."""

    def __init__(self, file: Path, device: str) -> None:
        self.file, self.device = file, device
        self.out = file.open("ab", buffering=0)

    def write(self, one: Signature, packet: Packet, now_us: int) -> None:
        address = IPv6Address if packet.version == 6 else IPv4Address
        ports = packet.protocol in PROTOCOLS
        row = {
            "timestamp": datetime.fromtimestamp(now_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            + f".{now_us % 1_000_000:06d}+0000",
            "event_type": "alert",
            "in_iface": self.device,
            "src_ip": str(address(packet.source)),
            **({"src_port": packet.source_port} if ports else {}),
            "dest_ip": str(address(packet.target)),
            **({"dest_port": packet.target_port} if ports else {}),
            "proto": PROTOCOLS.get(packet.protocol, str(packet.protocol)),
            "alert": {
                "action": "allowed",
                "gid": 1,
                "signature_id": one.sid,
                "rev": one.rev,
                "signature": one.message,
                "severity": one.priority,
            },
        }
        if self.out.tell() > EVE_BYTES_MAX:
            self.out.close()
            os.replace(self.file, self.file.with_name(self.file.name + ".1"))
            self.out = self.file.open("ab", buffering=0)
        self.out.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")


class Watch:
    """Everything that `run` needs, opened once, in the namespace of the caller."""

    def __init__(
        self,
        device: str,
        signatures: Sequence[Signature],
        counts: Counts,
        eve: Eve,
        now_us: Callable[[], int],
        monotonic_ns: Callable[[], int],
    ) -> None:
        self.signatures, self.counts, self.eve, self.now_us = signatures, counts, eve, now_us
        self.detector = Detector(signatures, monotonic_ns)
        self.socket = open_socket(device, own_addresses())
        self.poll = select.poll()
        self.poll.register(self.socket, select.POLLIN)

    def run(self) -> None:
        """For ever; ends when the process does, or the device goes (OSError)."""
        while True:
            self.turn()

    def turn(self, timeout_s: float = IDLE_S) -> None:
        """Wait for packets, look at those that came, then ask the kernel what it dropped."""
        if self.poll.poll(timeout_s * 1000):
            for _ in range(PACKETS_A_TURN):
                try:
                    data = self.socket.recv(PACKET_BYTES_MAX)
                except BlockingIOError:
                    break
                self._look(data)
        _, dropped = struct.unpack("II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        if dropped:
            self.counts.add(NOT_SEEN, dropped, 0)

    def _look(self, data: bytes) -> None:
        self.counts.add(SEEN, 1, len(data))
        packet = decode(data)
        if packet is None:
            self.counts.add(NOT_INSPECTED, 1, len(data))
            return
        for at in self.detector.look(packet):
            self.counts.add(len(FIXED) + at, 1, len(data))
            self.eve.write(self.signatures[at], packet, self.now_us())


def own_addresses(file: Path = Path("/proc/net/if_inet6")) -> list[bytes]:
    """The IPv6 addresses of this process's namespace: what goes to one of them does not pass through."""
    return [bytes.fromhex(line.split()[0]) for line in file.read_text("ascii").splitlines()]


def open_socket(device: str, own: Sequence[bytes]) -> socket.socket:
    """Packets from the IP header on. No packet gets in before the filter stands."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    program = b"".join(struct.pack("HBBI", *one) for one in passing(own))
    held = ctypes.create_string_buffer(program)
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", len(program) // 8, ctypes.addressof(held)))
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, QUEUE_BYTES)
    sock.setblocking(False)
    sock.bind((device, ETH_P_ALL))
    return sock


def passing(own: Sequence[bytes]) -> list[Instruction]:
    """Classic BPF (the kernel's networking/filter.rst): IPv4, and IPv6 that is sent on: to this machine's MAC, not to a
    link-local or multicast address, and to none of `own`.

    Each test that fails jumps to the next instruction but one or goes on; refusals return on the spot, for a jump
    reaches only 255 instructions.
    """
    load_word, load_half, equal, both, give = 0x20, 0x28, 0x15, 0x54, 0x06
    protocol, packet_type = 0xFFFFF000, 0xFFFFF004  # SKF_AD_OFF + 0 and + 4
    target, every = 24, 0x40000
    no: Instruction = (give, 0, 0, 0)
    yes: Instruction = (give, 0, 0, every)
    out: list[Instruction] = [
        (load_word, 0, 0, packet_type),
        (equal, 1, 0, 0),  # PACKET_HOST
        no,
        (load_half, 0, 0, protocol),
        (equal, 0, 1, ETH_P_IP),
        yes,
        (equal, 1, 0, ETH_P_IPV6),
        no,
        (load_half, 0, 0, target),
        (both, 0, 0, 0xFFC0),
        (equal, 0, 1, 0xFE80),
        no,
        (both, 0, 0, 0xFF00),
        (equal, 0, 1, 0xFF00),
        no,
    ]
    for address in own:
        words = struct.unpack("!4I", address)
        for at, word in enumerate(words):
            skip = 2 * (len(words) - 1 - at) + 1  # over this address's remaining tests and its refusal
            out += [(load_word, 0, 0, target + 4 * at), (equal, 0, skip, word)]
        out.append(no)
    return [*out, yes]
