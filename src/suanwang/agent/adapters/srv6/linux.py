"""Routers that are Linux network namespaces, reached by `ip -batch`: one process a batch, whatever its size.

A netlink writer of our own was weighed and left out: see docs/decisions/0116.
"""

import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from suanwang.agent.adapters.srv6 import parse
from suanwang.agent.adapters.srv6.lines import line
from suanwang.agent.adapters.srv6.netns import group_packets
from suanwang.agent.adapters.srv6.port import PROTOCOL, Counters, Installed, Step
from suanwang.model.error import NetworkError

SECONDS_MAX: Final = 60
# Bursts of replaces can outrun the kernel's pool of per-CPU memory: it refuses with ENOMEM, and has some soon after.
NO_MEMORY: Final = "Cannot allocate memory"
FAILED_AT: Final = re.compile(r"^Command failed [^:]*:(\d+)$", re.MULTILINE)
TRIES: Final = 8
WAIT_SECONDS: Final = 0.01  # doubled with each try: 1.3 s in all

# What a router of an SRv6 domain has set, below /proc/sys/net/ipv6. The hash takes the inner flow where there is one:
# the headend writes it into the outer flow label (RFC 6437), and the others hash that.
SYSCTLS: Final = {
    "conf/all/forwarding": "1",
    "conf/all/seg6_enabled": "1",  # and of each device
    "conf/all/keep_addr_on_down": "1",
    "conf/all/ignore_routes_with_linkdown": "1",
    "seg6_flowlabel": "1",
    "fib_multipath_hash_policy": "3",
    "fib_multipath_hash_fields": "63",  # addresses, protocol, flow label, ports
}


@dataclass(frozen=True)
class LinuxDriver:
    """`namespace` gives the network namespace of a router; `wait` waits some seconds (the real one is in runtime)."""

    namespace: Callable[[str], str]
    wait: Callable[[float], None]
    protocol: int = PROTOCOL

    def read(self, router: str) -> Installed:
        lines = ["link show", f"nexthop show proto {self.protocol}", "sr tunsrc show"]
        links, next_hops, source = parse.documents(self._ask(router, ["-j"], lines))
        (routes,) = parse.documents(self._ask(router, ["-j", "-6"], [self._routes]))
        down = parse.down_devices(links)
        items = [*parse.next_hops(next_hops), *parse.routes(routes, down), *parse.source(source)]
        return Installed({item.key: item for item in items}, down)

    # No `-6` for a batch that writes: with it the kernel refuses groups, which have no family of their own.
    def write(self, router: str, steps: Sequence[Step]) -> None:
        lines = [line(step) for step in steps]
        wait = WAIT_SECONDS
        for left in reversed(range(TRIES)):
            code, _, errors = self._run(router, [], lines)
            if code == 0:
                return
            found = FAILED_AT.search(errors)
            if found is None or NO_MEMORY not in errors or not left:
                at = int(found[1]) - 1 if found else 0
                raise NetworkError("network_hop", router=router, command=lines[at], detail=_last_words(errors))
            lines = lines[int(found[1]) - 1 :]  # a batch ends at the line that failed
            self.wait(wait)
            wait *= 2

    def counters(self, router: str) -> Counters:
        routes, links = parse.documents(self._ask(router, ["-j", "-s", "-6"], [self._routes, "link show"]))
        try:
            members = group_packets(self.namespace(router))
        except OSError as error:
            raise NetworkError("network_hop", router=router, command="RTM_GETNEXTHOP", detail=str(error)) from error
        return parse.counters(routes, links, members)

    @property
    def _routes(self) -> str:
        return f"route show table all proto {self.protocol}"

    def _ask(self, router: str, flags: list[str], lines: list[str]) -> str:
        code, out, errors = self._run(router, flags, lines)
        if code != 0:
            raise NetworkError("network_hop", router=router, command=lines[0], detail=_last_words(errors))
        return out

    def _run(self, router: str, flags: list[str], lines: list[str]) -> tuple[int, str, str]:
        command = ["ip", *flags, "-n", self.namespace(router), "-batch", "-"]
        text = "\n".join(lines) + "\n"
        try:
            done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NetworkError("network_hop", router=router, command="ip", detail=str(error)) from error
        return done.returncode, done.stdout, done.stderr


def _last_words(errors: str) -> str:
    """What the kernel said, without the number of the line."""
    words = [one for one in errors.splitlines() if one and not FAILED_AT.match(one)]
    return "; ".join(words)[:300]
