"""What is shipped: texts in step in three languages, a lock without registry addresses, a page without strangers."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WEB, TEXTS, STATIC = ROOT / "web", ROOT / "src/suanwang/texts", ROOT / "src/suanwang/api/static"
LANGS = ("en", "zh-hant", "zh-hans")
SOURCE = "\n".join(path.read_text() for path in sorted((WEB / "src").rglob("*.ts*")))


def ui(lang: str) -> dict[str, str]:
    parts = [json.loads((TEXTS / f"{part}.{lang}.json").read_text()) for part in ("ui", "ui_network", "ui_services")]
    return {key: text for part in parts for key, text in part.items()}


@pytest.mark.parametrize("lang", LANGS[1:])
def test_every_language_has_the_same_keys_and_places(lang: str) -> None:
    english, other = ui("en"), ui(lang)
    assert other.keys() == english.keys()
    for key, text in english.items():
        assert sorted(re.findall(r"\{\w+\}", other[key])) == sorted(re.findall(r"\{\w+\}", text)), key


def test_traditional_and_simplified_are_not_one_text_twice() -> None:
    hant, hans = ui("zh-hant"), ui("zh-hans")
    differing = [key for key in hant if hant[key] != hans[key]]
    assert len(differing) > len(hant) // 2


def test_every_text_is_used() -> None:
    built = {
        "role",
        "cause",
        "protection",
        "kind",
        "tier",
        "link",
        "circle",
        "preference",
        "admission",
        "run",
        "resource",
        "standby",
    }
    built |= {"bill", "new"}  # keys put together from a word: `ui.bill.${period}`, `ui.new.tab_${tab}`
    by = {"ui.net.by.held", "ui.net.by.carried"}
    unused = [key for key in ui("en") if f'"{key}"' not in SOURCE and key.split(".")[1] not in built and key not in by]
    assert unused == []


def test_the_lock_holds_no_registry_address() -> None:
    lock = (WEB / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert "integrity" in lock


@pytest.fixture
def built() -> list[Path]:
    if not (STATIC / "index.html").exists():
        pytest.skip("the page is not built: run `make web`")
    return [path for path in STATIC.rglob("*") if path.suffix in {".html", ".js", ".css"}]


def test_the_built_page_has_no_inline_script_or_style(built: list[Path]) -> None:
    html = (STATIC / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", html) == []
    assert "<style" not in html
    assert " style=" not in html


def test_the_built_page_loads_nothing_from_elsewhere(built: list[Path]) -> None:
    """Addresses that stay in the code are names (the SVG namespace) or words of a licence, never fetched."""
    for path in built:
        for address in re.findall(
            r"(?:src|href|url|import|fetch)\s*[=(]\s*[\"']?(https?:[^\"')\s]+)", path.read_text()
        ):
            pytest.fail(f"{path.name} refers to {address}")


def test_the_built_page_holds_no_stand_in_data(built: list[Path]) -> None:
    for path in built:
        text = path.read_text()
        assert "sw_demo_secret" not in text
        assert "render-scene" not in text
