"""Grids: files in, checked `Grid` values out, and grids of any size from a seed. See README.md."""

from suanwang.grids.check import check_grid
from suanwang.grids.dump import dump_grid
from suanwang.grids.generate import SMALL, Scale, random_grid
from suanwang.grids.graphml import load_graphml
from suanwang.grids.graphml_write import dump_graphml
from suanwang.grids.load import china_path, load_grid

__all__ = [
    "SMALL",
    "Scale",
    "check_grid",
    "china_path",
    "dump_graphml",
    "dump_grid",
    "load_graphml",
    "load_grid",
    "random_grid",
]
