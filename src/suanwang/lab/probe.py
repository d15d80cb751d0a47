"""Whether this machine can have a lab: tried for real in a namespace that is gone afterwards."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from suanwang.lab import netns
from suanwang.model.error import NotAllowedError, SuanwangError, UnreachableError

TOOLS: Final = ("ip", "tc")
TUN: Final = Path("/dev/net/tun")


def probe(prefix: str, lock: int) -> bool:
    """Raises one clear error for what is missing; else whether the kernel has netem (which the lab reports).

    The namespace that it tries in carries the lab's prefix, so that a crash here is cleaned up like any other.
    """
    for tool in TOOLS:
        if shutil.which(tool) is None:
            raise UnreachableError("lab_tool", tool=tool)
    if not TUN.exists():
        raise UnreachableError("lab_tun")
    name = f"{prefix}probe"
    _try("lab_netns", lambda: netns.batch("ip", [f"netns add {name}"], held=[lock]))
    try:
        if not netns.inside(name, Path("/proc/sys/net/ipv6/conf/all/seg6_enabled").exists):
            raise UnreachableError("lab_seg6", detail="net.ipv6.conf.all.seg6_enabled")
        pair = ["link add v0 type veth peer name v1", "link set v0 up", "link set v1 up", "link set lo up"]
        _try("lab_netns", lambda: netns.batch("ip", pair, name, held=[lock]))
        route = "route add fd00:1::/64 encap seg6 mode encap segs fd00:2::1 dev v0"
        sid = "route add fd00:3::/64 encap seg6local action End dev v0"
        _try("lab_seg6", lambda: netns.batch("ip", [route, sid], name, held=[lock]))
        htb = [
            "qdisc add dev v0 root handle 1: htb default 20",
            "class add dev v0 parent 1: classid 1:1 htb rate 1mbit",
        ]
        u32 = "filter add dev v0 parent 1: protocol ipv6 prio 1 u32 match ip6 priority 0xb8 0xfc flowid 1:1"
        _try("lab_htb", lambda: netns.batch("tc", [*htb, u32], name, held=[lock]))
        try:
            netns.batch("tc", ["qdisc add dev v1 root netem delay 1ms"], name, held=[lock])
        except UnreachableError:
            return False
        return True
    finally:
        netns.batch("ip", [f"netns del {name}"], held=[lock], force=True)


def require_root() -> None:
    if os.geteuid() != 0:
        raise NotAllowedError("lab_root")


def _try(code: str, call: Callable[[], None]) -> None:
    try:
        call()
    except SuanwangError as error:
        raise UnreachableError(code, detail=str(error.params.get("detail", ""))) from error
