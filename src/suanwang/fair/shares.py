"""Dominant shares as exact integers.

A tenant's dominant share is the greatest of its fractions of the grid's resources. All fractions are brought to one
denominator, the least common multiple of the totals, so that comparing two shares compares two integers.
Source: Ghodsi et al., Dominant Resource Fairness, NSDI 2011, section 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from suanwang.model.share import RESOURCES, Amounts


@dataclass(frozen=True)
class Shares:
    """The scale on which what is held becomes a share."""

    whole: int  # the share that is all of a resource
    factors: tuple[int, ...]  # of each resource; 0 where the grid has none of it

    @classmethod
    def of(cls, totals: Sequence[int]) -> "Shares":
        whole = lcm(*(one for one in totals if one))
        return cls(whole, tuple(whole // one if one else 0 for one in totals))

    def dominant(self, held: Amounts) -> int:
        """The greatest share of any resource, in parts of `whole`."""
        a, b, c, d, e = self.factors
        return max(held[0] * a, held[1] * b, held[2] * c, held[3] * d, held[4] * e)

    def fraction(self, held: Amounts) -> Fraction:
        return Fraction(self.dominant(held), self.whole)

    def resource(self, held: Amounts) -> str | None:
        """The name of the resource that is dominant; None where nothing is held."""
        shares = [one * factor for one, factor in zip(held, self.factors, strict=True)]
        return RESOURCES[shares.index(max(shares))] if any(shares) else None
