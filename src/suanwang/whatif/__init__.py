"""A day played twice, before and after a change. See README.md."""

from suanwang.whatif.play import Case, answer, play
from suanwang.whatif.read_change import change_schema, check_change, read_change

__all__ = ["Case", "answer", "change_schema", "check_change", "play", "read_change"]
