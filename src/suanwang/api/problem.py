"""Errors as RFC 9457 problem documents, in the reader's language. Every error that leaves the API is one of these."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from suanwang.api.tes_paths import is_tes
from suanwang.model.error import Fault, FaultsError, SuanwangError
from suanwang.model.view import FaultView, Problem
from suanwang.texts import choose_language, text

MEDIA_TYPE = "application/problem+json"
# What the framework itself refuses, as codes of our own.
_CODE_OF_STATUS = {404: "no_route", 405: "method"}


def fault_view(fault: Fault, lang: str, kind: str = "fault") -> FaultView:
    """A fault, or a warning, with its text. Params are shown as texts: they may hold numbers past 2^53."""
    params = {name: value if isinstance(value, int | str) else str(value) for name, value in fault.params.items()}
    words = text(f"{kind}.{fault.code}", lang, **{**params, "got": fault.got, "where": fault.where})
    return FaultView(where=fault.where, line=fault.line, got=fault.got, code=fault.code, text=words, params=params)


def problem(error: SuanwangError, lang: str) -> Problem:
    """The document of one error."""
    faults = error.faults if isinstance(error, FaultsError) else []
    return Problem(
        type=f"urn:suanwang:error:{error.code}",
        title=text(f"error.{type(error).code}.title", lang),
        status=error.status,
        detail=text(f"error.{error.code}", lang, **error.params),
        code=error.code,
        faults=tuple(fault_view(one, lang) for one in faults),
    )


def response(error: SuanwangError, accept_language: str | None, tes: bool = False) -> Response:
    """The HTTP answer of an error. Clients of TES are told of faults by 400, as its specification has it."""
    lang = choose_language(accept_language)
    headers = {"Content-Language": lang, "Cache-Control": "no-store"}
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="suanwang"'
    if error.status in (429, 503):
        headers["Retry-After"] = "2"
    document = problem(error, lang)
    if tes and isinstance(error, FaultsError):
        document = document.model_copy(update={"status": 400})
    return Response(document.model_dump_json(), document.status, headers, media_type=MEDIA_TYPE)


class _HttpError(SuanwangError):
    """A refusal of the framework: no such route, or another method."""

    code = "http"

    def __init__(self, status: int, code: str, **params: Any) -> None:
        super().__init__(code, **params)
        self.status = status


class MediaTypeError(SuanwangError):
    """The body is of a media type that the route does not take."""

    status = 415
    code = "media_type"


def faults_of(error: ValidationError | RequestValidationError, root: str = "") -> FaultsError:
    """pydantic's errors about parameters and small bodies; task files go through `intent`, which says more."""
    faults = []
    for one in error.errors():
        where = ".".join(str(part) for part in one["loc"])
        got = repr(one.get("input"))[:80]
        where = f"{root}.{where}".strip(".")
        code = "parameter_missing" if one["type"] == "missing" else "parameter_form"
        faults.append(Fault(code, where, "" if code == "parameter_missing" else got, None, {"need": one["msg"]}))
    return FaultsError(faults[:100], "request")


def install(app: FastAPI) -> None:
    """Map every foreseen exception to a problem; the guard answers for the others."""

    def accept(request: Request) -> str | None:
        return request.headers.get("accept-language")

    def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, SuanwangError)
        return response(error, accept(request), is_tes(request.url.path))

    def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError | ValidationError)
        return response(faults_of(error), accept(request), is_tes(request.url.path))

    def framework(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = _CODE_OF_STATUS.get(error.status_code, "http")
        answer = response(
            _HttpError(error.status_code, code, method=request.method, path=request.url.path[:200]), accept(request)
        )
        _copy(error.headers or {}, answer)
        return answer

    app.add_exception_handler(SuanwangError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, framework)


def _copy(headers: Mapping[str, str], answer: Response) -> None:
    for name, value in headers.items():
        answer.headers[name] = value
