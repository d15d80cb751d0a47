"""NATS identities: nkeys (an Ed25519 key in base32 that says whose it is) and the JWTs that say what a user may do.

Formats: the nkey of `nats-io/nkeys` (prefix byte, key, CRC-16/XMODEM) and version 2 of the claims of `nats-io/jwt`.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_SEED: Final = 18 << 3  # a seed begins with S
KEY_BYTES: Final = 32
_NO_LIMIT: Final = -1


class Kind(IntEnum):
    """Whose key it is: the first letter of its public form."""

    OPERATOR = 14 << 3  # O
    ACCOUNT = 0  # A
    USER = 20 << 3  # U


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=")


def _unbase32(text: str) -> bytes:
    return base64.b32decode(text + "=" * (-len(text) % 8))


def _checked(raw: bytes) -> str:
    return _base32(raw + binascii.crc_hqx(raw, 0).to_bytes(2, "little"))


def _open(text: str) -> bytes:
    """The bytes of an nkey. Raises ValueError where it is none."""
    try:
        raw = _unbase32(text)
    except binascii.Error as error:
        raise ValueError("not base32") from error
    if len(raw) < KEY_BYTES + 3 or binascii.crc_hqx(raw[:-2], 0).to_bytes(2, "little") != raw[-2:]:
        raise ValueError("its check sum is wrong")
    return raw[:-2]


def is_public(text: str, kind: Kind) -> bool:
    """Whether a text is the public nkey of such an identity."""
    try:
        raw = _open(text)
    except ValueError:
        return False
    return len(raw) == KEY_BYTES + 1 and raw[0] == kind


@dataclass(frozen=True)
class KeyPair:
    """One identity. The seed is its secret."""

    kind: Kind
    raw: bytes

    @staticmethod
    def of_seed(seed: str) -> "KeyPair":
        """Read a seed (`SU...`, `SA...`, `SO...`). Raises ValueError where it is none."""
        raw = _open(seed.strip())
        if len(raw) != KEY_BYTES + 2 or raw[0] & 0xF8 != _SEED:
            raise ValueError("not a seed")
        return KeyPair(Kind((raw[0] & 7) << 5 | (raw[1] & 0xF8) >> 3), raw[2:])

    @property
    def seed(self) -> str:
        head = bytes((_SEED | self.kind >> 5, (self.kind & 31) << 3))
        return _checked(head + self.raw)

    @property
    def public(self) -> str:
        return _checked(bytes((self.kind,)) + self._private().public_key().public_bytes_raw())

    def sign(self, data: bytes) -> bytes:
        return self._private().sign(data)

    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.raw)

    def __repr__(self) -> str:
        return f"KeyPair({self.public})"


def _url64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _compact(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def _jwt(
    issuer: KeyPair, subject: str, name: str, nats: Mapping[str, Any], issued_s: int, expires_s: int | None = None
) -> str:
    claims: dict[str, Any] = {"iat": issued_s, "iss": issuer.public, "name": name, "sub": subject, "nats": dict(nats)}
    if expires_s is not None:
        claims["exp"] = expires_s
    claims["jti"] = _base32(hashlib.sha256(_compact(claims)).digest())
    head = _url64(_compact({"typ": "JWT", "alg": "ed25519-nkey"}))
    body = f"{head}.{_url64(_compact(claims))}"
    return f"{body}.{_url64(issuer.sign(body.encode()))}"


def operator_jwt(operator: KeyPair, name: str, system_account: str, issued_s: int) -> str:
    """Who stands above the accounts of a server."""
    nats = {"type": "operator", "version": 2, "system_account": system_account}
    return _jwt(operator, operator.public, name, nats, issued_s)


def account_jwt(
    operator: KeyPair, account: str, name: str, issued_s: int, disk_bytes: int = 0, memory_bytes: int = 0
) -> str:
    """An account: its streams may hold so many bytes; none where that is 0."""
    names = ("subs", "data", "payload", "imports", "exports", "conn", "leaf")
    limits: dict[str, Any] = dict.fromkeys(names, _NO_LIMIT) | {"wildcards": True}
    if disk_bytes:
        limits |= {"disk_storage": disk_bytes, "mem_storage": memory_bytes, "streams": 16, "consumer": 64}
    nats = {"type": "account", "version": 2, "limits": limits, "default_permissions": {"pub": {}, "sub": {}}}
    return _jwt(operator, account, name, nats, issued_s)


def user_jwt(
    signer: KeyPair,
    account: str,
    user: str,
    name: str,
    issued_s: int,
    *,
    publish: Sequence[str],
    subscribe: Sequence[str],
    subscriptions: int = _NO_LIMIT,
    expires_s: int | None = None,
) -> str:
    """A user of an account: what it may publish to and subscribe to, and nothing else."""
    nats: dict[str, Any] = {
        "type": "user",
        "version": 2,
        "pub": {"allow": list(publish)},
        "sub": {"allow": list(subscribe)},
        "subs": subscriptions,
        "data": _NO_LIMIT,
        "payload": _NO_LIMIT,
    }
    if signer.public != account:
        nats["issuer_account"] = account  # signed by a signing key of the account
    return _jwt(signer, user, name, nats, issued_s, expires_s)
