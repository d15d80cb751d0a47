"""When an attempt tells of its use and its progress, and what: sums over elements, by a clock made here."""

import pytest

from suanwang.agent.meter import PROGRESS_EVERY_US, USAGE_EVERY_US, Meter
from suanwang.model.event import Usage

SAMPLE_US = 100_000


def used(core_us, peak=0, processes=1):
    return Usage(core_us=core_us, memory_byte_us=core_us * 10, memory_peak_bytes=peak, processes_peak=processes)


def told(meter, samples, permille=lambda now_us: None, usage=used):
    """When updates go out, in microseconds after the start, of one element that is looked at every 100 ms."""
    meter.begin(5)
    out = []
    for now_us in range(SAMPLE_US, samples * SAMPLE_US + 1, SAMPLE_US):
        meter.seen(0, permille(now_us), usage(now_us) if usage else None)
        if meter.due(5 + now_us):
            out.append(now_us)
    return out


def test_use_alone_is_told_every_two_seconds():
    assert told(Meter(1), 65) == [USAGE_EVERY_US, 2 * USAGE_EVERY_US, 3 * USAGE_EVERY_US]


def test_progress_is_told_at_once_and_then_at_most_twice_a_second():
    assert told(Meter(1), 12, lambda now_us: now_us // SAMPLE_US) == [SAMPLE_US, 6 * SAMPLE_US, 11 * SAMPLE_US]


def test_the_last_of_two_quick_changes_is_told_too():
    seen = told(Meter(1), 20, lambda now_us: 100 if now_us < 3 * SAMPLE_US else 200, usage=None)
    assert seen == [SAMPLE_US, SAMPLE_US + PROGRESS_EVERY_US]


def test_an_update_of_progress_counts_as_one_of_use():
    seen = told(Meter(1), 45, lambda now_us: 10 if now_us < 15 * SAMPLE_US else 20)
    assert seen == [SAMPLE_US, 15 * SAMPLE_US, 15 * SAMPLE_US + USAGE_EVERY_US]


def test_nothing_is_told_where_nothing_measures_and_nothing_moves():
    assert told(Meter(1), 100, usage=None) == []


def test_nothing_is_told_before_the_start():
    meter = Meter(1)
    meter.seen(0, 500, used(1))
    assert not meter.due(10 * USAGE_EVERY_US)
    assert meter.usage(10 * USAGE_EVERY_US).wall_us == 0


def test_elements_are_summed_and_their_last_figures_replace_those_before():
    meter = Meter(4)
    meter.bytes_in = 7
    meter.begin(1_000)
    meter.seen(0, 200, used(10, peak=100, processes=2))
    meter.seen(1, 400, used(20, peak=300))
    assert meter.fraction_permille == 150
    meter.ended(0, used(15, peak=120, processes=3), done=True)
    assert meter.fraction_permille == 350
    assert meter.usage(3_000, bytes_out=9) == Usage(
        wall_us=2_000,
        core_us=35,
        memory_byte_us=350,
        memory_peak_bytes=300,
        bytes_in=7,
        bytes_out=9,
        processes_peak=3,
    )


@pytest.mark.parametrize(("elements", "done", "fraction"), [(1, True, None), (2, True, 500), (2, False, None)])
def test_an_element_that_is_done_is_a_known_part_of_an_array_alone(elements, done, fraction):
    meter = Meter(elements)
    meter.begin(0)
    meter.ended(0, used(1), done=done)
    assert meter.fraction_permille == fraction
