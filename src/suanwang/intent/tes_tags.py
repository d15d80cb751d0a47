"""Tags of TES, whose names and values are any text, as tags of ours, which are slugs and short. Pure.

One that is of our form stands as it is, so that `suanwang tasks --tag` and company by tags see it. Any other stands under the hash
of its name, or with the hash of its value: enough to find a task by it. The text itself is in the kept document.
"""

import re
import unicodedata
from typing import Final

from blake3 import blake3

from suanwang.model.ids import SLUG_PATTERN
from suanwang.model.task import OWN_TAGS

DOCUMENT_TAG: Final = f"{OWN_TAGS}tes"  # blake3 of the document that a task was sent as
_HASHED: Final = f"{OWN_TAGS}tes-tag."
_HASH_CHARACTERS: Final = 40  # with the prefix 57 of the 64 that a slug may have
VALUE_MAX: Final = 200
_SLUG: Final = re.compile(SLUG_PATTERN)


def tag_name(key: str) -> str:
    """The name that a tag of TES has among ours."""
    if _SLUG.fullmatch(key) and not key.startswith(OWN_TAGS):
        return key
    return _HASHED + blake3(key.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_CHARACTERS]


def tag_value(value: str) -> str:
    """The value that it has."""
    if len(value) <= VALUE_MAX and not any(unicodedata.category(ch) == "Cc" for ch in value):
        return value
    return f"blake3:{blake3(value.encode('utf-8', 'surrogatepass')).hexdigest()}"


def tag_search(key: str, value: str) -> str:
    """The search for tasks with a tag: `name=value`, or `name` for any value, which an empty one asks for."""
    return f"{tag_name(key)}={tag_value(value)}" if value else tag_name(key)
