"""Times, memory, arrays, cards, dependencies and instants as Slurm writes them."""

import string
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanwang.intent.slurm_values import (
    ArrayIds,
    BadValueError,
    Cards,
    Follows,
    array_ids,
    cards,
    dependencies,
    gres_cards,
    instant_us,
    memory_bytes,
    time_limit_us,
    whole,
)
from suanwang.model.units import GIB, MIB, SPAN_US_MAX, US_PER_MINUTE, US_PER_S

TIMES = [
    ("90", 90),
    ("1:30", 2),  # a begun minute is a whole one
    ("0:30", 1),
    ("2:00", 2),
    ("01:00:00", 60),
    ("1:30:01", 91),
    ("1-0", 1440),
    ("1-12", 2160),
    ("1-12:30", 2190),
    ("0-0:0:30", 1),
    ("7-00:00:00", 10_080),
]


@pytest.mark.parametrize(("text", "minutes"), TIMES)
def test_a_time_limit_in_every_form(text: str, minutes: int) -> None:
    assert time_limit_us(text) == minutes * US_PER_MINUTE


@pytest.mark.parametrize("text", ["", "x", "1h", "-5", "1:2:3:4", "1-", "-1:00", "1.5", "1-1-1", "9999-0", " 5", "٥"])
def test_what_is_no_time_limit(text: str) -> None:
    with pytest.raises(BadValueError) as caught:
        time_limit_us(text)
    assert caught.value.code == "slurm_time_form"


@pytest.mark.parametrize("text", ["UNLIMITED", "infinite", "-1", "0"])
def test_a_job_without_an_end_cannot_be_planned(text: str) -> None:
    with pytest.raises(BadValueError) as caught:
        time_limit_us(text)
    assert caught.value.code == "slurm_time_endless"


@given(st.integers(0, 360), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_a_time_limit_is_what_its_parts_say(days: int, hours: int, minutes: int, seconds: int) -> None:
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if not total:
        return
    texts = [f"{days}-{hours}:{minutes:02}:{seconds:02}", f"{days * 24 + hours}:{minutes}:{seconds:02}"]
    texts += [f"{(days * 24 + hours) * 60 + minutes}:{seconds}"]
    assert {time_limit_us(one) for one in texts} == {-(-total // 60) * US_PER_MINUTE}


@given(st.text(string.digits + "-:.dhm UNLIMITED", max_size=12))
def test_safety_any_text_is_a_limit_within_bounds_or_a_fault(text: str) -> None:
    with suppress(BadValueError):
        assert 0 < time_limit_us(text) <= SPAN_US_MAX


MEMORY = [
    ("4000", 4000 * MIB),
    ("4G", 4 * GIB),
    ("4GB", 4 * GIB),
    ("512m", 512 * MIB),
    ("1T", 1024 * GIB),
    ("2048K", 2 * MIB),
]


@pytest.mark.parametrize(("text", "amount"), MEMORY)
def test_memory(text: str, amount: int) -> None:
    assert memory_bytes(text) == amount


@given(st.integers(0, 10**9), st.sampled_from(["", "K", "M", "G", "T", "k", "g"]), st.sampled_from(["", "B"]))
def test_memory_is_its_number_times_its_unit(number: int, unit: str, end: str) -> None:
    shift = {"": 20, "K": 10, "M": 20, "G": 30, "T": 40}[unit.upper()]
    assert memory_bytes(f"{number}{unit}{end}") == number << shift


@pytest.mark.parametrize("text", ["", "4.5G", "G", "-1", "4 G", "4Gi", "4P"])
def test_what_is_no_memory(text: str) -> None:
    with pytest.raises(BadValueError) as caught:
        memory_bytes(text)
    assert caught.value.code == "slurm_memory_form"


ARRAYS = [
    ("0-3", (0, 1, 2, 3), None, 1),
    ("1-10:3", (1, 4, 7, 10), None, 3),
    ("5", (5,), None, 1),
    ("1,3,7-9", (1, 3, 7, 8, 9), None, None),
    ("9,1,1", (1, 9), None, 8),
    ("0-99%10", tuple(range(100)), 10, 1),
]


@pytest.mark.parametrize(("text", "ids", "at_once", "step"), ARRAYS)
def test_arrays(text: str, ids: tuple[int, ...], at_once: int | None, step: int | None) -> None:
    found = array_ids(text)
    assert (found, found.step) == (ArrayIds(ids, at_once), step)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(1, 5)), min_size=1, max_size=5))
def test_an_array_is_the_union_of_its_ranges(ranges: list[tuple[int, int, int]]) -> None:
    text = ",".join(f"{first}-{first + more}:{step}" for first, more, step in ranges)
    wanted = {one for first, more, step in ranges for one in range(first, first + more + 1, step)}
    assert array_ids(text).ids == tuple(sorted(wanted))


@pytest.mark.parametrize(
    ("text", "code"),
    [("", "slurm_array_form"), ("5-1", "slurm_array_form"), ("1-4:0", "slurm_array_form"), ("1-4%", "slurm_array_form"),
     ("1-4%0", "slurm_array_form"), ("a", "slurm_array_form"), ("0-4000000", "slurm_array_large"),
     ("5000000", "slurm_array_large")],
)  # fmt: skip
def test_what_is_no_array(text: str, code: str) -> None:
    with pytest.raises(BadValueError) as caught:
        array_ids(text)
    assert caught.value.code == code


def test_cards() -> None:
    assert cards("2") == Cards(None, 2)
    assert cards("a100:2") == Cards("a100", 2)
    assert cards("a100") == Cards("a100", 1)
    assert gres_cards("gpu") == Cards(None, 1)
    assert gres_cards("gpu:2") == Cards(None, 2)
    assert gres_cards("gres/gpu:a100:4") == Cards("a100", 4)
    assert gres_cards("gpu:a100=4") == Cards("a100", 4)
    assert gres_cards("none") == Cards(None, 0)


@pytest.mark.parametrize(
    ("text", "code"),
    [("gpu:", "slurm_gres_form"), ("gpu:a:b:c", "slurm_gres_form"), ("gpu:a100:x", "slurm_gres_form"),
     ("shard:2", "slurm_gres_other"), ("gpu:1,nvme:1", "slurm_gres_other")],
)  # fmt: skip
def test_what_names_no_cards(text: str, code: str) -> None:
    with pytest.raises(BadValueError) as caught:
        gres_cards(text)
    assert caught.value.code == code


def test_dependencies() -> None:
    found = dependencies("afterok:12:13,afterany:14,after:1,AfterNotOk:2")
    assert found == [
        Follows("succeeded", 12),
        Follows("succeeded", 13),
        Follows("ended", 14),
        Follows("started", 1),
        Follows("failed", 2),
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [("afterok", "slurm_dependency_form"), ("afterok:", "slurm_dependency_form"), ("afterok:5_1", "slurm_dependency_form"),
     ("after:5+10", "slurm_dependency_form"), ("afterok:0", "slurm_dependency_form"), ("singleton", "slurm_dependency_kind"),
     ("aftercorr:5", "slurm_dependency_kind"), ("afterok:1?afterok:2", "slurm_dependency_any")],
)  # fmt: skip
def test_what_is_no_dependency(text: str, code: str) -> None:
    with pytest.raises(BadValueError) as caught:
        dependencies(text)
    assert caught.value.code == code


ZONE = timezone(timedelta(hours=8))
NOW = datetime(2026, 11, 27, 14, 30, tzinfo=ZONE)
INSTANTS = [
    ("now", (27, 14, 30, 0)),
    ("now+90", (27, 14, 31, 30)),
    ("now+2hours", (27, 16, 30, 0)),
    ("now + 10 min", (27, 14, 40, 0)),
    ("now+1d", (28, 14, 30, 0)),
    ("16:00", (27, 16, 0, 0)),
    ("14:00", (28, 14, 0, 0)),  # it has passed today
    ("4:15:30pm", (27, 16, 15, 30)),
    ("12:00 AM", (28, 0, 0, 0)),
    ("teatime", (27, 16, 0, 0)),
    ("midnight", (28, 0, 0, 0)),
    ("tomorrow", (28, 0, 0, 0)),
    ("today 20:00", (27, 20, 0, 0)),
    ("2026-11-30", (30, 0, 0, 0)),
    ("2026-11-30T08:15", (30, 8, 15, 0)),
    ("2026-11-30T08:15:59", (30, 8, 15, 59)),
    ("112926", (29, 0, 0, 0)),
    ("11/29/26", (29, 0, 0, 0)),
    ("11/29 noon", (29, 12, 0, 0)),
]


@pytest.mark.parametrize(("text", "at"), INSTANTS)
def test_instants_on_the_users_clock(text: str, at: tuple[int, int, int, int]) -> None:
    day, hour, minute, second = at
    wanted = datetime(2026, 11, day, hour, minute, second, tzinfo=ZONE)
    assert instant_us(text, int(NOW.timestamp()) * US_PER_S, ZONE) == int(wanted.timestamp()) * US_PER_S


@pytest.mark.parametrize(
    "text",
    [
        "",
        "later",
        "25:00",
        "12:60",
        "13:00pm",
        "2026-13-01",
        "now-5",
        "now+5fortnights",
        "now+5m m",
        "16:00 17:00",
        "2026-11-30T",
    ],
)
def test_what_is_no_instant(text: str) -> None:
    with pytest.raises(BadValueError) as caught:
        instant_us(text, 0, UTC)
    assert caught.value.code == "slurm_instant_form"


@given(st.text("now+0123456789-:/T apm", max_size=20))
def test_safety_any_text_is_an_instant_or_a_fault(text: str) -> None:
    with suppress(BadValueError):
        assert isinstance(instant_us(text, 1_790_000_000 * US_PER_S, UTC), int)


def test_counts() -> None:
    assert whole("12") == 12
    for text, least in (("0", 1), ("-1", 0), ("1.5", 0), ("", 0), ("9999999", 0)):
        with pytest.raises(BadValueError):
            whole(text, least)
