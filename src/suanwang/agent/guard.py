"""HTTP downloads that cannot reach what only this host can reach.

A task's input address is a stranger's word. The name is resolved here, every address it has is judged, and the
connection goes to a judged address, so a name that changes its mind between look and call changes nothing. Each
redirect is a new connection and judged the same way. No proxy of the environment is used.
"""

import ipaddress
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import httpcore
import httpx

from suanwang.agent.rules import HttpRules
from suanwang.model.error import BackendError
from suanwang.model.reason import FailureReason

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], list[str]]

# Public by the registries, yet answered by the cloud host itself: the metadata service of one large provider.
_METADATA: Final = frozenset({ipaddress.ip_address("168.63.129.16")})
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE: Final = ipaddress.ip_network("::/96")
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


def resolve(host: str, port: int) -> list[str]:
    """Every address of a name, from the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _embedded(address: Address) -> list[Address]:
    """The address and every IPv4 address that stands inside it (mapped, compatible, 6to4, Teredo, NAT64)."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    inside: list[Address] = [a for a in (address.ipv4_mapped, address.sixtofour) if a is not None]
    if address.teredo is not None:
        inside += address.teredo
    if address in _NAT64 or address in _COMPATIBLE:
        inside.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    # A mapped or translated address is that IPv4 address and nothing else.
    return inside if address.ipv4_mapped is not None or address in _NAT64 else [address, *inside]


def is_public(address: Address) -> bool:
    """True for an address that any host of the Internet could be asked at."""
    return all(
        a.is_global
        and not a.is_multicast
        and not a.is_reserved
        and not getattr(a, "is_site_local", False)
        and a not in _METADATA
        for a in _embedded(address)
    )


def is_allowed(host: str, address: Address, rules: HttpRules) -> bool:
    """Public, or let in by the operator."""
    if host.lower().rstrip(".") in rules.allowed_hosts or is_public(address):
        return True
    return any(any(a in network for network in rules.allowed_networks) for a in _embedded(address))


class GuardedBackend(httpcore.NetworkBackend):
    """Connects to judged addresses only."""

    def __init__(self, rules: HttpRules, resolver: Resolve = resolve) -> None:
        self._rules = rules
        self._resolve = resolver
        self._real = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        fault: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in self._judged(host, port):
            try:
                return self._real.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as refused:
                fault = refused
        raise fault

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        raise BackendError(FailureReason.INPUT_FORBIDDEN, "a unix socket is no input")

    def _judged(self, host: str, port: int) -> list[str]:
        try:
            found = self._resolve(host, port)
        except (OSError, UnicodeError) as fault:
            raise BackendError(FailureReason.INPUT_MISSING, f"{host} cannot be resolved") from fault
        for text in found:
            # One forbidden address of several is enough: a name that mixes them is up to no good.
            if not is_allowed(host, ipaddress.ip_address(text.partition("%")[0]), self._rules):
                detail = f"{host} is at {text}, which is not a public address; the operator can allow it"
                raise BackendError(FailureReason.INPUT_FORBIDDEN, detail)
        return found


class Downloads:
    """Reads `http://` and `https://` addresses under the operator's rules. `monotonic` gives microseconds."""

    def __init__(self, rules: HttpRules, monotonic: Callable[[], int], resolver: Resolve = resolve) -> None:
        self._rules = rules
        self._monotonic = monotonic
        self._resolver = resolver
        self._made: httpcore.ConnectionPool | None = None

    @property
    def _pool(self) -> httpcore.ConnectionPool:
        """Made at first use: reading every certificate authority takes a while, and most tasks need none."""
        if self._made is None:
            self._made = httpcore.ConnectionPool(
                ssl_context=httpx.create_ssl_context(trust_env=False),
                network_backend=GuardedBackend(self._rules, self._resolver),
                max_keepalive_connections=0,
            )
        return self._made

    @contextmanager
    def open(self, url: str) -> Iterator[Iterator[bytes]]:
        """The body of `url` in pieces, after redirects. BackendError where it may not or cannot be had."""
        deadline_us = self._monotonic() + self._rules.total_us
        target = self._checked(url, None)
        for _ in range(self._rules.redirects_max + 1):
            try:
                with self._stream(target) as answer:
                    onward = _location(answer)
                    if onward is None:
                        _expect_ok(answer, target)
                        yield self._pieces(answer, deadline_us, target)
                        return
            except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as fault:
                detail = f"{target.host}: {type(fault).__name__}: {fault}"
                raise BackendError(FailureReason.INPUT_MISSING, detail) from fault
            target = self._checked(str(target.join(onward)), target)
        raise BackendError(FailureReason.INPUT_MISSING, f"more than {self._rules.redirects_max} redirects")

    @contextmanager
    def _stream(self, target: httpx.URL) -> Iterator[httpcore.Response]:
        rules = self._rules
        timeouts = {"connect": rules.connect_timeout_s, "read": rules.read_timeout_s, "write": rules.read_timeout_s}
        headers = [("host", target.netloc.decode("ascii")), ("accept", "*/*"), ("accept-encoding", "identity")]
        with self._pool.stream("GET", str(target), headers=headers, extensions={"timeout": timeouts}) as answer:
            yield answer

    def _pieces(self, answer: httpcore.Response, deadline_us: int, target: httpx.URL) -> Iterator[bytes]:
        for part in answer.iter_stream():
            if self._monotonic() > deadline_us:
                raise BackendError(FailureReason.INPUT_MISSING, f"{target.host} is too slow")
            yield part

    @staticmethod
    def _checked(url: str, before: httpx.URL | None) -> httpx.URL:
        try:
            target = httpx.URL(url)
        except httpx.InvalidURL as fault:
            raise BackendError(FailureReason.INPUT_FORBIDDEN, f"not an address: {fault}") from fault
        if target.scheme not in ("http", "https") or not target.host or target.userinfo:
            raise BackendError(FailureReason.INPUT_FORBIDDEN, f"{target.scheme}: is no address that an input may have")
        if before is not None and before.scheme == "https" and target.scheme == "http":
            raise BackendError(FailureReason.INPUT_FORBIDDEN, "a redirect from https to http")
        return target

    def close(self) -> None:
        if self._made is not None:
            self._made.close()


def _location(answer: httpcore.Response) -> str | None:
    if answer.status not in _REDIRECTS:
        return None
    found = next((value for name, value in answer.headers if name.lower() == b"location"), None)
    return found.decode("latin-1") if found is not None else None


def _expect_ok(answer: httpcore.Response, target: httpx.URL) -> None:
    if answer.status != httpx.codes.OK:
        raise BackendError(FailureReason.INPUT_MISSING, f"{target.host} answered {answer.status}")
