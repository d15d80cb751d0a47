"""The guide of SR policies is true: its example prints what it says."""

import contextlib
import io
import re
from pathlib import Path

GUIDE = (Path(__file__).parents[2] / "docs" / "guide" / "sr-policies.md").read_text(encoding="utf-8")


def test_the_example_prints_what_the_page_says() -> None:
    code, said = (re.findall(rf"```{name}\n(.*?)```", GUIDE, re.S)[0] for name in ("python", "text"))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {})  # our own page
    assert printed.getvalue() == said
