"""A firewall: nftables in the function's namespace, a named counter for each rule and one for the rest."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Network
from typing import Any, Final, Literal

from suanwang.lab import netns
from suanwang.lab.functions.function import Counter, Looked, Place
from suanwang.model.error import UnreachableError
from suanwang.model.grid import ProtectionFunction

TABLE: Final = "suanwang"
CHAIN: Final = "passing"
REST: Final = "rest"  # the counter of what no rule matched
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,30}")
SECONDS_MAX: Final = 20
PORT_MAX: Final = 65_535
Verdict = Literal["accept", "drop"]


@dataclass(frozen=True)
class Rule:
    """Matches where everything given matches; the first rule that matches decides. Ports need a protocol."""

    name: str  # also its counter's
    verdict: Verdict
    protocol: Literal["tcp", "udp"] | None = None
    ports: tuple[int, int] | None = None  # destination, both included
    source: IPv6Network | None = None
    target: IPv6Network | None = None

    def __post_init__(self) -> None:
        assert NAME.fullmatch(self.name) and self.name != REST, f"no name for a rule: {self.name}"
        if self.ports is not None:
            assert self.protocol is not None, "ports of which protocol?"
            assert 0 <= self.ports[0] <= self.ports[1] <= PORT_MAX, f"no range of ports: {self.ports}"


@dataclass(frozen=True)
class Firewall:
    """`rules` in order, then `rest` for what none of them matches."""

    rules: tuple[Rule, ...]
    rest: Verdict = "accept"

    def __post_init__(self) -> None:
        names = [rule.name for rule in self.rules]
        assert len(set(names)) == len(names), "each rule has its own counter"

    @property
    def kind(self) -> ProtectionFunction:
        return ProtectionFunction.FIREWALL

    def start(self, place: Place, lock: int) -> None:
        """The whole table or none of it; a table that stands already is replaced in one transaction."""
        if shutil.which("nft") is None:
            raise UnreachableError("lab_package", tool="nft", package="nftables")
        _nft(place.namespace, ["-f", "-"], json.dumps(ruleset(self)), [lock])

    def counters(self, place: Place) -> dict[str, Counter]:
        return counters(place.namespace)


def look(place: Place) -> Looked:
    """The kernel does the work: the firewall lives as long as its table stands."""
    try:
        return Looked(True, counters(place.namespace))
    except UnreachableError as error:
        if error.code != "lab_command":
            raise
        return Looked(False, {})


def ruleset(wall: Firewall) -> dict[str, Any]:
    """The commands for `nft -j` (libnftables-json(5)). Pure."""
    table = {"family": "ip6", "name": TABLE}
    inside = {"family": "ip6", "table": TABLE}
    hook = {"name": CHAIN, "type": "filter", "hook": "forward", "prio": 0, "policy": wall.rest}
    commands: list[dict[str, Any]] = [
        {"add": {"table": table}},
        {"delete": {"table": table}},
        {"add": {"table": table}},
    ]
    commands += [{"add": {"counter": inside | {"name": name}}} for name in (*(r.name for r in wall.rules), REST)]
    commands.append({"add": {"chain": inside | hook}})
    for rule in wall.rules:
        body = [*_matches(rule), {"counter": rule.name}, {rule.verdict: None}]
        commands.append({"add": {"rule": inside | {"chain": CHAIN, "expr": body}}})
    commands.append({"add": {"rule": inside | {"chain": CHAIN, "expr": [{"counter": REST}]}}})
    return {"nftables": commands}


def counters(namespace: str) -> dict[str, Counter]:
    """What each rule, and the rest, has matched so far."""
    rows = json.loads(_nft(namespace, ["list", "counters", "table", "ip6", TABLE], "", []))["nftables"]
    found = [row["counter"] for row in rows if "counter" in row]
    return {one["name"]: Counter(int(one["packets"]), int(one["bytes"])) for one in found}


def _matches(rule: Rule) -> list[dict[str, Any]]:
    out = []
    if rule.protocol is not None:
        out.append(_equal({"meta": {"key": "l4proto"}}, rule.protocol))
    if rule.ports is not None:
        out.append(_equal({"payload": {"protocol": rule.protocol, "field": "dport"}}, {"range": list(rule.ports)}))
    for side, prefix in (("saddr", rule.source), ("daddr", rule.target)):
        if prefix is not None:
            within = {"prefix": {"addr": str(prefix.network_address), "len": prefix.prefixlen}}
            out.append(_equal({"payload": {"protocol": "ip6", "field": side}}, within))
    return out


def _equal(left: object, right: object) -> dict[str, Any]:
    return {"match": {"op": "==", "left": left, "right": right}}


def _nft(namespace: str, words: Sequence[str], text: str, held: Sequence[int]) -> str:
    arguments = ["nsenter", f"--net={netns.RUN / namespace}", "nft", "-j", *words]
    try:
        done = subprocess.run(
            arguments, input=text, capture_output=True, text=True, pass_fds=held, timeout=SECONDS_MAX, check=False
        )
    except FileNotFoundError as error:
        raise UnreachableError("lab_tool", tool="nsenter") from error
    if done.returncode != 0:
        raise UnreachableError("lab_command", tool="nft", detail=done.stderr.strip()[:300])
    return done.stdout
