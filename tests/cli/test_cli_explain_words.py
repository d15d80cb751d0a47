"""Why a plan was given up is told in words: the brain's own reasons, and those for which attempts fail too."""

import re
from pathlib import Path

import pytest

from suanwang.cli.show.explain import why_dropped
from suanwang.improve import DETAIL
from suanwang.texts import LANGUAGES, has

KEEPERS = [Path(__file__).parents[2] / "src/suanwang" / one for one in ("dispatch/keeper.py", "flow.py")]
LOST = Path(__file__).parents[2] / "src/suanwang/repair.py"


def reasons() -> set[str]:
    """What the brain says of plans that it drops."""
    said = " ".join(line for file in KEEPERS for line in file.read_text("utf-8").splitlines() if "PLAN_DROPPED" in line)
    lost = re.findall(r'Lost\("(\w+)"', LOST.read_text("utf-8"))
    return {DETAIL, *re.findall(r'detail="(\w+)"', said), *lost}


def test_every_reason_of_the_brain_has_words():
    assert {"improved", "room_made", "link_down", "security_pool_down", "parted"} == reasons()
    assert all(has(f"drop.{one}") for one in reasons())


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("improved", "a better one was found"),
        ("room_made", "room was made"),
        ("site_lost", "site"),
        ("odd", "odd"),
        ("", ""),
    ],
)
def test_it_reads_as_words(reason, words):
    assert words.lower() in why_dropped(reason).lower()
    assert why_dropped("improved") != "improved"
    assert len(LANGUAGES) == 3
