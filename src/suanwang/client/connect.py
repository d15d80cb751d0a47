"""Where the brain is and which key to show: as given, else from the environment, else the one that runs here."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from suanwang.model.error import NotKnownError, UnreachableError


@dataclass(frozen=True)
class Address:
    url: str
    key: str = field(repr=False)


def find_address(url: str | None, key: str | None, environment: Mapping[str, str] | None = None) -> Address:
    """Raises UnreachableError where nothing says where, NotKnownError where nothing says who."""
    environment = os.environ if environment is None else environment
    url = url or environment.get("SUANWANG_URL") or None
    key = key or environment.get("SUANWANG_KEY") or None
    if url is None or key is None:
        home = _home(environment)
        url = url or _read(home / "server.json", "url")
        key = key or _read(home / "credentials.json", "key")
    if url is None:
        raise UnreachableError("no_address")
    if not url.startswith(("http://", "https://")):
        raise UnreachableError("address_form", address=url)
    if key is None:
        raise NotKnownError("key_missing")
    return Address(url.rstrip("/"), key)


def running(home: Path) -> Address | None:
    """The brain that runs on a home, by its note; None where there is none or its process is gone."""
    url, key = _read(home / "server.json", "url"), _read(home / "credentials.json", "key")
    try:
        os.kill(int(json.loads((home / "server.json").read_text("utf-8"))["pid"]), 0)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Address(url, key) if url and key else None


def _home(environment: Mapping[str, str]) -> Path:
    given = environment.get("SUANWANG_HOME")
    base = environment.get("XDG_DATA_HOME")
    return Path(given) if given else (Path(base) if base else Path.home() / ".local" / "share") / "suanwang"


def _read(path: Path, name: str) -> str | None:
    try:
        found = json.loads(path.read_text("utf-8"))[name]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None
