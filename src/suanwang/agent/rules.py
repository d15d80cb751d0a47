"""What the operator lets inputs and outputs travel by. Everything is closed until it is opened here."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Final

from suanwang.model.units import GIB

INPUT_BYTES_MAX: Final = 64 * GIB  # all inputs of one attempt: more belongs into a data set of the grid


@dataclass(frozen=True, slots=True)
class HttpRules:
    """For `http://` and `https://` inputs. Public addresses only, but for what is listed here."""

    allowed_hosts: frozenset[str] = frozenset()  # names that may have any address
    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    redirects_max: int = 5
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 30.0
    total_us: int = 3_600_000_000  # a server that drips bytes cannot hold an attempt longer


@dataclass(frozen=True, slots=True)
class S3Rules:
    """For `s3://` inputs and targets. The credentials are the operator's, so the places are listed."""

    endpoint: str | None = None  # None: the public service
    key: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    region: str | None = None
    readable: tuple[str, ...] = ()  # "bucket" or "bucket/prefix"; empty: nothing
    writable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TransferRules:
    http: HttpRules = field(default_factory=HttpRules)
    s3: S3Rules | None = None
    file_roots: tuple[Path, ...] = ()  # `file://` targets may be under these
    input_bytes_max: int = INPUT_BYTES_MAX


def is_under(place: str, allowed: tuple[str, ...]) -> bool:
    """True where `place` (bucket/key) is one of the allowed places or below one, whole path parts only."""
    return any(place == root or place.startswith(root.rstrip("/") + "/") for root in allowed)
