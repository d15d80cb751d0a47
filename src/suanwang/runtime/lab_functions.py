"""Protection functions of a lab for the command line: what is asked for in words, checked at once, then made."""

from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path
from typing import Final

from suanwang.grids.load import read_file
from suanwang.lab import beside
from suanwang.lab.functions import Chained, Function, Ids, firewall_rules
from suanwang.lab.layout import RATE_MIN_BPS, Layout
from suanwang.lab.sensor.rules import TEXT_BYTES_MAX
from suanwang.model.error import Fault, FaultsError
from suanwang.model.grid import ProtectionFunction
from suanwang.runtime import clock
from suanwang.runtime.lab import require, site_of

KINDS: Final = (ProtectionFunction.FIREWALL, ProtectionFunction.IDS, ProtectionFunction.ENCRYPTION)
CAPACITY_MAX_BPS: Final = 10**11


@dataclass(frozen=True)
class Asked:
    """One `lab chain`. `rules` is of a firewall or an IDS, `to` of an encryption hop; `capacity_bps` None is no limit."""

    site: str
    kind: str
    rules: Path | None = None
    to: str | None = None
    capacity_bps: int | None = None


@dataclass(frozen=True)
class Joined:
    """A function as it is in the lab now."""

    number: int
    site: str
    sid: IPv6Address
    namespace: str
    peer: int | None


def chain(name: str, asked: Asked) -> tuple[Joined, ...]:
    """Both ends where it is an encryption hop, the one at `site` first. One clear error for what cannot be."""
    kind = _check(asked)
    if kind is ProtectionFunction.ENCRYPTION:
        assert asked.to is not None, "checked"
        layout = require(name).layout()
        ends = site_of(layout, asked.site), site_of(layout, asked.to)
        made: tuple[Chained, ...] = beside.encrypt(name, *ends, clock.pause, asked.capacity_bps)
    else:
        function = _function(kind, asked.rules)  # its faults first: they need no lab
        layout = require(name).layout()
        made = (beside.chain(name, site_of(layout, asked.site), function, clock.pause, asked.capacity_bps),)
    return tuple(_joined(layout, one) for one in made)


def unchain(name: str, number: int) -> tuple[Joined, ...]:
    """What went: both ends of an encryption hop."""
    layout = require(name).layout()
    return tuple(_joined(layout, one) for one in beside.unchain(name, number, clock.pause))


def _check(asked: Asked) -> ProtectionFunction:
    try:
        kind = ProtectionFunction(asked.kind)
    except ValueError:
        kind = ProtectionFunction.SCRUBBING
    if kind not in KINDS:
        raise FaultsError([Fault("lab_function_kind", "KIND", asked.kind, params={"kinds": ", ".join(KINDS)})], "lab")
    is_hop = kind is ProtectionFunction.ENCRYPTION
    faults = []
    for option, given, needed in (("--rules", asked.rules, not is_hop), ("--to", asked.to, is_hop)):
        if needed and given is None:
            faults.append(Fault("lab_option_needed", option, kind.value, params={"option": option}))
        elif not needed and given is not None:
            faults.append(Fault("lab_option_unused", option, str(given), params={"option": option, "kind": kind.value}))
    if is_hop and asked.to == asked.site:
        faults.append(Fault("lab_hop_ends", "--to", asked.site))
    rate = asked.capacity_bps
    if rate is not None and not RATE_MIN_BPS <= rate <= CAPACITY_MAX_BPS:
        limits = {"least": RATE_MIN_BPS, "most": CAPACITY_MAX_BPS}
        faults.append(Fault("lab_range", "--capacity", str(rate), params=limits))
    if faults:
        raise FaultsError(faults, "lab")
    return kind


def _function(kind: ProtectionFunction, file: Path | None) -> Function:
    assert file is not None, "checked"
    text = read_file(file, TEXT_BYTES_MAX).decode("utf-8", "replace")
    return Ids(text, str(file)) if kind is ProtectionFunction.IDS else firewall_rules.read(text, str(file))


def _joined(layout: Layout, one: Chained) -> Joined:
    site = layout.topology.nodes[one.node]
    return Joined(one.number, site, one.sid(layout), one.place(layout).namespace, one.peer)
