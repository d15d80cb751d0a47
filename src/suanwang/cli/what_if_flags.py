"""The flags of `what-if` for the common changes, put together with the changes file."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from suanwang.intent.document import Document, parse
from suanwang.intent.read import validate
from suanwang.model.change import Changes
from suanwang.model.error import Fault, FaultsError
from suanwang.model.what_if_ask import WhatIfAsk
from suanwang.runtime.what_if import read_text
from suanwang.whatif import read_change

PRICES = {"site": "sites", "owner": "owners", "book": "books"}


@dataclass(frozen=True)
class Flags:
    """As they were given."""

    change: Path | None
    without_site: Sequence[str]
    scale_site: Sequence[str]
    cut_link: Sequence[str]
    scale_link: Sequence[str]
    price_factor: Sequence[str]
    tenant_cores: Sequence[str]
    tenant_accelerators: Sequence[str]
    tenant_weight: Sequence[str]
    preference: str | None
    owners: str | None
    load: float | None
    later: str | None

    def text(self) -> str:
        """The changes file."""
        assert self.change is not None, "only asked where there is one"
        return _text_of(self.change)


@cache
def _text_of(path: Path) -> str:
    return read_text(path)


def changes_of(flags: Flags) -> Changes:
    """The changes file with the flags on top of it. Raises FaultsError with every bad flag."""
    base: dict[str, Any] = {}
    if flags.change is not None:
        read_change(flags.text(), str(flags.change))  # its form, before anything of it is used
        base = parse(flags.text(), str(flags.change)).data
    faults: list[Fault] = []
    _listed(base, "sites", "remove", flags.without_site)
    _listed(base, "links", "cut", flags.cut_link)
    _mapped(base, "sites", "scale", _pairs("--scale-site", "west-qingyang:0.5", flags.scale_site, ":", float, faults))
    _mapped(base, "links", "scale", _pairs("--scale-link", "a_b:0.5", flags.scale_link, ":", float, faults))
    _prices(base, flags.price_factor, faults)
    for flag, name, given in (
        ("--tenant-cores", "cores_max", flags.tenant_cores),
        ("--tenant-accelerators", "accelerators_max", flags.tenant_accelerators),
        ("--tenant-weight", "weight", flags.tenant_weight),
    ):
        _tenants(base, name, _pairs(flag, "uni-lab=1000", given, "=", int, faults))
    if flags.preference is not None:
        base.setdefault("policy", {})["preference"] = flags.preference
    if flags.owners is not None:
        base.setdefault("policy", {})["owners"] = [one.strip() for one in flags.owners.split(",") if one.strip()]
    base |= {name: value for name, value in (("load", flags.load), ("later", flags.later)) if value is not None}
    if faults:
        raise FaultsError(faults, "what-if")
    return validate(Changes, Document(base, "what-if", lambda: None))


def _listed(base: dict[str, Any], part: str, name: str, given: Iterable[str]) -> None:
    for one in given:
        base.setdefault(part, {}).setdefault(name, []).append(one)


def _mapped(base: dict[str, Any], part: str, name: str, given: dict[str, Any]) -> None:
    if given:
        base.setdefault(part, {}).setdefault(name, {}).update(given)


def _pairs(flag: str, form: str, given: Iterable[str], mark: str, kind: type, faults: list[Fault]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for one in given:
        name, found, value = one.rpartition(mark)
        try:
            out[name] = kind(value)
        except ValueError:
            found = ""
        if not found or not name:
            faults.append(Fault("flag_form", flag, one, None, {"form": f"{flag} {form}"}))
    return out


def _prices(base: dict[str, Any], given: Iterable[str], faults: list[Fault]) -> None:
    """`site=ID:0.8`, `owner=ID:0.8`, `book=ID:0.8`, `all:0.8`, `network:0.8`."""
    form = "site=west-qingyang:0.8"
    for name, factor in _pairs("--price-factor", form, given, ":", float, faults).items():
        kind, mark, one = name.partition("=")
        if not mark and kind in ("all", "network"):
            base.setdefault("prices", {})[kind] = factor
        elif mark and kind in PRICES and one:
            _mapped(base, "prices", PRICES[kind], {one: factor})
        else:
            faults.append(Fault("flag_form", "--price-factor", name, None, {"form": f"--price-factor {form}"}))


def _tenants(base: dict[str, Any], name: str, given: dict[str, Any]) -> None:
    for tenant, value in given.items():
        changes = base.setdefault("tenants", [])
        one = next((one for one in changes if one.get("id") == tenant), None)
        if one is None:
            one = {"id": tenant}
            changes.append(one)
        one[name] = value


def checked(day: dict[str, Any], size: dict[str, Any], changes: Changes) -> WhatIfAsk:
    """Everything that is asked, as one value. Raises FaultsError with every fault."""
    data = {name: value for name, value in size.items() if value is not None}
    data["day"] = {name: value for name, value in day.items() if value is not None}
    data["changes"] = json.loads(changes.model_dump_json())
    return validate(WhatIfAsk, Document(data, "what-if", lambda: None))
