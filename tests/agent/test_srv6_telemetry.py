"""Counters into use, and pairs of times into delay: pure."""

import pytest

from suanwang.agent.adapters.srv6 import Counters, link_use, policy_use
from suanwang.agent.adapters.srv6.netns import _take
from suanwang.agent.adapters.srv6.port import Count
from suanwang.agent.adapters.srv6.probe import summary
from suanwang.model.sr_program import PlacedList, PlacedPolicy


def placed(standby: int | None = 8) -> PlacedPolicy:
    lists = (PlacedList((1, 2), ("a",), 3, 40, frozenset()), PlacedList((3,), ("b",), 1, 40, frozenset()))
    return PlacedPolicy("r1", 20, "r5", 7, standby, lists, lists[1:] if standby else (), "fcbb:bb00:1:f114::")


def reading(packets: int, **members: int) -> Counters:
    numbers = {(int(key[1]), int(key[3])): value for key, value in members.items()}
    sids = {"fcbb:bb00:1:f114::/64": Count(packets, packets * 100)}
    return Counters(sids, {"to2": Count(packets, packets * 100)}, {"to2": packets // 10}, numbers)


def test_a_policy_counts_its_lists_its_standby_and_its_binding_sid() -> None:
    before, after = reading(5, g7m1=10, g7m2=10, g7m3=1), reading(9, g7m1=15, g7m2=16, g7m3=4, g8m3=2)
    (use,) = policy_use([placed()], {"r1": before}, {"r1": after})
    assert [one.packets for one in use.active] == [11, 3]
    assert [one.packets for one in use.standby] == [2]
    assert use.bound == Count(4, 400)
    assert use.packets == 11 + 3 + 2 + 4


def test_a_counter_that_began_again_counts_from_zero() -> None:
    (use,) = policy_use([placed(None)], {"r1": reading(50, g7m3=100)}, {"r1": reading(3, g7m3=7)})
    assert (use.active[1].packets, use.bound.packets, use.standby) == (7, 3, ())


def test_a_router_without_a_reading_counts_nothing() -> None:
    (use,) = policy_use([placed()], {}, {})
    assert use.packets == 0
    assert link_use({}, {"r1": reading(1)}, 1) == []


def test_the_use_of_a_link_is_a_rate_over_the_interval() -> None:
    (use,) = link_use({"r1": reading(10)}, {"r1": reading(110)}, 2_000_000)
    assert (use.packets, use.bytes, use.dropped, use.bandwidth_bps) == (100, 10_000, 10, 40_000)


def test_delays_are_sorted_and_gaps_found() -> None:
    pairs = [(1_000, 21_000), (2_000, 12_000), (3_000, 503_000)]
    found = summary(5, pairs)
    assert (found.sent, found.received, found.lost) == (5, 3, 2)
    assert (found.minimum_us, found.p99_us, found.maximum_us) == (10.0, 500.0, 500.0)
    assert found.gap_us == 482.0
    assert found.p90_us == 20.0
    assert summary(4, []).lost == 4


@pytest.mark.parametrize(("count", "place"), [(1, 1), (2, 1), (5, 4), (9, 8), (10, 9), (11, 9), (20, 18), (100, 90)])
def test_a_tenth_and_at_least_one_packet_is_left_out(count: int, place: int) -> None:
    """Delays of 1, 2, ... us, in no order."""
    pairs = [(1_000, 1_000 + 1_000 * delay) for delay in range(count, 0, -1)]
    assert summary(count, pairs).p90_us == place


def test_an_answer_of_the_kernel_ends_at_an_error() -> None:
    done = (20).to_bytes(4, "little") + (2).to_bytes(2, "little") + bytes(14)
    assert _take(done, {}) is False
