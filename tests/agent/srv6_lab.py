"""h1-r1-{r2 | r3-r4}-r5-h2 as network namespaces, for the tests of the srv6 adapter alone."""

import os
import subprocess
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest
from tests.net.five_routers import ACCESS_MTU, CABLES, CORE_MTU, five_routers

from suanwang.agent.adapters.srv6 import SYSCTLS
from suanwang.agent.adapters.srv6.netns import inside
from suanwang.net.addressing import Addressing

RUN = Path("/run/netns")
# The two ends of a cable have different numbers. Each namespace counts its devices from 1, so left alone both ends may be
# number 2, say; Linux then takes an end for a device without a peer, and hears that its carrier is lost only at the next
# turn of linkwatch, which comes at most once a second on the whole machine (net/core/link_watch.c).
INDEX_FIRST = 100
SYSCTLS_OF_ALL = {"conf/default/accept_dad": "0", "conf/default/seg6_enabled": "1"}


def why_not() -> str:
    """Why namespaces with SRv6 cannot be had here; empty where they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not Path("/proc/sys/net/ipv6/conf/all/seg6_enabled").exists():
        return "the kernel has no SRv6 (CONFIG_IPV6_SEG6_LWTUNNEL)"
    name = f"srv6-try-{os.getpid()}"
    try:
        made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "there is no `ip` (the package iproute2)"
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return made.stderr.strip()


WHY_NOT = why_not()
NAMESPACES = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "can run")


class Lab:
    """The namespaces of one test file. Routers are r1 to r5, hosts h1 (at r1) and h2 (at r5)."""

    def __init__(self) -> None:
        self.prefix = f"srv6-{os.getpid()}-"
        self.addressing = Addressing(five_routers())
        self.names = [*self.addressing.topology.nodes, "h1", "h2"]
        self.close()
        ip("".join(f"netns add {self.namespace(name)}\n" for name in self.names))
        for name in self.names:
            sysctls = SYSCTLS if name.startswith("r") else {}
            inside(self.namespace(name), partial(_write_sysctls, {**sysctls, **SYSCTLS_OF_ALL}))
        ip("".join(self._cables()))
        for name in self.names:
            ip("".join(self._addresses(name)), self.namespace(name))

    def namespace(self, name: str) -> str:
        return self.prefix + name

    def _cables(self) -> list[str]:
        out = []
        for a, b in (*CABLES, (0, 5), (4, 6)):
            mtu = CORE_MTU if max(a, b) < 5 else ACCESS_MTU
            ends = [self._end(a, b, mtu), self._end(b, a, mtu)]
            out.append(f"link add name {ends[0]} type veth peer name {ends[1]}\n")
        for router in self.names[:5]:
            at = f"netns {self.namespace(router)}"
            out.append(f"link add name sids {at} type veth peer name sids-end {at}\n")
        return out

    def _end(self, at: int, to: int, mtu: int) -> str:
        device = f"to{self.names[to][1:] if to < 5 else 'host'}"
        return f"{device} index {INDEX_FIRST + 10 * at + to} mtu {mtu} netns {self.namespace(self.names[at])}"

    def _addresses(self, name: str) -> list[str]:
        plan = self.addressing
        out = ["link set lo up\n"]
        if name.startswith("h"):
            node = 0 if name == "h1" else 4
            device = f"to{node + 1}"
            out += [f"addr add {plan.host_address(node)}/64 dev {device} nodad\n", f"link set {device} up\n"]
            return [*out, f"route add default via {plan.router_on_host_link(node)} dev {device}\n"]
        node = self.names.index(name)
        topology = plan.topology
        out += [f"addr add {plan.loopback(node)}/128 dev lo nodad\n", "link set sids up\nlink set sids-end up\n"]
        for link in topology.out[topology.first[node] : topology.first[node + 1]].tolist():
            device = f"to{int(topology.target[link]) + 1}"
            out.append(f"addr add {plan.link_address(link)}/64 dev {device} nodad\nlink set {device} up\n")
        if node in (0, 4):
            out.append(f"addr add {plan.router_on_host_link(node)}/64 dev tohost nodad\nlink set tohost up\n")
        return out

    def link(self, router: str, device: str, up: bool) -> None:
        """Cut or heal a link at one end; the far end loses its carrier."""
        ip(f"link set {device} {'up' if up else 'down'}\n", self.namespace(router))

    def close(self) -> None:
        here = [path.name for path in RUN.iterdir() if path.name.startswith(self.prefix)] if RUN.is_dir() else []
        ip("".join(f"netns del {name}\n" for name in here))


def _write_sysctls(values: Mapping[str, str]) -> None:
    for path, value in values.items():
        Path("/proc/sys/net/ipv6", path).write_text(value)


def ip(lines: str, namespace: str = "") -> None:
    """Lines of `ip -6 -batch`."""
    where = ["-n", namespace] if namespace else []
    done = subprocess.run(["ip", "-6", *where, "-batch", "-"], input=lines, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
