"""Traffic between two hosts, measured at the receiver: iperf3 where it is installed, else a small one of our own."""

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final, Literal

from suanwang.lab.netns import inside
from suanwang.model.error import UnreachableError

SERVER_IDLE_S: Final = 20  # a server whose client was killed ends by itself
BUFFER_BYTES: Final = 4_000_000  # iperf3's default drops in the receiver's socket and calls it loss of the network
TCP_CHUNK: Final = bytes(65_536)
HEADERS_BYTES: Final = 48  # IPv6 and UDP
CONNECT_S: Final = 5.0
QUIET_S: Final = 0.5
NS_PER_S: Final = 1_000_000_000
PACE_NS: Final = 1_000_000  # packets that fall due within it are sent together
Tool = Literal["iperf3", "own"]


@dataclass(frozen=True)
class Ask:
    """TCP where `rate_bps` is None, else UDP at that rate (of payload). `mtu` is the hosts'."""

    source: str  # namespace
    target: str  # namespace
    address: IPv6Address  # of the target
    mtu: int
    seconds: int
    rate_bps: int | None
    traffic_class: int


@dataclass(frozen=True)
class Measured:
    """Payload as it came in; `lost` of `packets` for UDP, None for TCP."""

    tool: Tool
    received_bps: int
    packets: int | None
    lost: int | None


def best_tool() -> Tool:
    return "iperf3" if shutil.which("iperf3") else "own"


def measure(ask: Ask, tool: Tool, now_ns: Callable[[], int], sleep: Callable[[float], None]) -> Measured:
    """Raises UnreachableError where no traffic arrives at all."""
    if tool == "iperf3":
        return _iperf3(ask)
    return _own_tcp(ask, now_ns) if ask.rate_bps is None else _own_udp(ask, now_ns, sleep)


def _iperf3(ask: Ask) -> Measured:
    port = str(_free_port(ask))
    server_words = ["ip", "netns", "exec", ask.target, "iperf3", "-s", "-1", "-p", port, "--forceflush"]
    server_words += ["--idle-timeout", str(SERVER_IDLE_S)]
    words = ["ip", "netns", "exec", ask.source, "iperf3", "-J", "-6", "-c", str(ask.address), "-p", port]
    words += ["-t", str(ask.seconds), "-S", str(ask.traffic_class), "--connect-timeout", str(int(CONNECT_S * 1000))]
    if ask.rate_bps is not None:
        size = ask.mtu - HEADERS_BYTES
        words += ["-u", "-b", str(ask.rate_bps), "-l", str(size), "-w", str(BUFFER_BYTES)]
    server = subprocess.Popen(server_words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout is not None
        while "listening" not in (line := server.stdout.readline()):
            if not line:
                raise UnreachableError("lab_no_traffic", detail="iperf3 -s")
        limit_s = ask.seconds + 3 * CONNECT_S
        done = subprocess.run(words, capture_output=True, text=True, timeout=limit_s, check=False)
        found = json.loads(done.stdout or "{}")
    except subprocess.TimeoutExpired as error:
        raise UnreachableError("lab_no_traffic", detail=f"iperf3 > {error.timeout:.0f} s") from error
    finally:
        server.kill()
        server.communicate()
    if done.returncode != 0 or "error" in found:
        raise UnreachableError("lab_no_traffic", detail=str(found.get("error", done.stderr))[:200])
    end = found["end"]
    if ask.rate_bps is None:
        return Measured("iperf3", int(end["sum_received"]["bits_per_second"]), None, None)
    total = end["sum"]
    packets, lost = int(total["packets"]), int(total["lost_packets"])
    took_s = float(total["seconds"]) or float(ask.seconds)
    bits = (packets - lost) * (ask.mtu - HEADERS_BYTES) * 8
    return Measured("iperf3", int(bits / took_s), packets, lost)


def _own_tcp(ask: Ask, now_ns: Callable[[], int]) -> Measured:
    listener = inside(ask.target, lambda: _tcp(None, ask))
    with listener:
        came = _Counter(now_ns)
        thread = threading.Thread(target=_drain, args=(listener, came), name="tcp receiver")
        thread.start()
        try:
            port = listener.getsockname()[1]
            with inside(ask.source, lambda: _tcp((ask.address, port), ask)) as sender:
                stop = now_ns() + ask.seconds * NS_PER_S
                while now_ns() < stop:
                    sender.send(TCP_CHUNK)
        except OSError as error:
            raise UnreachableError("lab_no_traffic", detail=str(error)) from error
        finally:
            thread.join(ask.seconds + 3 * CONNECT_S)
    return Measured("own", came.bps(), None, None)


def _own_udp(ask: Ask, now_ns: Callable[[], int], sleep: Callable[[float], None]) -> Measured:
    assert ask.rate_bps is not None
    size = ask.mtu - HEADERS_BYTES
    gap_ns = max(1, size * 8 * NS_PER_S // ask.rate_bps)
    receiver = inside(ask.target, lambda: _udp(ask))
    sender = inside(ask.source, lambda: _udp(ask))
    with receiver, sender:
        came = _Counter(now_ns)
        stopped = threading.Event()
        thread = threading.Thread(target=_count, args=(receiver, came, stopped), name="udp receiver")
        thread.start()
        begin = now_ns()
        sent, payload, to = 0, bytes(size), (str(ask.address), receiver.getsockname()[1])
        try:
            while (passed := now_ns() - begin) < ask.seconds * NS_PER_S:
                while sent * gap_ns <= passed:
                    sender.sendto(payload, to)
                    sent += 1
                sleep(max(gap_ns, PACE_NS) / NS_PER_S)
        except OSError as error:
            raise UnreachableError("lab_no_traffic", detail=str(error)) from error
        finally:
            stopped.set()
            thread.join()
    if not came.calls:
        raise UnreachableError("lab_no_traffic", detail="0 B")
    return Measured("own", came.bps(), sent, max(0, sent - came.calls))


class _Counter:
    """Bytes with the time between the first and the last of them."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self.now_ns = now_ns
        self.calls = self.bytes_after_first = 0
        self.first_ns = self.last_ns = 0

    def add(self, size: int) -> None:
        self.last_ns = self.now_ns()
        self.calls += 1
        if self.calls == 1:
            self.first_ns = self.last_ns
        else:
            self.bytes_after_first += size

    def bps(self) -> int:
        took = self.last_ns - self.first_ns
        return self.bytes_after_first * 8 * NS_PER_S // took if took else 0


def _free_port(ask: Ask) -> int:
    """A port that nobody at the target has, so that two measurements at once do not meet."""
    with inside(ask.target, lambda: _tcp(None, ask)) as sock:
        return int(sock.getsockname()[1])


def _tcp(to: tuple[IPv6Address, int] | None, ask: Ask) -> socket.socket:
    sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, ask.traffic_class)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.settimeout(CONNECT_S)
    if to is None:
        sock.bind(("::", 0))
        sock.listen(1)
    else:
        try:
            sock.connect((str(to[0]), to[1]))
        except OSError:
            sock.close()
            raise
    return sock


def _udp(ask: Ask) -> socket.socket:
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, ask.traffic_class)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        sock.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
    sock.settimeout(QUIET_S)
    sock.bind(("::", 0))
    return sock


def _drain(listener: socket.socket, came: _Counter) -> None:
    try:
        sock, _ = listener.accept()
        with sock:
            sock.settimeout(CONNECT_S)
            while size := len(sock.recv(1 << 20)):
                came.add(size)
    except OSError:  # nobody came, or the way broke: what came until then counts
        return


def _count(receiver: socket.socket, came: _Counter, stopped: threading.Event) -> None:
    while True:
        try:
            came.add(len(receiver.recv(65_536)))
        except TimeoutError:
            if stopped.is_set():
                return
