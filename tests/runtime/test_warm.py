"""What is compiled before the first task: every part runs, and one that fails is not passed over."""

import pytest

from suanwang.runtime import warm


@pytest.mark.parametrize("part", ["nodes", "paths", "te"])
def test_a_part_runs_where_it_is_named(part: str) -> None:
    assert warm.main([part]) == 0


def test_all_parts_are_begun_and_the_worst_end_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    def apart(part: str) -> int:
        begun.append(part)
        return 3 if part == "road" else 0

    monkeypatch.setattr(warm, "_apart", apart)
    assert warm.main([]) == 3
    assert sorted(begun) == ["bulk", "nodes", "paths", "road", "te"]


def test_a_part_is_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUANWANG_KERNELS", "numpy")  # nothing to compile, so quick
    assert warm._apart("nodes") == 0
    assert warm._apart("no such part") != 0
