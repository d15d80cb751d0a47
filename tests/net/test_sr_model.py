"""SR policies as values."""

import pytest
from pydantic import ValidationError

from suanwang.model.sr import CandidatePath, SegmentList, SrPolicy, adjacency, node


def _path(preference: int) -> CandidatePath:
    return CandidatePath(preference=preference, lists=(SegmentList(segments=(node("r2"),)),))


def test_the_text_names_all_and_the_best_path_comes_first() -> None:
    spread = CandidatePath(
        preference=200,
        lists=(SegmentList(segments=(node("r3"), adjacency("r3-r4:ab")), weight=3), SegmentList(segments=())),
    )
    policy = SrPolicy(
        headend="r1", color=20, endpoint="r5", paths=(_path(100), spread), steers=("fd00:5::/64",), binding=True
    )
    assert str(policy).splitlines() == [
        "policy r1 -> r5 color 20",
        "  steers fd00:5::/64",
        "  binding SID",
        "  candidate path, preference 200",
        "    weight 3: r3, link r3-r4:ab",
        "    weight 1: the IGP path",
        "  candidate path, preference 100",
        "    weight 1: r2",
    ]


def test_two_paths_of_one_preference_are_refused() -> None:
    with pytest.raises(ValidationError, match="one preference"):
        SrPolicy(headend="r1", color=1, endpoint="r5", paths=(_path(100), _path(100)))


def test_a_policy_goes_somewhere() -> None:
    with pytest.raises(ValidationError, match="one node"):
        SrPolicy(headend="r1", color=1, endpoint="r1", paths=(_path(100),))


@pytest.mark.parametrize("weight", [0, 257])
def test_weights_are_what_a_group_can_hold(weight: int) -> None:
    with pytest.raises(ValidationError):
        SegmentList(segments=(), weight=weight)
