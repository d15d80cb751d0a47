"""What comes in: parameters with their bounds, and bodies of bytes, cleaned before anything else reads them."""

import json
import re
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Query, Request

from suanwang.model.error import Fault, FaultsError
from suanwang.model.ids import MADE_PATTERN
from suanwang.model.units import AT_US_MAX

SLUG = r"^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$"
INT64 = 2**63
BYTE_US_MAX = 2**96  # an exbibyte for two thousand years
PAGE_LIMIT_MAX = 500  # a page is read into memory whole
LOG_OFFSET_MAX = 2**40  # past any log that is kept

SitePath = Annotated[str, Path(pattern=SLUG)]
PoolPath = Annotated[str, Path(pattern=SLUG)]  # the part of a pool's id after its site
TenantPath = Annotated[str, Path(pattern=SLUG)]
LinkPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$")]
AgentPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
MadePath = Annotated[str, Path(pattern=MADE_PATTERN)]
KeyPath = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Blake3Path = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
Limit = Annotated[int, Query(ge=1, le=PAGE_LIMIT_MAX)]
Cursor = Annotated[str | None, Query(min_length=1, max_length=300, pattern=r"^[A-Za-z0-9._:=-]+$")]
Instant = Annotated[int | None, Query(ge=0, le=AT_US_MAX, description="microseconds since 1970 UTC")]
TenantQuery = Annotated[str | None, Query(pattern=SLUG)]
Offset = Annotated[int, Query(ge=0, le=LOG_OFFSET_MAX)]
IdempotencyKey = Annotated[
    str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200, pattern=r"^[!-~]+$")
]

# In JSON text only an escape can make NUL or half of a surrogate pair, and only long digits a number past 64 bits.
_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])|[0-9]{19}|[0-9][eE]\+?[0-9]")


async def _body(request: Request) -> bytes:
    return await request.body()


RawBody = Annotated[bytes, Depends(_body)]


def check_text(value: str, where: str) -> None:
    """Refuse NUL and halves of surrogate pairs, which neither database nor process takes."""
    if "\x00" in value or any("\ud800" <= one <= "\udfff" for one in value):
        raise FaultsError([Fault("text_broken", where, repr(value[:40]))], "request")


def check_parameters(request: Request) -> None:
    """Every path and query parameter is whole text."""
    for name, value in request.path_params.items():
        check_text(str(value), f"path.{name}")
    for name, value in request.query_params.multi_items():
        check_text(name, "query")
        check_text(value, f"query.{name}")


def check_json(raw: bytes, where: str = "body") -> None:
    """Refuse strings that are no text and whole numbers past 64 bits. Costs one search where there are none."""
    if _SUSPECT.search(raw) is None:
        return
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        return  # the reader of this body says what is wrong with it
    faults: list[Fault] = []
    _walk(data, where, faults)
    if faults:
        raise FaultsError(faults[:100], "request")


def _walk(root: Any, where: str, faults: list[Fault]) -> None:
    todo: list[tuple[str, Any]] = [(where, root)]
    while todo:
        at, value = todo.pop()
        if isinstance(value, dict):
            todo += [(f"{at}.{_plain(key)}", one) for key, one in value.items()]
            todo += [(at, key) for key in value]
        elif isinstance(value, list):
            todo += [(f"{at}[{number}]", one) for number, one in enumerate(value)]
        elif isinstance(value, str) and _plain(value) != value:
            faults.append(Fault("text_broken", at, repr(value[:40])))
        elif isinstance(value, int) and not -INT64 <= value < INT64 and not _is_integral(at, value):
            faults.append(Fault("number_size", at, str(value)[:40]))


def _is_integral(at: str, value: int) -> bool:
    """Memory over time passes 64 bits within minutes; it is kept as text."""
    return at.endswith(".memory_byte_us") and 0 <= value < BYTE_US_MAX


def _plain(value: str) -> str:
    return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
