"""An encryption hop: two functions, beside two routers, and WireGuard between them (wireguard-go, in user space).

What comes in at either end leaves in clear at the other; between them it is UDP from one function's own address to the
other's. Both ends are alike: what comes by the inward device goes into the tunnel, what comes out of the tunnel leaves by the
outward device. Where the tunnel is gone what comes in is refused, and never sent on in clear.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from pathlib import Path
from typing import Final

from suanwang.lab import netns, processes
from suanwang.lab.functions.function import Counter, Looked, Place
from suanwang.model.error import UnreachableError
from suanwang.model.grid import ProtectionFunction

GO, WG = "wireguard-go", "wg"
SOCKETS: Final = Path("/var/run/wireguard")  # where wireguard-go and wg meet, by the name of the device
PORT: Final = 51_820
# IPv6 40, UDP 8, the message's header 16, Poly1305 16; a packet is padded to 16 bytes, but not beyond the tunnel's MTU.
OVERHEAD_BYTES: Final = 40 + 8 + 16 + 16
TABLE: Final = 100
# All but link-local and multicast (fe00::/7): what a tunnel's device says by itself is not carried.
CARRIED: Final = "::/1,8000::/2,c000::/3,e000::/4,f000::/5,f800::/6,fc00::/7"
SECONDS_MAX: Final = 20


@dataclass(frozen=True)
class Key:
    """Made when the hop is, held in memory until both ends have it, and nowhere else."""

    private: str = field(repr=False)
    public: str


@dataclass(frozen=True)
class End:
    """One end: its own address and key, and the other's address and public key.

    `gateway` leads to the other end, by the outward device. `mtu` is the tunnel's: the largest packet that passes.
    """

    key: Key
    own: IPv6Address
    peer: IPv6Address
    peer_public: str
    gateway: IPv6Address
    mtu: int

    @property
    def kind(self) -> ProtectionFunction:
        return ProtectionFunction.ENCRYPTION

    def start(self, place: Place, lock: int) -> None:
        """wireguard-go ends its foreground when the device and its socket are there, and goes on by itself."""
        device = device_of(place)
        _run(place, [GO, device])
        setting = ["set", device, "private-key", "/dev/stdin", "listen-port", str(PORT)]
        peer = ["peer", self.peer_public, "allowed-ips", CARRIED, "endpoint", f"[{self.peer}]:{PORT}"]
        _run(place, [WG, *setting, *peer], self.key.private + "\n")
        netns.batch("ip", self.lines(place, device), place.namespace, held=[lock])

    def lines(self, place: Place, device: str) -> list[str]:
        """`ip -batch` in the function: what comes in goes into the tunnel, or nowhere. The way to the peer stands before
        the device is up: the first handshake chooses the address that the peer answers to."""
        return [
            f"route add {self.peer}/128 via {self.gateway} dev {place.outward} src {self.own}",
            f"link set {device} mtu {self.mtu} up",
            f"route add default dev {device} table {TABLE} metric 1",
            f"route add unreachable default table {TABLE} metric 4096",
            f"rule add iif {place.inward} lookup {TABLE} priority {TABLE}",
        ]

    def counters(self, place: Place) -> dict[str, Counter]:
        return counters(place)


def make_key() -> Key:
    private = _ask([WG, "genkey"], "").strip()
    return Key(private, _ask([WG, "pubkey"], private + "\n").strip())


def device_of(place: Place) -> str:
    """`wg-<lab>-<number>`: one machine has one folder of sockets for all namespaces. At most 15 letters."""
    lab, _, number = place.namespace.removeprefix("swlab-").rpartition("-f")
    return f"wg-{lab}-{number}"


def counters(place: Place) -> dict[str, Counter]:
    """Packets as the kernel has sent them on through the tunnel's device; bytes on the wire as `wg show transfer` has them, handshakes included."""
    device = device_of(place)
    rows = _run(place, [WG, "show", device, "transfer"]).split()
    if len(rows) != 3:
        raise UnreachableError("lab_command", tool=WG, detail=f"{device}: no peer")
    received, sent = (int(one) for one in rows[1:])
    out_of, into = _passed(place.namespace, device)
    return {"encrypted": Counter(into, sent), "decrypted": Counter(out_of, received)}


def look(place: Place) -> Looked:
    """Of a dead one nothing is left: the device went with the process, and the counters with it."""
    if not processes.runs(place.namespace, GO):
        return Looked(False, {})
    try:
        return Looked(True, counters(place))
    except UnreachableError as error:
        if error.code == "lab_tool":
            raise
        return Looked(False, {})  # it died just now


def forget_sockets(prefix: str) -> None:
    """What killed processes left in the folder of sockets: of a lab (`swlab-x-`), or of a function (`swlab-x-f3`)."""
    lab, _, number = prefix.removeprefix("swlab-").rpartition("-")
    mine = f"wg-{lab}-{number.removeprefix('f')}.sock" if number else f"wg-{lab}-*.sock"
    for path in SOCKETS.glob(mine):
        path.unlink(missing_ok=True)


def _passed(namespace: str, device: str) -> tuple[int, int]:
    """Packets out of the tunnel, and sent on into it: without those of the device itself (RFC 4293's counters)."""
    path = Path("/proc/thread-self/net/dev_snmp6", device)
    try:
        text = netns.inside(namespace, lambda: path.read_text("ascii"))
    except OSError as error:
        raise UnreachableError("lab_command", tool=WG, detail=f"{device}: {error.strerror}") from error
    rows = dict(line.split() for line in text.splitlines())
    return int(rows["Ip6InReceives"]), int(rows["Ip6OutForwDatagrams"])


def _quiet() -> dict[str, str]:
    """With LOG_LEVEL wireguard-go would go on holding our pipes, to log into them."""
    return {name: value for name, value in os.environ.items() if name != "LOG_LEVEL"}


def _run(place: Place, words: Sequence[str], text: str = "") -> str:
    return _ask([*processes.enter_words(place.namespace), *words], text)


def _ask(words: Sequence[str], text: str) -> str:
    """Raises UnreachableError that names the package which is missing, or says what the program said."""
    program = next(one for one in words if one in (GO, WG))
    if shutil.which(program) is None:
        package = "wireguard-tools" if program == WG else GO
        raise UnreachableError("lab_package", tool=program, package=package)
    try:
        done = subprocess.run(
            words, input=text, capture_output=True, text=True, timeout=SECONDS_MAX, check=False, env=_quiet()
        )
    except FileNotFoundError as error:
        raise UnreachableError("lab_tool", tool=words[0]) from error
    if done.returncode != 0:
        raise UnreachableError("lab_command", tool=program, detail=done.stderr.strip()[-300:])
    return done.stdout
