"""The network as it is held now: ways through it, what a cut would do, its demand matrix. See README.md."""

from suanwang.livenet.cut import CutLook, segment_words
from suanwang.livenet.held import (
    LineBook,
    StandingWay,
    cut_links,
    held_at,
    mlu_of,
    plan_ways,
    reservation_way,
    way_state,
)
from suanwang.livenet.matrix import Matrix, matrix_of
from suanwang.livenet.paths import LivePaths, unknown_names

__all__ = [
    "CutLook",
    "LineBook",
    "LivePaths",
    "Matrix",
    "StandingWay",
    "cut_links",
    "held_at",
    "matrix_of",
    "mlu_of",
    "plan_ways",
    "reservation_way",
    "segment_words",
    "unknown_names",
    "way_state",
]
