"""The guide's table is the code's."""

from pathlib import Path

from suanwang.agent.adapter import Limit
from suanwang.agent.adapters.local.host import HostFacts
from suanwang.agent.adapters.local.limits import TABLE, render
from suanwang.agent.adapters.local.verdict import Ending, judge
from suanwang.model.reason import FailureReason

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "sandbox.md"


def test_the_table_of_limits_is_fresh():
    text = GUIDE.read_text(encoding="utf-8")
    assert text.split("<!-- limits -->\n")[1].split("\n<!-- /limits -->")[0] == render()


def test_the_table_says_what_a_host_without_root_misses():
    poor = HostFacts(False, 2, 1 << 30, "/usr/bin/bwrap", "/usr/bin/setpriv", None, False, {})
    assert set(TABLE) == set(Limit)
    assert {limit for limit, row in TABLE.items() if not row.holds_without_root} == set(poor.missing)


def test_every_way_to_end_is_in_the_guide():
    endings = (
        Ending(None, wall_over=True),
        Ending(1, memory_kills=1),
        Ending(1, disk_full=True),
        Ending(1, process_refusals=1),
        Ending(None),
        Ending(130),
        Ending(1),
    )
    reasons = {judge(ending).reason for ending in endings}
    assert len(reasons) == len(endings)
    text = GUIDE.read_text(encoding="utf-8")
    for reason in reasons | {FailureReason.LIMIT_UNSUPPORTED}:
        assert f"`{reason.value}`" in text
