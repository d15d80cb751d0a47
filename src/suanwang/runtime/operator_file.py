"""The operator's file of an adapter: read, checked, and every fault told with its line."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeVar

from suanwang.intent.document import parse
from suanwang.intent.mapping import Found
from suanwang.intent.read import check, raise_found
from suanwang.model.base import Value
from suanwang.model.error import Fault, FaultsError

FILE_BYTES_MAX: Final = 1024**2
F = TypeVar("F", bound=Value)


def read_operator_file(
    kind: type[F], setting: str, path: str, unread: str, misfits: Callable[[F], Iterable[Found]]
) -> F:
    """The file at `path`, which the setting names. `unread`: the fault of one that cannot be read; `misfits`: what is wrong with one that is well formed.

    Raises FaultsError.
    """
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        fault = Fault(unread, setting, path, params={"detail": error.strerror or ""})
        raise FaultsError([fault], "agent") from error
    document = parse(text, path, FILE_BYTES_MAX)
    file, found = check(kind, document)
    if file is not None:
        found = list(misfits(file))
    raise_found(found, document)
    assert file is not None, "no fault means a file"
    return file
