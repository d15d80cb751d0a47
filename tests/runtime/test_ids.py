"""Ids: one form, never the same twice, in the order in which they were made, whoever asks."""

import re
from concurrent.futures import ThreadPoolExecutor

from suanwang.model.ids import MADE_PATTERN
from suanwang.runtime.clock import now_us
from suanwang.runtime.ids import RealIds

MANY = 20_000


def test_threads_that_share_a_maker_get_ids_of_their_own() -> None:
    ids = RealIds(now_us)

    def draw(_: int) -> list[str]:
        return [ids.task_id() for _ in range(MANY)]

    with ThreadPoolExecutor(4) as pool:
        made = [one for some in pool.map(draw, range(4)) for one in some]
    assert len(set(made)) == 4 * MANY
    assert all(re.match(MADE_PATTERN, one) for one in made)


def test_ids_sort_by_the_millisecond_in_which_they_were_made() -> None:
    at_us = [1_000_000_000_000]
    ids = RealIds(lambda: at_us[0])
    made = []
    for _ in range(2_000):
        made.append(ids.attempt_id())
        at_us[0] += 1_000
    assert made == sorted(made)
