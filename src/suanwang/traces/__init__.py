"""Public traces as streams of arrivals. See README.md."""

from suanwang.traces.drawn import draw_day
from suanwang.traces.formats import FORMATS, read_trace
from suanwang.traces.rules import Rules
from suanwang.traces.shape import Shape, shaped

__all__ = ["FORMATS", "Rules", "Shape", "draw_day", "read_trace", "shaped"]
