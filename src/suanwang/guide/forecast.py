"""What will still come, from what came: earlier days and today so far. Nothing of the future is read."""

import numpy as np
from numpy.typing import NDArray

from suanwang.plan.kernel.types import I64

PAST_WEIGHT = 0.5
"""What the mean of the past days counts for, in days of today's own arrivals: rates change from day to day."""


def expected(past: I64, seen: I64, elapsed: float, weight: float = PAST_WEIGHT) -> NDArray[np.float64]:
    """Arrivals of each class in a whole day, f64[C].

    past i64[days, C]: counts of whole earlier days; seen i64[C]: of today, in its first `elapsed` (0..1).
    """
    usual = past.mean(axis=0) if len(past) else np.zeros(len(seen))
    weight = weight if len(past) else 0.0
    return np.asarray((weight * usual + seen) / max(weight + elapsed, 1e-9), np.float64)


def remaining(past: I64, seen: I64, elapsed: float, weight: float = PAST_WEIGHT) -> I64:
    """Arrivals of each class still to come today, i64[C]."""
    return np.round(expected(past, seen, elapsed, weight) * (1.0 - elapsed)).astype(np.int64)
