"""A firewall's rules as text, one a line: `drop telnet tcp 23 from fd00:1::/64 to fd00:2::/64`, at last `rest accept`.

accept|drop NAME [tcp|udp [PORT|FIRST:LAST]] [from PREFIX] [to PREFIX]
rest accept|drop
"""

from ipaddress import IPv6Network
from typing import Any, Final

from suanwang.lab.functions.firewall import NAME, PORT_MAX, REST, Firewall, Rule
from suanwang.model.error import Fault, FaultsError

VERDICTS: Final = ("accept", "drop")
PROTOCOLS: Final = ("tcp", "udp")
SIDES: Final = {"from": "source", "to": "target"}


def read(text: str, source: str = "rules") -> Firewall:
    """Without a `rest` line the rest is accepted. Raises FaultsError with every fault, each with its line."""
    rules: list[Rule] = []
    rests: list[Any] = []
    faults: list[Fault] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if rests:
            faults.append(Fault("lab_wall_after_rest", "rule", line.strip()[:100], number))
        elif words[0] == REST and len(words) == 2 and words[1] in VERDICTS:
            rests.append(words[1])
        else:
            try:
                rules.append(_rule(words))
            except ValueError:
                faults.append(Fault("lab_wall_form", "rule", line.strip()[:100], number))
                continue
            if rules[-1].name in {one.name for one in rules[:-1]}:
                faults.append(Fault("lab_wall_twice", "rule", rules[-1].name, number))
    if faults:
        raise FaultsError(faults, source)
    return Firewall(tuple(rules), *rests)


def _rule(words: list[str]) -> Rule:
    """Raises ValueError for what has not the form."""
    verdict, name, *rest = words
    if verdict not in VERDICTS or not NAME.fullmatch(name) or name == REST:
        raise ValueError(words)
    found: dict[str, Any] = {}
    if rest and rest[0] in PROTOCOLS:
        found["protocol"] = rest.pop(0)
        if rest and rest[0] not in SIDES:
            found["ports"] = _ports(rest.pop(0))
    while rest:
        side, prefix, *rest = rest
        if side not in SIDES or SIDES[side] in found:
            raise ValueError(side)
        found[SIDES[side]] = IPv6Network(prefix)
    return Rule(name, verdict, **found)  # type: ignore[arg-type]  # one of VERDICTS


def _ports(text: str) -> tuple[int, int]:
    first, _, last = text.partition(":")
    if not all(one.isascii() and one.isdigit() and len(one) <= 5 for one in (first, last or first)):
        raise ValueError(text)
    least, most = int(first), int(last or first)
    if text.endswith(":") or not least <= most <= PORT_MAX:
        raise ValueError(text)
    return least, most
