"""The language of the command line: `--lang`, else SUANWANG_LANG, else LC_ALL, LC_MESSAGES, LANG; else English."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from suanwang.texts import LANGUAGES, has, language_of, text

_VARIABLES = ("SUANWANG_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


def choose(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """The language for these arguments; looked at before they are parsed, since the help itself has a language."""
    asked = None
    for at, one in enumerate(arguments):
        if one == "--":
            break
        if one == "--lang" and at + 1 < len(arguments):
            asked = arguments[at + 1]
        elif one.startswith("--lang="):
            asked = one.removeprefix("--lang=")
    for value in (asked, *(environment.get(name) for name in _VARIABLES)):
        if value:
            return value if value in LANGUAGES else language_of(value) or "en"
    return "en"


LANG = choose(sys.argv[1:], os.environ)


def t(key: str, /, **params: Any) -> str:
    """A text of the catalogue in the language of this process."""
    return text(key, LANG, **params)


def known(key: str) -> bool:
    return has(key)


def name_of(names: Any) -> str:
    """A site's name in the language of this process."""
    return str(getattr(names, LANG.replace("-", "_")))
