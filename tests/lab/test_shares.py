"""How a link's classes and an ingress's marks are written. No root is needed for that."""

from lab_rig import MBPS, cables

from suanwang.lab.layout import make_layout
from suanwang.lab.shares import Ingress, change_lines, ef_bps, ruleset

LAYOUT = make_layout(cables("pair", "ab", [("ab", 100, 0, 1)]), "x", top_rate_bps=100 * MBPS, ef_percent=30)
WAY = LAYOUT.links[0].forth


def test_the_ef_class_grows_with_what_is_held_and_leaves_the_rest_a_part() -> None:
    assert ef_bps(WAY, 0) == ef_bps(WAY, 20 * MBPS) == 30 * MBPS
    assert ef_bps(WAY, 50 * MBPS) == 55 * MBPS  # with the headers that come on top
    assert ef_bps(WAY, 100 * MBPS) == ef_bps(WAY, 10**12) == 95 * MBPS


def test_both_classes_of_a_changed_direction_are_written_and_no_other() -> None:
    lines = change_lines(LAYOUT, 0, {WAY.directed: 40 * MBPS})
    assert [line.split(" burst")[0] for line in lines] == [
        f"class change dev l0 parent 1:1 classid 1:10 htb rate {40 * MBPS}bit ceil {100 * MBPS}bit prio 0",
        f"class change dev l0 parent 1:1 classid 1:20 htb rate {60 * MBPS}bit ceil {100 * MBPS}bit prio 1",
    ]
    assert change_lines(LAYOUT, 1, {WAY.directed: 40 * MBPS}) == []


def test_marks_replace_what_was_there_in_one_step() -> None:
    flows = [(("fd00::1", "fd00::9"), 8 * MBPS, False), (("fd00::2",), 0, False), (("fd00::3",), 8 * MBPS, True)]
    text = ruleset(Ingress(*one) for one in flows)
    assert "ip6 daddr { fd00::1, fd00::9 } limit rate over 1000000 bytes/second" in text, "elements share one rate"
    assert "ip6 dscp set ef" in text
    assert "fd00::2" not in text and "ip6 daddr { fd00::3 } counter drop" in text
    assert text.index("delete table") < text.index("chain ingress")
    assert "chain" not in ruleset([])
