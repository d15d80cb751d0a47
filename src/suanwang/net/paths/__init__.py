"""The online path engine. See README.md."""

from suanwang.net.paths.avoid import Avoid
from suanwang.net.paths.engine import BPS_MAX, NO_BOUND_US, Engine, Flow, Refused, Reservation, Segment

__all__ = ["BPS_MAX", "NO_BOUND_US", "Avoid", "Engine", "Flow", "Refused", "Reservation", "Segment"]
