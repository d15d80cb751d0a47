"""Errors that say in words what they are, for people who see them in a traceback and not through the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from suanwang.model.error import FaultsError, SuanwangError
from suanwang.texts import text

ErrorT = TypeVar("ErrorT", bound=SuanwangError)


def explained(error: ErrorT, lang: str = "en") -> ErrorT:
    """The same error, with its words as notes: one for each fault, with its place and the right form."""
    if getattr(error, "__notes__", None) or error.params.get("text"):
        return error
    if isinstance(error, FaultsError):
        for one in error.faults:
            words = one.params.get("text") or text(
                f"fault.{one.code}", lang, **{**one.params, "got": one.got, "where": one.where}
            )
            error.add_note(f"{one.where}: {words}" if one.where else words)
    else:
        error.add_note(str(error.params.get("detail") or text(f"error.{error.code}", lang, **error.params)))
    return error


@contextmanager
def worded(lang: str = "en") -> Iterator[None]:
    """Whatever error leaves the block does so with its words."""
    try:
        yield
    except SuanwangError as error:
        explained(error, lang)
        raise
