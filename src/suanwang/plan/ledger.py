"""What a snapshot holds, as calendars; follows the snapshot's history instead of reading every lease again.

The ledger is derived: the same snapshot gives the same calendars whether it got there step by step or at once. The
holds of plans made in this batch are put on top (`push`) and taken off before the next snapshot is followed.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from suanwang.model.ids import LeaseId, PoolId, SecurityPoolId
from suanwang.model.plan import Hold
from suanwang.model.snapshot import LeaseChange, Snapshot
from suanwang.net.network import Ints
from suanwang.plan.calendar import Calendar, fits
from suanwang.plan.layout import Layout, amounts

Holds = tuple[Hold, ...]


class Ledger:
    """Calendars of the pools, and of the directed links and then the security pools."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.links = len(layout.network.to)
        self.pools = Calendar(len(layout.pools), 4)
        self.lines = Calendar(self.links + len(layout.sec_at), 1)
        self.known: dict[LeaseId, Holds] = {}
        self.history: Sequence[LeaseChange] | None = None
        self.position = 0
        self.scratch: list[Holds] = []

    def follow(self, snapshot: Snapshot) -> None:
        """Stand where the snapshot stands, with nothing on top."""
        self.pop_all()
        if snapshot.history is not None and snapshot.history is self.history:
            self._step(snapshot.history, snapshot.history_end)
            return
        self._differ(snapshot.leases)
        self.history, self.position = snapshot.history, snapshot.history_end

    def push(self, holds: Holds) -> None:
        """Put the holds of a plan of this batch on top."""
        self.scratch.append(holds)
        self._apply(holds, add=True)

    def pop(self) -> None:
        """Take off what was put on top last."""
        self._apply(self.scratch.pop(), add=False)

    def pop_all(self) -> None:
        """Take off what was put on top."""
        while self.scratch:
            self._apply(self.scratch.pop(), add=False)

    def _step(self, history: Sequence[LeaseChange], end: int) -> None:
        """Go along the history, forth or back."""
        while self.position < end:
            change = history[self.position]
            self._turn(change, change.added)
            self.position += 1
        while self.position > end:
            self.position -= 1
            change = history[self.position]
            self._turn(change, not change.added)

    def _turn(self, change: LeaseChange, add: bool) -> None:
        self._apply(change.holds, add)
        if add:
            self.known[change.lease_id] = change.holds
        else:
            del self.known[change.lease_id]

    def _differ(self, leases: Mapping[LeaseId, Holds]) -> None:
        known = self.known
        for lease_id in [one for one, holds in known.items() if leases.get(one) is not holds]:
            self._apply(known.pop(lease_id), add=False)
        for lease_id, holds in leases.items():
            if lease_id not in known:
                known[lease_id] = holds
                self._apply(holds, add=True)

    def has_room(self, holds: Holds) -> bool:
        """Whether all of these can be held beside what is held. They are of one plan: what crosses a resource more
        than once does so over the same span."""
        sums: dict[tuple[bool, int, int, int], Ints] = {}
        for hold in holds:
            where = self._where(hold)
            if where is not None:
                key = (where[0] is self.pools, where[1], hold.start_us, hold.end_us)
                sums[key] = sums.get(key, 0) + np.array(where[2], np.int64)
        for (of_pools, at, start_us, end_us), wanted in sums.items():
            calendar = self.pools if of_pools else self.lines
            all_of_it = self.layout.capacity[at] if of_pools else self.layout.empty_room[at : at + 1]
            if not fits(calendar.steps(), at, start_us, end_us, all_of_it - wanted):
                return False
        return True

    def _apply(self, holds: Holds, add: bool) -> None:
        for hold in holds:
            where = self._where(hold)
            if where is not None:
                calendar, at, figures = where
                (calendar.add if add else calendar.remove)(at, hold.start_us, hold.end_us, figures)

    def _where(self, hold: Hold) -> tuple[Calendar, int, tuple[int, ...]] | None:
        """The calendar, the resource's place in it and the figures of a hold; None if the grid no longer has it."""
        if hold.resource == "pool":
            at = self.layout.pool_at.get(PoolId(hold.key))
            figures = amounts(hold.demand) if hold.demand else (0, 0, 0, 0)
            return None if at is None else (self.pools, at, figures)
        if hold.resource == "link":
            at = self.layout.edge_at.get(hold.key)
            return None if at is None else (self.lines, at, (hold.bps,))
        at = self.layout.sec_at.get(SecurityPoolId(hold.key))
        return None if at is None else (self.lines, at + self.links, (hold.bps,))
