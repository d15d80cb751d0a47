"""Every fault code that the readers can raise has a text in each language, and no text is left without a code."""

import json
import re
from pathlib import Path

import pytest

from suanwang import grids, intent, texts
from suanwang.intent import kubernetes_fields, skypilot
from suanwang.intent.mapping import CODES, PATTERN_CODES, UNION_CODES
from suanwang.intent.slurm_options import OPTIONS

RAISED = re.compile(r'(?:Found|Fault|_one|fail|_?refuse|\.fault|BadValueError|known_fault)\(\s*"([a-z0-9_]+)"')
UNITS = {
    "bytes_form",
    "rate_form",
    "span_form",
    "money_form",
    "instant_form",
    "inner_path_form",
    "outer_path_form",
}  # of the model
COMPOSED = {"unknown_site", "unknown_price_book", "unknown_tenant"}  # check.py makes them from what is referred to
COMPOSED |= {"slurm_constraint", "slurm_clusters", "slurm_no_hetjob"}  # handed on, or of a word
COMPOSED |= {code for fields in kubernetes_fields.REFUSED.values() for code in fields.values()}
COMPOSED |= {*skypilot.REFUSED.values(), *skypilot.TASK_REFUSED.values()}
COMPOSED |= {one.fate for one in OPTIONS.values() if one.fate not in ("used", "none", "quiet")}


def raised() -> set[str]:
    """The codes in the sources of both packages."""
    found = UNITS | COMPOSED | set(CODES.values()) | set(PATTERN_CODES.values()) | set(UNION_CODES.values())
    for package in (intent, grids):
        for path in Path(str(package.__file__)).parent.rglob("*.py"):
            found |= set(RAISED.findall(path.read_text("utf-8")))
    return found


@pytest.mark.parametrize("lang", texts.languages())
def test_texts_and_codes_are_the_same_set(lang: str) -> None:
    known: set[str] = set()
    for name in ("intent", "grids", "doors"):
        path = Path(str(texts.__file__)).with_name(f"{name}.{lang}.json")
        keys = json.loads(path.read_text("utf-8"))
        known |= {key.removeprefix("fault.") for key in keys if not key.startswith(("warning.", "cli."))}
    assert known == raised()
