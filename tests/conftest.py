"""The order of the whole suite, and how its processes collect garbage."""

import gc

import pytest

from suanwang.runtime.memory import MIDDLE, OLD, YOUNG


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The simulated histories last: hundreds of tests of a few seconds that need nothing of each other. Workers that share
    the suite (`--dist worksteal`) begin with one stretch of it each, so that a module's server, cluster or lab is made
    once; who is done first takes from the end of the other's stretch."""
    items.sort(key=lambda item: "/tests/twin/" in item.path.as_posix())


def pytest_collection_finish() -> None:
    """What has been imported and collected stays: no collection looks at it again, as in a brain."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
