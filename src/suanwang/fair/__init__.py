"""Whose task is looked at next. See README.md."""

from suanwang.fair.line import Kind, Line, Shelf
from suanwang.fair.shares import Shares

__all__ = ["Kind", "Line", "Shares", "Shelf"]
