"""A demand matrix as columns."""

from dataclasses import dataclass

import numpy as np

from suanwang.net.network import Ints


@dataclass(frozen=True, eq=False)
class Demands:
    """`q` flows, arrays of shape (q,): traffic of `bps` from node `source` to node `target`."""

    labels: tuple[str, ...]
    source: Ints
    target: Ints
    bps: Ints

    def __post_init__(self) -> None:
        assert len(self.labels) == len(self.source) == len(self.target) == len(self.bps), "one value a demand"
        assert bool(np.all(self.bps >= 0)), "traffic is not negative"

    @property
    def q(self) -> int:
        return len(self.labels)
