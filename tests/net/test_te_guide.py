"""The guide of traffic engineering is true: its example prints what it says, and every dial is explained."""

import contextlib
import dataclasses
import io
import re
from pathlib import Path

from suanwang.net.te import Settings

GUIDE = (Path(__file__).parents[2] / "docs" / "guide" / "traffic-engineering.md").read_text(encoding="utf-8")


def test_the_example_prints_what_the_page_says() -> None:
    code, said = (re.findall(rf"```{name}\n(.*?)```", GUIDE, re.S)[0] for name in ("python", "text"))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {})  # our own page
    assert printed.getvalue() == said


def test_every_dial_is_explained() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", GUIDE, re.M))
    assert {field.name for field in dataclasses.fields(Settings)} <= rows
