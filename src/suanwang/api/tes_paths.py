"""Where TES clients call and how they say who they are. `/tes` is a base address below which every path works that a client
of TES 1.0 or 1.1 tries; at the root only the one of the specification does, since `/v1/tasks` is our own there.
"""

import base64
import binascii
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

BASE: Final = "/ga4gh/tes/v1"
_ALIASES: Final = ("/tes/ga4gh/tes/v1", "/tes/v1")
OLD_BASE: Final = "/tes/v1"  # of clients that know TES 1.0 alone
OLD: Final = "suanwang.tes_old"  # in the scope of a request that came by it
_PASSED: Final = frozenset({"none", "null", "undefined"})  # what a client without credentials puts in their place
KEY_BEGINS: Final = "sw_"


def is_tes(path: str) -> bool:
    return path.startswith(f"{BASE}/")


class TesPaths:
    """ASGI: the other addresses of TES are the one of the specification."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/tes/"):
            _rename(scope)
        await self.app(scope, receive, send)


def _rename(scope: Scope) -> None:
    """In place, so that whoever counts the request outside of this sees its route."""
    path = scope["path"]
    for alias in _ALIASES:
        if path.startswith(f"{alias}/"):
            rest = path.removeprefix(alias)
            rest = "/service-info" if rest == "/tasks/service-info" else rest  # where TES 1.0 had it
            scope["path"] = BASE + rest
            scope["raw_path"] = scope["path"].encode()
            scope[OLD] = alias == OLD_BASE
            return


def bearer_of(header: str) -> str:
    """The header with a key in it as a bearer's; empty where there is none. TES clients know Basic: the key is the
    password, or the name where the password is none. `None:None` is what one without credentials sends."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() != "basic":
        return header.strip()
    try:
        name, _, password = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return header.strip()
    for word in (password, name):
        if word.startswith(KEY_BEGINS):
            return f"Bearer {word}"
    return "" if {name.lower(), password.lower()} <= {*_PASSED, ""} else header.strip()
