"""The values inside a rule: addresses, ports, contents, flags. What cannot be read is a ValueError with the right form."""

from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from typing import Final

PORT_MAX: Final = 65_535
CONTENT_BYTES_MAX: Final = 255  # as in Suricata
FLAGS: Final = {"F": 0x01, "S": 0x02, "R": 0x04, "P": 0x08, "A": 0x10, "U": 0x20, "E": 0x40, "C": 0x80}
FLAGS_ALL: Final = 0xFF
PORTS_FORM: Final = f"any, 80, 1:1023, 1024:{PORT_MAX}, [80,443,!8080]"
CONTENT_FORM: Final = f'"text|0d 0a|" (1-{CONTENT_BYTES_MAX} bytes)'
ESCAPES_FORM: Final = '\\" \\; \\\\ \\:'
ESCAPED: Final = '";\\:'


@dataclass(frozen=True)
class Ranges:
    """A set of whole numbers as ranges with both ends, or all but them."""

    ranges: tuple[tuple[int, int], ...]
    but: tuple[tuple[int, int], ...] = ()

    def __contains__(self, value: int) -> bool:
        within = not self.ranges or any(first <= value <= last for first, last in self.ranges)
        return within and not any(first <= value <= last for first, last in self.but)


@dataclass(frozen=True)
class Addresses:
    """Of either family; `any` is None where a rule holds one."""

    v4: Ranges | None
    v6: Ranges | None

    def holds(self, version: int, value: int) -> bool:
        found = self.v4 if version == 4 else self.v6
        return found is not None and value in found


@dataclass(frozen=True)
class Flags:
    """`flags` compared under `mask`: exactly, at least them (`+`), one of them (`*`), or none of them (`!`)."""

    flags: int
    mask: int
    how: str = ""

    def match(self, found: int) -> bool:
        found &= self.mask
        if self.how == "+":
            return found & self.flags == self.flags
        if self.how == "*":
            return bool(found & self.flags)
        return not found & self.flags if self.how == "!" else found == self.flags


def addresses(text: str) -> Addresses | None:
    """`any`, an address, a prefix, or a list of them in brackets; `!` takes out. None is any."""
    kept: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
    out: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
    for no, word in _items(text):
        if word == "any" and not no:
            if len(_items(text)) == 1:
                return None
            raise ValueError("any")
        try:
            net = ip_network(word)
        except ValueError:
            raise ValueError("any, fd00::1, fd00::/16, [fd00::1,10.0.0.0/8,!10.1.0.0/16]") from None
        version = 4 if isinstance(net, IPv4Network) else 6
        (out if no else kept)[version].append((int(net.network_address), int(net.broadcast_address)))
    positive = any(kept.values())
    families = [
        Ranges(tuple(kept[version]), tuple(out[version])) if kept[version] or not positive else None
        for version in (4, 6)
    ]
    return Addresses(*families)


def ports(text: str) -> Ranges | None:
    """`any`, `80`, `1024:`, `:1023`, `1:99`, or a list of them in brackets; `!` takes out. None is any."""
    kept: list[tuple[int, int]] = []
    out: list[tuple[int, int]] = []
    for no, word in _items(text):
        if word == "any" and not no:
            if len(_items(text)) == 1:
                return None
            raise ValueError("any")
        first, colon, last = word.partition(":")
        if not (first or last) or not all(one == "" or (one.isascii() and one.isdigit()) for one in (first, last)):
            raise ValueError(PORTS_FORM)
        least = int(first or 0)
        most = int(last or PORT_MAX) if colon else least
        if not least <= most <= PORT_MAX:
            raise ValueError(PORTS_FORM)
        (out if no else kept).append((least, most))
    return Ranges(tuple(kept), tuple(out))


def content(text: str) -> tuple[bytes, bool]:
    """The bytes of `"abc|0d 0a|"`, and whether `!` stands before it."""
    no = text.startswith("!")
    text = text.removeprefix("!").strip()
    inner = quoted(text)
    if inner is None:
        raise ValueError(CONTENT_FORM)
    out = bytearray()
    for at, part in enumerate(_bars(inner)):
        if at % 2 == 0:
            out += part.encode("utf-8")
            continue
        digits = part.replace(" ", "")
        try:
            if not digits:
                raise ValueError
            out += bytes.fromhex(digits)
        except ValueError:
            raise ValueError(CONTENT_FORM) from None
    if not 1 <= len(out) <= CONTENT_BYTES_MAX:
        raise ValueError(CONTENT_FORM)
    return bytes(out), no


def quoted(text: str) -> str | None:
    """What stands in quotes, escapes still in it; None where there are none."""
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] == '"' else None


def unescaped(text: str) -> str:
    out, escape = [], False
    for one in text:
        if escape and one not in ESCAPED:
            raise ValueError(ESCAPES_FORM)
        if escape or one != "\\":
            out.append(one)
        escape = one == "\\" and not escape
    if escape:
        raise ValueError(ESCAPES_FORM)
    return "".join(out)


def flags(text: str) -> Flags:
    """`S`, `SA`, `+A`, `*SF`, `!R`, `0`; after a comma those that are ignored: `S,CE` (also `S,12`)."""
    wanted, comma, ignored = (part.strip() for part in text.partition(","))
    how = wanted[0] if wanted[:1] in ("+", "*", "!") else ""
    letters = wanted.removeprefix(how)
    ignored = ignored.replace("1", "C").replace("2", "E")
    form = "S, SA, +A, *SF, !R, 0, S,CE (FSRPAUEC)"
    if not letters or (comma and not ignored) or any(one not in FLAGS for one in ignored):
        raise ValueError(form)
    if letters != "0" and any(one not in FLAGS for one in letters):
        raise ValueError(form)
    mask = FLAGS_ALL & ~sum(FLAGS[one] for one in set(ignored))
    found = sum(FLAGS[one] for one in set(letters) if one != "0")
    if found & ~mask:
        raise ValueError(form)
    return Flags(found, mask, how)


def number(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 20 and least <= int(text) <= most):
        raise ValueError(f"{least}-{most}")
    return int(text)


def _items(text: str) -> list[tuple[bool, str]]:
    """(is taken out, word) of each; `![a,b]` takes all of them out."""
    no = text.startswith("!")
    text = text.removeprefix("!")
    bracketed = text.startswith("[") and text.endswith("]")
    words = [word.strip() for word in text[1:-1].split(",")] if bracketed else [text]
    return [(no != word.startswith("!"), word.removeprefix("!")) for word in words]


def _bars(text: str) -> list[str]:
    """Split at bars; every second part is hexadecimal. A bar itself is written |7c|."""
    parts = text.split("|")
    if len(parts) % 2 == 0:
        raise ValueError(CONTENT_FORM)
    return [unescaped(part) if at % 2 == 0 else part for at, part in enumerate(parts)]
