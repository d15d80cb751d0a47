"""What is declared in a table is documented and tested: settings, reasons, faults, metrics, API errors.

The reference pages are made from the code; here they are held to be fresh. A declared thing is tested when a test
names it, as a member (`PoolReason.KIND`) or as its word in quotes.
"""

import importlib.util
import re
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from source import ROOT, SOURCE

from suanwang.api.metrics import METRICS
from suanwang.failpoints import POINTS
from suanwang.model.reason import FailureReason, PlanFault, PoolReason, RefusalReason, WaitReason
from suanwang.runtime.settings import SETTINGS
from suanwang.texts import catalogue

# Codes that the source puts together from parts, with where.
BUILT = {"unknown_price_book": "grids/check.py", "unknown_tenant": "grids/check.py"}
REFERENCE = ROOT / "docs" / "reference"
ENUMS: tuple[type[StrEnum], ...] = (PoolReason, RefusalReason, WaitReason, FailureReason, PlanFault)


@cache
def generator() -> ModuleType:
    """tools/gen_docs.py as a module."""
    spec = importlib.util.spec_from_file_location("gen_docs", ROOT / "tools" / "gen_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def text_of_tests() -> str:
    """Every test outside this folder, in one text."""
    here = Path(__file__).parent
    return "\n".join(p.read_text("utf-8") for p in sorted((ROOT / "tests").rglob("*.py")) if p.parent != here)


@cache
def members_named(enum: str) -> set[str]:
    """Members of an enum that tests write as `Enum.MEMBER`, or by a short name of the file (`F = PlanFault`)."""
    out: set[str] = set()
    here = Path(__file__).parent
    for path in (ROOT / "tests").rglob("*.py"):
        if path.parent != here:
            text = path.read_text("utf-8")
            short = re.findall(rf"^(\w+) = {enum}$", text, re.MULTILINE)
            for name in (enum, *short):
                out |= set(re.findall(rf"\b{name}\.([A-Z_]+)\b", text))
    return out


@cache
def source_text() -> str:
    """Every file of the package in one text."""
    return "\n".join(path.read_text("utf-8") for path in sorted(SOURCE.rglob("*.py")))


def named(word: str, text: str) -> bool:
    """Whether the word stands in quotes."""
    return re.search(rf"""["'`]{re.escape(word)}["'`]""", text) is not None


def error_codes() -> list[str]:
    """Codes of errors and faults; titles are texts of a code, not codes."""
    keys = [key for key in catalogue("en") if key.startswith(("error.", "fault.")) and not key.endswith(".title")]
    return sorted({key.split(".", 1)[1] for key in keys})


def test_reference_pages_are_fresh() -> None:
    assert generator().stale() == []


@pytest.mark.parametrize("enum", ENUMS, ids=lambda enum: enum.__name__)
def test_every_reason_is_documented(enum: type[StrEnum]) -> None:
    page = (REFERENCE / "reasons.md").read_text("utf-8")
    assert [member.value for member in enum if f"| `{member.value}` |" not in page] == []


@pytest.mark.parametrize("enum", ENUMS, ids=lambda enum: enum.__name__)
def test_every_reason_is_tested(enum: type[StrEnum]) -> None:
    text = text_of_tests()
    known = members_named(enum.__name__)
    missing = [m.value for m in enum if m.name not in known and not named(m.value, text)]
    assert missing == [], f"no test names these members of {enum.__name__}"


def test_every_setting_is_documented_and_tested() -> None:
    page, text = (REFERENCE / "settings.md").read_text("utf-8"), text_of_tests()
    assert [one.name for one in SETTINGS if f"| `{one.variable}` |" not in page] == []
    untested = [one.name for one in SETTINGS if one.variable not in text and not _used(one.name, text)]
    assert untested == []


def _used(name: str, text: str) -> bool:
    return named(name, text) or re.search(rf"\b{name}=", text) is not None


def test_every_metric_is_documented_and_tested() -> None:
    page, text = (REFERENCE / "metrics.md").read_text("utf-8"), text_of_tests()
    assert [one.name for one in METRICS if f"| `{one.name}` |" not in page] == []
    assert [one.name for one in METRICS if one.name not in text] == []


def test_every_error_code_is_documented_raised_and_tested() -> None:
    page, text, source = (REFERENCE / "errors.md").read_text("utf-8"), text_of_tests(), source_text()
    codes = error_codes()
    assert [code for code in codes if f"| `{code}` |" not in page] == []
    assert [code for code in codes if not named(code, source) and code not in BUILT] == [], (
        "texts of codes that nothing raises"
    )
    assert [code for code in codes if not named(code, text)] == [], "codes that no test names"


def test_every_failpoint_is_tested() -> None:
    text = text_of_tests()
    whole = re.search(r"\bPOINTS\b", text) is not None
    assert whole or [point for point in POINTS if not named(point, text)] == []
    assert [point for point in POINTS if f'"{point}"' not in source_text()] == []


def test_every_declared_failpoint_is_passed_by_the_code() -> None:
    hits = set(re.findall(r"""\bhit\(\s*["']([a-z_.]+)["']""", source_text()))
    assert hits <= set(POINTS)
    assert set(POINTS) - hits == set()
