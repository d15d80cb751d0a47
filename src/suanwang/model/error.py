"""The error tree. A fault of ours is an assertion; these are the world's.

SuanwangError
├── FaultsError          a document or request has faults; carries all of them
├── NotFoundError        no such task, site, object (404)
├── NotAllowedError      the key's role or tenant does not allow it (403)
├── NotKnownError        no key, or a wrong one (401)
├── ConflictError        the state does not allow it; an idempotency key reused for another body (409)
├── TooLargeError        over a stated limit (413)
├── StoreError           the store is damaged, locked, or of another version (503)
├── BackendError         an adapter's backend failed; carries a FailureReason
├── NetworkError         a router refused a change, or is not there (502)
├── FunctionError        a Python function that was sent to the grid gave no value (502)
│   ├── RunRefusedError      the grid does not take the task
│   ├── RunCancelledError    somebody ended it
│   ├── RunFailedError       it was lost, killed, or too late; carries a FailureReason
│   ├── SiteUnfitError       the site's Python cannot run it: another version, or a module is missing
│   ├── ResultError          a value that cannot be sent, or an answer that is not understood or not trusted here
│   └── RaisedError          the function raised what cannot be raised again here; its text is all there is
└── UnreachableError     no brain answers at the address
"""

from dataclasses import dataclass, field
from typing import Any

from suanwang.model.reason import FailureReason


@dataclass(frozen=True)
class Fault:
    """One thing wrong with one value. `code` and `params` make the text in any language (`suanwang.texts`)."""

    code: str
    where: str  # the field's path: resources.cpu, sites[3].pools[0].nodes
    got: str = ""
    line: int | None = None
    params: dict[str, Any] = field(default_factory=dict)


class SuanwangError(Exception):
    """Root. `code` names the text, `params` fill it, `status` is the HTTP status it becomes."""

    status = 500
    code = "internal"

    def __init__(self, code: str | None = None, **params: Any) -> None:
        self.code = code or self.code
        self.params = params
        super().__init__(f"{self.code} {params}" if params else self.code)


class FaultsError(SuanwangError):
    """Every fault of a document, at once."""

    status = 422
    code = "faults"

    def __init__(self, faults: list[Fault], source: str = "") -> None:
        assert faults, "a FaultsError has at least one fault"
        super().__init__("faults", count=len(faults), source=source)
        self.faults = faults
        self.source = source


class NotFoundError(SuanwangError):
    status = 404
    code = "not_found"


class NotAllowedError(SuanwangError):
    status = 403
    code = "not_allowed"


class NotKnownError(SuanwangError):
    status = 401
    code = "not_known"


class ConflictError(SuanwangError):
    status = 409
    code = "conflict"


class TooLargeError(SuanwangError):
    status = 413
    code = "too_large"


class StoreError(SuanwangError):
    status = 503
    code = "store"


class UnreachableError(SuanwangError):
    status = 503
    code = "unreachable"


class NetworkError(SuanwangError):
    """`network_hop`: one router failed, and none is changed. `network_torn`: some could not be put back either."""

    status = 502
    code = "network_hop"


class BackendError(SuanwangError):
    status = 502
    code = "backend"

    def __init__(self, reason: FailureReason, detail: str = "") -> None:
        super().__init__("backend", reason=reason.value, detail=detail)
        self.reason = reason
        self.detail = detail


class FunctionError(SuanwangError):
    """`text`: what people read; it is what `str` gives, since these end in a notebook."""

    status = 502
    code = "function"

    def __str__(self) -> str:
        return str(self.params.get("text") or super().__str__())


class RunRefusedError(FunctionError):
    code = "run_refused"


class RunCancelledError(FunctionError):
    code = "run_cancelled"


class RunFailedError(FunctionError):
    code = "run_failed"

    def __init__(self, code: str | None = None, *, reason: FailureReason | None = None, **params: Any) -> None:
        super().__init__(code, reason=None if reason is None else reason.value, **params)
        self.reason = reason


class SiteUnfitError(FunctionError):
    """`site_python`, `site_module`, `site_unpack`, `site_absent`."""

    code = "site_unfit"


class ResultError(FunctionError):
    """`result_form`: the value cannot be sent; `result_untrusted`: it shall not be unpickled here."""

    code = "result"


class RaisedError(FunctionError):
    """`kind` is the exception's type as it was called there, `traceback` where it was raised."""

    code = "raised"

    def __init__(self, code: str | None = None, *, kind: str = "", traceback: str = "", **params: Any) -> None:
        super().__init__(code, kind=kind, **params)
        self.kind = kind
        self.traceback = traceback
