"""Around every request: the limit on its body, the headers of security, the count and the access log."""

import logging
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from suanwang.api import problem
from suanwang.api.metrics import Meters
from suanwang.model.error import SuanwangError, TooLargeError
from suanwang.model.units import MIB, show_bytes

BODY_BYTES_MAX: Final[int] = 4 * MIB  # a task file's own limit
BULK_BYTES_MAX: Final[int] = 256 * MIB  # 16,384 tasks of 16 KiB; the SDK submits larger ones in parts
EXCHANGE_BYTES_MAX: Final[int] = 64 * MIB  # an agent that was cut off brings every unacknowledged event at once
WHAT_IF_BYTES_MAX: Final[int] = 16 * MIB  # a trace of some hundred thousand lines
SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data: blob:; connect-src 'self'; style-src 'self'; script-src 'self'; "
        b"object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
)
_log = logging.getLogger("suanwang.access")


def body_limit(path: str, object_bytes_max: int) -> int:
    """The largest body that a path takes, in bytes."""
    if path.startswith("/v1/objects/"):
        return object_bytes_max
    if path == "/v1/tasks:bulk":
        return BULK_BYTES_MAX
    if path == "/v1/what-if":
        return WHAT_IF_BYTES_MAX
    return EXCHANGE_BYTES_MAX if path.startswith("/v1/agents/") else BODY_BYTES_MAX


class Guard:
    """The outermost ASGI layer."""

    def __init__(self, app: ASGIApp, *, meters: Meters, clock: Callable[[], int], object_bytes_max: int) -> None:
        self.app = app
        self.meters = meters
        self.clock = clock
        self.object_bytes_max = object_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began_us, status = self.clock(), [0]
        limit = body_limit(scope["path"], self.object_bytes_max)

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                status[0] = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), *SECURITY_HEADERS]}
            await send(message)

        try:
            if _length(scope) > limit:
                raise TooLargeError(limit=show_bytes(limit))
            await self.app(scope, _limited(receive, limit), send_marked)
        except SuanwangError as error:
            await self._refuse(error, scope, receive, send_marked)
        except Exception:  # a fault of ours, wherever it was: logged, and answered without a word of its inside
            _log.exception("unforeseen")
            if status[0]:
                raise  # half an answer is out: the connection has to break
            await self._refuse(SuanwangError("internal"), scope, receive, send_marked)
        finally:
            self._note(scope, status[0], max(0, self.clock() - began_us))

    async def _refuse(self, error: SuanwangError, scope: Scope, receive: Receive, send: Send) -> None:
        await problem.response(error, _header(scope, b"accept-language"))(scope, receive, send)

    def _note(self, scope: Scope, status: int, took_us: int) -> None:
        route = getattr(scope.get("route"), "path", "none")
        self.meters.requests.labels(scope["method"], route, str(status)).inc()
        self.meters.seconds.labels(route).observe(took_us / 1e6)
        # Never the query: people put things there that no log should keep.
        _log.info("%s %s %s %d us", scope["method"], ascii(scope["path"])[1:-1][:300], status, took_us)


def _limited(receive: Receive, limit: int) -> Receive:
    seen = 0

    async def receive_counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise TooLargeError(limit=show_bytes(limit))
        return message

    return receive_counted


def _header(scope: Scope, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


def _length(scope: Scope) -> int:
    value = _header(scope, b"content-length") or "0"
    return int(value) if value.isdigit() and len(value) < 20 else 0
