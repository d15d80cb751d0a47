"""Protection functions of a lab: what a security pool does to packets, for real. See README.md."""

from collections.abc import Callable
from typing import Final

from suanwang.lab.functions import encryption, firewall, ids
from suanwang.lab.functions.chain import Chained, after_lines, capacity_lines, chain_lines, unchain_lines
from suanwang.lab.functions.firewall import Firewall, Rule
from suanwang.lab.functions.function import Counter, Function, Looked, Place
from suanwang.lab.functions.ids import Ids
from suanwang.model.grid import ProtectionFunction

# How each kind that the lab has is looked at.
LOOK: Final[dict[ProtectionFunction, Callable[[Place], Looked]]] = {
    ProtectionFunction.FIREWALL: firewall.look,
    ProtectionFunction.IDS: ids.look,
    ProtectionFunction.ENCRYPTION: encryption.look,
}

__all__ = [
    "LOOK",
    "Chained",
    "Counter",
    "Firewall",
    "Function",
    "Ids",
    "Looked",
    "Place",
    "Rule",
    "after_lines",
    "capacity_lines",
    "chain_lines",
    "unchain_lines",
]
