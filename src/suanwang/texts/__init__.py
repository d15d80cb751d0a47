"""The one catalogue of texts: every word that a person reads, by key, in three languages.

`<lang>.json` and `<part>.<lang>.json` in this folder are flat `{key: template}`; a template has `{param}` places.
The web page is built from the same files. A missing key shows as the key itself: never an error for the reader,
and `tests/texts` fails for it.
"""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LANGUAGES = ("en", "zh-hant", "zh-hans")
_TRADITIONAL = ("zh-hant", "zh-tw", "zh-hk", "zh-mo")


class _Left(dict[str, Any]):
    """A place without a value stays as it is written."""

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def languages() -> tuple[str, ...]:
    """The languages of the catalogue; the first is the one that the others fall back to."""
    return LANGUAGES


@functools.cache
def catalogue(lang: str) -> Mapping[str, str]:
    """Every text of one language. Two files with the same key are a mistake of ours."""
    assert lang in LANGUAGES, f"no catalogue for {lang}"
    found: dict[str, str] = {}
    for path in sorted(Path(__file__).parent.glob("*.json")):
        if path.name == f"{lang}.json" or path.name.endswith(f".{lang}.json"):
            part: dict[str, str] = json.loads(path.read_text("utf-8"))
            twice = found.keys() & part.keys()
            assert not twice, f"{path.name} repeats {sorted(twice)[:5]}"
            found |= part
    return found


def text(key: str, lang: str = "en", /, **params: Any) -> str:
    """The text of `key` in `lang`, else in English, else the key itself; `params` fill its places."""
    template = catalogue(lang).get(key) if lang in LANGUAGES else None
    if template is None:
        template = catalogue("en").get(key)
    return key if template is None else template.format_map(_Left(params))


def has(key: str) -> bool:
    """Whether the catalogue knows the key (in English, which all fall back to)."""
    return key in catalogue("en")


def language_of(tag: str) -> str | None:
    """The catalogue's language for one tag: BCP 47 (`zh-TW`) or POSIX (`zh_TW.UTF-8`); None for others."""
    plain = tag.strip().split(".")[0].split("@")[0].replace("_", "-").lower()
    if plain.startswith("zh"):
        return "zh-hant" if plain.startswith(_TRADITIONAL) else "zh-hans"
    return "en" if plain.split("-")[0] in ("en", "c", "posix") else None


def choose_language(accept: str | None) -> str:
    """The best language for an `Accept-Language` header (RFC 9110, 12.5.4); English where none fits."""
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate((accept or "")[:512].split(",")):
        tag, _, rest = part.partition(";")
        quality = rest.strip().removeprefix("q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            continue
        lang = language_of(tag) if tag.strip() else None
        if lang is not None and weight > 0:
            wanted.append((-weight, place, lang))
    return min(wanted)[2] if wanted else "en"
