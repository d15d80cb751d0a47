"""The guide of the bulk kernel is true: its example prints what it says, and every key of the bench is explained."""

import contextlib
import io
import re
from pathlib import Path

from bench.plan import KEYS, PARTS

GUIDE = (Path(__file__).parents[2] / "docs" / "guide" / "bulk.md").read_text(encoding="utf-8")


def test_the_example_prints_what_the_page_says() -> None:
    code, said = (re.findall(rf"```{name}\n(.*?)```", GUIDE, re.S)[0] for name in ("python", "text"))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {})  # our own page
    assert printed.getvalue() == said


def test_every_key_and_part_of_the_bench_is_explained() -> None:
    keys = {key for cell in re.findall(r"^\| (`.*?) \|", GUIDE, re.M) for key in re.findall(r"`(\w+)`", cell)}
    parts = set(re.findall(r"^\| `.*?\| (\w+) \|", GUIDE, re.M))
    assert set(KEYS) <= keys
    assert set(PARTS) <= parts
