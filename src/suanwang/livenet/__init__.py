"""The network as it is held now: ways through it, what a cut would do, its demand matrix. See README.md."""

from suanwang.livenet.cut import CutLook, segment_words
from suanwang.livenet.held import (
    LineBook,
    Room,
    StandingWay,
    cut_links,
    held_at,
    mlu_of,
    plan_ways,
    reservation_ways,
    way_state,
)
from suanwang.livenet.matrix import Matrix, matrix_of
from suanwang.livenet.pairs import Pair, find_pair, find_second, pair_holds, room_without, same_lists
from suanwang.livenet.paths import LivePaths, unknown_names

__all__ = [
    "CutLook",
    "LineBook",
    "LivePaths",
    "Matrix",
    "Pair",
    "Room",
    "StandingWay",
    "cut_links",
    "find_pair",
    "find_second",
    "held_at",
    "matrix_of",
    "mlu_of",
    "pair_holds",
    "plan_ways",
    "reservation_ways",
    "room_without",
    "same_lists",
    "segment_words",
    "unknown_names",
    "way_state",
]
